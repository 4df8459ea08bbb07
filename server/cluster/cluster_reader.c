/* server/cluster/cluster_reader.c - jobs into the table of channels, its questions into commands, and replies into
 * it. */
#include "server/cluster/cluster_reader.h"

#include "core/channel_type.h"
#include "core/memory.h"
#include "core/message.h"
#include "server/cluster/cluster_job.h"
#include "server/cluster/cluster_key.h"
#include "server/cluster/cluster_reading.h"
#include "server/cluster/cluster_teller.h"
#include "server/cluster/push.h"
#include "server/cluster/record.h"
#include "server/cluster/redis_entries.h"
#include "server/cluster/script_call.h"
#include "server/config/history_rule.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define NAMES_BYTES ((size_t)CLUSTER_NAMES_MAX * CLUSTER_KEY_BYTES_MAX)
#define AGAIN_MS    100 /* what was answered by an error is asked again */

/* An app's id, which is needed for keys when no job has it any more. */
struct reader_app {
    uint16_t index;
    uint16_t bytes;
    char id[CLUSTER_APP_BYTES_MAX];
};

STAILQ_HEAD(reading_list, cluster_reading);

struct cluster_reader {
    struct cluster_reader_settings settings;
    struct cluster_teller teller;
    struct cluster_channels *channels;
    struct reader_app *apps; /* of which channels were entered */
    uint32_t apps_count;
    struct redis_entries entries;
    struct reading_list readings; /* of which a command is to be sent */
    struct reading_list sent;
    uint64_t generation;
    uint64_t redis_ms;
    uint64_t questions_from_ms; /* not before */

    /* The command that was made last: */
    struct script_call call;
    char key[CLUSTER_KEY_BYTES_MAX], from[STREAM_ID_BYTES_MAX], count[12];
    struct text words[CLUSTER_READING_WORDS];
    struct text names[1 + CLUSTER_NAMES_MAX];
    char *names_text; /* CLUSTER_NAMES_MAX keys */
};

static void entered(struct cluster_reader *reader, const struct cluster_channel *channel);

static void job_is_done(void *self, struct cluster_job *job)
{
    struct cluster_reader *reader = self;
    const struct cluster_channel *channel = NULL;
    if (job->item.kind == CLUSTER_ENTER && job->rc == RC_OK)
        channel = cluster_channels_find(reader->channels, job->channel);
    reader->settings.done(reader->settings.self, job);
    if (channel != NULL) entered(reader, channel);
}

static void event_is_told(void *self, struct cluster_event *event)
{
    struct cluster_reader *reader = self;
    reader->settings.event(reader->settings.self, event);
}

static void message_came_back(void *self, const struct name *name, uint64_t number)
{
    struct cluster_reader *reader = self;
    reader->settings.came_back(reader->settings.self, name, number);
}

struct cluster_reader *cluster_reader_new(const struct cluster_reader_settings *settings)
{
    struct cluster_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) return NULL;
    reader->settings = *settings;
    reader->teller = (struct cluster_teller){.node = settings->node,
                                             .counters = settings->counters,
                                             .done = job_is_done,
                                             .event = event_is_told,
                                             .came_back = message_came_back,
                                             .self = reader};
    STAILQ_INIT(&reader->readings);
    STAILQ_INIT(&reader->sent);
    reader->names_text = memory_reserve(NAMES_BYTES, 1);
    reader->channels =
        cluster_channels_new(&settings->limits, settings->counters, cluster_teller_tell, &reader->teller);
    if (reader->names_text != NULL && reader->channels != NULL) return reader;
    cluster_reader_free(reader);
    return NULL;
}

void cluster_reader_free(struct cluster_reader *reader)
{
    if (reader == NULL) return;
    cluster_channels_free(reader->channels);
    redis_entries_fini(&reader->entries);
    memory_release(reader->names_text, NAMES_BYTES, 1);
    free(reader->apps);
    free(reader);
}

const struct cluster_channels *cluster_reader_channels(const struct cluster_reader *reader)
{
    return reader->channels;
}

/* ---- apps ---- */

static struct text app_id(const struct cluster_reader *reader, uint16_t index)
{
    for (uint32_t i = 0; i < reader->apps_count; i++) {
        if (reader->apps[i].index == index) return (struct text){reader->apps[i].id, reader->apps[i].bytes};
    }
    return (struct text){0};
}

static void entered(struct cluster_reader *reader, const struct cluster_channel *channel)
{
    reader->settings.entered(reader->settings.self, &channel->name, app_id(reader, channel->name.app), channel->shard,
                             channel->serial);
}

static enum rc note_app(struct cluster_reader *reader, uint16_t index, struct text id)
{
    assert(id.count <= CLUSTER_APP_BYTES_MAX);
    if (app_id(reader, index).at != NULL) return RC_OK;
    struct reader_app *apps = reallocarray(reader->apps, reader->apps_count + 1, sizeof *apps);
    if (apps == NULL) return RC_ENOMEM;
    reader->apps = apps;
    struct reader_app *app = &apps[reader->apps_count++];
    *app = (struct reader_app){.index = index, .bytes = (uint16_t)id.count};
    memcpy(app->id, id.at, id.count);
    return RC_OK;
}

/* The channel of which a key is; false: of none whose app is known here. */
static bool name_of_key(const struct cluster_reader *reader, struct text key, char memory[NAME_BYTES_MAX],
                        struct name *name_r)
{
    struct text app, channel;
    if (cluster_key_read(key, reader->settings.prefix, CLUSTER_KEY_PUSHES, memory, &app, &channel) != RC_OK)
        return false;
    for (uint32_t i = 0; i < reader->apps_count; i++) {
        if (!text_equals((struct text){reader->apps[i].id, reader->apps[i].bytes}, app)) continue;
        *name_r = name_of(reader->apps[i].index, channel);
        return true;
    }
    return false;
}

static struct text key_of(struct cluster_reader *reader, char to[CLUSTER_KEY_BYTES_MAX], enum cluster_key kind,
                          const struct name *name)
{
    return cluster_key_of(to, reader->settings.prefix, kind, app_id(reader, name->app), name_text(name));
}

/* ---- jobs ---- */

static void done(struct cluster_reader *reader, struct cluster_job *job, enum rc rc)
{
    job->rc = rc;
    reader->settings.done(reader->settings.self, job);
}

static void enter(struct cluster_reader *reader, struct cluster_job *job, uint64_t now_ms)
{
    struct cluster_channel *channel = cluster_channels_get(reader->channels, job->channel);
    struct cluster_entering entering = {
        .shard = (uint16_t)job->item.shard,
        .serial = job->serial,
        .is_numbered = job->rule != NULL,
        .is_cached = channel_type_of(name_text(job->channel)).is_cache,
        .is_opened = job->rule != NULL && job->needs_position,
    };
    if (channel == NULL) {
        done(reader, job, RC_ENOMEM);
        return;
    }
    cluster_teller_wait(channel, job);
    cluster_channels_enter(reader->channels, channel, &entering, now_ms);
}

static void read_kept(struct cluster_reader *reader, struct cluster_job *job, uint64_t now_ms)
{
    struct cluster_reading *reading = cluster_reading_new(job, now_ms);
    if (reading != NULL)
        STAILQ_INSERT_TAIL(&reader->readings, reading, entry);
    else
        done(reader, job, RC_ENOMEM);
}

void cluster_reader_ask(struct cluster_reader *reader, struct cluster_job *job, uint64_t now_ms)
{
    if (note_app(reader, job->channel->app, text_of(job->app)) != RC_OK) {
        done(reader, job, RC_ENOMEM);
    } else if (job->item.kind == CLUSTER_ENTER) {
        enter(reader, job, now_ms);
    } else if (job->item.kind == CLUSTER_READ) {
        read_kept(reader, job, now_ms);
    } else {
        cluster_channels_leave(reader->channels, job->channel, now_ms);
        done(reader, job, RC_OK);
    }
}

void cluster_reader_end_entering(struct cluster_reader *reader, const struct name *name, uint64_t now_ms)
{
    cluster_channels_give_up(reader->channels, name, now_ms);
}

static void give_up_reading(struct cluster_reader *reader, struct cluster_reading *reading)
{
    struct cluster_job *job = reading->job;
    cluster_reading_restart(reading, reader->settings.counters);
    cluster_reading_free(reading);
    done(reader, job, RC_ECLUSTER);
}

void cluster_reader_give_up(struct cluster_reader *reader)
{
    struct cluster_reading *reading;
    STAILQ_CONCAT(&reader->sent, &reader->readings);
    while ((reading = STAILQ_FIRST(&reader->sent)) != NULL) {
        STAILQ_REMOVE_HEAD(&reader->sent, entry);
        give_up_reading(reader, reading);
    }
    struct cluster_channel *channel = NULL;
    const struct cluster_told told = {.kind = CLUSTER_TOLD_LEFT};
    while ((channel = cluster_channels_next(reader->channels, channel)) != NULL)
        cluster_teller_tell(&reader->teller, channel, &told);
}

/* ---- commands ---- */

static void make_open(struct cluster_reader *reader, const struct cluster_channel *channel, struct text stream,
                      struct cluster_reader_call *call_r)
{
    const struct cluster_job *job = channel->of_home;
    uint64_t expire_ms = job != NULL && job->rule != NULL ? job->rule->ttl : 0;
    script_call_open(&reader->call, stream, reader->generation, expire_ms);
    call_r->words = reader->call.words;
    call_r->words_count = reader->call.words_count;
}

static void make_range(struct cluster_reader *reader, const struct cluster_question *question, struct text stream,
                       struct cluster_reader_call *call_r)
{
    bool is_read = question->kind == QUESTION_READ;
    int count_bytes = snprintf(reader->count, sizeof reader->count, "%u", (unsigned)question->count_max);
    struct text *words = reader->words;
    words[0] = text_of(is_read ? "XRANGE" : "XREVRANGE");
    words[1] = stream;
    words[2] = is_read ? stream_id_write(reader->from, &question->from) : text_of("+");
    words[3] = text_of(is_read ? "+" : "-");
    words[4] = text_of("COUNT");
    words[5] = (struct text){reader->count, (size_t)count_bytes};
    call_r->words = words;
    call_r->words_count = CLUSTER_READING_WORDS;
}

/* GET or PTTL of a cache channel's last event. */
static void make_last(struct cluster_reader *reader, const struct cluster_question *question,
                      struct cluster_reader_call *call_r)
{
    reader->words[0] = text_of(question->kind == QUESTION_LAST ? "GET" : "PTTL");
    reader->words[1] = key_of(reader, reader->key, CLUSTER_KEY_LAST, &question->channel->name);
    call_r->words = reader->words;
    call_r->words_count = 2;
}

static bool next_reading(struct cluster_reader *reader, struct cluster_reader_call *call_r)
{
    struct cluster_reading *reading = STAILQ_FIRST(&reader->readings);
    if (reading == NULL) return false;
    STAILQ_REMOVE_HEAD(&reader->readings, entry);
    STAILQ_INSERT_TAIL(&reader->sent, reading, entry);
    cluster_reading_words(reading, reader->words);
    reader->words[1] = key_of(reader, reader->key, CLUSTER_KEY_STREAM, reading->job->channel);
    *call_r = (struct cluster_reader_call){
        .words = reader->words, .words_count = CLUSTER_READING_WORDS, .reading = reading};
    return true;
}

/* Who waits for an answer goes before what nobody waits for. */
bool cluster_reader_next(struct cluster_reader *reader, uint64_t now_ms, struct cluster_reader_call *call_r)
{
    if (next_reading(reader, call_r)) return true;
    *call_r = (struct cluster_reader_call){0};
    if (now_ms < reader->questions_from_ms) return false;
    if (!cluster_channels_question(reader->channels, &call_r->question, now_ms)) return false;
    const struct cluster_channel *channel = call_r->question.channel;
    struct text stream = key_of(reader, reader->key, CLUSTER_KEY_STREAM, &channel->name);
    if (call_r->question.kind == QUESTION_OPEN)
        make_open(reader, channel, stream, call_r);
    else if (call_r->question.kind >= QUESTION_LAST)
        make_last(reader, &call_r->question, call_r);
    else
        make_range(reader, &call_r->question, stream, call_r);
    return true;
}

bool cluster_reader_next_names(struct cluster_reader *reader, uint64_t now_ms, struct cluster_reader_call *call_r)
{
    struct cluster_channel *channels[CLUSTER_NAMES_MAX];
    bool is_subscribe;
    uint32_t count = cluster_channels_names(reader->channels, channels, &is_subscribe, now_ms);
    if (count == 0) return false;
    char *to = reader->names_text;
    reader->names[0] = text_of(is_subscribe ? "SUBSCRIBE" : "UNSUBSCRIBE");
    for (uint32_t i = 0; i < count; i++) {
        reader->names[1 + i] = key_of(reader, to, CLUSTER_KEY_PUSHES, &channels[i]->name);
        to += reader->names[1 + i].count;
    }
    *call_r = (struct cluster_reader_call){.words = reader->names, .words_count = 1 + count};
    return true;
}

/* ---- replies ---- */

/* Without a reply it begins anew; an error ends it. */
static void answer_reading(struct cluster_reader *reader, struct cluster_reading *reading, const redisReply *reply)
{
    const struct cluster_reading_facts facts = {.counters = reader->settings.counters,
                                                .node = reader->settings.node,
                                                .generation = reader->generation,
                                                .redis_ms = reader->redis_ms};
    struct redis_entries *entries = &reader->entries;
    STAILQ_REMOVE(&reader->sent, reading, cluster_reading, entry);
    if (reply == NULL) {
        cluster_reading_restart(reading, facts.counters);
        STAILQ_INSERT_TAIL(&reader->readings, reading, entry);
    } else if (redis_entries_of_range(entries, reply) != RC_OK) {
        give_up_reading(reader, reading);
    } else if (cluster_reading_take(reading, &facts, entries->items, entries->count)) {
        struct cluster_job *job = reading->job;
        cluster_reading_free(reading);
        done(reader, job, job->rc);
    } else {
        STAILQ_INSERT_HEAD(&reader->readings, reading, entry);
    }
}

/* For the job that waits, the first of them. */
static void keep_last(struct cluster_reader *reader, const struct cluster_channel *channel,
                      const struct cluster_entry *entry)
{
    struct cluster_job *job = channel->of_home;
    struct text text = entry->record;
    struct record record;
    if (job == NULL || text.at == NULL || record_take(&text, &record) != RC_OK) return;
    struct position position = stream_id_position(&entry->id);
    job->kept = record_message(reader->settings.counters, &record, &channel->name,
                               entry->id.epoch > 0 ? &position : NULL, entry->time_ms, reader->settings.node);
}

static enum rc take_last(struct cluster_reader *reader, const struct cluster_question *question,
                         const redisReply *reply)
{
    struct cluster_job *job = question->channel->of_home;
    struct push push;
    reader->entries.count = 0;
    if (job != NULL && job->kept != NULL) message_drop(reader->settings.counters, job->kept);
    if (job != NULL) job->kept = NULL;
    if (reply->type == REDIS_REPLY_NIL) return RC_OK;
    if (reply->type != REDIS_REPLY_STRING) return RC_EINVAL;
    if (push_read((struct text){reply->str, reply->len}, &push) != RC_OK) return RC_OK;
    enum rc rc = redis_entries_of_push(&reader->entries, &push);
    if (rc == RC_OK) keep_last(reader, question->channel, reader->entries.items);
    return rc == RC_ENOMEM ? rc : RC_OK;
}

static enum rc take_last_ms(struct cluster_reader *reader, const struct cluster_question *question,
                            const redisReply *reply)
{
    struct cluster_job *job = question->channel->of_home;
    reader->entries.count = 0;
    if (reply->type != REDIS_REPLY_INTEGER) return RC_EINVAL;
    if (job != NULL) job->cache_ms = reply->integer > 0 ? (uint64_t)reply->integer : 0;
    return RC_OK;
}

static enum rc read_answer(struct cluster_reader *reader, const struct cluster_question *question,
                           const redisReply *reply)
{
    if (question->kind == QUESTION_OPEN) return redis_entries_of_id(&reader->entries, reply);
    if (question->kind == QUESTION_LAST) return take_last(reader, question, reply);
    if (question->kind == QUESTION_LAST_MS) return take_last_ms(reader, question, reply);
    return redis_entries_of_range(&reader->entries, reply);
}

static bool is_out_of_memory(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR && text_has_prefix((struct text){reply->str, reply->len}, "OOM");
}

static void answer_question(struct cluster_reader *reader, const struct cluster_question *question,
                            const redisReply *reply, uint64_t now_ms)
{
    struct redis_entries *entries = &reader->entries;
    if (reply != NULL && read_answer(reader, question, reply) == RC_OK) {
        cluster_channels_answer(reader->channels, question, entries->items, entries->count, now_ms);
        return;
    }
    if (reply != NULL) reader->questions_from_ms = now_ms + AGAIN_MS;
    cluster_channels_unanswered(reader->channels, question, reply != NULL && is_out_of_memory(reply), now_ms);
}

void cluster_reader_answered(struct cluster_reader *reader, const struct cluster_reader_call *call,
                             const redisReply *reply, uint64_t now_ms)
{
    if (call->reading != NULL)
        answer_reading(reader, call->reading, reply);
    else
        answer_question(reader, &call->question, reply, now_ms);
}

static enum rc take_records(struct cluster_reader *reader, const struct name *name, const struct push *push,
                            uint64_t now_ms)
{
    enum rc rc = redis_entries_of_push(&reader->entries, push);
    if (rc == RC_EINVAL) {
        counter_add(reader->settings.counters, COUNTER_cluster_records_unread, 1);
        return RC_OK;
    }
    if (rc == RC_OK)
        cluster_channels_push(reader->channels, name, reader->entries.items, reader->entries.count, now_ms);
    return rc == RC_OK && reader->teller.is_short ? RC_ENOMEM : rc;
}

static enum rc take_push(struct cluster_reader *reader, const struct name *name, struct text text, uint64_t now_ms)
{
    struct push push;
    if (push_read(text, &push) != RC_OK) {
        counter_add(reader->settings.counters, COUNTER_cluster_records_unread, 1);
        return RC_OK;
    }
    if (push.kind == PUSH_RECORDS) return take_records(reader, name, &push, now_ms);
    reader->settings.other(reader->settings.self, name, text);
    return RC_OK;
}

static struct text text_of_reply(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING ? (struct text){reply->str, reply->len} : (struct text){0};
}

static enum rc acknowledged(struct cluster_reader *reader, const struct name *name, bool is_subscribe,
                            uint64_t now_ms)
{
    const struct cluster_channel *channel = cluster_channels_find(reader->channels, name);
    bool is_again = is_subscribe && channel != NULL && channel->is_told;
    enum rc rc = cluster_channels_acknowledged(reader->channels, name, is_subscribe, now_ms);
    if (rc == RC_OK && is_again) entered(reader, channel);
    return rc;
}

enum rc cluster_reader_pushed(struct cluster_reader *reader, const redisReply *reply, uint64_t now_ms)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3) return RC_ENOENT;
    struct text kind = text_of_reply(reply->element[0]), key = text_of_reply(reply->element[1]);
    char memory[NAME_BYTES_MAX];
    struct name name;
    if (key.at == NULL || !name_of_key(reader, key, memory, &name)) return RC_ENOENT;
    if (text_is(kind, "message")) return take_push(reader, &name, text_of_reply(reply->element[2]), now_ms);
    bool is_subscribe = text_is(kind, "subscribe");
    if (!is_subscribe && !text_is(kind, "unsubscribe")) return RC_ENOENT;
    return acknowledged(reader, &name, is_subscribe, now_ms);
}

bool cluster_reader_is_short(const struct cluster_reader *reader)
{
    return reader->teller.is_short;
}

void cluster_reader_ended(struct cluster_reader *reader, uint64_t now_ms)
{
    reader->teller.is_short = false;
    cluster_channels_end(reader->channels, now_ms);
}

void cluster_reader_set_generation(struct cluster_reader *reader, uint64_t generation, uint64_t now_ms)
{
    reader->generation = generation;
    cluster_channels_set_generation(reader->channels, generation, now_ms);
}

void cluster_reader_tick(struct cluster_reader *reader, uint64_t now_ms, uint64_t redis_ms)
{
    struct cluster_reading *reading;
    reader->redis_ms = redis_ms;
    while ((reading = STAILQ_FIRST(&reader->readings)) != NULL &&
           now_ms - reading->asked_ms >= reader->settings.patience_ms) {
        STAILQ_REMOVE_HEAD(&reader->readings, entry);
        give_up_reading(reader, reading);
    }
    cluster_channels_tick(reader->channels, now_ms);
}
