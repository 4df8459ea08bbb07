/* server/request.c - which request gets what: a component, a page, or a refusal that says why. */
#include "server/request.h"

#include "core/batch.h"
#include "net/http.h"
#include "net/upgrade.h"
#include "server/api.h"
#include "server/component.h"
#include "server/connection.h"
#include "server/guest.h"
#include "server/lobby.h"
#include "server/pusher.h"
#include "server/receive.h"
#include "server/server.h"
#include "server/shard.h"
#include "server/web.h"

#include <stdlib.h>

#define HEAD_BYTES_MAX 1024 /* of an answer's head */
#define TLS_FIRST_BYTE 0x16 /* a handshake record: no request begins so */

static const struct component *const components[] = {&lobby, &pusher};

static const struct component *component_for(struct text path)
{
    for (size_t i = 0; i < sizeof components / sizeof components[0]; i++) {
        if (components[i]->serves(path)) return components[i];
    }
    return NULL;
}

/* ---- answers ---- */

/* An answer with a sentence as body, after which the connection ends. */
static void refuse(struct shard *shard, struct connection *connection, unsigned status, const char *text,
                   const char *extra_headers)
{
    char head[HEAD_BYTES_MAX];
    size_t text_bytes = strlen(text);
    size_t head_bytes = http_answer_head(head, sizeof head, status, "text/plain; charset=utf-8", text_bytes + 1,
                                         false, extra_headers);
    uint8_t *to;
    struct batch *batch = batch_new((uint32_t)(head_bytes + text_bytes + 1), shard->now_ms, &to);
    if (batch != NULL) {
        memcpy(to, head, head_bytes);
        memcpy(to + head_bytes, text, text_bytes);
        to[head_bytes + text_bytes] = '\n';
    }
    counter_add(&shard->counters, COUNTER_http_refused, 1);
    connection_say(shard, connection, batch);
    connection_linger(shard, connection, CLOSE_HTTP_REFUSED);
}

static const char *malformed_text(unsigned status)
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

struct batch *request_upgrade_answer(struct shard *shard, const struct connection *connection)
{
    struct upgrade upgrade;
    char answer[UPGRADE_ANSWER_BYTES_MAX];
    uint8_t *to;
    upgrade_check(http_reader_request(connection->http), NULL, 0, &upgrade); /* its origin was judged before */
    size_t count = upgrade_answer(&upgrade, answer, sizeof answer);
    struct batch *batch = batch_new((uint32_t)count, shard->now_ms, &to);
    if (batch != NULL) memcpy(to, answer, count);
    return batch;
}

/* ---- requests ---- */

static void upgrade(struct shard *shard, struct connection *connection, const struct http_request *request)
{
    const struct component *component = component_for(request->path);
    if (component == NULL) {
        refuse(shard, connection, 404, "No WebSocket here: connect to /, /room/NAME or /app/KEY.", NULL);
        return;
    }
    struct upgrade upgrade;
    upgrade_check(request, (const char *const *)shard->options->origin.items, shard->options->origin.count, &upgrade);
    if (upgrade.status != 101) {
        refuse(shard, connection, upgrade.status, upgrade.text, upgrade.extra_headers);
        return;
    }
    struct refusal refusal = {.status = 503, .text = malformed_text(503)};
    connection->component = component;
    connection_join(shard, connection);
    if (!rc_is_error(component->on_open(shard, connection, request, &refusal))) return;
    connection->component = NULL;
    refuse(shard, connection, refusal.status, refusal.text, NULL);
}

/* A page, and ready for the next request; or, when the client wants no next one, the end. */
static void answer_page(struct shard *shard, struct connection *connection, const struct http_request *request,
                        const struct web_page *page)
{
    const struct web_answer *answer = request->keep_alive ? &page->stay : &page->leave;
    uint32_t count = request->method == HTTP_METHOD_HEAD ? answer->head_bytes : answer->bytes;
    connection_say(shard, connection, batch_of_static(answer->text, count, shard->now_ms));
    if (request->keep_alive) {
        connection_answered(shard, connection);
    } else {
        connection_linger(shard, connection, CLOSE_HTTP_DONE);
    }
}

static void plain(struct shard *shard, struct connection *connection, const struct http_request *request)
{
    struct refusal refusal = {0};
    if (request->body.count > 0) {
        refuse(shard, connection, 413, malformed_text(413), NULL);
        return;
    }
    const struct web_page *page = web_find(request->path);
    if (page == NULL && lobby.serves(request->path) && lobby_has_room(request->path, &refusal)) page = web_chat();
    if (refusal.status != 0) {
        refuse(shard, connection, refusal.status, refusal.text, NULL);
    } else if (page == NULL) {
        refuse(shard, connection, 404, "Nothing is here: the chat is at /.", NULL);
    } else if (request->method != HTTP_METHOD_GET && request->method != HTTP_METHOD_HEAD) {
        refuse(shard, connection, 405, "Only GET and HEAD are answered here.", "Allow: GET, HEAD\r\n");
    } else {
        answer_page(shard, connection, request, page);
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

/* A guest's, at a door that lets guests in. */
static bool is_for_guests(const struct shard *shard, const struct http_request *request)
{
    return !shard->door->is_for_backends && guest_serves(request->path);
}

/* A body is to come: only backends that have signed may send one, and guests a small one. They may wait for a word
 * first. */
static void await_body(struct shard *shard, struct connection *connection)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const struct http_request *head = http_reader_head(connection->http);
    if (head == NULL) return;
    if (is_for_guests(shard, head)) {
        if (!guest_judge(shard, connection, head)) return; /* each time: more of it has come */
    } else if (!connection->is_judged && !api_serves(head->path)) {
        counter_add(&shard->counters, COUNTER_http_requests, 1);
        refuse(shard, connection, 413, malformed_text(413), NULL);
        return;
    } else if (!connection->is_judged && !api_judge(shard, connection, head)) {
        return;
    }
    connection->is_judged = true;
    if (http_reader_take_continue(connection->http)) {
        connection_say(shard, connection, batch_of_static(go_on, strlen(go_on), shard->now_ms));
    }
}

/* A client that speaks TLS to an address that does not understands one thing: an alert of its own protocol. */
static void refuse_tls(struct shard *shard, struct connection *connection)
{
    static const uint8_t handshake_failure[] = {21, 3, 1, 0, 2, 2, 40}; /* RFC 8446 5.1, 6 */
    connection_say(shard, connection, batch_of_static(handshake_failure, sizeof handshake_failure, shard->now_ms));
    connection_linger(shard, connection, CLOSE_TLS_HERE);
}

bool request_receive(struct shard *shard, struct connection *connection, struct bytes *in)
{
    if (in->count == 0) return false;
    if (connection->http == NULL && in->at[0] == TLS_FIRST_BYTE) {
        refuse_tls(shard, connection);
        return false;
    }
    if (!make_reader(shard, connection)) {
        connection_finish(shard, connection, CLOSE_NO_MEMORY);
        return false;
    }
    enum rc rc = http_reader_feed(connection->http, in);
    if (rc == RC_MORE) {
        await_body(shard, connection);
        return false;
    }
    counter_add(&shard->counters, COUNTER_http_requests, 1);
    if (rc_is_error(rc)) {
        unsigned status = http_reader_status(connection->http);
        refuse(shard, connection, status, malformed_text(status), NULL);
        return false;
    }
    const struct http_request *request = http_reader_request(connection->http);
    if (upgrade_is_asked(request) && !shard->door->is_for_backends) {
        upgrade(shard, connection, request);
    } else if (api_serves(request->path)) {
        api_receive(shard, connection, request);
    } else if (is_for_guests(shard, request)) {
        guest_receive(shard, connection, request);
    } else if (shard->door->is_for_backends) {
        refuse(shard, connection, 404, "This address is for the HTTP API alone: /apps/ID/... and /up.", NULL);
    } else {
        plain(shard, connection, request);
    }
    return true;
}
