/* server/http/request.c - from bytes to a request, or to a refusal of what is none. */
#include "server/http/request.h"

#include "core/batch.h"
#include "core/bytes.h"
#include "net/http.h"
#include "server/connection/connection.h"
#include "server/connection/deadline.h"
#include "server/http/answer.h"
#include "server/shard/shard.h"

#include <assert.h>
#include <stdlib.h>

#define TLS_FIRST_BYTE 0x16 /* a handshake record: no request begins so */

const char *request_malformed_text(unsigned status)
{
    switch (status) {
    case 413:
        return "The request's body is too large here.";
    case 417:
        return "The only expectation understood is 100-continue.";
    case 431:
        return "The request's head is too large: send fewer or shorter headers (--head-bytes-max).";
    case 501:
        return "This method or transfer coding is not known here.";
    case 503:
        return "The server is out of memory: try again later.";
    case 505:
        return "Speak HTTP/1.1.";
    default:
        return "This is not a well-formed HTTP/1.1 request (RFC 9112).";
    }
}

/* RFC 9110 9.3.7: of the server as a whole. */
bool request_is_for_server(const struct http_request *request)
{
    return request->method == HTTP_METHOD_OPTIONS && text_is(request->path, "*");
}

void request_answer_for_server(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    if (http_reader_has_body(connection->http)) {
        answer_refuse(shard, connection, 413, request_malformed_text(413), NULL);
    } else {
        http_answer(shard, connection, 200, NULL, (struct text){0}, "Allow: GET, HEAD, POST, OPTIONS\r\n");
    }
}

static bool make_reader(const struct shard *shard, struct connection *connection)
{
    if (connection->http != NULL) return true;
    connection->http = malloc(sizeof *connection->http);
    if (connection->http == NULL) return false;
    http_reader_init(connection->http, (uint32_t)shard->options->head_bytes_max,
                     (uint32_t)shard->options->body_bytes_max);
    return true;
}

/* As nothing but the head counts, it does not matter how the request was cut. */
static bool may_come(struct shard *shard, struct connection *connection, const struct request_taker *taker)
{
    const struct http_request *head = http_reader_head(connection->http);
    if (head == NULL || !http_reader_has_body(connection->http)) return true;
    return taker->judge_head(shard, connection, head);
}

/* Tells a client that waits for a word before it sends the body to go on. */
static void say_go_on(struct shard *shard, struct connection *connection)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (!http_reader_take_continue(connection->http)) return;
    connection_say(shard, connection, batch_of_static(go_on, strlen(go_on), shard->now_ms));
}

/* A client that speaks TLS to an address that does not understands one thing: an alert of its own protocol. */
static void refuse_tls(struct shard *shard, struct connection *connection)
{
    static const uint8_t handshake_failure[] = {21, 3, 1, 0, 2, 2, 40}; /* RFC 8446 5.1, 6 */
    connection_say(shard, connection, batch_of_static(handshake_failure, sizeof handshake_failure, shard->now_ms));
    connection_linger(shard, connection, CLOSE_TLS_HERE);
}

bool request_receive(struct shard *shard, struct connection *connection, struct bytes *in,
                     const struct request_taker *taker)
{
    assert(owner_is_me(&shard->owner));
    if (in->count == 0) return false;
    if (connection->http == NULL && in->at[0] == TLS_FIRST_BYTE) {
        refuse_tls(shard, connection);
        return false;
    }
    bool has_reader = connection->http != NULL;
    if (!make_reader(shard, connection)) {
        connection_finish(shard, connection, CLOSE_NO_MEMORY);
        return false;
    }
    bool is_next = has_reader && http_reader_is_fresh(connection->http);
    enum rc rc = http_reader_feed(connection->http, in);
    if (is_next && rc == RC_MORE) deadline_of_request(shard, connection);
    bool goes_on = rc == RC_OK || may_come(shard, connection, taker);
    if (rc != RC_MORE || !goes_on) counter_add(&shard->counters, COUNTER_http_requests, 1);
    if (!goes_on) return false;
    if (rc == RC_MORE) {
        say_go_on(shard, connection);
    } else if (rc == RC_OK) {
        taker->take(shard, connection, http_reader_request(connection->http));
    } else {
        unsigned status = http_reader_status(connection->http);
        answer_refuse(shard, connection, status, request_malformed_text(status), NULL);
    }
    return rc == RC_OK;
}

void request_refuse(struct shard *shard, struct connection *connection, struct bytes *in, unsigned status,
                    const char *sentence)
{
    assert(owner_is_me(&shard->owner));
    if (in != NULL && !make_reader(shard, connection)) {
        connection_finish(shard, connection, CLOSE_NO_MEMORY);
        return;
    }
    if (in != NULL) http_reader_feed(connection->http, in); /* be it good or not: is it a HEAD? */
    answer_refuse(shard, connection, status, sentence, status == 503 || status == 429 ? "Retry-After: 1\r\n" : NULL);
}
