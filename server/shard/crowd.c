/* server/shard/crowd.c - one number that all shards share, and what a shard has seen of it. */
#include "server/shard/crowd.h"

#include "core/channel.h"
#include "core/message.h"
#include "server/shard/shard.h"

#include <ck_pr.h>

static void set_late(struct shard *shard, bool is_late)
{
    if (is_late == shard->is_crowd_late) return;
    shard->is_crowd_late = is_late;
    if (is_late) {
        counter_add(&shard->counters, COUNTER_crowds_late, 1);
        ck_pr_inc_uint(shard->crowds_late);
    } else {
        ck_pr_dec_uint(shard->crowds_late);
    }
}

void crowd_judge(struct shard *shard)
{
    set_late(shard, shard->crowd.count > 0 && shard->now_ms > shard->crowd_since_ms + CROWD_LATE_MS);
}

void crowd_give_up(struct shard *shard)
{
    set_late(shard, false);
}

void crowd_look(struct shard *shard)
{
    if (ck_pr_load_uint(shard->crowds_late) == 0) {
        shard->crowds_late_since_ms = 0;
    } else if (shard->crowds_late_since_ms == 0) {
        shard->crowds_late_since_ms = shard->now_ms;
    }
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
bool crowd_must_wait(struct shard *shard, const struct message *message)
{
    if (shard->crowds_late_since_ms == 0) return false;
    const struct channel *channel = hub_find(&shard->hub, &message->channel);
    uint64_t readers = channel != NULL ? (uint64_t)channel_count(channel) * shard->hub.homes : 0;
    return readers >= CROWD_READERS_MIN || readers * longest_frame(message) > CROWD_BYTES_MIN;
}
