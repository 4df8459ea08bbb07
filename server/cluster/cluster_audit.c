/* server/cluster/cluster_audit.c - round and round the table; what is behind the node's place may just be under way,
 * so it is looked at again. */
#include "server/cluster/cluster_audit.h"

#include "server/cluster/cluster_channel_take.h"
#include "server/cluster/cluster_channels_state.h"

#define SUSPECT_MS      1000
#define BUCKETS_A_TICK  4096 /* an empty table is not walked again and again */
#define AUDITS_TOGETHER 100  /* not all that were missed while nobody ticked */

static bool is_quiet(const struct cluster_channel *channel)
{
    return channel->state == CHANNEL_IN && channel->question == QUESTION_NONE;
}

/* ---- suspects ---- */

static void remove_suspect(struct cluster_channels *channels, uint32_t i)
{
    channels->suspects[i].channel->is_suspect = false;
    channels->suspects[i] = channels->suspects[--channels->suspects_count];
}

void cluster_audit_forget(struct cluster_channels *channels, struct cluster_channel *channel)
{
    for (uint32_t i = channels->suspects_count; channel->is_suspect && i-- > 0;) {
        if (channels->suspects[i].channel == channel) remove_suspect(channels, i);
    }
}

static void suspect(struct cluster_channels *channels, struct cluster_channel *channel, const struct stream_id *place)
{
    if (channel->is_suspect || channels->suspects_count == SUSPECTS_MAX) return;
    channel->is_suspect = true;
    channels->suspects[channels->suspects_count++] =
        (struct suspect){.channel = channel, .place = *place, .found_ms = channels->context.now_ms};
}

static void look_again(struct cluster_channels *channels)
{
    for (uint32_t i = channels->suspects_count; i-- > 0;) {
        struct suspect found = channels->suspects[i];
        if (channels->context.now_ms - found.found_ms < SUSPECT_MS) continue;
        remove_suspect(channels, i);
        if (!is_quiet(found.channel) || !stream_id_is_behind(&found.place, &found.channel->position)) continue;
        if (found.channel->position.epoch > 0)
            counter_add(channels->context.counters, COUNTER_cluster_audits_failed, 1);
        cluster_channel_catch_up(&channels->context, found.channel);
    }
}

/* ---- audits ---- */

static uint64_t audits_due(struct cluster_channels *channels)
{
    uint64_t now_ms = channels->context.now_ms;
    if (channels->audited_ms > 0)
        channels->audit_thousandths += (now_ms - channels->audited_ms) * channels->limits.audits_per_s;
    channels->audited_ms = now_ms;
    uint64_t due = channels->audit_thousandths / 1000;
    channels->audit_thousandths %= 1000;
    return due < AUDITS_TOGETHER ? due : AUDITS_TOGETHER;
}

static uint32_t audit_bucket(struct cluster_channels *channels, uint32_t bucket)
{
    uint32_t count = 0;
    for (struct cluster_channel *channel = channels->table[bucket]; channel != NULL; channel = channel->next) {
        if (!channel->is_numbered || !channel->is_told || !is_quiet(channel)) continue;
        cluster_channel_ask(&channels->context, channel, QUESTION_AUDIT);
        count++;
    }
    return count;
}

void cluster_audit_tick(struct cluster_channels *channels)
{
    look_again(channels);
    uint64_t due = audits_due(channels);
    uint32_t buckets = channels->capacity < BUCKETS_A_TICK ? channels->capacity : BUCKETS_A_TICK;
    for (uint64_t done = 0; buckets > 0 && done < due; buckets--) {
        channels->audit_bucket = (channels->audit_bucket + 1) & (channels->capacity - 1);
        done += audit_bucket(channels, channels->audit_bucket);
    }
}

void cluster_audit_answer(struct cluster_channels *channels, struct cluster_channel *channel,
                          const struct cluster_question *question, const struct cluster_entry *last)
{
    struct cluster_channel_context *context = &channels->context;
    struct stream_id place = last != NULL ? last->id : (struct stream_id){0};
    bool has_moved = !stream_id_equals(&channel->position, &question->from);
    if (place.epoch < context->generation) place = (struct stream_id){0};
    if (stream_id_is_behind(&place, &channel->position)) {
        suspect(channels, channel, &place);
    } else if (stream_id_is_behind(&question->from, &place) && !has_moved) {
        counter_add(context->counters, COUNTER_cluster_streams_gone, 1);
        cluster_channel_lose(context, channel, place);
    }
}
