/* server/http/api.c - which endpoint a request is for. */
#include "server/http/api.h"

#include "net/http.h"
#include "net/http_request.h"
#include "server/cluster/cluster.h"
#include "server/config/app.h"
#include "server/connection/connection.h"
#include "server/http/api_answer.h"
#include "server/http/api_auth.h"
#include "server/http/api_publish.h"
#include "server/http/api_read.h"
#include "server/shard/shard.h"
#include "server/store/store.h"

#include <assert.h>
#include <stdio.h>

#define UP_PATH     "/up"
#define HEALTH_PATH "/health"

/* ---- routes ---- */

struct route {
    enum http_method method;
    const char *method_name;
    const char *before; /* what stands behind /apps/ID; then, if there is more, the subject, and */
    const char *behind; /* NULL: no subject */
    void (*answer)(const struct api_request *request);
};

static const struct route routes[] = {
    {HTTP_METHOD_POST, "POST", "/events", NULL, api_publish_event},
    {HTTP_METHOD_POST, "POST", "/batch_events", NULL, api_publish_batch},
    {HTTP_METHOD_GET, "GET", "/channels", NULL, api_read_channels},
    {HTTP_METHOD_GET, "GET", "/channels/", "/users", api_read_users},
    {HTTP_METHOD_GET, "GET", "/channels/", "/history", api_read_history},
    {HTTP_METHOD_GET, "GET", "/channels/", "", api_read_channel},
    {HTTP_METHOD_POST, "POST", "/users/", "/terminate_connections", api_terminate},
    {HTTP_METHOD_GET, "GET", "/connections", NULL, api_read_connections},
};

/* What anybody may ask: load balancers do. */
static bool is_unsigned(struct text path)
{
    return text_is(path, UP_PATH) || text_is(path, HEALTH_PATH);
}

bool api_serves(struct text path)
{
    return is_unsigned(path) || api_signed_path(path).count > 0;
}

/* Is this what stands behind /apps/ID? *subject_r is then what the route leaves open, still encoded. */
static bool route_fits(const struct route *route, struct text rest, struct text *subject_r)
{
    *subject_r = (struct text){0};
    if (route->behind == NULL) return text_is(rest, route->before);
    size_t before = strlen(route->before), behind = strlen(route->behind);
    if (!text_has_prefix(rest, route->before) || rest.count <= before + behind) return false;
    if (!text_is(text_behind(rest, rest.count - behind), route->behind) && behind > 0) return false;
    *subject_r = (struct text){rest.at + before, rest.count - before - behind};
    return memchr(subject_r->at, '/', subject_r->count) == NULL;
}

static const struct api_refusal not_found = {404, "404 NOT FOUND", NULL};

/* The route and the app of a request. A refusal says 404, or 405. */
static struct api_refusal find_route(struct api_request *request, const struct route **route_r,
                                     struct text *encoded_r)
{
    struct text path = text_behind(api_signed_path(request->http->path), strlen(APPS_PART));
    const char *slash = path.count > 0 ? memchr(path.at, '/', path.count) : NULL;
    const struct route *fitting = NULL;
    if (slash == NULL) return not_found;
    request->app = app_of_id(&request->shard->options->app, text_between(path.at, slash));
    if (request->app == NULL) return not_found;
    struct text rest = text_between(slash, path.at + path.count);
    for (size_t i = 0; i < sizeof routes / sizeof routes[0] && fitting == NULL; i++) {
        if (route_fits(&routes[i], rest, encoded_r)) fitting = &routes[i];
    }
    *route_r = fitting;
    if (fitting == NULL) return not_found;
    if (request->http->method == fitting->method) return (struct api_refusal){0};
    return (struct api_refusal){405, fitting->method_name, NULL};
}

/* ---- requests ---- */

/* Everything that can be judged without the body. Gives request->query. */
static struct api_refusal judge(struct api_request *request, const struct route **route_r, struct text *encoded_r)
{
    struct api_refusal refusal = find_route(request, route_r, encoded_r);
    if (refusal.status == 0) refusal = api_check_signature(request);
    return refusal;
}

/* What anybody may ask, but without a body. */
static struct api_refusal judge_unsigned(const struct connection *connection, const struct http_request *http)
{
    bool is_read = http->method == HTTP_METHOD_GET || http->method == HTTP_METHOD_HEAD;
    if (!is_read) return (struct api_refusal){405, "GET, HEAD", NULL};
    if (http_reader_has_body(connection->http)) return (struct api_refusal){413, "This path takes no body", NULL};
    return (struct api_refusal){0};
}

bool api_judge(struct shard *shard, struct connection *connection, const struct http_request *http)
{
    assert(owner_is_me(&shard->owner));
    struct api_request request = {.shard = shard, .connection = connection, .http = http};
    const struct route *route;
    struct text encoded;
    struct api_refusal refusal =
        is_unsigned(http->path) ? judge_unsigned(connection, http) : judge(&request, &route, &encoded);
    query_string_fini(&request.query);
    if (refusal.status == 0) return true;
    api_refuse(shard, connection, &refusal);
    return false;
}

/* {"store":"ok"}, and with other nodes ,"cluster":"ok"; red while one of them is in trouble, and while the server
 * drains. */
static void answer_health(struct shard *shard, struct connection *connection)
{
    char body[600];
    bool is_draining = shard_is_draining(shard);
    const struct store *store = shard->store;
    const char *trouble = store != NULL ? store_trouble(store) : NULL;
    const char *state = store == NULL ? "none" : trouble == NULL ? "ok" : trouble;
    const char *away = shard->cluster != NULL ? cluster_trouble(shard->cluster) : NULL;
    int count = snprintf(body, sizeof body, "{\"store\":\"%s\"", state); /* neither SQLite's words need escapes */
    if (shard->cluster != NULL)                                          /* nor these */
        count +=
            snprintf(body + count, sizeof body - (size_t)count, ",\"cluster\":\"%s\"", away == NULL ? "ok" : away);
    count += snprintf(body + count, sizeof body - (size_t)count, "%s}", is_draining ? ",\"draining\":true" : "");
    api_answer(shard, connection, trouble == NULL && away == NULL && !is_draining ? 200 : 503, API_JSON,
               (struct text){body, (size_t)count});
}

static void answer_up(struct shard *shard, struct connection *connection)
{
    bool is_draining = shard_is_draining(shard);
    api_answer(shard, connection, is_draining ? 503 : 200, API_TEXT, text_of(is_draining ? "draining\n" : "OK\n"));
}

static void answer_unsigned(struct shard *shard, struct connection *connection, const struct http_request *http)
{
    struct api_refusal refusal = judge_unsigned(connection, http);
    if (refusal.status != 0) {
        api_refuse(shard, connection, &refusal);
    } else if (text_is(http->path, HEALTH_PATH)) {
        answer_health(shard, connection);
    } else {
        answer_up(shard, connection);
    }
}

static void answer_route(struct api_request *request, const struct route *route, struct text encoded)
{
    char subject[3 * NAME_BYTES_MAX];
    if (encoded.at != NULL) {
        size_t count = encoded.count <= sizeof subject ? percent_decode(encoded, subject) : SIZE_MAX;
        if (count == SIZE_MAX) {
            api_refuse(request->shard, request->connection,
                       &(struct api_refusal){400, "The name in the path is too long, or badly encoded", NULL});
            return;
        }
        request->subject = (struct text){subject, count};
    }
    route->answer(request);
}

void api_receive(struct shard *shard, struct connection *connection, const struct http_request *http)
{
    assert(owner_is_me(&shard->owner));
    struct api_request request = {.shard = shard, .connection = connection, .http = http};
    const struct route *route = NULL;
    struct text encoded = {0};
    if (is_unsigned(http->path)) {
        answer_unsigned(shard, connection, http);
        return;
    }
    struct api_refusal refusal = judge(&request, &route, &encoded);
    if (refusal.status == 0) refusal = api_check_body(&request);
    if (refusal.status == 0 && shard_is_overloaded(shard)) {
        refusal = (struct api_refusal){503, "The server is overloaded: try again in a moment", NULL};
    }
    if (refusal.status != 0) {
        api_refuse(shard, connection, &refusal);
    } else {
        answer_route(&request, route, encoded);
    }
    query_string_fini(&request.query);
}
