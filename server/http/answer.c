/* server/http/answer.c - head and body, and what becomes of the connection. */
#include "server/http/answer.h"

#include "core/batch.h"
#include "net/http.h"
#include "server/connection/connection.h"
#include "server/connection/receive.h"
#include "server/shard/shard.h"
#include "server/system/clock.h"

#include <assert.h>
#include <stdio.h>

#define HEAD_BYTES_MAX     1024
#define SENTENCE_BYTES_MAX 512

_Static_assert(HTTP_DATE_BYTES <= sizeof((struct shard *)0)->http.date, "a date fits");

/* Written when a second has begun: many answers share it. */
static const char *date(struct shard *shard)
{
    uint64_t second = realtime_ms() / 1000;
    if (second != shard->http.date_second) http_date_write(shard->http.date, second);
    shard->http.date_second = second;
    return shard->http.date;
}

/* A body that was refused is not read, so what follows it is not found. */
static bool may_stay(const struct shard *shard, const struct connection *connection)
{
    bool is_complete = http_reader_is_complete(connection->http);
    return is_complete && http_reader_request(connection->http)->keep_alive && !shard->is_stopping;
}

/* Is it a HEAD that is answered? Who speaks no HTTP here, but TLS, has no reader. */
static bool is_head(const struct connection *connection)
{
    return connection->http != NULL && http_reader_is_head(connection->http);
}

/* The head, and of the body what is to be copied; the rest follows from where it lies. */
static void say(struct shard *shard, struct connection *connection, struct http_answer *what, struct text body,
                size_t copied)
{
    char head[HEAD_BYTES_MAX];
    what->body_bytes = body.count;
    what->date = date(shard);
    size_t head_bytes = http_answer_head(head, sizeof head, what);
    if (is_head(connection)) body.count = copied = 0;
    uint8_t *to;
    struct batch *batch = batch_new((uint32_t)(head_bytes + copied), shard->now_ms, &to);
    if (batch != NULL) {
        memcpy(to, head, head_bytes);
        if (copied > 0) memcpy(to + head_bytes, body.at, copied);
    }
    connection_say(shard, connection, batch);
    if (copied == body.count || connection_is_gone(connection)) return;
    connection_say(shard, connection,
                   batch_of_static(body.at + copied, (uint32_t)(body.count - copied), shard->now_ms));
}

static void end(struct shard *shard, struct connection *connection, bool may_go_on)
{
    if (may_go_on) {
        receive_answered(shard, connection);
    } else {
        connection_linger(shard, connection, CLOSE_HTTP_DONE);
    }
}

void http_answer(struct shard *shard, struct connection *connection, unsigned status, const char *type,
                 struct text body, const char *extra_headers)
{
    assert(owner_is_me(&shard->owner));
    struct http_answer what = {.status = status, .content_type = type, .extra_headers = extra_headers};
    what.keep_alive = may_stay(shard, connection);
    say(shard, connection, &what, body, body.count);
    end(shard, connection, what.keep_alive);
}

void answer_static(struct shard *shard, struct connection *connection, unsigned status, const char *type,
                   struct text body, const char *extra_headers)
{
    assert(owner_is_me(&shard->owner));
    struct http_answer what = {.status = status, .content_type = type, .extra_headers = extra_headers};
    what.keep_alive = may_stay(shard, connection);
    say(shard, connection, &what, body, 0);
    end(shard, connection, what.keep_alive);
}

void answer_refuse(struct shard *shard, struct connection *connection, unsigned status, const char *sentence,
                   const char *extra_headers)
{
    assert(owner_is_me(&shard->owner));
    char line[SENTENCE_BYTES_MAX];
    struct http_answer what = {.status = status, .content_type = ANSWER_TEXT, .extra_headers = extra_headers};
    int count = snprintf(line, sizeof line, "%s\n", sentence);
    counter_add(&shard->counters, COUNTER_http_refused, 1);
    say(shard, connection, &what, (struct text){line, (size_t)count}, (size_t)count);
    connection_linger(shard, connection, CLOSE_HTTP_REFUSED);
}
