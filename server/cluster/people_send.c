/* server/cluster/people_send.c - questions on their way, keys, and what backends are told. */
#include "server/cluster/people_send.h"

#include "server/cluster/cluster_key.h"
#include "server/system/log.h"

#include <assert.h>
#include <stdlib.h>

/* ---- requests ---- */

void people_activate(struct people *people, struct people_channel *channel)
{
    if (channel->is_active) return;
    channel->is_active = true;
    TAILQ_INSERT_TAIL(&people->active, channel, active);
}

struct people_request *people_request_new(struct people *people, struct people_channel *channel,
                                          people_request_answer *answer, uint32_t asks_max)
{
    struct people_request *request = malloc(sizeof *request + asks_max * sizeof request->asks[0]);
    if (request == NULL) return NULL;
    *request = (struct people_request){
        .people = people,
        .channel = channel,
        .answer = answer,
        .sum_reads = channel != NULL ? channel->sum_reads : 0,
        .names = people->names,
    };
    return request;
}

bool people_has_failed(const char *what, const redisReply *reply)
{
    if (reply == NULL) return true;
    if (reply->type == REDIS_REPLY_ERROR) log_warn("redis refuses %s: %.200s", what, reply->str);
    return reply->type == REDIS_REPLY_ERROR;
}

static void take_answer(void *context, const redisReply *reply)
{
    struct people_request *request = context;
    struct people_channel *channel = request->channel;
    request->answer(request, reply);
    if (channel != NULL) {
        assert(channel->requests > 0);
        channel->requests--;
        people_activate(request->people, channel);
    }
    free(request);
}

bool people_ask(struct people_request *request, const struct text *words, size_t count)
{
    const struct people_way *way = &request->people->way;
    if (way->send(way->self, words, count, take_answer, request) != RC_OK) return false;
    if (request->channel != NULL) request->channel->requests++;
    return true;
}

/* ---- telling ---- */

void people_tell_news(struct people *people, struct text app, const struct name *name, enum webhook_kind kind,
                      struct text user_id, uint64_t count)
{
    struct people_event *event = people_event_new(&(struct people_event){
        .kind = PEOPLE_NEWS, .channel = *name, .app = app, .news = kind, .user_id = user_id, .count = count});
    if (event != NULL) {
        people->way.tell(people->way.self, event);
    } else {
        log_error("out of memory: backends were not told who came or went");
    }
}

void people_tell_sums(struct people *people, struct text app, const struct name *name, uint64_t before,
                      uint64_t after)
{
    struct text nobody = {0};
    struct channel_type type = channel_type_of(name_text(name));
    if (before == after || type.is_user) return;
    if (before == 0) people_tell_news(people, app, name, WEBHOOK_channel_occupied, nobody, after);
    if (after == 0) people_tell_news(people, app, name, WEBHOOK_channel_vacated, nobody, after);
    if (!type.is_presence) people_tell_news(people, app, name, WEBHOOK_subscription_count, nobody, after);
}

/* ---- keys ---- */

struct text people_node_of(const struct people *people)
{
    return text_of(cluster_lease_node(people->lease));
}

struct text people_key_of(const struct people *people, char *to, enum cluster_key kind,
                          const struct people_channel *channel)
{
    return cluster_key_of(to, people->prefix, kind, channel->app, name_text(&channel->name));
}

/* Nothing is to be done with what it answers: what it was for is looked at again after each loss. */
static void ignore(struct people_request *request, const redisReply *reply)
{
    (void)request;
    people_has_failed("to note a node's channels", reply);
}

bool people_note(struct people *people, struct people_channel *channel, bool is_noted)
{
    char key[CLUSTER_KEY_BYTES_MAX], tag[CLUSTER_TAG_BYTES_MAX];
    if (channel->noted == (is_noted ? people->names : 0)) return true;
    struct people_request *request = people_request_new(people, NULL, ignore, 0);
    if (request == NULL) return false;
    struct text words[] = {text_of(is_noted ? "SADD" : "SREM"),
                           cluster_key_node(key, people->prefix, people_node_of(people)),
                           cluster_tag_write(tag, channel->app, name_text(&channel->name))};
    if (!people_ask(request, words, 3)) {
        free(request);
        return false;
    }
    channel->noted = is_noted ? people->names : 0;
    return true;
}

struct script_member people_script_args(const struct people *people, struct people_keys *keys, enum cluster_key kind,
                                        const struct people_channel *channel)
{
    return (struct script_member){
        .push.channel = people_key_of(people, keys->pushes, CLUSTER_KEY_PUSHES, channel),
        .deadline_ms = people->now_ms + people->clock_ms + PEOPLE_DEADLINE_MS,
        .members = people_key_of(people, keys->members, kind, channel),
        .node = people_node_of(people),
    };
}

/* ---- what is scanned ---- */

struct text people_text_of(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING ? (struct text){reply->str, reply->len} : text_of("");
}

const redisReply *people_scanned(const redisReply *reply, char cursor_r[PEOPLE_CURSOR_BYTES])
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) return NULL;
    struct text cursor = people_text_of(reply->element[0]);
    if (cursor.count == 0 || cursor.count >= PEOPLE_CURSOR_BYTES) return NULL;
    *text_put(cursor_r, cursor) = '\0';
    return reply->element[1]->type == REDIS_REPLY_ARRAY ? reply->element[1] : NULL;
}

bool people_is_end(const char *cursor)
{
    return text_is(text_of("0"), cursor);
}
