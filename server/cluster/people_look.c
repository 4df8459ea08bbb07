/* server/cluster/people_look.c - questions about channels that are answered from Redis alone. */
#include "server/cluster/people_look.h"

#include "core/query.h"
#include "core/span.h"
#include "server/cluster/people_send.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* One job on its way. */
struct people_looking {
    struct people *people;
    struct people_job *job;
    uint32_t questions; /* under way */
    enum rc rc;
    /* QUERY_CHANNELS: */
    struct people_table found;           /* channels that some set has */
    struct people_channel *asked;        /* up to this one their sums were asked for; NULL: for none yet */
    char (*nodes)[LEASE_NODE_BYTES + 1]; /* whose sets are to be read, */
    uint32_t nodes_count;
    uint32_t node; /* this one's now */
    char cursor[PEOPLE_CURSOR_BYTES];
};

typedef void look_take(struct people_looking *looking, struct people_channel *channel, const redisReply *reply);

struct look_request {
    struct people_looking *looking;
    struct people_channel *channel; /* of `found` */
    look_take *take;
};

#define SUMS_AT_ONCE 256

static void finish(struct people_looking *looking)
{
    struct people *people = looking->people;
    struct people_job *job = looking->job;
    job->job.rc = looking->rc;
    people_table_fini(&looking->found);
    free(looking->nodes);
    free(looking);
    people->way.answer(people->way.self, job);
}

static void go_on(struct people_looking *looking);

static void take_answer(void *context, const redisReply *reply)
{
    struct look_request request = *(struct look_request *)context;
    struct people_looking *looking = request.looking;
    free(context);
    assert(looking->questions > 0);
    looking->questions--;
    if (reply == NULL || people_has_failed("a look at channels", reply)) {
        looking->rc = RC_ECLUSTER;
    } else if (looking->rc == RC_OK) {
        request.take(looking, request.channel, reply);
    }
    go_on(looking);
}

static void ask(struct people_looking *looking, const struct look_request *as, const struct text *words, size_t count)
{
    const struct people_way *way = &looking->people->way;
    struct look_request *request = malloc(sizeof *request);
    if (request == NULL) {
        looking->rc = RC_ENOMEM;
        return;
    }
    *request = *as;
    request->looking = looking;
    if (way->send(way->self, words, count, take_answer, request) == RC_OK) {
        looking->questions++;
        return;
    }
    looking->rc = RC_ECLUSTER;
    free(request);
}

/* ---- one channel ---- */

static uint64_t number_of(const redisReply *reply)
{
    uint64_t number = 0;
    if (reply->type == REDIS_REPLY_INTEGER && reply->integer > 0) return (uint64_t)reply->integer;
    if (reply->type == REDIS_REPLY_STRING) text_is_number((struct text){reply->str, reply->len}, &number);
    return number;
}

static void take_sum(struct people_looking *looking, struct people_channel *channel, const redisReply *reply)
{
    (void)channel;
    looking->job->query->facts.subscription_count = (uint32_t)number_of(reply);
}

/* The hash of members has a field besides. */
static uint32_t users_of(const redisReply *reply)
{
    uint64_t fields = number_of(reply);
    return fields > 0 ? (uint32_t)fields - 1 : 0;
}

static void take_users(struct people_looking *looking, struct people_channel *channel, const redisReply *reply)
{
    (void)channel;
    looking->job->query->facts.user_count = users_of(reply);
}

static struct text job_key(const struct people_looking *looking, char *to, enum cluster_key kind)
{
    const struct people_job *job = looking->job;
    return cluster_key_of(to, looking->people->prefix, kind, job->app, name_text(&job->name));
}

static void look_at_channel(struct people_looking *looking)
{
    char key[CLUSTER_KEY_BYTES_MAX];
    struct text sum[] = {text_of("HGET"), job_key(looking, key, CLUSTER_KEY_COUNTS), text_of("")};
    ask(looking, &(struct look_request){.take = take_sum}, sum, 3);
    struct text users[] = {text_of("HLEN"), job_key(looking, key, CLUSTER_KEY_MEMBERS)};
    ask(looking, &(struct look_request){.take = take_users}, users, 2);
}

static void take_members(struct people_looking *looking, struct people_channel *channel, const redisReply *reply)
{
    (void)channel;
    struct span **text = &looking->job->query->text;
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++) {
        const redisReply *user = reply->element[i];
        if (user->type != REDIS_REPLY_STRING || user->len == 0) continue;
        rc = span_append_text(text, text_of(*text == NULL ? "{\"id\":" : ",{\"id\":"));
        if (rc == RC_OK) rc = query_append_string(text, (struct text){user->str, user->len});
        if (rc == RC_OK) rc = span_append_text(text, text_of("}"));
    }
    if (rc != RC_OK) looking->rc = rc;
}

static void look_at_members(struct people_looking *looking)
{
    char key[CLUSTER_KEY_BYTES_MAX];
    struct text words[] = {text_of("HKEYS"), job_key(looking, key, CLUSTER_KEY_MEMBERS)};
    ask(looking, &(struct look_request){.take = take_members}, words, 2);
}

static void take_nothing(struct people_looking *looking, struct people_channel *channel, const redisReply *reply)
{
    (void)looking;
    (void)channel;
    (void)reply;
}

/* Those who read the user's own channel are told. */
static void terminate(struct people_looking *looking)
{
    char key[CLUSTER_KEY_BYTES_MAX];
    struct text words[] = {text_of("PUBLISH"), job_key(looking, key, CLUSTER_KEY_PUSHES), text_of("! ")};
    ask(looking, &(struct look_request){.take = take_nothing}, words, 3);
}

/* ---- all channels ---- */

static bool is_listed(const struct people_job *job, struct text app, struct text channel)
{
    struct text prefix = name_text(&job->name);
    return text_equals(app, job->app) && channel.count >= prefix.count &&
           memcmp(channel.at, prefix.at, prefix.count) == 0 && !channel_type_of(channel).is_user;
}

static void find(struct people_looking *looking, struct text tag)
{
    char memory[NAME_BYTES_MAX];
    struct text app, channel;
    bool is_channel = cluster_tag_read(tag, memory, &app, &channel) == RC_OK;
    if (!is_channel || !is_listed(looking->job, app, channel)) return;
    struct name name = name_of(looking->job->name.app, channel);
    if (people_channel_find(&looking->found, &name) != NULL) return;
    if (people_channel_add(&looking->found, &name, app) == NULL) looking->rc = RC_ENOMEM;
}

static void take_set(struct people_looking *looking, struct people_channel *channel, const redisReply *reply)
{
    (void)channel;
    const redisReply *list = people_scanned(reply, looking->cursor);
    if (list == NULL) {
        looking->rc = RC_ECLUSTER;
        return;
    }
    for (size_t i = 0; i < list->elements; i++) {
        const redisReply *tag = list->element[i];
        if (tag->type == REDIS_REPLY_STRING) find(looking, (struct text){tag->str, tag->len});
    }
    if (people_is_end(looking->cursor)) looking->node++;
}

static void read_set(struct people_looking *looking)
{
    char key[CLUSTER_KEY_BYTES_MAX];
    struct text node = text_of(looking->nodes[looking->node]);
    struct text words[] = {text_of("SSCAN"), cluster_key_node(key, looking->people->prefix, node),
                           text_of(looking->cursor[0] != '\0' ? looking->cursor : "0"), text_of("COUNT"),
                           text_of("500")};
    ask(looking, &(struct look_request){.take = take_set}, words, 5);
}

static void take_found_sum(struct people_looking *looking, struct people_channel *channel, const redisReply *reply)
{
    (void)looking;
    channel->sum = number_of(reply);
}

static void take_found_users(struct people_looking *looking, struct people_channel *channel, const redisReply *reply)
{
    (void)looking;
    channel->told = users_of(reply);
}

static void ask_found(struct people_looking *looking, struct people_channel *channel)
{
    char key[CLUSTER_KEY_BYTES_MAX];
    struct text prefix = looking->people->prefix, name = name_text(&channel->name);
    struct text sum[] = {text_of("HGET"), cluster_key_of(key, prefix, CLUSTER_KEY_COUNTS, channel->app, name),
                         text_of("")};
    ask(looking, &(struct look_request){.channel = channel, .take = take_found_sum}, sum, 3);
    if (!(looking->job->query->info & QUERY_INFO_USER_COUNT)) return;
    struct text users[] = {text_of("HLEN"), cluster_key_of(key, prefix, CLUSTER_KEY_MEMBERS, channel->app, name)};
    ask(looking, &(struct look_request){.channel = channel, .take = take_found_users}, users, 2);
}

/* False: all were asked for. */
static bool ask_sums(struct people_looking *looking)
{
    struct people_channel *next = people_channel_next(&looking->found, looking->asked);
    if (next == NULL) return false;
    for (uint32_t i = 0; i < SUMS_AT_ONCE && next != NULL && looking->rc == RC_OK; i++) {
        looking->asked = next;
        ask_found(looking, next);
        next = people_channel_next(&looking->found, next);
    }
    return true;
}

static enum rc write_channel(struct query *query, const struct people_channel *channel)
{
    struct query_facts facts = {.subscription_count = (uint32_t)channel->sum, .user_count = (uint32_t)channel->told};
    enum rc rc = query->text != NULL ? span_append_text(&query->text, text_of(",")) : RC_OK;
    if (rc == RC_OK) rc = query_append_string(&query->text, name_text(&channel->name));
    if (rc == RC_OK) rc = span_append_text(&query->text, text_of(":{"));
    if (rc == RC_OK) rc = query_append_facts(&query->text, &channel->name, query->info, &facts);
    return rc == RC_OK ? span_append_text(&query->text, text_of("}")) : rc;
}

static void write_channels(struct people_looking *looking)
{
    struct people_channel *channel = NULL;
    while (looking->rc == RC_OK && (channel = people_channel_next(&looking->found, channel)) != NULL) {
        if (channel->sum > 0) looking->rc = write_channel(looking->job->query, channel);
    }
}

/* Also those whose leases are over: what they had is there until it is swept. */
static void take_nodes(struct people_looking *looking, struct people_channel *channel, const redisReply *reply)
{
    (void)channel;
    size_t count = reply->type == REDIS_REPLY_ARRAY ? reply->elements : 0;
    looking->nodes = calloc(count + 1, sizeof looking->nodes[0]);
    if (looking->nodes == NULL) looking->rc = RC_ENOMEM;
    for (size_t i = 0; looking->nodes != NULL && i < count; i++) {
        struct text node = people_text_of(reply->element[i]);
        if (node.count > 0 && node.count <= LEASE_NODE_BYTES) text_put(looking->nodes[looking->nodes_count++], node);
    }
}

/* As Redis has them now: who started since this node's last renewal has channels, too. */
static void ask_nodes(struct people_looking *looking)
{
    char key[CLUSTER_KEY_BYTES_MAX];
    struct text words[] = {text_of("ZRANGEBYSCORE"), cluster_key_nodes(key, looking->people->prefix), text_of("-inf"),
                           text_of("+inf")};
    ask(looking, &(struct look_request){.take = take_nodes}, words, 4);
}

static bool look_at_channels(struct people_looking *looking)
{
    if (looking->node < looking->nodes_count) {
        read_set(looking);
        return true;
    }
    if (ask_sums(looking)) return true;
    write_channels(looking);
    return false;
}

/* ---- all of it ---- */

static void go_on(struct people_looking *looking)
{
    while (looking->questions == 0) {
        bool is_list = looking->job->query->kind == QUERY_CHANNELS && looking->rc == RC_OK;
        if (is_list && look_at_channels(looking)) continue;
        finish(looking);
        return;
    }
}

static void begin(struct people_looking *looking)
{
    looking->questions++; /* so that no answer ends it before all was asked */
    switch (looking->job->query->kind) {
    case QUERY_CHANNELS:
        ask_nodes(looking);
        break;
    case QUERY_USERS:
        look_at_members(looking);
        break;
    case QUERY_TERMINATE:
        terminate(looking);
        break;
    default:
        look_at_channel(looking);
    }
    looking->questions--;
    go_on(looking);
}

void people_look(struct people *people, struct people_job *job)
{
    struct people_looking *looking = people->has_lease ? calloc(1, sizeof *looking) : NULL;
    if (looking == NULL) {
        job->job.rc = people->has_lease ? RC_ENOMEM : RC_ECLUSTER;
        people->way.answer(people->way.self, job);
        return;
    }
    *looking = (struct people_looking){.people = people, .job = job};
    begin(looking);
}
