/* server/cluster/cluster_channel_take.c - taking pushes, filling gaps, telling losses. */
#include "server/cluster/cluster_channel_take.h"

#include <assert.h>

enum order { ORDER_NEXT, ORDER_OLD, ORDER_EPOCH, ORDER_GAP };

static enum order order_of(const struct stream_id *at, const struct cluster_entry *entries, uint32_t count)
{
    const struct stream_id *first = &entries[0].id, *last = &entries[count - 1].id;
    if (first->epoch == 0 || stream_id_is_next(first, at)) return ORDER_NEXT;
    if (first->epoch != at->epoch) return first->offset == 1 ? ORDER_EPOCH : ORDER_GAP;
    return last->offset <= at->offset ? ORDER_OLD : ORDER_GAP;
}

static bool is_over(const struct cluster_channel_context *context, const struct stream_id *id)
{
    return id->epoch < context->generation;
}

static bool has_begun(const struct cluster_channel *channel)
{
    return channel->state >= CHANNEL_READING && channel->state != CHANNEL_LEAVING;
}

/* Takes it unless there is a gap before it. */
static bool take(struct cluster_channel_context *context, struct cluster_channel *channel,
                 const struct cluster_entry *entries, uint32_t count)
{
    enum order order = channel->is_numbered ? order_of(&channel->position, entries, count) : ORDER_NEXT;
    if (order == ORDER_GAP) return false;
    if (order == ORDER_OLD) {
        counter_add(context->counters, COUNTER_cluster_pushes_old, 1);
        return true;
    }
    if (order == ORDER_EPOCH && (channel->position.epoch > 0 || channel->is_unsure))
        cluster_channel_lose(context, channel, (struct stream_id){.epoch = entries[0].id.epoch});
    cluster_channel_hand_out(context, channel, entries, count);
    return true;
}

void cluster_channel_push(struct cluster_channel_context *context, struct cluster_channel *channel,
                          const struct cluster_entry *entries, uint32_t count)
{
    assert(count > 0);
    if (channel->state == CHANNEL_IN && take(context, channel, entries, count)) return;
    if (!has_begun(channel)) return;
    cluster_channel_keep(context, channel, entries, count);
    if (channel->state == CHANNEL_IN) cluster_channel_catch_up(context, channel);
}

/* ---- filling a gap ---- */

static void read_on(struct cluster_channel_context *context, struct cluster_channel *channel)
{
    channel->state = CHANNEL_BEHIND;
    cluster_channel_ask(context, channel, QUESTION_READ);
}

void cluster_channel_catch_up(struct cluster_channel_context *context, struct cluster_channel *channel)
{
    counter_add(context->counters, COUNTER_cluster_gaps, 1);
    channel->gap_bytes = 0;
    read_on(context, channel);
}

static void find_place(struct cluster_channel_context *context, struct cluster_channel *channel)
{
    channel->state = CHANNEL_READING;
    cluster_channel_ask(context, channel, channel->is_opened ? QUESTION_OPEN : QUESTION_POSITION);
}

/* Too much is missing: goes on at the end. */
static void jump(struct cluster_channel_context *context, struct cluster_channel *channel)
{
    channel->is_loss_due = true;
    find_place(context, channel);
}

/* A push behind a gap that the stream would have filled, had it what is missing. */
static void take_over_gap(struct cluster_channel_context *context, struct cluster_channel *channel,
                          const struct cluster_kept_push *push)
{
    struct stream_id before = push->entries[0].id;
    before.offset -= before.offset > 0;
    cluster_channel_lose(context, channel, before);
    cluster_channel_hand_out(context, channel, push->entries, push->count);
}

/* Hands out what was kept, as far as there is no gap. */
static void take_kept(struct cluster_channel_context *context, struct cluster_channel *channel)
{
    const struct cluster_kept_push *push;
    while ((push = cluster_kept_first(&channel->kept)) != NULL) {
        if (!take(context, channel, push->entries, push->count)) {
            if (!push->was_asked_over) break;
            take_over_gap(context, channel, push);
        }
        cluster_channel_drop_kept(context, channel);
    }
    if (push != NULL || channel->is_short) {
        channel->is_short = false;
        read_on(context, channel);
        return;
    }
    channel->state = CHANNEL_IN;
    cluster_channel_let_in(context, channel);
}

/* Pushes up to the place are of what was before. Those without one are dropped with those that they came before. */
static void drop_kept_until(struct cluster_channel_context *context, struct cluster_channel *channel)
{
    uint32_t old = 0, i = 0;
    struct cluster_kept_push *push = cluster_kept_first(&channel->kept);
    for (bool is_more = push != NULL; is_more; push = push->next) {
        const struct stream_id *last = &push->entries[push->count - 1].id;
        i++;
        if (last->epoch > 0 && !stream_id_is_behind(last, &channel->position)) old = i;
        is_more = push != channel->kept.last;
    }
    while (old-- > 0)
        cluster_channel_drop_kept(context, channel);
}

static void set_place(struct cluster_channel_context *context, struct cluster_channel *channel,
                      struct stream_id place)
{
    if (channel->is_loss_due) cluster_channel_lose(context, channel, place);
    channel->position = place;
    channel->is_unsure = false;
    drop_kept_until(context, channel);
    cluster_channel_let_in(context, channel);
    take_kept(context, channel);
}

/* ---- a cache channel's last event ---- */

static bool wants_last(const struct cluster_channel *channel)
{
    return channel->is_cached && channel->is_waiting && !channel->is_told;
}

static void ask_last(struct cluster_channel_context *context, struct cluster_channel *channel, struct stream_id place)
{
    channel->position = place;
    channel->state = CHANNEL_READING;
    cluster_channel_ask(context, channel, QUESTION_LAST);
}

/* Pushes up to the one with this message are older than it. When it has not come yet, it comes twice. */
static void drop_kept_through(struct cluster_channel_context *context, struct cluster_channel *channel,
                              const struct cluster_entry *last)
{
    uint32_t old = 0, i = 0;
    struct cluster_kept_push *push = cluster_kept_first(&channel->kept);
    for (bool is_more = push != NULL; is_more; push = push->next) {
        i++;
        for (uint32_t j = 0; j < push->count; j++) {
            const struct cluster_entry *entry = &push->entries[j];
            if (entry->node == last->node && entry->counter == last->counter) old = i;
        }
        is_more = push != channel->kept.last;
    }
    while (old-- > 0)
        cluster_channel_drop_kept(context, channel);
}

/* It is asked behind the place, so it may be newer: then the home enters there. */
static void take_last(struct cluster_channel_context *context, struct cluster_channel *channel,
                      const struct cluster_entry *last)
{
    if (!channel->is_numbered)
        drop_kept_through(context, channel, last);
    else if (stream_id_is_behind(&last->id, &channel->position))
        channel->position = last->id;
    cluster_channel_ask(context, channel, QUESTION_LAST_MS);
}

/* What stands in an answer that begins with what is known: runs of messages, and what begins between them. */
static void take_entries(struct cluster_channel_context *context, struct cluster_channel *channel,
                         const struct cluster_entry *entries, uint32_t count)
{
    for (uint32_t from = 0, i = 0; from < count; from = i) {
        struct stream_id before = entries[from].id;
        bool is_marker = before.offset == 0;
        before.offset -= !is_marker;
        bool is_sure = channel->position.epoch == 0 && !channel->is_unsure && before.offset == 0;
        if (is_sure) channel->position = before;
        if (!stream_id_equals(&before, &channel->position)) cluster_channel_lose(context, channel, before);
        i = from + 1;
        if (is_marker) continue;
        while (i < count && stream_id_is_next(&entries[i].id, &entries[i - 1].id))
            i++;
        cluster_channel_hand_out(context, channel, entries + from, i - from);
    }
}

static void note_gap_bytes(struct cluster_channel *channel, const struct cluster_entry *entries, uint32_t count)
{
    uint64_t bytes = channel->gap_bytes;
    for (uint32_t i = 0; i < count; i++)
        bytes += entries[i].record.count;
    channel->gap_bytes = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}

/* Does what follows join what was handed out, or is it an epoch from its beginning on? */
static bool is_proof(const struct stream_id *at, const struct cluster_entry *first)
{
    return stream_id_equals(&first->id, at) || stream_id_is_next(&first->id, at) || first->id.offset == 0 ||
           (at->epoch == 0 && first->id.offset == 1);
}

/* Nothing is there, although something was, or may have been. */
static void lose_stream(struct cluster_channel_context *context, struct cluster_channel *channel)
{
    drop_kept_until(context, channel);
    if (channel->position.epoch > 0 || channel->is_unsure)
        cluster_channel_lose(context, channel, (struct stream_id){0});
}

static void take_read(struct cluster_channel_context *context, struct cluster_channel *channel,
                      const struct cluster_question *question, const struct cluster_entry *entries, uint32_t count)
{
    bool is_whole = count < question->count_max;
    note_gap_bytes(channel, entries, count);
    if (count == 0) {
        lose_stream(context, channel);
    } else if (is_proof(&channel->position, entries)) {
        bool is_own = stream_id_equals(&entries[0].id, &channel->position);
        take_entries(context, channel, entries + is_own, count - is_own);
    } else if (is_whole) {
        channel->is_loss_due = true;
        set_place(context, channel, entries[count - 1].id);
        return;
    } else {
        jump(context, channel);
        return;
    }
    if (is_whole)
        take_kept(context, channel);
    else if (channel->gap_bytes > context->gap_bytes_max)
        jump(context, channel);
    else
        read_on(context, channel);
}

/* An entrance that wants a place, where pushes are handed out already. */
static void take_opened(struct cluster_channel_context *context, struct cluster_channel *channel,
                        const struct stream_id *place)
{
    if (channel->position.epoch == 0 && place->offset == 0) channel->position = *place;
    if (channel->position.epoch == 0)
        cluster_channel_catch_up(context, channel);
    else
        cluster_channel_let_in(context, channel);
}

static void take_place(struct cluster_channel_context *context, struct cluster_channel *channel,
                       const struct cluster_question *question, const struct cluster_entry *entries, uint32_t count)
{
    struct stream_id last = {0};
    if (count > 0 && !is_over(context, &entries[count - 1].id)) last = entries[count - 1].id;
    if (question->kind == QUESTION_LAST && count > 0)
        take_last(context, channel, entries);
    else if (question->kind >= QUESTION_LAST)
        set_place(context, channel, channel->position);
    else if (channel->state != CHANNEL_READING)
        take_opened(context, channel, &last);
    else if (wants_last(channel))
        ask_last(context, channel, last);
    else
        set_place(context, channel, last);
}

void cluster_channel_answer(struct cluster_channel_context *context, struct cluster_channel *channel,
                            const struct cluster_question *question, const struct cluster_entry *entries,
                            uint32_t count)
{
    cluster_channel_unask(channel);
    if (channel->state == CHANNEL_BEHIND)
        take_read(context, channel, question, entries, count);
    else
        take_place(context, channel, question, entries, count);
}

/* ---- coming and going ---- */

void cluster_channel_begin(struct cluster_channel_context *context, struct cluster_channel *channel)
{
    bool has_place = channel->position.epoch > 0;
    channel->gap_bytes = 0;
    if (!channel->is_numbered && wants_last(channel)) {
        ask_last(context, channel, (struct stream_id){0});
    } else if (!channel->is_numbered || (channel->is_loss_due && !has_place)) {
        if (channel->is_loss_due) cluster_channel_lose(context, channel, (struct stream_id){0});
        channel->state = CHANNEL_IN;
        cluster_channel_let_in(context, channel);
    } else if ((has_place || channel->is_told) && !channel->is_loss_due) {
        channel->is_unsure = !has_place;
        read_on(context, channel);
    } else {
        find_place(context, channel);
    }
}

void cluster_channel_end(struct cluster_channel_context *context, struct cluster_channel *channel)
{
    cluster_channel_unask(channel);
    cluster_channel_drop_all_kept(context, channel);
    if (!channel->is_told) channel->position = (struct stream_id){0};
    channel->state = CHANNEL_OUT;
}

/* Nobody was told anything: it begins as if it had just been subscribed. */
static void begin_anew(struct cluster_channel_context *context, struct cluster_channel *channel)
{
    cluster_channel_unask(channel);
    cluster_channel_drop_all_kept(context, channel);
    channel->position = (struct stream_id){0};
    channel->is_loss_due = false;
    cluster_channel_begin(context, channel);
}

void cluster_channel_enter(struct cluster_channel_context *context, struct cluster_channel *channel)
{
    channel->is_waiting = true;
    if (wants_last(channel) && has_begun(channel)) {
        begin_anew(context, channel);
        return;
    }
    if (channel->state != CHANNEL_IN) return;
    if (!channel->is_numbered || channel->position.epoch > 0 || !channel->is_opened)
        cluster_channel_let_in(context, channel);
    else
        cluster_channel_ask(context, channel, QUESTION_OPEN);
}

void cluster_channel_forget(struct cluster_channel_context *context, struct cluster_channel *channel)
{
    if (!channel->is_numbered || !is_over(context, &channel->position)) return;
    channel->position = (struct stream_id){0};
    channel->is_loss_due = channel->is_told;
    if (!has_begun(channel)) return;
    cluster_channel_drop_all_kept(context, channel);
    cluster_channel_unask(channel);
    cluster_channel_begin(context, channel);
}
