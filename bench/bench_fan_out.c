/* bench/bench_fan_out.c - a turn's messages into the outboxes of a channel's subscribers, and out of them again.
 *
 * The real server/fan_out.c on a shard that has only what a fan-out touches: channels, outboxes, the list of dirty
 * ones. What the kernel would do stands outside: emptying an outbox here is what a send that went whole does to it.
 * An operation is one message for one subscriber. */
#include "bench/bench.h"
#include "core/message.h"
#include "server/fan_out.h"
#include "server/shard.h"

#include <stdio.h>
#include <stdlib.h>

#define DELIVERIES  (UINT64_C(1) << 23) /* of a run */
#define FRAME_BYTES 66                  /* a text of 64 bytes */

struct crowd {
    struct shard shard;
    struct channel *channel;
    struct subscription *subscriptions;
    uint32_t subscribers;
    uint32_t messages; /* of a turn */
    uint64_t turns;
};

static void crowd_fini(struct crowd *crowd)
{
    struct shard *shard = &crowd->shard;
    hub_fini(&shard->hub);
    slot_list_fini(&shard->dirty);
    free(shard->outboxes);
    free(shard->active);
    free(crowd->subscriptions);
    free(crowd);
}

static enum rc subscribe_all(struct crowd *crowd)
{
    struct name name = name_of(0, text_of("bench"));
    enum rc rc = hub_init(&crowd->shard.hub, 0, 1);
    if (rc != RC_OK) return rc;
    crowd->channel = hub_make(&crowd->shard.hub, &name);
    if (crowd->channel == NULL) return RC_ENOMEM;
    for (uint32_t i = 0; rc == RC_OK && i < crowd->subscribers; i++) {
        crowd->subscriptions[i] = (struct subscription){.slot = i, .form = FORM_RAW};
        rc = channel_subscribe(crowd->channel, &crowd->subscriptions[i]);
    }
    return rc;
}

static enum rc crowd_new(struct crowd **crowd_r, uint32_t subscribers, uint32_t messages, uint64_t turns)
{
    struct crowd *crowd = aligned_alloc(_Alignof(struct crowd), sizeof *crowd);
    if (crowd == NULL) return RC_ENOMEM;
    *crowd = (struct crowd){.subscribers = subscribers, .messages = messages, .turns = turns};
    crowd->shard.outboxes = calloc(subscribers, sizeof crowd->shard.outboxes[0]);
    crowd->subscriptions = calloc(subscribers, sizeof crowd->subscriptions[0]);
    enum rc rc = slot_list_init(&crowd->shard.dirty, subscribers);
    if (crowd->shard.outboxes == NULL || crowd->subscriptions == NULL) rc = RC_ENOMEM;
    if (rc == RC_OK) rc = subscribe_all(crowd);
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

static uint64_t empty_outboxes(struct shard *shard, uint64_t hash)
{
    for (uint32_t i = 0; i < shard->dirty.count; i++) {
        struct outbox *outbox = &shard->outboxes[shard->dirty.slots[i]];
        hash = bench_mix(hash, outbox->bytes << 8 | outbox->first->bytes[0]);
        outbox->marks = 0;
        outbox_advance(outbox, &shard->counters, outbox->bytes);
    }
    shard->dirty.count = 0;
    return hash;
}

static uint64_t run(void *context)
{
    struct crowd *crowd = context;
    uint64_t hash = 0;
    for (uint64_t turn = 0; turn < crowd->turns; turn++) {
        for (uint32_t i = 0; i < crowd->messages; i++) {
            fan_out_later(&crowd->shard, crowd->channel, message_of(crowd, turn + i));
        }
        fan_out_settle_all(&crowd->shard);
        hash = empty_outboxes(&crowd->shard, hash);
    }
    return hash;
}

void bench_fan_out(struct bench *bench)
{
    static const uint32_t subscribers[] = {1, 10, 100, 1000, 10000, 100000}, messages[] = {1, 16};
    for (size_t i = 0; i < 2 * sizeof subscribers / sizeof subscribers[0]; i++) {
        char name[32];
        struct crowd *crowd;
        uint32_t readers = subscribers[i / 2], each = messages[i % 2];
        snprintf(name, sizeof name, "fan_out/%u/%u", readers, each);
        if (!bench_wants(bench, name)) continue;
        if (bench->is_smoke && readers > 1000) readers = 1000;
        uint64_t turns = bench_size(bench, DELIVERIES) / readers / each + 1;
        enum rc rc = crowd_new(&crowd, readers, each, turns);
        if (rc != RC_OK) {
            bench_unable(bench, name, rc);
            continue;
        }
        struct bench_piece piece = {.name = name, .operations = turns * readers * each, .run = run, .context = crowd};
        bench_measure(bench, &piece);
        crowd_fini(crowd);
    }
}
