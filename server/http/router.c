/* server/http/router.c - which request gets what: a component, a page, or a refusal that says why. */
#include "server/http/router.h"

#include "core/batch.h"
#include "net/http.h"
#include "net/upgrade.h"
#include "server/component/lobby.h"
#include "server/component/pusher.h"
#include "server/config/app.h"
#include "server/connection/component.h"
#include "server/connection/connection.h"
#include "server/connection/deadline.h"
#include "server/connection/door.h"
#include "server/connection/flush.h"
#include "server/connection/opening.h"
#include "server/connection/receive.h"
#include "server/connection/secure.h"
#include "server/http/answer.h"
#include "server/http/api.h"
#include "server/http/guest.h"
#include "server/shard/shard.h"
#include "server/web/web.h"

#include <stdlib.h>

#define ANSWERS_BYTES_MAX (64 * 1024) /* of answers wait when another request is taken */
#define TLS_FIRST_BYTE    0x16        /* a handshake record: no request begins so */

static const struct component *const components[] = {&lobby, &pusher};

static const struct component *component_for(struct text path)
{
    for (size_t i = 0; i < sizeof components / sizeof components[0]; i++) {
        if (components[i]->serves(path)) return components[i];
    }
    return NULL;
}

/* ---- answers ---- */

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

/* ---- requests ---- */

static void refuse_while_draining(struct shard *shard, struct connection *connection)
{
    answer_refuse(shard, connection, 503, "The server is stopping: try again in a moment.", "Retry-After: 1\r\n");
}

/* Lets the component have a connection whose handshake is good, unless it refuses. */
static void open_component(struct shard *shard, struct connection *connection, const struct component *component,
                           const struct http_request *request)
{
    struct refusal refusal = {.status = 503, .text = malformed_text(503)};
    connection->component = component;
    connection_join(shard, connection);
    if (!rc_is_error(component->on_open(shard, connection, request, &refusal))) return;
    connection->component = NULL;
    answer_refuse(shard, connection, refusal.status, refusal.text, NULL);
}

static void upgrade(struct shard *shard, struct connection *connection, const struct http_request *request)
{
    const struct component *component = component_for(request->path);
    struct upgrade upgrade;
    if (component == NULL) {
        answer_refuse(shard, connection, 404, "No WebSocket here: connect to /, /room/NAME or /app/KEY.", NULL);
        return;
    }
    if (component == &lobby && !shard->options->rooms) {
        answer_refuse(shard, connection, 404, "There are no rooms here (--rooms=no): connect to /app/KEY.", NULL);
        return;
    }
    const struct text_list *origins = &shard->options->origin;
    upgrade_check(request, (const char *const *)origins->items, component->judges_origin ? 0 : origins->count,
                  &upgrade);
    if (shard->is_draining) {
        refuse_while_draining(shard, connection);
    } else if (upgrade.status != 101) {
        answer_refuse(shard, connection, upgrade.status, upgrade.text, upgrade.extra_headers);
    } else if (http_reader_has_body(connection->http)) {
        answer_refuse(shard, connection, 400, "A WebSocket begins with a request that has no body.", NULL);
    } else {
        open_component(shard, connection, component, request);
    }
}

static void answer_page(struct shard *shard, struct connection *connection, const struct http_request *request,
                        const struct web_page *page)
{
    struct web_answer what = web_answer(page, request);
    const char *type = what.status == 200 ? page->type : NULL;
    answer_static(shard, connection, what.status, type, what.body, what.headers);
}

/* The page at this path: a file, or the chat, if it is served; what is for all is there in any case. *refusal_r says
 * why there is none. */
static const struct web_page *find_page(const struct shard *shard, const struct connection *connection,
                                        const struct http_request *request, struct refusal *refusal_r)
{
    const struct web_page *page = web_find(request->path);
    bool is_chats = page == NULL || !page->is_for_all;
    *refusal_r = (struct refusal){404, "Nothing is here: the chat is at /."};
    if (page == NULL && lobby.serves(request->path) && lobby_has_room(request->path, refusal_r)) page = web_chat();
    if (page == NULL || !is_chats) return page;
    if (!shard->options->page || !shard->options->rooms) {
        *refusal_r = (struct refusal){404, "Nothing is here: the chat is off (--page=no, --rooms=no)."};
        return NULL;
    }
    enum close_reason reason = opening_judge_app(shard_app(shard, APP_OF_ROOMS), connection, request);
    if (reason == CLOSE_NONE) return page;
    *refusal_r =
        (struct refusal){403, reason == CLOSE_APP_DISABLED
                                  ? "The chat is closed: its app, the first one, is not enabled (enabled=yes)."
                                  : "The chat is here over TLS only: connect with https://."};
    return NULL;
}

/* A page; or what a path that has none is told, also when a body comes along. */
static void plain(struct shard *shard, struct connection *connection, const struct http_request *request)
{
    struct refusal refusal;
    const struct web_page *page = find_page(shard, connection, request, &refusal);
    if (page == NULL) {
        answer_refuse(shard, connection, refusal.status, refusal.text, NULL);
    } else if (request->method != HTTP_METHOD_GET && request->method != HTTP_METHOD_HEAD) {
        answer_refuse(shard, connection, 405, "Only GET and HEAD are answered here.", "Allow: GET, HEAD\r\n");
    } else if (http_reader_has_body(connection->http)) {
        answer_refuse(shard, connection, 413, malformed_text(413), NULL);
    } else {
        answer_page(shard, connection, request, page);
    }
}

/* RFC 9110 9.3.7: of the server as a whole. */
static bool is_for_server(const struct http_request *request)
{
    return request->method == HTTP_METHOD_OPTIONS && text_is(request->path, "*");
}

static void answer_for_server(struct shard *shard, struct connection *connection)
{
    if (http_reader_has_body(connection->http)) {
        answer_refuse(shard, connection, 413, malformed_text(413), NULL);
    } else {
        answer(shard, connection, 200, NULL, (struct text){0}, "Allow: GET, HEAD, POST, OPTIONS\r\n");
    }
}

/* A guest's, at a door that lets guests in. */
static bool is_for_guests(const struct shard *shard, const struct http_request *request)
{
    return !shard->door->is_for_backends && guest_serves(request->path);
}

/* Who sends a key wants a WebSocket, whatever a proxy on the way has made of the rest; and nothing else is at the
 * addresses of apps. */
static bool is_for_socket(const struct shard *shard, const struct http_request *request)
{
    if (shard->door->is_for_backends) return false;
    return upgrade_is_asked(request) || http_request_header_count(request, "sec-websocket-key") > 0 ||
           (component_for(request->path) == &pusher && !api_serves(request->path));
}

/* A request, or the head of one whose body is announced: what takes no body refuses it by its head alone. */
static void take(struct shard *shard, struct connection *connection, const struct http_request *request)
{
    if (is_for_server(request)) {
        answer_for_server(shard, connection);
    } else if (is_for_socket(shard, request)) {
        upgrade(shard, connection, request);
    } else if (api_serves(request->path)) {
        api_receive(shard, connection, request);
    } else if (is_for_guests(shard, request)) {
        guest_receive(shard, connection, request);
    } else if (shard->door->is_for_backends) {
        answer_refuse(shard, connection, 404, "This address is for the HTTP API alone: /apps/ID/... and /up.", NULL);
    } else {
        plain(shard, connection, request);
    }
}

/* ---- time ---- */

static void set_timer(struct shard *shard, struct connection *connection, uint64_t ms)
{
    timer_set(&shard->timers, &connection->timer, shard->now_ms + ms);
}

void request_expect(struct shard *shard, struct connection *connection)
{
    uint64_t ms = shard->options->handshake_ms_max;
    uint64_t most_ms = connection->state == CONNECTION_TLS ? DRAIN_TLS_MS : DRAIN_REQUEST_MS;
    set_timer(shard, connection, shard->is_draining && ms > most_ms ? most_ms : ms);
}

bool request_must_wait(struct shard *shard, const struct connection *connection)
{
    return shard_outbox(shard, connection)->bytes > ANSWERS_BYTES_MAX || flush_is_blocked(shard, connection);
}

/* Has some of a request come, and not all? */
static bool has_begun(const struct connection *connection)
{
    return connection->http != NULL && !http_reader_is_fresh(connection->http);
}

void request_await(struct shard *shard, struct connection *connection)
{
    if (flush_is_blocked(shard, connection)) {
        shard_outbox(shard, connection)->marks |= OUTBOX_WATCHED;
        deadline_of_reader(shard, connection);
    } else if (has_begun(connection)) { /* it came behind those whose answers have gone now */
        request_expect(shard, connection);
    } else {
        set_timer(shard, connection, shard->is_draining ? DRAIN_REQUEST_MS : shard->options->keep_alive_ms);
    }
}

void request_stop(struct shard *shard, struct connection *connection)
{
    if (connection->is_judged || flush_is_blocked(shard, connection)) return; /* the time that it has stands */
    uint64_t ms = connection->state == CONNECTION_TLS ? DRAIN_TLS_MS : DRAIN_REQUEST_MS;
    timer_set(&shard->timers, &connection->timer, connection->heard_ms + ms);
}

/* With a FIN, which the client reads behind all answers. */
static void hang_up(struct shard *shard, struct connection *connection, enum close_reason reason)
{
    connection_linger(shard, connection, reason);
    connection_flushed(shard, connection);
}

void request_timer(struct shard *shard, struct connection *connection)
{
    if (!outbox_is_empty(shard_outbox(shard, connection)) || secure_has_unsent(connection)) {
        connection_finish(shard, connection, CLOSE_STALE_READER);
    } else if (shard->is_draining && has_begun(connection)) {
        refuse_while_draining(shard, connection);
    } else if (shard->is_draining) {
        hang_up(shard, connection, shard_drain_reason(shard));
    } else if (connection->http != NULL && !has_begun(connection)) {
        hang_up(shard, connection, CLOSE_HTTP_DONE); /* it was kept for another request */
    } else if (connection->tls != NULL) {
        hang_up(shard, connection, CLOSE_HANDSHAKE_TIMEOUT);
    } else {
        connection_finish(shard, connection, CLOSE_HANDSHAKE_TIMEOUT);
    }
}

/* ---- bytes ---- */

static bool make_reader(const struct shard *shard, struct connection *connection)
{
    if (connection->http != NULL) return true;
    connection->http = malloc(sizeof *connection->http);
    if (connection->http == NULL) return false;
    http_reader_init(connection->http, (uint32_t)shard->options->head_bytes_max,
                     (uint32_t)shard->options->body_bytes_max);
    return true;
}

/* A body is announced and has not come whole, or is no good: may it come? Only backends that have signed may send one,
 * and guests a small one. False: refused. As nothing but the head counts, it does not matter how the request was cut.
 */
static bool judge_head(struct shard *shard, struct connection *connection)
{
    const struct http_request *head = http_reader_head(connection->http);
    if (head == NULL || !http_reader_has_body(connection->http)) return true;
    bool is_elsewhere = is_for_server(head) || is_for_socket(shard, head);
    if (!is_elsewhere && is_for_guests(shard, head)) {
        connection->is_judged = guest_judge(shard, connection, head); /* each time: more of it has come */
    } else if (connection->is_judged) {
        return true;
    } else if (!is_elsewhere && api_serves(head->path)) {
        connection->is_judged = api_judge(shard, connection, head);
    } else {
        take(shard, connection, head);
    }
    return connection->is_judged;
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

bool request_receive(struct shard *shard, struct connection *connection, struct bytes *in)
{
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
    if (is_next && rc == RC_MORE) request_expect(shard, connection);
    bool goes_on = rc == RC_OK || judge_head(shard, connection);
    if (rc != RC_MORE || !goes_on) counter_add(&shard->counters, COUNTER_http_requests, 1);
    if (!goes_on) return false;
    if (rc == RC_MORE) {
        say_go_on(shard, connection);
    } else if (rc == RC_OK) {
        take(shard, connection, http_reader_request(connection->http));
    } else {
        unsigned status = http_reader_status(connection->http);
        answer_refuse(shard, connection, status, malformed_text(status), NULL);
    }
    return rc == RC_OK;
}

void request_refuse(struct shard *shard, struct connection *connection, struct bytes *in, unsigned status,
                    const char *sentence)
{
    if (!make_reader(shard, connection)) {
        connection_finish(shard, connection, CLOSE_NO_MEMORY);
        return;
    }
    http_reader_feed(connection->http, in); /* be it good or not: is it a HEAD? */
    answer_refuse(shard, connection, status, sentence, NULL);
}
