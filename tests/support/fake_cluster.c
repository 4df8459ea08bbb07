/* tests/support/fake_cluster.c - streams, who has entered them, and jobs that are done by and by. */
#include "tests/support/fake_cluster.h"

#include "core/message.h"
#include "core/name.h"
#include "net/frame.h"
#include "server/cluster/cluster.h"
#include "server/cluster/cluster_status.h"
#include "server/config/history_rule.h"
#include "server/protocol/event.h"
#include "server/system/clock.h"
#include "server/system/random_word.h"
#include "tests/support/fake_kernel.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHARDS_MOST  8
#define QUEUE_ITEMS  8192
#define PUSH_AT_ONCE 5

/* A message that was published, in a channel's order. */
struct entry {
    uint64_t offset; /* 0: it has no place */
    uint64_t time_ms;
    char epoch[EPOCH_BYTES + 1];
    char key[RECEIPT_KEY_BYTES_MAX + 1];
    uint32_t frame_bytes[FORMS_MAX];
    uint8_t *frames;
    struct message_part event_name, data, user_id;
    struct publisher publisher;
    enum message_origin origin;
    bool is_kept;
};

struct stream {
    char channel[NAME_BYTES_MAX + 1];
    struct position last; /* not set: there is no stream */
    struct entry *entries;
    uint32_t count, capacity;
    uint32_t first;   /* those before are not kept any more */
    uint32_t pushed;  /* those before were told, should anybody be in */
    uint32_t kept;    /* the last event of a cache channel stands before this one; 0: there is none */
    uint64_t kept_ms; /* until then */
    bool is_in;
    bool is_lost; /* to be told, before anything else, with or without: */
    bool has_position;
    uint32_t serial, shard;
    struct name name; /* while somebody is in; its text is the channel */
};

struct client {
    struct cluster_job *asked[QUEUE_ITEMS]; /* the oldest first */
    struct cluster_item *done[QUEUE_ITEMS]; /* for the shard */
    uint32_t asked_count, done_count, under_way;
    bool has_asked;
};

struct cluster {
    struct counters counters;
    struct client clients[SHARDS_MOST];
    uint32_t clients_count;
    int wake[SHARDS_MOST];
    bool is_awake;
};

struct fake_cluster_settings fake_cluster_settings;
struct fake_cluster_counts fake_cluster_counts;
static struct cluster the_cluster; /* there is one at a time */
static struct stream *streams;
static uint32_t streams_count;
static uint64_t epochs; /* begun */

/* ---- streams ---- */

void fake_cluster_forget(void)
{
    for (uint32_t i = 0; i < streams_count; i++) {
        for (uint32_t k = 0; k < streams[i].count; k++) {
            free(streams[i].entries[k].frames);
        }
        free(streams[i].entries);
    }
    free(streams);
    streams = NULL;
    streams_count = 0;
    fake_cluster_settings = (struct fake_cluster_settings){0};
}

static struct stream *stream_of(struct text channel)
{
    for (uint32_t i = 0; i < streams_count; i++) {
        if (text_is(channel, streams[i].channel)) return &streams[i];
    }
    streams = reallocarray(streams, streams_count + 1, sizeof streams[0]);
    assert(streams != NULL);
    struct stream *stream = &streams[streams_count++];
    *stream = (struct stream){0};
    memcpy(stream->channel, channel.at, channel.count);
    return stream;
}

static void open_stream(struct stream *stream)
{
    if (position_is_set(&stream->last)) return;
    word_of_number(++epochs, stream->last.epoch, EPOCH_BYTES);
    stream->last.epoch[EPOCH_BYTES] = '\0';
    stream->last.offset = 0;
    stream->first = stream->count;
}

static struct entry *append(struct stream *stream, const struct message *message, bool is_for_history)
{
    if (stream->count == stream->capacity) {
        stream->capacity = 2 * stream->capacity + 16;
        stream->entries = reallocarray(stream->entries, stream->capacity, sizeof stream->entries[0]);
        assert(stream->entries != NULL);
    }
    struct entry *entry = &stream->entries[stream->count++];
    *entry = (struct entry){.time_ms = realtime_ms(),
                            .event_name = message->event_name,
                            .data = message->data,
                            .user_id = message->user_id,
                            .publisher = message->publisher,
                            .origin = message->origin,
                            .is_kept = message->is_kept};
    memcpy(entry->frame_bytes, message->frame_bytes, sizeof entry->frame_bytes);
    size_t bytes = 0;
    for (enum form form = 0; form < FORMS_MAX; form++) {
        bytes += entry->frame_bytes[form];
    }
    entry->frames = reallocarray(NULL, 1, bytes + 1);
    assert(entry->frames != NULL);
    memcpy(entry->frames, message->frames, bytes);
    if (is_for_history) {
        open_stream(stream);
        entry->offset = ++stream->last.offset;
        memcpy(entry->epoch, stream->last.epoch, sizeof entry->epoch);
    }
    fake_cluster_counts.published++;
    return entry;
}

static bool is_placed(const struct stream *stream, uint32_t index)
{
    const struct entry *entry = &stream->entries[index];
    return entry->offset > 0 && strcmp(entry->epoch, stream->last.epoch) == 0;
}

/* As many as the rule permits, and what is not too old. */
static void trim(struct stream *stream, const struct history_rule *rule)
{
    uint64_t count = 0, expired_ms = realtime_ms() - rule->ttl;
    for (uint32_t i = stream->count; i > stream->first; i--) {
        bool is_over =
            is_placed(stream, i - 1) && (++count > rule->size || stream->entries[i - 1].time_ms <= expired_ms);
        if (is_over) stream->first = i;
    }
}

static const struct entry *find_key(const struct stream *stream, const char *key)
{
    for (uint32_t i = stream->count; key[0] != '\0' && i > 0; i--) {
        const struct entry *entry = &stream->entries[i - 1];
        if (entry->time_ms + RECEIPT_MS <= realtime_ms()) return NULL;
        if (strcmp(entry->key, key) == 0) return entry;
    }
    return NULL;
}

/* NULL: out of memory. */
static struct message *message_of(const struct entry *entry, const struct name *channel)
{
    struct message *message = message_new(&the_cluster.counters, channel, entry->frame_bytes);
    if (message == NULL) return NULL;
    size_t bytes = 0;
    for (enum form form = 0; form < FORMS_MAX; form++) {
        bytes += entry->frame_bytes[form];
    }
    memcpy(message->frames, entry->frames, bytes);
    message->event_name = entry->event_name;
    message->data = entry->data;
    message->user_id = entry->user_id;
    message->publisher = entry->publisher;
    message->origin = entry->origin;
    message->is_kept = entry->is_kept;
    if (entry->offset == 0) return message;
    struct position position = {.offset = entry->offset};
    memcpy(position.epoch, entry->epoch, sizeof position.epoch);
    struct message *placed = event_at(&the_cluster.counters, message, &position, entry->time_ms);
    if (placed == NULL) message_drop(&the_cluster.counters, message);
    return placed;
}

/* ---- what is told ---- */

static bool is_event(const struct cluster_item *item)
{
    return item->kind == CLUSTER_MESSAGES || item->kind == CLUSTER_LOST;
}

static void put(uint32_t shard, struct cluster_item *item)
{
    struct client *client = &the_cluster.clients[shard];
    uint64_t one = 1;
    assert(client->done_count < QUEUE_ITEMS);
    client->done[client->done_count++] = item;
    ssize_t written = write(the_cluster.wake[shard], &one, sizeof one);
    (void)written;
}

static bool tell_lost(struct stream *stream)
{
    struct cluster_event *event = cluster_event_new(CLUSTER_LOST, &stream->name, stream->serial);
    if (event == NULL) return false;
    stream->is_lost = false;
    if (stream->has_position) event->position = (struct position){.offset = 0};
    if (stream->has_position) memcpy(event->position.epoch, stream->last.epoch, sizeof event->position.epoch);
    put(stream->shard, &event->item);
    return true;
}

/* Some of those that are next, of one epoch. */
static void push(struct stream *stream)
{
    if (stream->is_lost && !tell_lost(stream)) return;
    if (stream->pushed == stream->count) return;
    struct cluster_event *event = cluster_event_new(CLUSTER_MESSAGES, &stream->name, stream->serial);
    if (event == NULL) return;
    event->messages = reallocarray(NULL, PUSH_AT_ONCE, sizeof event->messages[0]);
    uint32_t most = 1 + fake_random(PUSH_AT_ONCE);
    for (; event->messages_count < most && stream->pushed < stream->count; stream->pushed++) {
        const struct entry *entry = &stream->entries[stream->pushed];
        bool is_other = entry->offset > 0 && position_is_set(&event->position) &&
                        strcmp(event->position.epoch, entry->epoch) != 0;
        struct message *message = is_other ? NULL : message_of(entry, &stream->name);
        if (message == NULL) break;
        event->messages[event->messages_count++] = message;
        if (entry->offset == 0) continue;
        event->position.offset = entry->offset;
        memcpy(event->position.epoch, entry->epoch, sizeof event->position.epoch);
    }
    if (event->messages_count > 0) {
        put(stream->shard, &event->item);
    } else {
        cluster_event_free(&the_cluster.counters, event);
    }
}

static bool has_pushes(const struct stream *stream)
{
    return stream->is_in && (stream->is_lost || stream->pushed < stream->count);
}

void fake_cluster_publish(const char *channel, const char *data, bool is_for_history)
{
    struct stream *stream = stream_of(text_of(channel));
    struct name name = name_of(0, text_of(stream->channel));
    struct event event = {.name = text_of("x"), .data = text_of(data)};
    struct message *message = event_message(&the_cluster.counters, &name, &event);
    if (message == NULL) return;
    message->origin = ORIGIN_BACKEND;
    append(stream, message, is_for_history);
    message_drop(&the_cluster.counters, message);
    the_cluster.is_awake = true;
}

void fake_cluster_lose(const char *channel, bool has_position)
{
    struct stream *stream = stream_of(text_of(channel));
    if (!position_is_set(&stream->last)) return;
    stream->last = (struct position){0};
    stream->first = stream->pushed = stream->count;
    if (has_position) open_stream(stream);
    stream->is_lost = stream->is_in;
    stream->has_position = has_position;
    fake_cluster_counts.lost++;
    the_cluster.is_awake = true;
}

/* ---- jobs ---- */

static void publish(struct stream *stream, struct cluster_job *job)
{
    const struct entry *first = find_key(stream, job->key);
    job->is_repeat = first != NULL;
    if (first != NULL) fake_cluster_counts.repeats++;
    if (first == NULL) {
        struct entry *entry = append(stream, job->message, job->is_for_history);
        memcpy(entry->key, job->key, sizeof entry->key);
        if (job->cache_ms > 0) stream->kept = stream->count;
        if (job->cache_ms > 0) stream->kept_ms = fake_now_ms() + job->cache_ms;
        first = entry;
    }
    job->position.offset = first->offset;
    memcpy(job->position.epoch, first->epoch, sizeof job->position.epoch);
}

static void enter(struct stream *stream, struct cluster_job *job)
{
    bool is_again = stream->is_in && stream->serial == job->serial;
    assert(!stream->is_in || is_again);
    bool is_new_stream = job->needs_position && !position_is_set(&stream->last);
    if (is_new_stream) open_stream(stream);
    if (!is_again) {
        stream->is_in = true;
        stream->is_lost = false;
        stream->serial = job->serial;
        stream->shard = job->item.shard;
        stream->name = *job->channel;
        stream->pushed = stream->count;
        fake_cluster_counts.entered++;
        bool has_kept = stream->kept > 0 && stream->kept_ms > fake_now_ms();
        if (has_kept) job->kept = message_of(&stream->entries[stream->kept - 1], job->channel);
        if (has_kept) job->cache_ms = stream->kept_ms - fake_now_ms();
    }
    job->position = stream->last;
    for (uint32_t i = stream->pushed; i < stream->count; i++) { /* not told yet */
        if (is_placed(stream, i)) {
            job->position.offset = stream->entries[i].offset - 1;
            return;
        }
    }
}

static void leave(struct stream *stream, const struct cluster_job *job)
{
    assert(stream->is_in && stream->serial == job->serial);
    stream->is_in = false;
    fake_cluster_counts.left++;
}

/* The messages that are asked for, from *first_r up to *end_r; entries between them have no place. */
static void choose(const struct stream *stream, const struct cluster_job *job, uint64_t since, uint32_t *first_r,
                   uint32_t *end_r)
{
    uint32_t count = 0;
    uint64_t bytes = 0;
    *first_r = stream->first;
    *end_r = stream->count;
    while (*first_r < *end_r && stream->entries[*first_r].offset <= since) {
        ++*first_r;
    }
    while (*end_r > *first_r && stream->entries[*end_r - 1].offset >= job->before) {
        --*end_r;
    }
    uint32_t at = job->is_from_end ? *end_r : *first_r;
    while (job->is_from_end ? at > *first_r : at < *end_r) {
        const struct entry *entry = &stream->entries[job->is_from_end ? at - 1 : at];
        bytes += entry->offset > 0 ? entry->frame_bytes[FORM_EVENT] : 0;
        bool is_full = count == job->count_max || (bytes > job->bytes_max && count > 0);
        if (entry->offset > 0 && is_full) break;
        if (entry->offset > 0) count++;
        at = job->is_from_end ? at - 1 : at + 1;
    }
    if (job->is_from_end) {
        *first_r = at;
    } else {
        *end_r = at;
    }
}

static enum rc read_stream(struct stream *stream, struct cluster_job *job)
{
    uint32_t first, end;
    fake_cluster_counts.reads++;
    if (!position_is_set(&stream->last)) return RC_OK;
    trim(stream, job->rule);
    job->position = stream->last;
    job->first = stream->last.offset + 1;
    for (uint32_t i = stream->count; i > stream->first; i--) {
        if (is_placed(stream, i - 1)) job->first = stream->entries[i - 1].offset;
    }
    bool is_other = job->from.epoch[0] != '\0' && !position_is_of(&stream->last, job->from.epoch);
    uint64_t since = is_other ? 0 : job->from.offset;
    choose(stream, job, since, &first, &end);
    if (job->is_all_or_nothing && (is_other || since + 1 < job->first || end < stream->count)) return RC_OK;
    job->messages = reallocarray(NULL, end - first + 1, sizeof job->messages[0]);
    for (; first < end; first++) {
        if (!is_placed(stream, first)) continue;
        struct message *message = message_of(&stream->entries[first], job->channel);
        if (message == NULL) return RC_ENOMEM;
        job->messages[job->messages_count++] = message;
    }
    return RC_OK;
}

static bool has_bytes(const struct message *message)
{
    return message->frame_bytes[FORM_RAW] + message->frame_bytes[FORM_EVENT] + message->frame_bytes[FORM_WATCH] > 0;
}

static void run_job(struct cluster_job *job, bool fails)
{
    struct stream *stream = stream_of(name_text(job->channel));
    bool is_publish = job->item.kind == CLUSTER_PUBLISH;
    job->rc = RC_OK;
    if (fails && job->item.kind != CLUSTER_LEAVE) {
        job->rc = RC_ECLUSTER;
    } else if (is_publish && has_bytes(job->message)) {
        publish(stream, job);
        if (job->rule != NULL) trim(stream, job->rule);
    } else if (job->item.kind == CLUSTER_ENTER) {
        enter(stream, job);
    } else if (job->item.kind == CLUSTER_LEAVE) {
        leave(stream, job);
    } else if (job->item.kind == CLUSTER_READ) {
        job->rc = read_stream(stream, job);
        if (job->rc != RC_OK) cluster_job_fini(&the_cluster.counters, job);
    }
}

/* Must it wait for one before it, which is of its channel? Only what is read need not. */
static bool has_to_wait(const struct client *client, uint32_t index)
{
    const struct cluster_job *job = client->asked[index];
    if (job->item.kind == CLUSTER_READ) return false;
    for (uint32_t i = 0; i < index; i++) {
        if (client->asked[i]->item.kind != CLUSTER_READ && name_equals(client->asked[i]->channel, job->channel))
            return true;
    }
    bool is_behind = job->item.kind == CLUSTER_PUBLISH && !has_bytes(job->message);
    return is_behind && has_pushes(stream_of(name_text(job->channel)));
}

static bool fails_now(void)
{
    const struct fake_cluster_settings *settings = &fake_cluster_settings;
    return settings->is_failing || (settings->fail_one_in > 0 && fake_random(settings->fail_one_in) == 0);
}

static void do_some(uint32_t shard, struct client *client)
{
    for (uint32_t i = 0; i < client->asked_count;) {
        if (has_to_wait(client, i) || fake_random(3) == 0) {
            i++;
            continue;
        }
        struct cluster_job *job = client->asked[i];
        memmove(&client->asked[i], &client->asked[i + 1], (--client->asked_count - i) * sizeof client->asked[0]);
        run_job(job, fails_now());
        put(shard, &job->item);
    }
}

static bool is_at_work(void)
{
    for (uint32_t i = 0; i < streams_count && !fake_cluster_settings.is_failing; i++) {
        if (has_pushes(&streams[i])) return true;
    }
    return fake_cluster_jobs() > 0;
}

static bool has_work(void)
{
    return the_cluster.is_awake && !fake_cluster_settings.is_away && is_at_work();
}

static void work(void)
{
    for (uint32_t i = 0; i < the_cluster.clients_count; i++) {
        if (fake_random(2)) do_some(i, &the_cluster.clients[i]);
    }
    for (uint32_t i = 0; i < streams_count && !fake_cluster_settings.is_failing; i++) {
        if (streams[i].is_in && fake_random(3) > 0) push(&streams[i]);
    }
    the_cluster.is_awake = is_at_work();
}

uint32_t fake_cluster_jobs(void)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < the_cluster.clients_count; i++) {
        count += the_cluster.clients[i].asked_count;
    }
    return count;
}

const char *cluster_trouble(const struct cluster *cluster)
{
    (void)cluster;
    return fake_cluster_settings.is_failing || fake_cluster_settings.is_away ? "it is away" : NULL;
}

void cluster_look(const struct cluster *cluster, struct cluster_status *status_r)
{
    (void)cluster;
    *status_r = (struct cluster_status){.nodes = 1};
}

const struct counters *cluster_counters(const struct cluster *cluster)
{
    return &cluster->counters;
}

/* ---- shards ---- */

enum rc cluster_ask(struct cluster *cluster, uint32_t shard, struct cluster_job *job)
{
    struct client *client = &cluster->clients[shard];
    if (fake_cluster_settings.jobs_max > 0 && client->under_way >= fake_cluster_settings.jobs_max) return RC_EFULL;
    assert(client->asked_count < QUEUE_ITEMS && job->item.shard == shard);
    client->asked[client->asked_count++] = job;
    client->under_way++;
    client->has_asked = true;
    return RC_OK;
}

void cluster_wake(struct cluster *cluster, uint32_t shard)
{
    if (!cluster->clients[shard].has_asked) return;
    cluster->clients[shard].has_asked = false;
    cluster->is_awake = true;
}

struct cluster_item *cluster_receive(struct cluster *cluster, uint32_t shard)
{
    struct client *client = &cluster->clients[shard];
    if (client->done_count == 0) return NULL;
    struct cluster_item *item = client->done[0];
    client->done_count--;
    memmove(&client->done[0], &client->done[1], client->done_count * sizeof client->done[0]);
    if (!is_event(item)) client->under_way--;
    return item;
}

/* ---- life ---- */

enum rc cluster_start(struct cluster **cluster_r, const struct options *options, const int *wake, uint32_t shards,
                      char *reason_r, size_t reason_size)
{
    (void)options, (void)reason_r, (void)reason_size;
    assert(shards <= SHARDS_MOST);
    the_cluster = (struct cluster){.clients_count = shards};
    memcpy(the_cluster.wake, wake, shards * sizeof wake[0]);
    for (uint32_t i = 0; i < streams_count; i++) {
        streams[i].is_in = streams[i].is_lost = false;
    }
    fake_kernel_run_also(has_work, work);
    *cluster_r = &the_cluster;
    return RC_OK;
}

enum rc cluster_await(const struct cluster *cluster, uint64_t ms, char *reason_r, size_t reason_size)
{
    (void)cluster, (void)ms, (void)reason_r, (void)reason_size;
    return RC_OK;
}

void cluster_stop(struct cluster *cluster)
{
    for (uint32_t i = 0; cluster != NULL && i < cluster->clients_count; i++) {
        cluster->clients[i].asked_count = 0; /* the homes give up what they have asked */
    }
}

void cluster_free(struct cluster *cluster)
{
    for (uint32_t i = 0; cluster != NULL && i < cluster->clients_count; i++) {
        struct client *client = &cluster->clients[i];
        for (uint32_t k = 0; k < client->done_count; k++) {
            struct cluster_item *item = client->done[k];
            if (is_event(item)) cluster_event_free(&cluster->counters, (struct cluster_event *)item);
        }
    }
    fake_kernel_run_also(NULL, NULL);
}
