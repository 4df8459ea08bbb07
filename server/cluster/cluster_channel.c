/* server/cluster/cluster_channel.c - what is asked for a channel, told of it, and kept for it. */
#include "server/cluster/cluster_channel.h"

#include <assert.h>
#include <stdlib.h>

#define MINUTE_MS 60000

static_assert(sizeof(struct cluster_channel) <= 144, "many are held");

void cluster_channel_tell(struct cluster_channel_context *context, struct cluster_channel *channel,
                          const struct cluster_told *told)
{
    if (channel->is_told) context->tell(context->self, channel, told);
}

void cluster_channel_let_in(struct cluster_channel_context *context, struct cluster_channel *channel)
{
    if (!channel->is_waiting) return;
    channel->is_waiting = false;
    channel->is_told = true;
    struct cluster_told told = {.kind = CLUSTER_TOLD_ENTERED, .position = channel->position};
    cluster_channel_tell(context, channel, &told);
}

void cluster_channel_lose(struct cluster_channel_context *context, struct cluster_channel *channel,
                          struct stream_id place)
{
    channel->position = place;
    channel->is_loss_due = channel->is_unsure = false;
    struct cluster_told told = {.kind = CLUSTER_TOLD_LOST, .position = place};
    cluster_channel_tell(context, channel, &told);
}

/* ---- handing out ---- */

static uint32_t busy_now(const struct cluster_channel *channel, uint64_t now_ms)
{
    uint16_t minutes = (uint16_t)(now_ms / MINUTE_MS - channel->busy_minute);
    return minutes < 32 ? channel->busy >> minutes : 0;
}

static void note_busy(struct cluster_channel *channel, uint64_t now_ms, uint32_t count)
{
    uint32_t before = busy_now(channel, now_ms);
    channel->busy = before > UINT32_MAX - count ? UINT32_MAX : before + count;
    channel->busy_minute = (uint16_t)(now_ms / MINUTE_MS);
}

uint32_t cluster_channel_level(const struct cluster_channel *channel, uint64_t now_ms)
{
    uint32_t busy = busy_now(channel, now_ms);
    return busy == 0 ? 0 : 32 - (uint32_t)__builtin_clz(busy);
}

static bool is_new(struct cluster_channel_context *context, struct cluster_channel *channel,
                   const struct cluster_entry *entry)
{
    channel->record_bytes += (uint32_t)(((int64_t)entry->record.count - channel->record_bytes) / 8);
    if (entry->id.epoch > 0 && channel->is_numbered) channel->position = entry->id;
    if (entry->node == 0) return true;
    if (cluster_senders_take(&channel->senders, entry->node, entry->counter, (uint32_t)(context->now_ms / 1000)))
        return true;
    counter_add(context->counters, COUNTER_cluster_repeats, 1);
    return false;
}

static void tell_messages(struct cluster_channel_context *context, struct cluster_channel *channel,
                          const struct cluster_entry *entries, uint32_t count)
{
    struct cluster_told told = {
        .kind = CLUSTER_TOLD_MESSAGES, .entries = entries, .count = count, .position = channel->position};
    cluster_channel_tell(context, channel, &told);
}

void cluster_channel_hand_out(struct cluster_channel_context *context, struct cluster_channel *channel,
                              const struct cluster_entry *entries, uint32_t count)
{
    note_busy(channel, context->now_ms, count);
    uint32_t from = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (is_new(context, channel, &entries[i])) continue;
        tell_messages(context, channel, entries + from, i - from);
        from = i + 1;
    }
    if (from < count) tell_messages(context, channel, entries + from, count - from);
}

/* ---- asking ---- */

void cluster_channel_unask(struct cluster_channel *channel)
{
    channel->question = QUESTION_NONE;
    channel->is_question_sent = false;
    channel->question_serial++;
}

void cluster_channel_ask(struct cluster_channel_context *context, struct cluster_channel *channel,
                         enum cluster_question_kind kind)
{
    cluster_channel_unask(channel);
    channel->question = kind;
    if (channel->is_asking) return;
    channel->is_asking = true;
    STAILQ_INSERT_TAIL(&context->asking, channel, asking);
}

/* ---- keeping ---- */

static bool has_room(const struct cluster_channel_context *context, const struct cluster_channel *channel,
                     size_t bytes)
{
    return channel->kept_bytes + bytes <= context->kept_bytes_each_max &&
           context->kept_bytes + bytes <= context->kept_bytes_max;
}

void cluster_channel_keep(struct cluster_channel_context *context, struct cluster_channel *channel,
                          const struct cluster_entry *entries, uint32_t count)
{
    size_t bytes = cluster_kept_bytes(entries, count);
    if (has_room(context, channel, bytes) && cluster_kept_put(&channel->kept, entries, count)) {
        channel->kept_bytes += (uint32_t)bytes;
        context->kept_bytes += bytes;
        return;
    }
    counter_add(context->counters, COUNTER_cluster_pushes_dropped, 1);
    channel->is_short = true;
}

void cluster_channel_drop_kept(struct cluster_channel_context *context, struct cluster_channel *channel)
{
    struct cluster_kept_push *push = cluster_kept_take(&channel->kept);
    channel->kept_bytes -= push->bytes;
    context->kept_bytes -= push->bytes;
    free(push);
}

void cluster_channel_drop_all_kept(struct cluster_channel_context *context, struct cluster_channel *channel)
{
    while (cluster_kept_first(&channel->kept) != NULL)
        cluster_channel_drop_kept(context, channel);
    channel->is_short = false;
}
