/* server/connection/flush_queue.c - a list, and a queue of those who wait until the list is done. */
#include "server/connection/flush_queue.h"

#include "server/connection/connection_state.h"
#include "server/shard/crowd.h"
#include "server/shard/shard.h"

void flush_later(struct shard *shard, uint32_t slot)
{
    struct outbox *outbox = &shard->outboxes[slot];
    if ((outbox->marks & (OUTBOX_DIRTY | OUTBOX_CROWD)) == OUTBOX_DIRTY) return;
    /* From the crowd it comes out in front; its place there stands for nothing then. */
    outbox->marks = (uint16_t)((outbox->marks | OUTBOX_DIRTY) & ~OUTBOX_CROWD);
    slot_list_add(&shard->flush.dirty, slot);
}

static void join_crowd(struct shard *shard, uint32_t slot, uint64_t due_ms)
{
    struct outbox *outbox = &shard->outboxes[slot];
    if (outbox->marks & OUTBOX_DIRTY) return;
    if (!crowd_add(shard, slot, due_ms)) { /* full of places that stand for nothing any more */
        flush_later(shard, slot);
        return;
    }
    outbox->marks |= OUTBOX_DIRTY | OUTBOX_CROWD;
}

void flush_later_in_crowd(struct shard *shard, uint32_t slot)
{
    join_crowd(shard, slot, shard->now_ms + shard->options->coalesce_ms);
}

void flush_later_behind(struct shard *shard, uint32_t slot)
{
    join_crowd(shard, slot, shard->now_ms);
}
