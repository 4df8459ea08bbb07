/* server/shard/crowd.c - passes over the queue, and what all shards know of them. */
#include "server/shard/crowd.h"

#include "core/channel.h"
#include "core/message.h"
#include "server/shard/shard.h"

#include <assert.h>
#include <ck_pr.h>

uint32_t crowd_take(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    if (shard->crowd.pass == 0) {
        shard->crowd.pass = shard->crowd.queue.count;
        shard->crowd.pass_ms = shard->now_ms;
        shard->crowd.left_before = shard->crowd.left_bytes;
        shard->crowd.left_bytes = 0;
    }
    shard->crowd.pass--;
    return slot_queue_take(&shard->crowd.queue);
}

void crowd_left(struct shard *shard, uint64_t bytes)
{
    assert(owner_is_me(&shard->owner));
    shard->crowd.left_bytes += bytes;
}

static void set_behind(struct shard *shard, uint32_t *shards, bool *is_behind, bool will_be)
{
    if (*is_behind == will_be) return;
    *is_behind = will_be;
    if (will_be) {
        counter_add(&shard->counters, COUNTER_crowds_late, 1);
        ck_pr_inc_uint(shards);
    } else {
        ck_pr_dec_uint(shards);
    }
}

void crowd_judge(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    if (shard->crowd.queue.count == 0) {
        shard->crowd.pass = 0;
        shard->crowd.left_bytes = shard->crowd.left_before = 0;
    }
    bool is_late = shard->crowd.pass > 0 && shard->now_ms > shard->crowd.pass_ms + CROWD_LATE_MS;
    bool is_full = shard->crowd.left_bytes > CROWD_LEFT_BYTES_MAX || shard->crowd.left_before > CROWD_LEFT_BYTES_MAX;
    set_behind(shard, &shard->crowd.behind->late, &shard->crowd.is_late, is_late);
    set_behind(shard, &shard->crowd.behind->full, &shard->crowd.is_full, is_full);
}

void crowd_give_up(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    set_behind(shard, &shard->crowd.behind->late, &shard->crowd.is_late, false);
    set_behind(shard, &shard->crowd.behind->full, &shard->crowd.is_full, false);
}

void crowd_look(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    bool is_full = ck_pr_load_uint(&shard->crowd.behind->full) > 0;
    bool is_late = ck_pr_load_uint(&shard->crowd.behind->late) > 0;
    bool was_behind = shard->crowd.wait != CROWD_WAIT_NOBODY;
    shard->crowd.wait = is_full ? CROWD_WAIT_ALL : is_late ? CROWD_WAIT_CROWDS : CROWD_WAIT_NOBODY;
    if (!was_behind) shard->crowd.wait_since_ms = shard->now_ms;
}

static uint32_t longest_frame(const struct message *message)
{
    uint32_t bytes = 0;
    for (enum form form = 0; form < FORMS_MAX; form++) {
        if (message->frame_bytes[form] > bytes) bytes = message->frame_bytes[form];
    }
    return bytes;
}

/* How many readers there are on other shards only the home knows: as many on each as here, it is thought. */
static bool is_for_crowd(struct shard *shard, const struct message *message)
{
    const struct channel *channel = hub_find(&shard->hub, &message->channel);
    uint64_t readers = channel != NULL ? (uint64_t)channel_count(channel) * shard->hub.homes : 0;
    return crowd_is_one(readers, longest_frame(message));
}

bool crowd_must_wait(struct shard *shard, const struct message *message)
{
    assert(owner_is_me(&shard->owner));
    switch (shard->crowd.wait) {
    case CROWD_WAIT_NOBODY:
        return false;
    case CROWD_WAIT_CROWDS:
        return is_for_crowd(shard, message);
    case CROWD_WAIT_ALL:
        return true;
    }
    __builtin_unreachable();
}
