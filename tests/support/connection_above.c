/* tests/support/connection_above.c - what a door, an errand and a component do, and a note of each call. */
#include "tests/support/connection_above.h"

#include "core/batch.h"
#include "net/http.h"
#include "server/connection/component.h"
#include "server/connection/connection.h"
#include "server/connection/deadline.h"
#include "server/connection/errand.h"
#include "server/connection/receive.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool case_has_unanswered;
enum rc case_open_rc;
const char *case_last_words;
static char calls[65536];

static void note(const char *format, ...)
{
    va_list arguments;
    size_t used = strlen(calls);
    va_start(arguments, format);
    vsnprintf(calls + used, sizeof calls - used, format, arguments);
    va_end(arguments);
}

/* ---- a component ---- */

static enum rc on_open(struct shard *shard, struct connection *connection, const struct http_request *request,
                       struct refusal *refusal_r)
{
    note("open ");
    *refusal_r = (struct refusal){403, "not today"};
    if (case_open_rc == RC_OK && text_is(request->path, "/ws")) receive_opened(shard, connection);
    return case_open_rc;
}

static void say_text(struct shard *shard, struct connection *connection, enum frame_opcode opcode, struct text text)
{
    uint8_t header[FRAME_HEADER_BYTES_MAX], *to;
    size_t header_bytes = frame_header_write(header, opcode, text.count);
    struct batch *batch = batch_new((uint32_t)(header_bytes + text.count), shard->now_ms, &to);
    if (batch != NULL) {
        memcpy(to, header, header_bytes);
        memcpy(to + header_bytes, text.at, text.count);
    }
    connection_say(shard, connection, batch);
}

static void on_message(struct shard *shard, struct connection *connection, const struct payload *payload)
{
    struct text text = {(const char *)payload->bytes, payload->count};
    if (payload->count < 100) note("message:%.*s ", (int)payload->count, text.at);
    if (payload->count >= 100) note("message*%u ", payload->count);
    if (text_has_prefix(text, "echo")) say_text(shard, connection, payload->opcode, text);
}

static bool has_unanswered(struct shard *shard, struct connection *connection)
{
    (void)shard, (void)connection;
    note("last ");
    return case_has_unanswered;
}

static void on_goodbye(struct shard *shard, struct connection *connection, enum close_reason reason,
                       uint32_t retry_after_ms)
{
    note("goodbye:%s ", close_reason_name(reason));
    if (retry_after_ms > 0) note("after:%u ", retry_after_ms);
    if (case_last_words != NULL) say_text(shard, connection, FRAME_TEXT, text_of(case_last_words));
}

static uint16_t close_code(enum close_reason reason)
{
    return close_reason_code(reason);
}

static void identify(const struct shard *shard, const struct connection *connection, struct identity *identity_r)
{
    (void)shard, (void)connection;
    *identity_r = (struct identity){.app = text_of("an app"), .user = text_of("somebody")};
}

static void on_error(struct shard *shard, struct connection *connection, enum close_reason reason)
{
    (void)shard, (void)connection;
    note("error:%s ", close_reason_name(reason));
}

static void on_close(struct shard *shard, struct connection *connection, enum close_reason reason)
{
    (void)shard, (void)connection;
    note("close:%s ", close_reason_name(reason));
}

static const struct component component = {
    .name = "case",
    .on_open = on_open,
    .on_message = on_message,
    .has_unanswered = has_unanswered,
    .on_goodbye = on_goodbye,
    .close_code = close_code,
    .identify = identify,
    .on_error = on_error,
    .on_close = on_close,
};

/* ---- an errand ---- */

static void answer(struct shard *shard, struct connection *connection, const char *text)
{
    connection_say(shard, connection, batch_of_static(text, (uint32_t)strlen(text), shard->now_ms));
}

static void take_back(struct connection *connection)
{
    free(connection->errand);
    connection->errand = NULL;
}

static void late(struct shard *shard, struct connection *connection)
{
    note("late ");
    take_back(connection);
    answer(shard, connection, "HTTP/1.1 504 Gateway Timeout\r\n\r\n");
    receive_answered(shard, connection);
}

static void abandoned(struct shard *shard, struct connection *connection)
{
    (void)shard;
    note("abandoned ");
    take_back(connection);
}

static const struct errand_kind errand_kind = {late, abandoned};

void case_errand_done(struct shard *shard, struct connection *connection)
{
    take_back(connection);
    answer(shard, connection, "HTTP/1.1 202 Accepted\r\n\r\n");
    receive_answered(shard, connection);
}

/* ---- a door ---- */

static void refuse_with(struct shard *shard, struct connection *connection, unsigned status)
{
    char head[100];
    uint8_t *to;
    int count = snprintf(head, sizeof head, "HTTP/1.1 %u %s\r\n\r\n", status, http_status_text(status));
    struct batch *batch = batch_new((uint32_t)count, shard->now_ms, &to);
    if (batch != NULL) memcpy(to, head, (size_t)count);
    connection_say(shard, connection, batch);
    connection_linger(shard, connection, CLOSE_HTTP_REFUSED);
}

void case_refuse(struct shard *shard, struct connection *connection, struct bytes *in, unsigned status,
                 const char *sentence)
{
    (void)in, (void)sentence;
    note("refuse:%u ", status);
    refuse_with(shard, connection, status);
}

static void upgrade(struct shard *shard, struct connection *connection, const struct http_request *request)
{
    struct refusal refusal = {0};
    connection->component = &component;
    connection_join(shard, connection);
    if (!rc_is_error(component.on_open(shard, connection, request, &refusal))) return;
    connection->component = NULL;
    refuse_with(shard, connection, refusal.status);
}

static void ask(struct shard *shard, struct connection *connection)
{
    connection->errand = malloc(sizeof *connection->errand);
    if (connection->errand == NULL) {
        refuse_with(shard, connection, 503);
        return;
    }
    connection->errand->kind = &errand_kind;
    connection_ask(shard, connection);
}

static void take(struct shard *shard, struct connection *connection, const struct http_request *request)
{
    note("%.*s ", (int)request->path.count, request->path.at);
    if (text_is(request->path, "/answer")) {
        answer(shard, connection, CASE_OK);
        receive_answered(shard, connection);
    } else if (text_is(request->path, "/ask")) {
        ask(shard, connection);
    } else if (text_is(request->path, "/last")) {
        answer(shard, connection, CASE_OK);
        connection_linger(shard, connection, CLOSE_HTTP_DONE);
    } else if (text_has_prefix(request->path, "/ws")) {
        upgrade(shard, connection, request);
    } else {
        refuse_with(shard, connection, 404);
    }
}

bool case_serve(struct shard *shard, struct connection *connection, struct bytes *in)
{
    if (in->count == 0) return false;
    if (connection->http == NULL) {
        connection->http = malloc(sizeof *connection->http);
        if (connection->http == NULL) {
            connection_finish(shard, connection, CLOSE_NO_MEMORY);
            return false;
        }
        http_reader_init(connection->http, 1000, 1000);
    }
    bool is_next = http_reader_is_fresh(connection->http);
    enum rc rc = http_reader_feed(connection->http, in);
    if (is_next && rc == RC_MORE) deadline_of_request(shard, connection);
    if (rc == RC_OK) take(shard, connection, http_reader_request(connection->http));
    if (rc_is_error(rc)) refuse_with(shard, connection, http_reader_status(connection->http));
    return rc == RC_OK;
}

/* ---- what was called ---- */

const char *case_calls(void)
{
    static char texts[4][sizeof calls];
    static uint32_t turn;
    char *text = texts[turn++ % 4];
    memcpy(text, calls, strlen(calls) + 1);
    calls[0] = '\0';
    return text;
}
