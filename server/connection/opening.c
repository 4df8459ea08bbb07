/* server/connection/opening.c - what is asked of a request that opens something. */
#include "server/connection/opening.h"

#include "core/batch.h"
#include "net/http.h"
#include "net/upgrade.h"
#include "server/config/app.h"
#include "server/connection/component.h"
#include "server/connection/connection_state.h"
#include "server/connection/peer.h"
#include "server/shard/shard.h"

#include <assert.h>

/* Does the client speak TLS, to us or, as it says, to a proxy in front? */
static bool has_tls(const struct shard *shard, const struct connection *connection,
                    const struct http_request *request)
{
    if (connection->is_secure || peer_has_tls(shard, connection)) return true;
    return peer_may_forward(shard, connection) &&
           text_is_nocase(http_request_header(request, "x-forwarded-proto"), "https");
}

enum close_reason opening_judge_app(const struct shard *shard, const struct app *app,
                                    const struct connection *connection, const struct http_request *request)
{
    if (!app->enabled) return CLOSE_APP_DISABLED;
    return app->tls_only && !has_tls(shard, connection, request) ? CLOSE_TLS_ONLY : CLOSE_NONE;
}

struct batch *opening_answer(struct shard *shard, const struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    struct upgrade upgrade;
    char answer[UPGRADE_ANSWER_BYTES_MAX];
    uint8_t *to;
    const struct http_request *request = http_reader_request(connection->http);
    const struct text_list *names = &shard->options->subprotocol;
    struct text subprotocol = {0};
    upgrade_check(request, NULL, 0, &upgrade); /* its origin was judged before */
    if (connection->component->has_subprotocols)
        subprotocol = upgrade_subprotocol(request, (const char *const *)names->items, names->count);
    size_t count = upgrade_answer(&upgrade, subprotocol, answer, sizeof answer);
    struct batch *batch = batch_new((uint32_t)count, shard->now_ms, &to);
    if (batch != NULL) memcpy(to, answer, count);
    return batch;
}
