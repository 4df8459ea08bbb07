/* server/control/control.c - which request gets what at the control door. */
#include "server/control/control.h"

#include "net/http.h"
#include "server/connection/connection.h"
#include "server/control/control_access.h"
#include "server/control/control_path.h"
#include "server/http/answer.h"
#include "server/http/api.h"
#include "server/http/request.h"
#include "server/shard/shard.h"

#include <assert.h>

static bool is_method_right(const struct control_path *path, const struct http_request *request)
{
    bool may_be_head = path->method == HTTP_METHOD_GET && request->method == HTTP_METHOD_HEAD;
    return request->method == path->method || may_be_head;
}

/* Everything that can be judged without understanding the path. */
static struct control_refusal judge(const struct shard *shard, const struct connection *connection,
                                    const struct http_request *request, const struct control_path *path)
{
    if (path == NULL)
        return (struct control_refusal){
            404,
            "Nothing is here: this address has the HTTP API (/apps/ID/...), /up, /health, /live, /ready, /metrics, "
            "/stats, /top and the dashboard (/).",
            NULL};
    struct control_refusal refusal = control_access_judge(shard, connection, request, path->access);
    if (refusal.status != 0) return refusal;
    if (!is_method_right(path, request))
        return path->method == HTTP_METHOD_GET
                   ? (struct control_refusal){405, "Only GET and HEAD are answered here.", "Allow: GET, HEAD\r\n"}
                   : (struct control_refusal){405, "Only POST is answered here.", "Allow: POST\r\n"};
    if (http_reader_has_body(connection->http))
        return (struct control_refusal){413, "This path takes no body.", NULL};
    return (struct control_refusal){0};
}

static void answer_path(struct shard *shard, struct connection *connection, const struct http_request *request)
{
    const struct control_path *path = control_path_of(request->path);
    struct control_refusal refusal = judge(shard, connection, request, path);
    if (refusal.status != 0) {
        answer_refuse(shard, connection, refusal.status, refusal.sentence, refusal.headers);
    } else {
        path->answer(shard, connection, request);
    }
}

static void take(struct shard *shard, struct connection *connection, const struct http_request *request)
{
    if (request_is_for_server(request)) {
        request_answer_for_server(shard, connection);
    } else if (api_serves(request->path)) {
        api_receive(shard, connection, request);
    } else {
        answer_path(shard, connection, request);
    }
}

/* Only backends that have signed may send a body. */
static bool judge_head(struct shard *shard, struct connection *connection, const struct http_request *head)
{
    if (connection->is_judged) return true;
    if (!request_is_for_server(head) && api_serves(head->path)) {
        connection->is_judged = api_judge(shard, connection, head);
    } else {
        take(shard, connection, head);
    }
    return connection->is_judged;
}

bool control_receive(struct shard *shard, struct connection *connection, struct bytes *in)
{
    assert(owner_is_me(&shard->owner));
    static const struct request_taker all = {.judge_head = judge_head, .take = take};
    return request_receive(shard, connection, in, &all);
}
