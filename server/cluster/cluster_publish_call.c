/* server/cluster/cluster_publish_call.c - the words of one call: which of a channel's messages go, by which script, as
 * records. */
#include "server/cluster/cluster_publish_call.h"

#include "core/message.h"
#include "server/cluster/cluster_job.h"
#include "server/cluster/cluster_key.h"
#include "server/cluster/cluster_publish_state.h"
#include "server/cluster/push.h"
#include "server/cluster/record.h"
#include "server/config/history_rule.h"

#include <assert.h>
#include <stdlib.h>

#define LOOK_MAX 20000 /* entries in which a repeat looks for its tokens */

static bool has_frames(const struct message *message)
{
    for (enum form form = 0; form < FORMS_MAX; form++) {
        if (message_has(message, form)) return true;
    }
    return false;
}

enum publish_kind publish_kind_of(const struct cluster_job *job)
{
    if (!has_frames(job->message)) return PUBLISH_NOTHING;
    if (job->is_for_history && job->rule != NULL) return PUBLISH_KEPT;
    return job->key[0] != '\0' || job->cache_ms > 0 ? PUBLISH_MARKED : PUBLISH_PLAIN;
}

/* ---- which messages ---- */

/* How many of the queue's first jobs go together: those of a lost call, no more and no less; else what fits. */
static uint32_t count_messages(const struct cluster_queue *queue, size_t *bytes_r)
{
    uint32_t count = 0;
    *bytes_r = 0;
    enum publish_kind kind = publish_kind_of(queue->first);
    const struct cluster_job *job = queue->first;
    for (; job != NULL && count < SCRIPT_RECORDS_MAX; job = (const struct cluster_job *)job->item.next) {
        bool is_lost = count < queue->under_way;
        bool fits = count == 0 || *bytes_r + job->record_bytes <= PUBLISH_BYTES_MAX;
        if (!is_lost && (queue->under_way > 0 || publish_kind_of(job) != kind || !fits)) break;
        *bytes_r += job->record_bytes;
        count++;
    }
    return count;
}

static enum rc make_room(struct cluster_publish *publish, size_t bytes)
{
    if (bytes <= publish->scratch_bytes && publish->scratch_bytes <= 4 * PUBLISH_BYTES_MAX) return RC_OK;
    size_t needed = bytes > PUBLISH_BYTES_MAX ? bytes : PUBLISH_BYTES_MAX;
    char *scratch = malloc(needed + PUSH_HEAD_BYTES_MAX);
    if (scratch == NULL) return bytes <= publish->scratch_bytes ? RC_OK : RC_ENOMEM;
    free(publish->scratch);
    publish->scratch = scratch;
    publish->scratch_bytes = needed;
    return RC_OK;
}

/* ---- words ---- */

static struct text key_of(struct cluster_publish *publish, char *to, enum cluster_key kind,
                          const struct cluster_queue *queue)
{
    return cluster_key_of(to, publish->settings.prefix, kind, queue->app, name_text(&queue->name));
}

/* Numbers are given when a message goes for the first time, so they ascend in a channel. */
static char *write_record(struct cluster_publish *publish, struct cluster_job *job, char *to)
{
    if (job->number == 0) job->number = ++publish->number;
    return record_write(to, job->message, RECORD_MESSAGE, (struct record_token){publish->settings.node, job->number});
}

/* All behind each other behind the head, as they are pushed. */
static void make_plain(struct cluster_publish *publish, struct cluster_queue *queue, uint32_t count)
{
    struct cluster_job *job = queue->first;
    char *to = publish->scratch + push_head_write(publish->scratch, count).count;
    for (uint32_t i = 0; i < count; i++, job = (struct cluster_job *)job->item.next)
        to = write_record(publish, job, to);
    publish->plain[0] = text_of(publish->settings.is_sharded ? "SPUBLISH" : "PUBLISH");
    publish->plain[1] = key_of(publish, publish->pushes, CLUSTER_KEY_PUSHES, queue);
    publish->plain[2] = text_between(publish->scratch, to);
}

/* Records, their receipts, and how long the last event is kept. */
static uint64_t write_records(struct cluster_publish *publish, struct cluster_queue *queue, uint32_t count)
{
    struct cluster_job *job = queue->first;
    char *to = publish->scratch;
    uint64_t cache_ms = 0;
    for (uint32_t i = 0; i < count; i++, job = (struct cluster_job *)job->item.next) {
        char *end = write_record(publish, job, to);
        struct script_record *record = &publish->records[i];
        *record = (struct script_record){.bytes = text_between(to, end), .is_last = job->cache_ms > 0};
        if (job->key[0] != '\0') {
            record->receipt = cluster_key_receipt(publish->receipts[i], publish->settings.prefix, queue->app,
                                                  name_text(&queue->name), text_of(job->key));
        }
        if (job->cache_ms > 0) cache_ms = job->cache_ms;
        to = end;
    }
    return cache_ms;
}

/* Only the newest epoch that is known can be the one that goes on. */
static uint64_t hint_of(const struct cluster_publish *publish, const struct cluster_queue *queue)
{
    uint64_t hint = publish->settings.hint(publish->settings.self, &queue->name);
    if (hint < queue->place.epoch) hint = queue->place.epoch;
    return hint >= publish->generation ? hint : 0;
}

/* A stream stays for its ttl after the last message, and up to a third more: so it need not be told each time. */
static uint64_t expire_ms_of(const struct cluster_queue *queue, uint64_t ttl_ms, uint64_t now_ms)
{
    bool is_known = queue->expires_set_ms > 0 && now_ms - queue->expires_set_ms < ttl_ms / 3;
    return is_known ? 0 : ttl_ms + ttl_ms / 3 + 1;
}

static void make_script(struct cluster_publish *publish, struct cluster_queue *queue, uint32_t count,
                        const struct cluster_time *time)
{
    enum publish_kind kind = publish_kind_of(queue->first);
    const struct history_rule *rule = queue->first->rule;
    struct script_publish args = {
        .push = {key_of(publish, publish->pushes, CLUSTER_KEY_PUSHES, queue), publish->settings.is_sharded},
        .deadline_ms = time->redis_ms + PUBLISH_DEADLINE_MS,
        .last = key_of(publish, publish->last, CLUSTER_KEY_LAST, queue),
        .receipt_ms = RECEIPT_MS,
        .last_ms = write_records(publish, queue, count),
        .records = publish->records,
        .records_count = count,
    };
    queue->deadline_ms = args.deadline_ms;
    if (args.last_ms == 0) args.last_ms = 1;
    if (kind == PUBLISH_MARKED) {
        script_call_plain(&publish->call, &args);
        return;
    }
    args.stream = key_of(publish, publish->stream, CLUSTER_KEY_STREAM, queue);
    args.generation = publish->generation;
    args.hint = hint_of(publish, queue);
    args.entries_max = rule->size;
    args.expire_ms = queue->expire_ms = expire_ms_of(queue, rule->ttl, time->now_ms);
    args.look_from = text_of("");
    args.look_max = LOOK_MAX;
    if (queue->call == CALL_LOST)
        args.look_from = queue->place.epoch > 0 ? stream_id_write(publish->look_from, &queue->place) : text_of("-");
    script_call_publish(&publish->call, &args);
}

enum rc publish_make_call(struct cluster_publish *publish, struct cluster_queue *queue,
                          const struct cluster_time *time, struct cluster_publish_call *call_r)
{
    size_t bytes;
    uint32_t count = count_messages(queue, &bytes);
    assert(count > 0);
    if (make_room(publish, bytes) != RC_OK) return RC_ENOMEM;
    queue->deadline_ms = 0;
    queue->expire_ms = 0;
    if (publish_kind_of(queue->first) == PUBLISH_PLAIN) {
        make_plain(publish, queue, count);
        *call_r = (struct cluster_publish_call){queue, publish->plain, 3, count};
    } else {
        make_script(publish, queue, count, time);
        *call_r = (struct cluster_publish_call){queue, publish->call.words, publish->call.words_count, count};
    }
    return RC_OK;
}
