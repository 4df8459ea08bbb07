/* server/http/router.c - which request gets what: a component, a page, or a refusal that says why. */
#include "server/http/router.h"

#include "net/http.h"
#include "net/upgrade.h"
#include "server/component/lobby.h"
#include "server/component/pusher.h"
#include "server/config/app.h"
#include "server/connection/admission.h"
#include "server/connection/component.h"
#include "server/connection/connection.h"
#include "server/connection/opening.h"
#include "server/connection/peer.h"
#include "server/http/answer.h"
#include "server/http/api.h"
#include "server/http/guest.h"
#include "server/http/request.h"
#include "server/shard/shard.h"
#include "server/web/web.h"

#include <assert.h>

static const struct component *const components[] = {&component_lobby, &component_pusher};

static const struct component *component_for(struct text path)
{
    for (size_t i = 0; i < sizeof components / sizeof components[0]; i++) {
        if (components[i]->serves(path)) return components[i];
    }
    return NULL;
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
    struct refusal refusal = {.status = 503, .text = request_malformed_text(503)};
    connection->component = component;
    connection_join(shard, connection);
    if (!rc_is_error(component->on_open(shard, connection, request, &refusal))) return;
    connection->component = NULL;
    answer_refuse(shard, connection, refusal.status, refusal.text, NULL);
}

/* Behind a trusted proxy each WebSocket counts as a connection of its client, who is known from now on. */
static bool is_over_limit(struct shard *shard, struct connection *connection)
{
    enum close_reason reason = admission_begin(shard, connection);
    if (reason != CLOSE_NONE) connection->reason = reason;
    return reason != CLOSE_NONE;
}

static void upgrade(struct shard *shard, struct connection *connection, const struct http_request *request)
{
    const struct component *component = component_for(request->path);
    struct upgrade upgrade;
    if (component == NULL) {
        answer_refuse(shard, connection, 404, "No WebSocket here: connect to /, /room/NAME or /app/KEY.", NULL);
        return;
    }
    if (component == &component_lobby && !shard->options->rooms) {
        answer_refuse(shard, connection, 404, "There are no rooms here (--rooms=no): connect to /app/KEY.", NULL);
        return;
    }
    const struct text_list *origins = &shard->options->origin;
    upgrade_check(request, (const char *const *)origins->items, component->judges_origin ? 0 : origins->count,
                  &upgrade);
    if (!shard_takes_sockets(shard)) {
        refuse_while_draining(shard, connection);
    } else if (upgrade.status != 101) {
        answer_refuse(shard, connection, upgrade.status, upgrade.text, upgrade.extra_headers);
    } else if (http_reader_has_body(connection->http)) {
        answer_refuse(shard, connection, 400, "A WebSocket begins with a request that has no body.", NULL);
    } else if (is_over_limit(shard, connection)) {
        request_refuse(shard, connection, NULL, 429, ADMISSION_REFUSED);
    } else {
        open_component(shard, connection, component, request);
    }
}

static void answer_page(struct shard *shard, struct connection *connection, const struct http_request *request,
                        const struct web_page *page)
{
    struct web_answer what = web_answer(page, request);
    const char *type = what.status == 200 ? page->type : NULL;
    (page->is_chat ? http_answer : answer_static)(shard, connection, what.status, type, what.body, what.headers);
}

/* The page at this path: a file, or the chat, if it is served; what is for all is there in any case. *refusal_r says
 * why there is none. */
static const struct web_page *find_page(const struct shard *shard, const struct connection *connection,
                                        const struct http_request *request, struct refusal *refusal_r)
{
    const struct web_page *page = web_find(request->path);
    bool is_chats = page == NULL || !page->is_for_all;
    *refusal_r = (struct refusal){404, "Nothing is here: the chat is at /."};
    if (page == NULL && component_lobby.serves(request->path) && lobby_has_room(request->path, refusal_r))
        page = shard->http.chat;
    if (page == NULL || !is_chats) return page;
    if (!shard->options->page || !shard->options->rooms) {
        *refusal_r = (struct refusal){404, "Nothing is here: the chat is off (--page=no, --rooms=no)."};
        return NULL;
    }
    enum close_reason reason = opening_judge_app(shard, shard_app(shard, APP_OF_ROOMS), connection, request);
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
        answer_refuse(shard, connection, 413, request_malformed_text(413), NULL);
    } else {
        answer_page(shard, connection, request, page);
    }
}

/* Who sends a key wants a WebSocket, whatever a proxy on the way has made of the rest; and nothing else is at the
 * addresses of apps. */
static bool is_for_socket(const struct http_request *request)
{
    return upgrade_is_asked(request) || http_request_header_count(request, "sec-websocket-key") > 0 ||
           (component_for(request->path) == &component_pusher && !api_serves(request->path));
}

/* A request, or the head of one whose body is announced: what takes no body refuses it by its head alone. */
static void take(struct shard *shard, struct connection *connection, const struct http_request *request)
{
    peer_read_forwarded(shard, connection, request);
    if (request_is_for_server(request)) {
        request_answer_for_server(shard, connection);
    } else if (is_for_socket(request)) {
        upgrade(shard, connection, request);
    } else if (api_serves(request->path)) {
        api_receive(shard, connection, request);
    } else if (guest_serves(request->path)) {
        guest_receive(shard, connection, request);
    } else {
        plain(shard, connection, request);
    }
}

/* Only backends that have signed may send a body, and guests a small one. */
static bool judge_head(struct shard *shard, struct connection *connection, const struct http_request *head)
{
    bool is_elsewhere = request_is_for_server(head) || is_for_socket(head);
    if (!is_elsewhere && guest_serves(head->path)) {
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

bool router_receive(struct shard *shard, struct connection *connection, struct bytes *in)
{
    assert(owner_is_me(&shard->owner));
    static const struct request_taker all = {.judge_head = judge_head, .take = take};
    return request_receive(shard, connection, in, &all);
}
