/* server/cluster/cluster_reading.c - from the newest entry to the messages of an answer. */
#include "server/cluster/cluster_reading.h"

#include "core/counters.h"
#include "core/message.h"
#include "server/cluster/cluster_job.h"
#include "server/cluster/record.h"
#include "server/config/history_rule.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE_COUNT_FIRST 32 /* when it is not known how large they are */
#define PAGE_COUNT_MAX   256
#define PAGE_BYTES_MAX   (1024 * 1024)

struct cluster_reading *cluster_reading_new(struct cluster_job *job, uint64_t now_ms)
{
    struct cluster_reading *reading = calloc(1, sizeof *reading);
    if (reading == NULL) return NULL;
    reading->job = job;
    reading->asked_ms = now_ms;
    job->rc = RC_OK;
    return reading;
}

void cluster_reading_free(struct cluster_reading *reading)
{
    free(reading);
}

/* ---- asking ---- */

static uint32_t page_count(const struct cluster_reading *reading)
{
    if (reading->step != READING_PAGES) return 1;
    uint64_t left =
        (uint64_t)reading->job->count_max - reading->job->messages_count + reading->job->is_all_or_nothing;
    uint64_t most = PAGE_COUNT_FIRST;
    if (reading->bytes > 0) most = PAGE_BYTES_MAX / (reading->bytes / reading->job->messages_count + 1) + 1;
    if (most > PAGE_COUNT_MAX) most = PAGE_COUNT_MAX;
    return (uint32_t)(left < most ? left : most);
}

void cluster_reading_words(struct cluster_reading *reading, struct text words[CLUSTER_READING_WORDS])
{
    bool is_back = reading->step == READING_NEWEST || (reading->step == READING_PAGES && reading->job->is_from_end);
    struct text least = text_of("-"), most = text_of("+");
    uint64_t epoch = reading->newest.epoch;
    if (reading->step != READING_NEWEST) {
        uint64_t first = reading->step == READING_OLDEST ? 1 : reading->since + 1;
        uint64_t last = reading->step == READING_OLDEST ? UINT64_MAX : reading->before - 1;
        least = stream_id_write(reading->from, &(struct stream_id){epoch, first});
        most = stream_id_write(reading->to, &(struct stream_id){epoch, last});
    }
    int count_bytes = snprintf(reading->count, sizeof reading->count, "%u", (unsigned)page_count(reading));
    words[0] = text_of(is_back ? "XREVRANGE" : "XRANGE");
    words[2] = is_back ? most : least;
    words[3] = is_back ? least : most;
    words[4] = text_of("COUNT");
    words[5] = (struct text){reading->count, (size_t)count_bytes};
}

/* ---- answers ---- */

static void drop_messages(struct cluster_reading *reading, struct counters *counters)
{
    struct cluster_job *job = reading->job;
    for (uint32_t i = 0; i < job->messages_count; i++)
        message_drop(counters, job->messages[i]);
    free(job->messages);
    job->messages = NULL;
    job->messages_count = reading->capacity = 0;
}

void cluster_reading_restart(struct cluster_reading *reading, struct counters *counters)
{
    struct cluster_job *job = reading->job;
    drop_messages(reading, counters);
    *reading = (struct cluster_reading){.job = job, .asked_ms = reading->asked_ms};
    job->rc = RC_OK;
    job->position = (struct position){0};
}

static void reverse(struct cluster_job *job)
{
    for (uint32_t i = 0, j = job->messages_count; i + 1 < j; i++) {
        struct message *other = job->messages[--j];
        job->messages[j] = job->messages[i];
        job->messages[i] = other;
    }
}

/* Always true: that was the last. */
static bool finish(struct cluster_reading *reading, struct counters *counters)
{
    struct cluster_job *job = reading->job;
    if (job->rc != RC_OK || (job->is_all_or_nothing && reading->is_broken))
        drop_messages(reading, counters);
    else if (job->is_from_end)
        reverse(job);
    return true;
}

static bool put_message(struct cluster_reading *reading, struct message *message)
{
    struct cluster_job *job = reading->job;
    if (message == NULL) return false;
    if (job->messages_count < reading->capacity) {
        job->messages[job->messages_count++] = message;
        return true;
    }
    uint32_t capacity = reading->capacity == 0 ? 16 : 2 * reading->capacity;
    struct message **messages = reallocarray(job->messages, capacity, sizeof *messages);
    if (messages == NULL) return false;
    job->messages = messages;
    reading->capacity = capacity;
    job->messages[job->messages_count++] = message;
    return true;
}

static bool is_too_old(const struct cluster_reading *reading, const struct cluster_reading_facts *facts,
                       const struct cluster_entry *entry)
{
    const struct history_rule *rule = reading->job->rule;
    return rule != NULL && entry->time_ms + rule->ttl <= facts->redis_ms;
}

/* RC_OK: it is there, or is passed over; RC_EFULL: it does not fit; RC_ENOMEM. */
static enum rc take_entry(struct cluster_reading *reading, const struct cluster_reading_facts *facts,
                          const struct cluster_entry *entry)
{
    struct cluster_job *job = reading->job;
    struct text text = entry->record;
    struct record record;
    if (is_too_old(reading, facts, entry) || text.at == NULL || record_take(&text, &record) != RC_OK ||
        record.kind != RECORD_MESSAGE) {
        reading->is_broken = true;
        return RC_OK;
    }
    bool is_first = job->messages_count == 0;
    if (job->messages_count == job->count_max) return RC_EFULL;
    if (!is_first && reading->bytes + entry->record.count > job->bytes_max) return RC_EFULL;
    reading->bytes += entry->record.count;
    struct position position = stream_id_position(&entry->id);
    struct message *message =
        record_message(facts->counters, &record, job->channel, &position, entry->time_ms, facts->node);
    if (put_message(reading, message)) return RC_OK;
    if (message != NULL) message_drop(facts->counters, message);
    return RC_ENOMEM;
}

static bool take_newest(struct cluster_reading *reading, const struct cluster_reading_facts *facts,
                        const struct cluster_entry *newest)
{
    struct cluster_job *job = reading->job;
    struct stream_id from;
    job->first = 1;
    if (newest == NULL || newest->id.epoch < facts->generation) {
        reading->is_broken = true;
        return finish(reading, facts->counters);
    }
    reading->newest = newest->id;
    job->position = stream_id_position(&newest->id);
    bool is_same = stream_id_of_position(&job->from, &from) && from.epoch == newest->id.epoch;
    if (!position_is_set(&job->from)) is_same = true; /* of whichever there is */
    reading->since = is_same ? job->from.offset : 0;
    reading->before = job->before;
    reading->is_broken = !is_same || reading->since > newest->id.offset;
    reading->step = READING_OLDEST;
    return false;
}

static bool take_oldest(struct cluster_reading *reading, const struct cluster_reading_facts *facts,
                        const struct cluster_entry *oldest)
{
    struct cluster_job *job = reading->job;
    job->first = oldest != NULL ? oldest->id.offset : reading->newest.offset + 1;
    reading->is_broken |= job->first > reading->since + 1;
    reading->step = READING_PAGES;
    bool is_empty = reading->before <= reading->since + 1 || job->count_max == 0;
    if (is_empty || (job->is_all_or_nothing && reading->is_broken)) return finish(reading, facts->counters);
    return false;
}

static void note_newer(struct cluster_reading *reading, const struct stream_id *id)
{
    if (!stream_id_is_behind(id, &reading->newest)) return;
    reading->newest = *id;
    reading->job->position = stream_id_position(id);
}

static bool take_page(struct cluster_reading *reading, const struct cluster_reading_facts *facts,
                      const struct cluster_entry *entries, uint32_t count)
{
    struct cluster_job *job = reading->job;
    bool is_last = count < page_count(reading);
    enum rc rc = RC_OK;
    for (uint32_t i = 0; i < count && rc == RC_OK; i++) {
        const struct stream_id *id = &entries[i].id;
        if (!job->is_from_end) reading->is_broken |= id->offset != reading->since + 1;
        rc = take_entry(reading, facts, &entries[i]);
        if (rc != RC_OK) break;
        if (job->is_from_end)
            reading->before = id->offset;
        else
            reading->since = id->offset;
        note_newer(reading, id);
    }
    reading->is_broken |= rc == RC_EFULL;
    if (rc == RC_ENOMEM) job->rc = rc;
    bool is_full = job->messages_count == job->count_max && !job->is_all_or_nothing;
    if (rc != RC_OK || is_last || is_full || reading->before <= reading->since + 1)
        return finish(reading, facts->counters);
    return false;
}

bool cluster_reading_take(struct cluster_reading *reading, const struct cluster_reading_facts *facts,
                          const struct cluster_entry *entries, uint32_t count)
{
    if (reading->step == READING_NEWEST) return take_newest(reading, facts, count > 0 ? entries : NULL);
    if (reading->step == READING_OLDEST) return take_oldest(reading, facts, count > 0 ? entries : NULL);
    return take_page(reading, facts, entries, count);
}
