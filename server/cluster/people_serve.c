/* server/cluster/people_serve.c - members, numbers and sums of a channel: to Redis, and to its home. */
#include "server/cluster/people_serve.h"

#include "server/cluster/cluster_members_read.h"
#include "server/cluster/people_send.h"
#include "server/system/log.h"

#include <assert.h>
#include <stdlib.h>

#define LEAVES_MAX 64 /* in one call */

/* ---- telling ---- */

static bool tell_home(struct people *people, const struct people_channel *channel, struct people_event *as)
{
    as->item.shard = channel->shard;
    as->channel = channel->name;
    as->serial = channel->serial;
    struct people_event *event = people_event_new(as);
    if (event == NULL) return false;
    people->way.tell(people->way.self, event);
    return true;
}

/* Many changes share an event. False: out of memory. */
static bool tell_changes(struct people *people, struct people_channel *channel)
{
    struct people_change changes[PEOPLE_CHANGES_MAX];
    struct cluster_members_change next[PEOPLE_CHANGES_MAX];
    uint32_t count;
    while ((count = cluster_members_changes(channel->members, next, PEOPLE_CHANGES_MAX)) > 0) {
        for (uint32_t i = 0; i < count; i++) {
            changes[i] = (struct people_change){next[i].has_left, next[i].has_joined, next[i].user_id, next[i].info};
        }
        struct people_event event = {
            .kind = PEOPLE_MEMBERS, .is_last = next[count - 1].is_last, .changes = changes, .changes_count = count};
        if (!tell_home(people, channel, &event)) return false;
        cluster_members_told(channel->members, count);
    }
    return true;
}

bool people_tell_sum(struct people *people, struct people_channel *channel, uint64_t sum)
{
    if (!channel->is_read || (channel->has_sum && channel->sum == sum)) return true;
    /* Fewer are not told before all nodes have had the time to put theirs back: then it is read again. */
    if (people->patience_ms > 0 && channel->has_sum && sum < channel->sum) return true;
    struct people_event event = {.kind = PEOPLE_SUM, .count = sum};
    if (!tell_home(people, channel, &event)) return false;
    channel->has_sum = true;
    channel->sum = sum;
    return true;
}

void people_tell_terminate(struct people *people, const struct people_channel *channel)
{
    if (!channel->is_read) return;
    if (!tell_home(people, channel, &(struct people_event){.kind = PEOPLE_TERMINATE})) {
        log_error("out of memory: a user's connections are not closed");
    }
}

/* ---- members ---- */

static void take_member(struct people_request *request, const struct cluster_members_ask *ask, int answer)
{
    struct people *people = request->people;
    struct people_channel *channel = request->channel;
    struct text user_id;
    enum cluster_members_news news = cluster_members_news(ask, answer, &user_id);
    if (news != MEMBERS_NO_NEWS) {
        enum webhook_kind kind = news == MEMBERS_ADDED ? WEBHOOK_member_added : WEBHOOK_member_removed;
        people_tell_news(people, channel->app, &channel->name, kind, user_id, 0);
    }
    cluster_members_answered(channel->members, ask, answer, people->now_ms);
}

/* The answer to the i-th ask: JOIN has one, LEAVE an array. -1: it cannot be read. */
static int answer_of(const redisReply *reply, size_t i)
{
    if (reply->type == REDIS_REPLY_ARRAY) {
        if (i >= reply->elements) return -1;
        reply = reply->element[i];
    }
    bool is_one = reply->type == REDIS_REPLY_INTEGER && reply->integer >= 0 && reply->integer <= 2;
    return is_one ? (int)reply->integer : -1;
}

static void take_members(struct people_request *request, const redisReply *reply)
{
    if (reply == NULL) return; /* people_lost() says so to all */
    bool has_failed = people_has_failed("members", reply);
    for (uint32_t i = 0; i < request->asks_count; i++) {
        int answer = has_failed ? -1 : answer_of(reply, i);
        if (answer >= 0)
            take_member(request, &request->asks[i], answer);
        else
            cluster_members_failed(request->channel->members, &request->asks[i], request->people->now_ms);
    }
}

static void take_snapshot(struct people_request *request, const redisReply *reply)
{
    struct cluster_members *members = request->channel->members;
    if (reply == NULL) return;
    if (people_has_failed("a list of members", reply) || reply->type != REDIS_REPLY_ARRAY) {
        cluster_members_failed(members, &request->asks[0], request->people->now_ms);
        return;
    }
    cluster_members_snapshot_begin(members);
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        const redisReply *user = reply->element[i], *value = reply->element[i + 1];
        if (user->type != REDIS_REPLY_STRING || value->type != REDIS_REPLY_STRING) continue;
        cluster_members_snapshot_row(members, (struct text){user->str, user->len},
                                     (struct text){value->str, value->len});
    }
    cluster_members_snapshot_end(members, request->people->now_ms);
}

static bool ask_snapshot(struct people *people, struct people_channel *channel, const struct cluster_members_ask *ask)
{
    char key[CLUSTER_KEY_BYTES_MAX];
    struct people_request *request = people_request_new(people, channel, take_snapshot, 1);
    if (request == NULL) return false;
    request->asks[request->asks_count++] = *ask;
    struct text words[] = {text_of("HGETALL"), people_key_of(people, key, CLUSTER_KEY_MEMBERS, channel)};
    if (!people_ask(request, words, 2)) {
        free(request);
        return false;
    }
    cluster_members_sent(channel->members, ask);
    return true;
}

static bool ask_join(struct people *people, struct people_channel *channel, const struct cluster_members_ask *ask)
{
    struct people_keys keys;
    if (!people_note(people, channel, true)) return false;
    struct people_request *request = people_request_new(people, channel, take_members, 1);
    if (request == NULL) return false;
    request->asks[request->asks_count++] = *ask;
    struct script_member args = people_script_args(people, &keys, CLUSTER_KEY_MEMBERS, channel);
    script_call_join(&people->call, &args, ask->user_id, ask->info);
    if (!people_ask(request, people->call.words, people->call.words_count)) {
        free(request);
        return false;
    }
    cluster_members_sent(channel->members, ask);
    return true;
}

/* Those who leave in one round leave in one call. */
static bool ask_leave(struct people *people, struct people_channel *channel)
{
    struct people_keys keys;
    struct text users[LEAVES_MAX];
    struct cluster_members_ask ask;
    struct people_request *request = people_request_new(people, channel, take_members, LEAVES_MAX);
    if (request == NULL) return false;
    while (request->asks_count < LEAVES_MAX && cluster_members_ask(channel->members, people->now_ms, &ask) &&
           ask.kind == MEMBERS_LEAVE) {
        users[request->asks_count] = ask.user_id;
        request->asks[request->asks_count++] = ask;
        cluster_members_sent(channel->members, &ask);
    }
    struct script_member args = people_script_args(people, &keys, CLUSTER_KEY_MEMBERS, channel);
    script_call_leave(&people->call, &args, users, request->asks_count);
    if (people_ask(request, people->call.words, people->call.words_count)) return true;
    for (uint32_t i = 0; i < request->asks_count; i++) {
        cluster_members_failed(channel->members, &request->asks[i], people->now_ms);
    }
    free(request);
    return false;
}

static bool serve_members(struct people *people, struct people_channel *channel)
{
    struct cluster_members_ask ask;
    bool is_sent = true;
    if (channel->members == NULL) return true;
    if (cluster_members_due_ms(channel->members) <= people->now_ms) {
        cluster_members_tick(channel->members, people->now_ms);
    }
    while (is_sent && cluster_members_ask(channel->members, people->now_ms, &ask)) {
        if (ask.kind == MEMBERS_SNAPSHOT) is_sent = ask_snapshot(people, channel, &ask);
        if (ask.kind == MEMBERS_JOIN) is_sent = ask_join(people, channel, &ask);
        if (ask.kind == MEMBERS_LEAVE) is_sent = ask_leave(people, channel);
    }
    return tell_changes(people, channel) && is_sent;
}

/* ---- numbers ---- */

static void take_count(struct people_request *request, const redisReply *reply)
{
    struct people *people = request->people;
    struct people_channel *channel = request->channel;
    channel->is_count_under_way = false;
    bool has_failed = people_has_failed("a number of subscribers", reply) || reply->type != REDIS_REPLY_ARRAY ||
                      reply->elements != 2 || reply->element[0]->type != REDIS_REPLY_INTEGER ||
                      reply->element[1]->type != REDIS_REPLY_INTEGER;
    if (has_failed || request->names != people->names) { /* under another name nothing is told yet */
        channel->is_count_unsure = true;
        return;
    }
    bool is_news = !channel->is_put_back;
    channel->is_put_back = false;
    if (!is_news) return;
    people_tell_sums(people, channel->app, &channel->name, (uint64_t)reply->element[0]->integer,
                     (uint64_t)reply->element[1]->integer);
}

static bool has_count(const struct people_channel *channel)
{
    return !channel->is_count_under_way && (channel->count != channel->told || channel->is_count_unsure);
}

/* The first and the last are told at once. */
static uint64_t count_due_ms(const struct people_channel *channel)
{
    if (!has_count(channel)) return UINT64_MAX;
    return (channel->count == 0) != (channel->told == 0) ? 0 : channel->count_ms;
}

static bool serve_count(struct people *people, struct people_channel *channel)
{
    struct people_keys keys;
    if (count_due_ms(channel) > people->now_ms) return true;
    if (!people_note(people, channel, true)) return false;
    struct people_request *request = people_request_new(people, channel, take_count, 0);
    if (request == NULL) return false;
    struct script_member args = people_script_args(people, &keys, CLUSTER_KEY_COUNTS, channel);
    script_call_count(&people->call, &args, channel->count);
    if (!people_ask(request, people->call.words, people->call.words_count)) {
        free(request);
        return false;
    }
    channel->is_count_under_way = true;
    channel->is_count_unsure = false;
    channel->told = channel->count;
    channel->count_ms = people->now_ms + PEOPLE_COUNT_MS;
    return true;
}

/* ---- sums ---- */

static void take_sum(struct people_request *request, const redisReply *reply)
{
    struct people_channel *channel = request->channel;
    uint64_t sum = 0;
    if (request->sum_reads != channel->sum_reads) return; /* a push came since, which is newer or will be followed */
    if (people_has_failed("a sum of subscribers", reply)) {
        channel->is_sum_wanted = channel->is_read;
        return;
    }
    if (reply->type == REDIS_REPLY_STRING) text_is_number((struct text){reply->str, reply->len}, &sum);
    people_tell_sum(request->people, channel, sum);
}

static bool serve_sum(struct people *people, struct people_channel *channel)
{
    char key[CLUSTER_KEY_BYTES_MAX];
    if (!channel->is_sum_wanted) return true;
    struct people_request *request = people_request_new(people, channel, take_sum, 0);
    if (request == NULL) return false;
    struct text words[] = {text_of("HGET"), people_key_of(people, key, CLUSTER_KEY_COUNTS, channel), text_of("")};
    if (!people_ask(request, words, 3)) {
        free(request);
        return false;
    }
    channel->is_sum_wanted = false;
    return true;
}

/* ---- all of it ---- */

bool people_is_unused(const struct people_channel *channel)
{
    bool has_members = channel->members != NULL && !cluster_members_is_idle(channel->members);
    bool is_counted = channel->count > 0 || channel->told > 0 || channel->is_count_unsure;
    return !channel->is_read && channel->requests == 0 && !has_members && !is_counted;
}

uint64_t people_serve_due_ms(const struct people_channel *channel)
{
    uint64_t due_ms = count_due_ms(channel);
    if (channel->members == NULL) return due_ms;
    uint64_t members_ms = cluster_members_due_ms(channel->members);
    return members_ms < due_ms ? members_ms : due_ms;
}

bool people_serve(struct people *people, struct people_channel *channel)
{
    /* Behind the number, so that the sum has it. */
    return serve_members(people, channel) && serve_count(people, channel) && serve_sum(people, channel);
}
