/* server/control/dashboard.c - the files of server/web that are for operators. */
#include "server/control/dashboard.h"

#include "net/http_request.h"
#include "server/http/answer.h"
#include "server/shard/shard.h"
#include "server/web/web.h"

#include <assert.h>

void dashboard_answer(struct shard *shard, struct connection *connection, const struct http_request *request)
{
    assert(owner_is_me(&shard->owner));
    const struct web_page *page = web_find_for_operators(request->path);
    assert(page != NULL); /* each of these paths has a row in server/control/control_path.def */
    struct web_answer what = web_answer(page, request);
    answer_static(shard, connection, what.status, what.status == 200 ? page->type : NULL, what.body, what.headers);
}
