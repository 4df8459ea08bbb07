/* tests/support/fake_store.c - jobs in, transactions by the seed, jobs out; logs that stay. */
#include "tests/support/fake_store.h"

#include "core/history.h"
#include "core/message.h"
#include "core/name.h"
#include "core/name_filter.h"
#include "server/config/app.h"
#include "server/config/history_rule.h"
#include "server/store/store.h"
#include "server/system/clock.h"
#include "tests/support/fake_kernel.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHARDS_MOST 8
#define QUEUE_JOBS  4096

/* All that was stored of a channel in an epoch. */
struct stored_log {
    uint64_t whole_from;
    char channel[NAME_BYTES_MAX + 1];
    char epoch[EPOCH_BYTES + 1];
    struct fake_stored *messages;
    uint32_t count, capacity;
    uint32_t first; /* those before have left the store */
    uint64_t bytes; /* of those that have not */
    bool is_over;   /* another epoch has begun */
};

/* One shard's: jobs asked, and behind them those done, in their order. */
struct client {
    struct store_job *asked[QUEUE_JOBS], *done[QUEUE_JOBS];
    uint32_t asked_count, done_count, under_way;
    bool has_asked;
    int wake;
    struct name_filter seen;
};

struct store {
    struct counters counters;
    struct client clients[SHARDS_MOST];
    uint32_t clients_count;
    uint32_t jobs_max;
    bool is_awake;
};

struct fake_store_settings fake_store_settings;
static struct store the_store; /* there is one at a time */
static struct stored_log *logs;
static uint32_t logs_count;

/* ---- logs ---- */

void fake_store_forget(void)
{
    for (uint32_t i = 0; i < logs_count; i++) {
        for (uint32_t k = 0; k < logs[i].count; k++) {
            free(logs[i].messages[k].frame);
        }
        free(logs[i].messages);
    }
    free(logs);
    logs = NULL;
    logs_count = 0;
    fake_store_settings = (struct fake_store_settings){0};
}

/* `epoch` NULL: the one that is not over. */
static struct stored_log *find_log(struct text channel, const char *epoch)
{
    for (uint32_t i = 0; i < logs_count; i++) {
        struct stored_log *log = &logs[i];
        if (!text_is(channel, log->channel)) continue;
        if (epoch != NULL ? strcmp(log->epoch, epoch) == 0 : !log->is_over) return log;
    }
    return NULL;
}

static struct stored_log *make_log(struct text channel, const char *epoch)
{
    struct stored_log *before = find_log(channel, NULL);
    if (before != NULL && strcmp(before->epoch, epoch) == 0) return before;
    if (before != NULL) before->is_over = true;
    logs = reallocarray(logs, logs_count + 1, sizeof logs[0]);
    assert(logs != NULL);
    struct stored_log *log = &logs[logs_count++];
    *log = (struct stored_log){0};
    memcpy(log->channel, channel.at, channel.count);
    memcpy(log->epoch, epoch, sizeof log->epoch);
    return log;
}

/* The index of the first message behind that offset. */
static uint32_t behind(const struct stored_log *log, uint64_t offset)
{
    uint32_t low = 0, high = log->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (log->messages[middle].offset > offset) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

const struct fake_stored *fake_store_next(const char *channel, const char *epoch, uint64_t offset)
{
    const struct stored_log *log = find_log((struct text){channel, strlen(channel)}, epoch);
    uint32_t index = log != NULL ? behind(log, offset) : 0;
    return log != NULL && index < log->count ? &log->messages[index] : NULL;
}

static const struct fake_stored *last_of(const struct stored_log *log)
{
    return &log->messages[log->count - 1];
}

/* ---- appending ---- */

static void trim(struct stored_log *log, const struct history_rule *rule)
{
    uint64_t expired_ms = realtime_ms() - rule->ttl;
    if (log->count - log->first <= rule->size + (uint64_t)rule->size / 16 && log->bytes <= rule->bytes) return;
    while (log->first + 1 < log->count && (log->count - log->first > rule->size || log->bytes > rule->bytes ||
                                           log->messages[log->first].time_ms <= expired_ms)) {
        log->bytes -= log->messages[log->first++].frame_bytes;
    }
}

static void append(struct store_job *job)
{
    const struct message *message = job->message;
    struct stored_log *log = make_log(name_text(job->channel), job->epoch);
    assert(log->count == 0 || message->offset > last_of(log)->offset);
    if (log->count == log->capacity) {
        log->capacity = 2 * log->capacity + 16;
        log->messages = reallocarray(log->messages, log->capacity, sizeof log->messages[0]);
        assert(log->messages != NULL);
    }
    struct fake_stored *stored = &log->messages[log->count++];
    *stored = (struct fake_stored){
        .offset = message->offset,
        .time_ms = message->time_ms,
        .frame = reallocarray(NULL, 1, message->frame_bytes[FORM_EVENT]),
        .frame_bytes = message->frame_bytes[FORM_EVENT],
        .name_at = message->event_name.at,
        .name_bytes = message->event_name.bytes,
        .data_at = message->data.at,
        .data_bytes = message->data.bytes,
        .user_id_at = message->user_id.at,
        .user_id_bytes = message->user_id.bytes,
    };
    assert(stored->frame != NULL);
    memcpy(stored->frame, message_frame(message, FORM_EVENT), stored->frame_bytes);
    memcpy(stored->key, job->key, sizeof stored->key);
    log->bytes += stored->frame_bytes;
    log->whole_from = job->whole_from;
    job->rc = RC_OK;
    trim(log, job->rule);
}

static void lose(struct store_job *job)
{
    struct stored_log *log = find_log(name_text(job->channel), NULL);
    if (log != NULL && strcmp(log->epoch, job->epoch) == 0) log->whole_from = job->whole_from;
    job->rc = RC_OK;
}

/* ---- reading ---- */

static struct message *message_of(const struct fake_stored *stored, const struct name *channel)
{
    struct message *message = message_new_of(&the_store.counters, channel, FORM_EVENT, stored->frame_bytes);
    if (message == NULL) return NULL;
    memcpy(message_frame(message, FORM_EVENT), stored->frame, stored->frame_bytes);
    message->event_name = (struct message_part){stored->name_at, stored->name_bytes};
    message->data = (struct message_part){stored->data_at, stored->data_bytes};
    message->user_id = (struct message_part){stored->user_id_at, stored->user_id_bytes};
    message->offset = stored->offset;
    message->time_ms = stored->time_ms;
    return message;
}

/* The part of the log from *first_r up to *end_r that the job asks for. */
static void choose(const struct stored_log *log, const struct store_job *job, uint32_t first, uint32_t *first_r,
                   uint32_t *end_r)
{
    uint32_t low = behind(log, job->since),
             high = job->before == UINT64_MAX ? log->count : behind(log, job->before - 1);
    uint64_t bytes = 0;
    if (low < first) low = first;
    if (high < low) high = low;
    *first_r = *end_r = job->is_from_end ? high : low;
    while (*end_r - *first_r < job->count_max && (job->is_from_end ? *first_r > low : *end_r < high)) {
        bytes += log->messages[job->is_from_end ? *first_r - 1 : *end_r].frame_bytes;
        if (bytes > job->bytes_max && *end_r > *first_r) return;
        if (job->is_from_end) {
            --*first_r;
        } else {
            ++*end_r;
        }
    }
}

static enum rc read_messages(const struct stored_log *log, struct store_job *job, uint32_t first)
{
    uint32_t end;
    choose(log, job, first, &first, &end);
    job->messages = reallocarray(NULL, end - first + 1, sizeof job->messages[0]);
    for (; first < end; first++) {
        struct message *message = message_of(&log->messages[first], job->channel);
        if (message == NULL) return RC_ENOMEM;
        job->messages[job->messages_count++] = message;
    }
    return RC_OK;
}

static void read_keys(const struct stored_log *log, struct store_job *job)
{
    uint64_t expired_ms = realtime_ms() - RECEIPT_MS;
    job->keys = reallocarray(NULL, log->count, sizeof job->keys[0]);
    for (uint32_t i = 0; i < log->count; i++) {
        const struct fake_stored *stored = &log->messages[i];
        if (stored->key[0] == '\0' || stored->time_ms <= expired_ms) continue;
        struct store_key *key = &job->keys[job->keys_count++];
        *key = (struct store_key){.offset = stored->offset, .time_ms = stored->time_ms};
        memcpy(key->text, stored->key, sizeof key->text);
    }
}

static enum rc read_log(struct store_job *job)
{
    const struct stored_log *log = find_log(name_text(job->channel), NULL);
    uint64_t ttl_ms = job->rule->ttl, forget_ms = store_remembers_ms(ttl_ms);
    if (log == NULL || last_of(log)->time_ms + forget_ms <= realtime_ms()) return RC_ENOENT;
    uint32_t first = log->first;
    for (uint32_t i = first; i < log->count; i++) { /* what is ahead of the clock goes with what comes next */
        uint64_t time_ms = log->messages[i].time_ms;
        if (time_ms <= realtime_ms() - ttl_ms) {
            first = i + 1;
        } else if (time_ms <= realtime_ms() + HISTORY_AHEAD_MS) {
            break;
        }
    }
    memcpy(job->epoch, log->epoch, sizeof job->epoch);
    job->last = last_of(log)->offset;
    job->first = first < log->count ? log->messages[first].offset : job->last + 1;
    job->whole_from = log->whole_from;
    if (job->is_all_or_nothing && job->since + 1 < job->first) return RC_OK;
    enum rc rc = read_messages(log, job, first);
    if (rc == RC_OK && job->keys_max > 0) read_keys(log, job);
    return rc;
}

/* ---- transactions ---- */

static void run_job(struct store_job *job, bool fails)
{
    if (job->kind == STORE_READ) {
        bool is_unread = fails && (fake_store_settings.is_unreadable || fake_random(2));
        job->rc = is_unread ? RC_ESTORE : read_log(job);
        if (job->rc != RC_OK) store_job_fini(&the_store.counters, job);
        counter_add(&the_store.counters, COUNTER_store_reads, 1);
    } else if (fails) {
        job->rc = RC_ESTORE;
    } else if (job->kind == STORE_LOSS) {
        lose(job);
    } else {
        append(job);
        counter_add(&the_store.counters, COUNTER_store_appends, 1);
    }
}

/* The first `count` jobs of a shard. */
static void run_jobs(struct client *client, uint32_t count, bool fails)
{
    uint64_t one = 1;
    for (uint32_t i = 0; i < count; i++) {
        run_job(client->asked[i], fails);
        client->done[client->done_count++] = client->asked[i];
    }
    client->asked_count -= count;
    memmove(&client->asked[0], &client->asked[count], client->asked_count * sizeof client->asked[0]);
    ssize_t written = count > 0 ? write(client->wake, &one, sizeof one) : 0;
    (void)written;
}

uint32_t fake_store_jobs(void)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < the_store.clients_count; i++) {
        count += the_store.clients[i].asked_count;
    }
    return count;
}

static bool has_work(void)
{
    return the_store.is_awake && !fake_store_settings.is_stuck && fake_store_jobs() > 0;
}

/* As the store does: what is written passes what is read. */
static void let_writes_pass(struct client *client)
{
    struct store_job *reads[QUEUE_JOBS];
    uint32_t reads_count = 0, count = 0;
    for (uint32_t i = 0; i < client->asked_count; i++) {
        if (client->asked[i]->kind == STORE_READ) {
            reads[reads_count++] = client->asked[i];
        } else {
            client->asked[count++] = client->asked[i];
        }
    }
    memcpy(&client->asked[count], reads, reads_count * sizeof reads[0]);
}

static void work(void)
{
    const struct fake_store_settings *settings = &fake_store_settings;
    if (fake_random(3) > 0) return; /* the disk is slow */
    bool fails = settings->is_failing || (settings->fail_one_in > 0 && fake_random(settings->fail_one_in) == 0);
    counter_add(&the_store.counters, fails ? COUNTER_store_failures : COUNTER_store_commits, 1);
    for (uint32_t i = 0; i < the_store.clients_count; i++) {
        struct client *client = &the_store.clients[i];
        let_writes_pass(client);
        run_jobs(client, fake_random(2) ? client->asked_count : fake_random(client->asked_count + 1), fails);
    }
    the_store.is_awake = fake_store_jobs() > 0;
}

/* ---- shards ---- */

enum rc store_ask(struct store *store, uint32_t shard, struct store_job *job)
{
    struct client *client = &store->clients[shard];
    uint32_t bound = fake_store_settings.jobs_max;
    if (bound == 0 || bound > store->jobs_max) bound = store->jobs_max;
    if (client->under_way >= bound) return RC_EFULL;
    assert(client->asked_count < QUEUE_JOBS);
    client->asked[client->asked_count++] = job;
    client->under_way++;
    client->has_asked = true;
    return RC_OK;
}

void store_wake(struct store *store, uint32_t shard)
{
    if (!store->clients[shard].has_asked) return;
    store->clients[shard].has_asked = false;
    store->is_awake = true;
}

struct store_job *store_receive(struct store *store, uint32_t shard)
{
    struct client *client = &store->clients[shard];
    if (client->done_count == 0) return NULL;
    struct store_job *job = client->done[0];
    client->done_count--;
    memmove(&client->done[0], &client->done[1], client->done_count * sizeof client->done[0]);
    client->under_way--;
    return job;
}

const char *store_trouble(const struct store *store)
{
    (void)store;
    return fake_store_settings.is_failing ? "disk I/O error" : NULL;
}

const struct counters *store_counters(const struct store *store)
{
    return &store->counters;
}

const struct name_filter *store_seen(const struct store *store, uint32_t shard)
{
    return &store->clients[shard].seen;
}

/* ---- life ---- */

static void learn_names(const struct options *options)
{
    for (uint32_t i = 0; i < logs_count; i++) {
        for (uint16_t app = 0; app < options->app.count; app++) { /* logs here are not told apart by apps */
            struct name name = name_of(app, text_of(logs[i].channel));
            name_filter_add(&the_store.clients[name_home(&name, options->shards)].seen, name.hash);
        }
    }
}

enum rc store_start(struct store **store_r, const struct options *options, const int *wake, uint32_t shards,
                    char *reason_r, size_t reason_size)
{
    (void)reason_r, (void)reason_size;
    assert(shards <= SHARDS_MOST);
    the_store = (struct store){.clients_count = shards, .jobs_max = options->store_jobs_max};
    for (uint32_t i = 0; i < shards; i++) {
        the_store.clients[i].wake = wake[i];
        name_filter_init(&the_store.clients[i].seen, 1 << 20);
    }
    learn_names(options);
    if (the_store.jobs_max > QUEUE_JOBS) the_store.jobs_max = QUEUE_JOBS;
    fake_kernel_run_also(has_work, work);
    *store_r = &the_store;
    return RC_OK;
}

void store_stop(struct store *store)
{
    for (uint32_t i = 0; store != NULL && i < store->clients_count; i++) {
        run_jobs(&store->clients[i], store->clients[i].asked_count, fake_store_settings.is_failing);
    }
}

void store_free(struct store *store)
{
    for (uint32_t i = 0; store != NULL && i < store->clients_count; i++) {
        name_filter_fini(&store->clients[i].seen);
    }
    fake_kernel_run_also(NULL, NULL);
}
