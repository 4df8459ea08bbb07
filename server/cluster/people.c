/* server/cluster/people.c - homes on one side, Redis on the other, and each round between. */
#include "server/cluster/people.h"

#include "server/cluster/cluster_members_read.h"
#include "server/cluster/cluster_rules.h"
#include "server/cluster/people_job.h"
#include "server/cluster/people_look.h"
#include "server/cluster/people_send.h"
#include "server/cluster/people_serve.h"
#include "server/cluster/people_state.h"
#include "server/cluster/people_sweep.h"
#include "server/cluster/push.h"
#include "server/system/log.h"
#include "server/system/random_word.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/random.h>

struct people *people_new(const struct people_way *way, struct text prefix, const char *about, uint64_t lease_ms,
                          uint64_t number, uint64_t now_ms)
{
    struct people *people = malloc(sizeof *people);
    struct cluster_lease *lease = cluster_lease_new(lease_ms, number);
    if (people == NULL || lease == NULL) {
        cluster_lease_free(lease);
        free(people);
        return NULL;
    }
    *people = (struct people){.way = *way,
                              .prefix = prefix,
                              .about = about,
                              .lease = lease,
                              .now_ms = now_ms,
                              .names = 1,
                              .check_ms = UINT64_MAX};
    TAILQ_INIT(&people->active);
    timer_wheel_init(&people->timers, now_ms);
    return people;
}

void people_free(struct people *people)
{
    if (people == NULL) return;
    people_sweep_fini(people);
    people_table_fini(&people->table);
    cluster_lease_free(people->lease);
    free(people);
}

const char *people_node(const struct people *people)
{
    return cluster_lease_node(people->lease);
}

uint32_t people_nodes_count(const struct people *people)
{
    return people->has_lease ? cluster_lease_running(people->lease) + 1 : 0;
}

/* ---- channels ---- */

static struct people_channel *channel_of(struct people *people, const struct name *name, struct text app,
                                         uint32_t shard)
{
    struct people_channel *channel = people_channel_find(&people->table, name);
    if (channel == NULL) channel = people_channel_add(&people->table, name, app);
    if (channel == NULL) return NULL;
    channel->shard = shard;
    if (channel->type.is_presence && channel->members == NULL) {
        channel->members = cluster_members_new(people_node_of(people));
    }
    people_activate(people, channel); /* also if nothing comes of it: then it goes */
    return channel->type.is_presence && channel->members == NULL ? NULL : channel;
}

typedef void people_visit(struct people *people, struct people_channel *channel);

static void for_each(struct people *people, people_visit *visit)
{
    struct people_channel *channel = NULL;
    while ((channel = people_channel_next(&people->table, channel)) != NULL) {
        visit(people, channel);
        people_activate(people, channel);
    }
}

/* ---- homes ---- */

static enum rc join(struct people *people, const struct people_job *job)
{
    struct people_channel *channel = channel_of(people, &job->name, job->app, job->job.item.shard);
    if (channel == NULL) return RC_ENOMEM;
    return cluster_members_join(channel->members, job->user_id, job->info);
}

static void part(struct people *people, const struct people_job *job)
{
    struct people_channel *channel = people_channel_find(&people->table, &job->name);
    if (channel == NULL || channel->members == NULL) return;
    if (job->user_id.count > 0)
        cluster_members_part(channel->members, job->user_id);
    else
        cluster_members_part_all(channel->members);
    people_activate(people, channel);
}

static enum rc count(struct people *people, const struct people_job *job)
{
    struct people_channel *channel = channel_of(people, &job->name, job->app, job->job.item.shard);
    if (channel == NULL) return RC_ENOMEM;
    channel->count = job->count;
    return RC_OK;
}

void people_take(struct people *people, struct people_job *job)
{
    job->job.rc = RC_OK;
    switch (job->wish) {
    case PEOPLE_JOIN:
        job->job.rc = join(people, job);
        break;
    case PEOPLE_PART:
        part(people, job);
        break;
    case PEOPLE_COUNT:
        job->job.rc = count(people, job);
        break;
    case PEOPLE_QUERY:
        people_look(people, job);
        return;
    }
    people->way.answer(people->way.self, job);
}

enum rc people_entered(struct people *people, const struct name *name, struct text app, uint32_t shard,
                       uint32_t serial)
{
    struct people_channel *channel = channel_of(people, name, app, shard);
    if (channel == NULL) return RC_ENOMEM;
    bool is_same = channel->is_read && channel->serial == serial;
    channel->is_read = channel->is_sum_wanted = true;
    channel->serial = serial;
    channel->has_sum = channel->has_sum && is_same;
    if (channel->members == NULL) return RC_OK;
    if (is_same)
        cluster_members_check(channel->members);
    else
        cluster_members_begin(channel->members);
    return RC_OK;
}

static void end_reading(struct people_channel *channel)
{
    channel->is_read = channel->is_sum_wanted = channel->has_sum = false;
    if (channel->members != NULL) cluster_members_end(channel->members);
}

void people_left(struct people *people, const struct name *name)
{
    struct people_channel *channel = people_channel_find(&people->table, name);
    if (channel == NULL) return;
    end_reading(channel);
    people_activate(people, channel);
}

bool people_push(struct people *people, const struct name *name, struct text text)
{
    struct push push;
    struct people_channel *channel = people_channel_find(&people->table, name);
    if (channel == NULL) return true;
    enum rc rc = push_read(text, &push);
    if (rc == RC_OK && push.kind == PUSH_TERMINATE) {
        people_tell_terminate(people, channel);
    } else if (rc == RC_OK && push.kind == PUSH_COUNT) {
        channel->sum_reads++;
        if (!people_tell_sum(people, channel, push.count)) channel->is_sum_wanted = true;
    } else if (channel->members != NULL && !cluster_members_push(channel->members, text)) {
        return false;
    }
    people_activate(people, channel);
    return true;
}

/* ---- connections ---- */

static void forget(struct people *people, struct people_channel *channel)
{
    channel->is_put_back = channel->told > 0 && channel->count > 0;
    if (channel->members != NULL) cluster_members_forgotten(channel->members, people->patience_ms);
}

void people_open(struct people *people, bool is_other_generation, uint64_t now_ms)
{
    people->now_ms = now_ms;
    people->is_open = true;
    people->has_lease = false;
    people->retry_ms = 0;
    people->check_ms = now_ms + PEOPLE_DEADLINE_MS + PEOPLE_RETRY_MS; /* what was sent before may be done till then */
    cluster_lease_reset(people->lease);
    if (!is_other_generation) return;
    people->patience_ms = now_ms + cluster_lease_ms(people->lease);
    for_each(people, forget);
}

static void lose(struct people *people, struct people_channel *channel)
{
    (void)people;
    bool is_in_redis = channel->count > 0 || channel->told > 0;
    channel->is_count_unsure = channel->is_count_unsure || channel->is_count_under_way || is_in_redis;
    channel->is_count_under_way = false;
    if (channel->noted != 0) channel->noted = PEOPLE_NOTED_UNSURE;
    channel->is_sum_wanted = false;
    if (channel->members != NULL) cluster_members_lost(channel->members);
}

void people_lost(struct people *people)
{
    if (!people->is_open) return;
    people->is_open = people->has_lease = false;
    cluster_lease_reset(people->lease);
    people_sweep_lost(people);
    for_each(people, lose);
}

static void check(struct people *people, struct people_channel *channel)
{
    (void)people;
    channel->is_sum_wanted = channel->is_read;
    if (channel->members != NULL) cluster_members_check(channel->members);
}

/* ---- the lease ---- */

static void rename_in(struct people *people, struct people_channel *channel)
{
    channel->told = 0;
    channel->is_count_unsure = channel->count > 0;
    if (channel->members != NULL) cluster_members_rename(channel->members, people_node_of(people));
}

static void see(struct people *people, const redisReply *list, bool is_running)
{
    for (size_t i = 0; list->type == REDIS_REPLY_ARRAY && i < list->elements; i++) {
        const redisReply *node = list->element[i];
        if (node->type != REDIS_REPLY_STRING) continue;
        struct text name = {node->str, node->len};
        enum rc rc = cluster_lease_see(people->lease, name, is_running, people->now_ms);
        if (rc != RC_OK) log_warn("cluster: another node is not seen: %s", rc_text(rc));
    }
}

static bool is_renewal(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == 4 &&
           reply->element[0]->type == REDIS_REPLY_INTEGER && reply->element[1]->type == REDIS_REPLY_STRING;
}

/* What the others say of themselves. */
static void take_rules(struct people_request *request, const redisReply *reply)
{
    struct people *people = request->people;
    struct text own = text_of(people->about);
    if (people_has_failed("what nodes say of themselves", reply) || reply->type != REDIS_REPLY_ARRAY) return;
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        struct text node = people_text_of(reply->element[i]), rules = people_text_of(reply->element[i + 1]);
        if (!cluster_lease_is_running(people->lease, node)) continue;
        struct text ours = cluster_rules_difference(own, rules), theirs = cluster_rules_difference(rules, own);
        if (ours.at == NULL && theirs.at == NULL) continue;
        struct text name = cluster_rules_name(rules), line = theirs.at != NULL ? theirs : ours;
        log_warn(
            "cluster: node %.*s has other apps or rules of history than this one: \"%.*s\" is %s alone; give all "
            "nodes the same",
            (int)name.count, name.at, (int)line.count, line.at, theirs.at != NULL ? "its" : "this node's");
    }
}

/* Once for each connection: who starts compares itself with those who run. */
static void compare_rules(struct people *people)
{
    char key[CLUSTER_KEY_BYTES_MAX];
    struct people_request *request = people_request_new(people, NULL, take_rules, 0);
    struct text words[] = {text_of("HGETALL"), cluster_key_nodes_about(key, people->prefix)};
    if (request != NULL && people_ask(request, words, 2)) return;
    free(request);
}

static uint64_t random_number(void)
{
    uint64_t number = 0;
    while (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number) {
    }
    return number;
}

static void take_renewal(struct people_request *request, const redisReply *reply)
{
    struct people *people = request->people;
    uint64_t redis_ms;
    if (reply == NULL) return;
    if (people_has_failed("a node's lease", reply) || !is_renewal(reply) ||
        !text_is_number((struct text){reply->element[1]->str, reply->element[1]->len}, &redis_ms)) {
        cluster_lease_reset(people->lease);
        people->retry_ms = people->now_ms + PEOPLE_RETRY_MS;
        return;
    }
    people->clock_ms = redis_ms - people->now_ms;
    bool is_renamed = cluster_lease_renewed(people->lease, reply->element[0]->integer == 1, random_number());
    see(people, reply->element[2], false);
    see(people, reply->element[3], true);
    cluster_lease_renewed_end(people->lease);
    if (!people->has_lease && !is_renamed) compare_rules(people);
    people->has_lease = !is_renamed;
    if (!is_renamed) return;
    people->names++;
    log_warn("cluster: this node's lease was over, so it goes on as another one, %s", people_node(people));
    for_each(people, rename_in);
}

static bool renew(struct people *people)
{
    struct people_keys keys;
    struct people_request *request = people_request_new(people, NULL, take_renewal, 0);
    if (request == NULL) return false;
    struct script_lease args = {.nodes = cluster_key_nodes(keys.members, people->prefix),
                                .about = cluster_key_nodes_about(keys.pushes, people->prefix),
                                .node = people_node_of(people)};
    const char *about = people->has_lease ? "" : people->about;
    script_call_renew(&people->call, &args, cluster_lease_ms(people->lease), text_of(about), LEASE_NODES_MAX);
    if (!people_ask(request, people->call.words, people->call.words_count)) {
        free(request);
        return false;
    }
    cluster_lease_sent(people->lease, people->now_ms);
    return true;
}

/* ---- each round ---- */

/* False: it is to be freed only when it has left the set. */
static bool let_go(struct people *people, struct people_channel *channel)
{
    if (channel->noted != 0 && !people_note(people, channel, false)) return false;
    people_channel_remove(&people->table, channel);
    return true;
}

static bool serve(struct people *people, struct people_channel *channel)
{
    TAILQ_REMOVE(&people->active, channel, active);
    channel->is_active = false;
    timer_clear(&people->timers, &channel->timer);
    bool is_done = people_serve(people, channel);
    if (is_done && people_is_unused(channel)) {
        if (let_go(people, channel)) return true;
        is_done = false;
    }
    uint64_t due_ms = is_done ? people_serve_due_ms(channel) : people->now_ms + PEOPLE_RETRY_MS;
    if (due_ms < UINT64_MAX) timer_set(&people->timers, &channel->timer, due_ms);
    return is_done;
}

static void expire(struct people *people)
{
    struct timer *timer;
    while ((timer = timer_wheel_expire(&people->timers, people->now_ms)) != NULL) {
        people_activate(people,
                        (struct people_channel *)(void *)((char *)timer - offsetof(struct people_channel, timer)));
    }
}

static void serve_all(struct people *people)
{
    while (!TAILQ_EMPTY(&people->active)) {
        if (serve(people, TAILQ_FIRST(&people->active))) continue;
        people->retry_ms = people->now_ms + PEOPLE_RETRY_MS;
        return;
    }
}

void people_run(struct people *people, uint64_t now_ms)
{
    people->now_ms = now_ms;
    if (!people->is_open || now_ms < people->retry_ms) return;
    bool is_due = cluster_lease_is_due(people->lease, now_ms) && !people->is_retiring;
    if (is_due && !renew(people)) people->retry_ms = now_ms + PEOPLE_RETRY_MS;
    if (!people->has_lease) return;
    if (now_ms >= people->check_ms) {
        if (now_ms >= people->patience_ms) people->patience_ms = 0;
        people->check_ms = people->patience_ms > 0 ? people->patience_ms : UINT64_MAX;
        for_each(people, check);
    }
    expire(people);
    serve_all(people);
    if (!people->is_stopping) people_sweep_run(people);
    bool has_left = people->is_stopping && people->table.count == 0 && !people->is_retiring;
    if (has_left) people->is_retiring = people_retire(people);
}

/* ---- the end ---- */

static void leave(struct people *people, struct people_channel *channel)
{
    (void)people;
    channel->count = 0;
    end_reading(channel);
    if (channel->members != NULL) cluster_members_part_all(channel->members);
}

void people_stop(struct people *people)
{
    people->is_stopping = true;
    people_sweep_lost(people);
    for_each(people, leave);
}

bool people_has_stopped(const struct people *people)
{
    return !people->is_open || people->has_retired;
}
