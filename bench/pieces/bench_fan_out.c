/* bench/pieces/bench_fan_out.c - a turn's messages into the outboxes of a channel's subscribers, and out of them again.
 *
 * The real server/channel/fan_out.c on a shard that has only what a fan-out touches: channels, outboxes, the list of
 * dirty ones. What the kernel would do stands outside: emptying an outbox here is what a send that went whole does to
 * it.
 * An operation is one message for one subscriber.
 *
 * Where the subscribers' outboxes lie decides much: one after the other, as of connections that came and subscribed
 * in turn; /spread, in no order, as when they have come and gone for a while. /cold: nothing of them is in the first
 * two levels of cache, as after a turn's sends. */
#include "bench/clock.h"
#include "bench/pieces/bench.h"
#include "bench/pieces/pieces.h"
#include "core/message.h"
#include "server/channel/fan_out.h"
#include "server/connection/flush_chunk.h"
#include "server/shard/shard.h"

#include <stdio.h>
#include <stdlib.h>

#define DELIVERIES  (UINT64_C(1) << 23) /* of a run */
#define FRAME_BYTES 66                  /* a text of 64 bytes */
#define SEED        5
#define COLD_BYTES  (UINT64_C(8) << 20) /* more than the second level of cache, read between turns */
#define COLD_TURNS  400                 /* of a run at most: each reads that much */
#define LINE_BYTES  64

struct crowd {
    struct shard shard;
    struct options options;
    struct channel *channel;
    struct subscription *subscriptions;
    uint32_t subscribers;
    uint32_t messages; /* of a turn */
    uint64_t turns;
    uint8_t *other; /* what is read between turns; NULL: nothing */
    uint64_t spent_ns;
};

struct kind {
    uint32_t messages;
    bool is_spread;
    bool is_cold;
    const char *suffix;
};

static void crowd_fini(struct crowd *crowd)
{
    struct shard *shard = &crowd->shard;
    hub_fini(&shard->hub);
    slot_list_fini(&shard->flush.dirty);
    slot_queue_fini(&shard->crowd.queue);
    flush_chunk_free(shard->flush.chunk);
    free(shard->outboxes);
    free(shard->channel.active);
    free(crowd->subscriptions);
    free(crowd->other);
    free(crowd);
}

/* Shuffles who has which slot (Fisher and Yates). */
static void spread(struct crowd *crowd)
{
    uint64_t random = SEED;
    for (uint32_t i = crowd->subscribers - 1; i > 0; i--) {
        uint32_t other = (uint32_t)(bench_random(&random) % (i + 1)), slot = crowd->subscriptions[i].slot;
        crowd->subscriptions[i].slot = crowd->subscriptions[other].slot;
        crowd->subscriptions[other].slot = slot;
    }
}

static enum rc subscribe_all(struct crowd *crowd, bool is_spread)
{
    struct name name = name_of(0, text_of("bench"));
    enum rc rc = hub_init(&crowd->shard.hub, 0, 1);
    if (rc != RC_OK) return rc;
    crowd->channel = hub_make(&crowd->shard.hub, &name);
    if (crowd->channel == NULL) return RC_ENOMEM;
    for (uint32_t i = 0; i < crowd->subscribers; i++) {
        crowd->subscriptions[i] = (struct subscription){.slot = i, .form = FORM_RAW};
    }
    if (is_spread) spread(crowd);
    for (uint32_t i = 0; rc == RC_OK && i < crowd->subscribers; i++) {
        rc = channel_subscribe(crowd->channel, &crowd->subscriptions[i]);
    }
    return rc;
}

static enum rc crowd_new(struct crowd **crowd_r, const struct kind *kind, uint32_t subscribers, uint64_t turns)
{
    struct crowd *crowd = aligned_alloc(_Alignof(struct crowd), sizeof *crowd);
    if (crowd == NULL) return RC_ENOMEM;
    *crowd = (struct crowd){.subscribers = subscribers, .messages = kind->messages, .turns = turns};
    owner_take(&crowd->shard.owner);
    crowd->shard.outboxes = calloc(subscribers, sizeof crowd->shard.outboxes[0]);
    crowd->subscriptions = calloc(subscribers, sizeof crowd->subscriptions[0]);
    crowd->shard.options = &crowd->options;
    crowd->shard.flush.chunk = flush_chunk_new();
    enum rc rc = slot_list_init(&crowd->shard.flush.dirty, subscribers);
    if (rc == RC_OK) rc = slot_queue_init(&crowd->shard.crowd.queue, subscribers);
    if (kind->is_cold) crowd->other = calloc(1, COLD_BYTES);
    if (crowd->shard.outboxes == NULL || crowd->subscriptions == NULL || crowd->shard.flush.chunk == NULL)
        rc = RC_ENOMEM;
    if (kind->is_cold && crowd->other == NULL) rc = RC_ENOMEM;
    if (rc == RC_OK) rc = subscribe_all(crowd, kind->is_spread);
    if (rc != RC_OK) {
        crowd_fini(crowd);
        return rc;
    }
    *crowd_r = crowd;
    return RC_OK;
}

static struct message *message_of(struct crowd *crowd, uint64_t number)
{
    struct message *message = message_new_of(&crowd->shard.counters, &crowd->channel->name, FORM_RAW, FRAME_BYTES);
    if (message == NULL) abort(); /* one small block: the run means nothing any more */
    memset(message_frame(message, FORM_RAW), (int)(number & 0x7f), FRAME_BYTES);
    message->publisher = (struct publisher){0};
    return message;
}

static uint64_t empty_outbox(struct shard *shard, uint32_t slot, uint64_t hash)
{
    struct outbox *outbox = &shard->outboxes[slot];
    hash = bench_mix(hash, outbox->bytes << 8 | outbox->first->bytes[0]);
    outbox->marks = 0;
    outbox_advance(outbox, &shard->counters, outbox->bytes);
    return hash;
}

static uint64_t empty_outboxes(struct shard *shard, uint64_t hash)
{
    for (uint32_t i = 0; i < shard->flush.dirty.count; i++) {
        hash = empty_outbox(shard, shard->flush.dirty.slots[i], hash);
    }
    shard->flush.dirty.count = 0;
    while (shard->crowd.queue.count > 0) {
        hash = empty_outbox(shard, slot_queue_take(&shard->crowd.queue), hash);
    }
    return hash;
}

/* Reads and writes other memory, until nothing else is left in the near caches. */
static void chill(struct crowd *crowd)
{
    for (uint64_t at = 0; crowd->other != NULL && at < COLD_BYTES; at += LINE_BYTES) {
        ((volatile uint8_t *)crowd->other)[at]++;
    }
}

static uint64_t run(void *context)
{
    struct crowd *crowd = context;
    uint64_t hash = 0;
    crowd->spent_ns = 0;
    for (uint64_t turn = 0; turn < crowd->turns; turn++) {
        chill(crowd);
        uint64_t begun_ns = clock_ns();
        for (uint32_t i = 0; i < crowd->messages; i++) {
            fan_out_later(&crowd->shard, crowd->channel, message_of(crowd, turn + i));
        }
        fan_out_settle_all(&crowd->shard);
        hash = empty_outboxes(&crowd->shard, hash);
        crowd->spent_ns += clock_ns() - begun_ns;
    }
    return hash;
}

static void measure(struct bench *bench, const struct kind *kind, uint32_t subscribers)
{
    char name[32];
    struct crowd *crowd;
    snprintf(name, sizeof name, "fan_out/%u/%u%s", subscribers, kind->messages, kind->suffix);
    if (!bench_wants(bench, name)) return;
    if (bench->is_smoke && subscribers > 1000) subscribers = 1000;
    uint64_t turns = bench_size(bench, DELIVERIES) / subscribers / kind->messages + 1;
    if (kind->is_cold && turns > bench_size(bench, COLD_TURNS)) turns = bench_size(bench, COLD_TURNS);
    enum rc rc = crowd_new(&crowd, kind, subscribers, turns);
    if (rc != RC_OK) {
        bench_unable(bench, name, rc);
        return;
    }
    struct bench_piece piece = {.name = name,
                                .operations = turns * subscribers * kind->messages,
                                .run = run,
                                .context = crowd,
                                .spent_ns = kind->is_cold ? &crowd->spent_ns : NULL};
    bench_measure(bench, &piece);
    crowd_fini(crowd);
}

void bench_fan_out(struct bench *bench)
{
    static const uint32_t subscribers[] = {1, 10, 100, 1000, 10000, 100000};
    static const struct kind kinds[] = {
        {1, false, false, ""}, {16, false, false, ""}, {1, true, false, "/spread"}, {1, true, true, "/spread/cold"}};
    for (size_t i = 0; i < sizeof subscribers / sizeof subscribers[0]; i++) {
        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
            measure(bench, &kinds[k], subscribers[i]);
        }
    }
}
