/* server/answer.c - head and body in one batch, and what becomes of the connection. */
#include "server/answer.h"

#include "core/batch.h"
#include "net/http.h"
#include "server/connection.h"
#include "server/shard.h"

#define HEAD_BYTES_MAX 512

/* A body that was refused is not read, so what follows it is not found. */
static bool may_stay(const struct shard *shard, const struct connection *connection)
{
    bool is_complete = http_reader_is_complete(connection->http);
    return is_complete && http_reader_request(connection->http)->keep_alive && !shard->is_draining;
}

static bool is_head(const struct connection *connection)
{
    return http_reader_is_complete(connection->http) &&
           http_reader_request(connection->http)->method == HTTP_METHOD_HEAD;
}

void answer(struct shard *shard, struct connection *connection, unsigned status, const char *type, struct text body,
            const char *extra_headers)
{
    char head[HEAD_BYTES_MAX];
    bool keep_alive = may_stay(shard, connection);
    size_t head_bytes = http_answer_head(head, sizeof head, status, type, body.count, keep_alive, extra_headers);
    if (is_head(connection)) body.count = 0; /* RFC 9110 9.3.2: told how long it is, not sent */
    uint8_t *to;
    struct batch *batch = batch_new((uint32_t)(head_bytes + body.count), shard->now_ms, &to);
    if (batch != NULL) {
        memcpy(to, head, head_bytes);
        if (body.count > 0) memcpy(to + head_bytes, body.at, body.count);
    }
    connection_say(shard, connection, batch);
    if (keep_alive) {
        connection_answered(shard, connection);
    } else {
        connection_linger(shard, connection, CLOSE_HTTP_DONE);
    }
}
