/* server/http/api_call.c - calls that wait for homes. */
#include "server/http/api_call.h"

#include "core/query.h"
#include "core/span.h"
#include "server/connection/connection.h"
#include "server/http/api_answer.h"
#include "server/shard/post.h"
#include "server/shard/shard.h"

#include <assert.h>
#include <stdlib.h>

bool api_read_info(struct text text, unsigned allowed, unsigned *info_r)
{
    static const struct {
        const char *name;
        unsigned bit;
    } names[] = {{"user_count", QUERY_INFO_USER_COUNT},
                 {"subscription_count", QUERY_INFO_SUBSCRIPTION_COUNT},
                 {"cache", QUERY_INFO_CACHE},
                 {"position", QUERY_INFO_POSITION}};
    *info_r = 0;
    while (text.count > 0) {
        const char *comma = memchr(text.at, ',', text.count);
        struct text name = text_between(text.at, comma != NULL ? comma : text.at + text.count);
        unsigned bit = 0;
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            if (text_is(name, names[i].name)) bit = names[i].bit;
        }
        if ((bit & allowed) == 0) return false;
        *info_r |= bit;
        text = text_behind(text, name.count + (comma != NULL ? 1 : 0));
    }
    return true;
}

/* ---- a call, as an errand ---- */

void api_call_free(struct counters *counters, struct api_call *call)
{
    if (call == NULL) return;
    for (uint32_t i = 0; i < call->parts_count; i++) {
        query_free(counters, call->parts[i]);
    }
    free(call);
}

static struct api_call *call_of(const struct connection *connection)
{
    return (struct api_call *)connection->errand;
}

static void abandon(struct shard *shard, struct connection *connection)
{
    api_call_free(&shard->counters, call_of(connection));
    connection->errand = NULL;
}

static void be_late(struct shard *shard, struct connection *connection)
{
    abandon(shard, connection);
    api_refuse(
        shard, connection,
        &(struct api_refusal){503, "The server is overloaded: what was asked for may have been done or not", NULL});
}

static const struct errand_kind errand_call = {.late = be_late, .abandoned = abandon};

static bool waits_for_call(const struct connection *connection)
{
    return connection->errand != NULL && connection->errand->kind == &errand_call;
}

struct api_call *api_call_new(struct shard *shard, uint32_t parts_count)
{
    assert(owner_is_me(&shard->owner));
    struct api_call *call = calloc(1, sizeof *call + parts_count * sizeof call->parts[0]);
    if (call == NULL) return NULL;
    call->errand.kind = &errand_call;
    call->serial = ++shard->http.call_serial;
    call->parts_count = parts_count;
    return call;
}

/* ---- asking, and what comes back ---- */

enum rc api_append(struct span **span, const char *text)
{
    return span_append_text(span, text_of(text));
}

/* Why a home could not do what it was asked. */
static struct api_refusal refusal_of(enum rc rc, const char *not_found)
{
    switch (rc) {
    case RC_ENOENT:
        return (struct api_refusal){404, not_found != NULL ? not_found : "The channel keeps no history (--history)",
                                    NULL};
    case RC_ESTORE:
        return (struct api_refusal){
            503,
            "The store cannot be used now: not everything was done, try again later, a publish "
            "with the same idempotency_key",
            NULL};
    case RC_ECLUSTER:
        return (struct api_refusal){
            503,
            "The other nodes cannot be reached now (Redis): not everything was done, try again later, a publish "
            "with the same idempotency_key",
            NULL};
    case RC_EFULL:
        return (struct api_refusal){503,
                                    "The server has too much to keep: not everything was done, try again, a publish "
                                    "with the same idempotency_key",
                                    NULL};
    default:
        return api_out_of_memory;
    }
}

static void finish(struct shard *shard, struct connection *connection)
{
    struct api_call *call = call_of(connection);
    struct span *body = NULL;
    const char *not_found = call->not_found;
    connection->errand = NULL;
    enum rc rc = call->rc == RC_OK ? call->compose(call, &body) : call->rc;
    api_call_free(&shard->counters, call);
    if (rc == RC_OK) {
        api_answer(shard, connection, 200, API_JSON, (struct text){(const char *)body->bytes, body->count});
    } else {
        struct api_refusal refusal = refusal_of(rc, not_found);
        api_refuse(shard, connection, &refusal);
    }
    span_free(&body);
}

static void part_done(struct shard *shard, struct connection *connection)
{
    if (--call_of(connection)->pending == 0) finish(shard, connection);
}

/* Which shard is asked? */
static uint32_t whom(const struct shard *shard, const struct query *query, uint32_t part)
{
    if (query->kind == QUERY_CHANNELS || query->kind == QUERY_TOP || query->kind == QUERY_FOLLOW) return part;
    bool is_of_connection = query->kind == QUERY_CONNECTION || query->kind == QUERY_CLOSE;
    return is_of_connection ? query->connection.shard : hub_home(&shard->hub, &query->name);
}

void api_ask(const struct api_request *request, struct api_call *call)
{
    struct shard *shard = request->shard;
    struct connection *connection = request->connection;
    connection->errand = &call->errand;
    call->pending = call->parts_count + 1; /* the one more: answers may come at once */
    connection_ask(shard, connection);
    for (uint32_t i = 0; i < call->parts_count; i++) {
        struct query *query = call->parts[i];
        call->parts[i] = NULL; /* under way */
        query->shard = shard->index;
        query->slot = shard_slot(shard, connection);
        query->serial = call->serial;
        query->part = i;
        post_send(shard, whom(shard, query, i), LETTER_ASK, query);
    }
    part_done(shard, connection);
}

void api_answered(struct shard *shard, struct query *query)
{
    assert(owner_is_me(&shard->owner));
    struct connection *connection = &shard->connections[query->slot];
    struct api_call *call = call_of(connection);
    if (!waits_for_call(connection) || call->serial != query->serial) { /* nobody waits any more */
        query_free(&shard->counters, query);
        return;
    }
    call->parts[query->part] = query;
    if (call->rc == RC_OK) call->rc = query->rc;
    part_done(shard, connection);
}
