/* server/cluster/people_sweep.c - sweeping: each answer leads to the next question.
 *
 * Not obvious: a channel is taken out of the node's set only behind the command that takes out the last of it, so
 * whatever was done when a connection ends, the rest is found again. */
#include "server/cluster/people_sweep.h"

#include "server/cluster/people_send.h"
#include "server/system/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void ask_channels(struct people *people);
static void ask_members(struct people *people);
static void ask_leave(struct people *people);

/* ---- lists of what was scanned ---- */

static void forget(struct people_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i]);
    }
    free(list->items);
    *list = (struct people_list){0};
}

static bool begin_list(struct people_list *list, size_t items_max)
{
    forget(list);
    list->items = calloc(items_max + 1, sizeof(char *));
    return list->items != NULL;
}

static bool add(struct people_list *list, struct text text)
{
    char *copy = malloc(sizeof(uint32_t) + text.count);
    if (copy == NULL) return false;
    uint32_t bytes = (uint32_t)text.count;
    memcpy(copy, &bytes, sizeof bytes);
    text_put(copy + sizeof bytes, text);
    list->items[list->count++] = copy;
    return true;
}

static struct text item(const struct people_list *list, size_t i)
{
    uint32_t bytes;
    memcpy(&bytes, list->items[i], sizeof bytes);
    return (struct text){list->items[i] + sizeof bytes, bytes};
}

/* ---- questions of a sweep ---- */

void people_sweep_fini(struct people *people)
{
    struct people_sweep *sweep = &people->sweep;
    forget(&sweep->tags);
    forget(&sweep->users);
    *sweep = (struct people_sweep){.round = sweep->round + 1};
}

static void give_up(struct people *people)
{
    if (people->sweep.node[0] == '\0') return;
    cluster_lease_sweep_again(people->lease, text_of(people->sweep.node), people->now_ms);
    people_sweep_fini(people);
}

void people_sweep_lost(struct people *people)
{
    give_up(people);
}

static void ask(struct people *people, people_request_answer *answer, const struct text *words, size_t count)
{
    struct people_request *request = people_request_new(people, NULL, answer, 0);
    if (request != NULL) request->round = people->sweep.round;
    if (request != NULL && people_ask(request, words, count)) return;
    free(request);
    give_up(people);
}

static void ask_call(struct people *people, people_request_answer *answer)
{
    ask(people, answer, people->call.words, people->call.words_count);
}

/* Is it an answer for a sweep that goes on? If it cannot go on, it is given up. */
static bool goes_on(const struct people_request *request, const char *what, const redisReply *reply, int type)
{
    struct people *people = request->people;
    if (request->round != people->sweep.round || people->sweep.node[0] == '\0') return false;
    if (!people_has_failed(what, reply) && reply->type == type) return true;
    give_up(people);
    return false;
}

/* ---- a node's end ---- */

static void set_lease(const struct people *people, struct text node, struct people_keys *keys, bool is_itself,
                      struct script_call *call)
{
    struct script_lease args = {.nodes = cluster_key_nodes(keys->members, people->prefix),
                                .about = cluster_key_nodes_about(keys->pushes, people->prefix),
                                .node = node};
    script_call_retire(call, &args, is_itself);
}

static void has_swept(struct people_request *request, const redisReply *reply)
{
    struct people *people = request->people;
    if (!goes_on(request, "to forget a node", reply, REDIS_REPLY_INTEGER)) return;
    if (reply->integer == 1) log_info("cluster: node %s has ended, what it left is gone", people->sweep.node);
    people_sweep_fini(people);
}

static void has_removed(struct people_request *request, const redisReply *reply)
{
    (void)request;
    people_has_failed("to forget a node's channel", reply); /* it is found again */
}

static void has_retired(struct people_request *request, const redisReply *reply)
{
    (void)reply; /* if it was not done, others sweep */
    request->people->has_retired = true;
}

static bool ask_once(struct people *people, people_request_answer *answer, const struct text *words, size_t count)
{
    struct people_request *request = people_request_new(people, NULL, answer, 0);
    if (request != NULL && people_ask(request, words, count)) return true;
    free(request);
    return false;
}

bool people_retire(struct people *people)
{
    struct people_keys keys;
    struct text words[] = {text_of("DEL"), cluster_key_node(keys.members, people->prefix, people_node_of(people))};
    if (!ask_once(people, has_removed, words, 2)) return false; /* what is in it was lost on its way out */
    set_lease(people, people_node_of(people), &keys, true, &people->call);
    return ask_once(people, has_retired, people->call.words, people->call.words_count);
}

/* ---- one channel ---- */

struct swept {
    char memory[NAME_BYTES_MAX];
    struct people_keys keys;
    struct text app;
    struct name name; /* of an app that only its id names */
    struct text tag;
};

static bool read_swept(const struct people *people, struct swept *swept)
{
    struct text channel;
    const struct people_list *tags = &people->sweep.tags;
    swept->tag = item(tags, tags->next);
    if (cluster_tag_read(swept->tag, swept->memory, &swept->app, &channel) != RC_OK) return false;
    swept->name = name_of(0, channel);
    return true;
}

static struct script_member args_of(const struct people *people, enum cluster_key kind, struct swept *swept)
{
    struct text channel = name_text(&swept->name);
    return (struct script_member){
        .push.channel = cluster_key_of(swept->keys.pushes, people->prefix, CLUSTER_KEY_PUSHES, swept->app, channel),
        .deadline_ms = people->now_ms + people->clock_ms + PEOPLE_DEADLINE_MS,
        .members = cluster_key_of(swept->keys.members, people->prefix, kind, swept->app, channel),
        .node = text_of(people->sweep.node),
    };
}

/* The next one that is known, or more of them, or the end. */
static void go_on(struct people *people)
{
    struct people_sweep *sweep = &people->sweep;
    struct people_keys keys;
    if (sweep->tags.next < sweep->tags.count) {
        memcpy(sweep->members_cursor, "0", 2);
        ask_members(people);
    } else if (!people_is_end(sweep->cursor)) {
        ask_channels(people);
    } else {
        set_lease(people, text_of(sweep->node), &keys, false, &people->call);
        ask_call(people, has_swept);
    }
}

static void has_counted(struct people_request *request, const redisReply *reply)
{
    struct swept swept;
    struct people *people = request->people;
    if (!goes_on(request, "a number of subscribers", reply, REDIS_REPLY_ARRAY)) return;
    bool is_read = reply->elements == 2 && reply->element[0]->type == REDIS_REPLY_INTEGER &&
                   reply->element[1]->type == REDIS_REPLY_INTEGER;
    if (is_read && read_swept(people, &swept)) {
        people_tell_sums(people, swept.app, &swept.name, (uint64_t)reply->element[0]->integer,
                         (uint64_t)reply->element[1]->integer);
    }
    people->sweep.tags.next++;
    go_on(people);
}

/* Its members are out: its number goes, and it is forgotten. */
static void end_channel(struct people *people)
{
    struct swept swept;
    if (!read_swept(people, &swept)) return;
    struct script_member args = args_of(people, CLUSTER_KEY_COUNTS, &swept);
    script_call_count(&people->call, &args, 0);
    uint32_t round = people->sweep.round;
    ask_call(people, has_counted);
    if (round != people->sweep.round) return;
    struct text words[] = {text_of("SREM"),
                           cluster_key_node(swept.keys.members, people->prefix, text_of(people->sweep.node)),
                           swept.tag};
    ask(people, has_removed, words, 3);
}

/* ---- its members ---- */

static void has_left(struct people_request *request, const redisReply *reply)
{
    struct swept swept;
    struct people *people = request->people;
    struct people_list *users = &people->sweep.users;
    if (!goes_on(request, "members", reply, REDIS_REPLY_ARRAY) || !read_swept(people, &swept)) return;
    for (size_t i = 0; i < reply->elements && users->next < users->count; i++) {
        const redisReply *one = reply->element[i];
        struct text user_id = item(users, users->next++);
        if (one->type != REDIS_REPLY_INTEGER || one->integer != 2) continue;
        people_tell_news(people, swept.app, &swept.name, WEBHOOK_member_removed, user_id, 0);
    }
    ask_leave(people);
}

static void ask_leave(struct people *people)
{
    struct swept swept;
    struct text ids[SCRIPT_USERS_MAX];
    uint32_t count = 0;
    struct people_sweep *sweep = &people->sweep;
    if (sweep->users.next == sweep->users.count) {
        if (people_is_end(sweep->members_cursor))
            end_channel(people);
        else
            ask_members(people);
        return;
    }
    for (size_t i = sweep->users.next; i < sweep->users.count && count < SCRIPT_USERS_MAX; i++) {
        ids[count++] = item(&sweep->users, i);
    }
    if (!read_swept(people, &swept)) return;
    struct script_member args = args_of(people, CLUSTER_KEY_MEMBERS, &swept);
    script_call_leave(&people->call, &args, ids, count);
    ask_call(people, has_left);
}

/* ' NODE NODE |info': is the node that ended among them? */
static bool has_node(const struct people_sweep *sweep, struct text value)
{
    char word[LEASE_NODE_BYTES + 3];
    const char *bar = memchr(value.at, '|', value.count);
    if (bar == NULL) return false;
    int bytes = snprintf(word, sizeof word, " %s ", sweep->node);
    return memmem(value.at, (size_t)(bar - value.at), word, (size_t)bytes) != NULL;
}

static void have_members(struct people_request *request, const redisReply *reply)
{
    struct people *people = request->people;
    struct people_sweep *sweep = &people->sweep;
    if (!goes_on(request, "a list of members", reply, REDIS_REPLY_ARRAY)) return;
    const redisReply *list = people_scanned(reply, sweep->members_cursor);
    bool is_kept = list != NULL && begin_list(&sweep->users, list->elements / 2);
    for (size_t i = 0; is_kept && i + 1 < list->elements; i += 2) {
        struct text user_id = people_text_of(list->element[i]), value = people_text_of(list->element[i + 1]);
        if (user_id.count > 0 && has_node(sweep, value)) is_kept = add(&sweep->users, user_id);
    }
    if (is_kept)
        ask_leave(people);
    else
        give_up(people);
}

static void ask_members(struct people *people)
{
    struct swept swept;
    struct people_sweep *sweep = &people->sweep;
    if (!read_swept(people, &swept)) { /* kept out by have_channels() */
        give_up(people);
        return;
    }
    struct script_member args = args_of(people, CLUSTER_KEY_MEMBERS, &swept);
    struct text words[] = {text_of("HSCAN"), args.members, text_of(sweep->members_cursor), text_of("COUNT"),
                           text_of("500")};
    ask(people, have_members, words, 5);
}

/* ---- the set of its channels ---- */

static bool is_channel(struct text tag)
{
    char memory[NAME_BYTES_MAX];
    struct text app, channel;
    return cluster_tag_read(tag, memory, &app, &channel) == RC_OK;
}

static void have_channels(struct people_request *request, const redisReply *reply)
{
    struct people *people = request->people;
    struct people_sweep *sweep = &people->sweep;
    if (!goes_on(request, "a node's channels", reply, REDIS_REPLY_ARRAY)) return;
    const redisReply *list = people_scanned(reply, sweep->cursor);
    bool is_kept = list != NULL && begin_list(&sweep->tags, list->elements);
    for (size_t i = 0; is_kept && i < list->elements; i++) {
        struct text tag = people_text_of(list->element[i]);
        if (is_channel(tag)) is_kept = add(&sweep->tags, tag);
    }
    if (is_kept)
        go_on(people);
    else
        give_up(people);
}

static void ask_channels(struct people *people)
{
    char key[CLUSTER_KEY_BYTES_MAX];
    struct people_sweep *sweep = &people->sweep;
    struct text words[] = {text_of("SSCAN"), cluster_key_node(key, people->prefix, text_of(sweep->node)),
                           text_of(sweep->cursor[0] != '\0' ? sweep->cursor : "0"), text_of("COUNT"), text_of("500")};
    ask(people, have_channels, words, 5);
}

void people_sweep_run(struct people *people)
{
    struct text node;
    struct people_sweep *sweep = &people->sweep;
    if (sweep->node[0] != '\0' || !cluster_lease_take_swept(people->lease, people->now_ms, &node)) return;
    *text_put(sweep->node, node) = '\0';
    ask_channels(people);
}
