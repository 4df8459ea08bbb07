/* server/http/guest.c - guests over HTTP: who may ask, and what an answer looks like. */
#include "server/http/guest.h"

#include "core/json_text.h"
#include "net/http.h"
#include "net/upgrade.h"
#include "server/connection/connection.h"
#include "server/connection/opening.h"
#include "server/http/answer.h"
#include "server/http/guest_private.h"
#include "server/shard/shard.h"

#include <assert.h>

#define BODY_BYTES_MAX 4096 /* a token, a socket id, a channel, a name */
#define NO_STORE       "Cache-Control: no-store\r\n"

static const struct endpoint {
    const char *path;
    struct guest_refusal (*call)(struct guest_call *call);
} endpoints[] = {
    {"/guests", guest_call_hello},
    {"/guests/auth", guest_call_auth},
    {"/guests/signin", guest_call_sign_in},
};

/* ---- whether at all ---- */

static bool is_on_loopback(const struct address_list *addresses)
{
    for (uint32_t i = 0; i < addresses->count; i++) {
        if (!address_is_loopback(&addresses->items[i])) return false;
    }
    return true;
}

/* Who gives an app has a backend that says who people are; and a proxy on this machine would make strangers guests. */
static bool guest_default(const struct options *options, const char **why_r)
{
    if (options_is_set(options, OPTION_app)) {
        *why_r = "guests are off: an app is given, whose backend lets people in; --guests lets guests in too";
        return false;
    }
    if (!is_on_loopback(&options->listen) || !is_on_loopback(&options->tls_listen)) {
        *why_r = "guests are off: not every address is on this machine; --guests lets them in";
        return false;
    }
    *why_r =
        "guests may sign in, because every address is on this machine and no app is given; if a proxy lets others "
        "in, so does it guests: --guests=no keeps them out";
    return true;
}

bool guest_policy(const struct options *options, const char **why_r)
{
    const char *why;
    bool may = guest_default(options, &why);
    if (options_is_set(options, OPTION_guests)) {
        may = options->guests;
        why = may ? "guests may sign in, because of --guests" : "guests are off, because of --guests=no";
    }
    if (why_r != NULL) *why_r = why;
    return may;
}

/* ---- answers ---- */

static void refuse(struct shard *shard, struct connection *connection, const struct guest_refusal *refusal)
{
    static const char head[] = "{\"error\":\"", tail[] = "\"}";
    char body[512];
    const char *extra = NO_STORE;
    if (refusal->status == 405) extra = NO_STORE "Allow: POST\r\n";
    if (refusal->status == 503) extra = NO_STORE "Retry-After: 1\r\n";
    char *to = text_put(body, text_of(head));
    to = json_text_write(to, text_of(refusal->text));
    to = text_put(to, text_of(tail));
    counter_add(&shard->counters, COUNTER_http_refused, 1);
    http_answer(shard, connection, refusal->status, ANSWER_JSON, text_between(body, to), extra);
}

/* ---- requests ---- */

static const struct endpoint *endpoint_of(struct text path)
{
    for (size_t i = 0; i < sizeof endpoints / sizeof endpoints[0]; i++) {
        if (text_is(path, endpoints[i].path)) return &endpoints[i];
    }
    return NULL;
}

bool guest_serves(struct text path)
{
    return endpoint_of(path) != NULL;
}

/* application/json, and parameters if there are any: what a form or a script of another page cannot send unasked. */
static bool is_json(const struct http_request *http)
{
    struct text type = http_request_header(http, "content-type");
    if (http_request_header_count(http, "content-type") != 1) return false;
    const char *end = type.count > 0 ? memchr(type.at, ';', type.count) : NULL;
    if (end != NULL) type = text_between(type.at, end);
    while (type.count > 0 && (type.at[type.count - 1] == ' ' || type.at[type.count - 1] == '\t')) {
        type.count--;
    }
    return text_is_nocase(type, "application/json");
}

/* Is the origin this host itself? Its scheme may be either: a proxy in front may have taken TLS off. */
static bool is_own_origin(struct text origin, struct text host)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (!text_has_prefix(origin, schemes[i])) continue;
        struct text rest = text_behind(origin, strlen(schemes[i]));
        return host.count > 0 && rest.count == host.count && strncasecmp(rest.at, host.at, host.count) == 0;
    }
    return false;
}

/* A browser sends Origin with every POST; a program can write there whatever it likes, also nothing. */
static bool is_from_us(const struct shard *shard, const struct http_request *http)
{
    const struct text_list *list = &shard->options->origin;
    unsigned count = http_request_header_count(http, "origin");
    struct text origin = http_request_header(http, "origin");
    if (count == 0) return true;
    return count == 1 && (is_own_origin(origin, http_request_header(http, "host")) ||
                          upgrade_has_origin((const char *const *)list->items, list->count, origin));
}

static bool is_too_long(struct text content_length)
{
    uint64_t bytes;
    return text_is_number(content_length, &bytes) && bytes > BODY_BYTES_MAX;
}

/* Everything that can be judged without understanding the body. */
static struct guest_refusal judge(const struct shard *shard, const struct connection *connection,
                                  const struct http_request *http)
{
    if (!shard->http.has_guests) {
        return (struct guest_refusal){404, "Guests are off: whoever runs this server can let them in (--guests)"};
    }
    enum close_reason reason = opening_judge_app(shard, shard_app(shard, APP_OF_ROOMS), connection, http);
    if (reason == CLOSE_APP_DISABLED) {
        return (struct guest_refusal){403, "The guests' app, the first one, is not enabled (enabled=yes)"};
    }
    if (reason == CLOSE_TLS_ONLY) {
        return (struct guest_refusal){403, "Guests are let in over TLS only: connect with https://"};
    }
    if (http->method != HTTP_METHOD_POST) return (struct guest_refusal){405, "Only POST is answered here"};
    if (!is_from_us(shard, http)) {
        return (struct guest_refusal){
            403, "Pages of this origin may not sign guests in: it has to be this host, or one of --origin"};
    }
    if (!is_json(http)) return (struct guest_refusal){415, "Send the body with Content-Type: application/json"};
    if (is_too_long(http_request_header(http, "content-length")) ||
        http_reader_body_bytes(connection->http) > BODY_BYTES_MAX) {
        return (struct guest_refusal){413, "The body is too large: 4096 bytes are enough for a guest"};
    }
    return (struct guest_refusal){0};
}

bool guest_judge(struct shard *shard, struct connection *connection, const struct http_request *http)
{
    assert(owner_is_me(&shard->owner));
    struct guest_refusal refusal = judge(shard, connection, http);
    if (refusal.status == 0) return true;
    refuse(shard, connection, &refusal);
    return false;
}

static struct guest_refusal read_and_call(struct shard *shard, const struct http_request *http, char *body,
                                          struct text *answer_r)
{
    yyjson_doc *document;
    enum rc rc = json_read(http->body, &document, NULL);
    if (rc == RC_ENOMEM) return (struct guest_refusal){503, "The server is out of memory: try again later"};
    if (rc != RC_OK) return (struct guest_refusal){400, "The body is not valid JSON"};
    struct guest_call call = {
        .shard = shard,
        .app = shard_app(shard, APP_OF_ROOMS),
        .root = yyjson_doc_get_root(document),
        .to = body,
    };
    struct guest_refusal refusal = {400, "The body has to be a JSON object"};
    if (yyjson_is_obj(call.root)) refusal = endpoint_of(http->path)->call(&call);
    yyjson_doc_free(document);
    *answer_r = text_between(body, call.to);
    return refusal;
}

void guest_receive(struct shard *shard, struct connection *connection, const struct http_request *http)
{
    assert(owner_is_me(&shard->owner));
    char body[GUEST_ANSWER_BYTES_MAX];
    struct text text = {0};
    struct guest_refusal refusal = judge(shard, connection, http);
    if (refusal.status == 0) refusal = read_and_call(shard, http, body, &text);
    if (refusal.status != 0) {
        refuse(shard, connection, &refusal);
    } else {
        http_answer(shard, connection, 200, ANSWER_JSON, text, NO_STORE);
    }
}
