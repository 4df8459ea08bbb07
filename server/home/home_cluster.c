/* server/home/home_cluster.c - answers to whoever asked, messages to their readers. */
#include "server/home/home_cluster.h"

#include "core/channel.h"
#include "core/message.h"
#include "core/roster.h"
#include "server/cluster/cluster.h"
#include "server/cluster/cluster_job.h"
#include "server/cluster/people_event.h"
#include "server/cluster/people_job.h"
#include "server/home/broker.h"
#include "server/home/broker_job.h"
#include "server/home/broker_publish.h"
#include "server/home/broker_read.h"
#include "server/home/broker_state.h"
#include "server/home/channel_log.h"
#include "server/home/channel_log_window.h"
#include "server/home/home_deliver.h"
#include "server/home/home_people.h"
#include "server/home/home_people_job.h"
#include "server/home/home_publish.h"
#include "server/protocol/event.h"
#include "server/shard/post.h"
#include "server/shard/shard.h"
#include "server/system/log.h"

#include <assert.h>
#include <stdio.h>

/* The channel that the event is about; NULL: it is not read any more, or anew. */
static struct channel *channel_of(const struct shard *shard, const struct cluster_event *event)
{
    struct channel *channel = hub_find(&shard->hub, event->channel);
    const struct broker *broker = channel != NULL && channel->roster != NULL ? channel->roster->broker : NULL;
    bool is_read = broker != NULL && broker->state == BROKER_IN && broker->serial == event->serial;
    return is_read ? channel : NULL;
}

/* ---- messages ---- */

/* Takes over a reference. */
static void take_message(struct shard *shard, struct channel *channel, struct message *message, const char *epoch)
{
    struct channel_log *log;
    if (home_is_too_much(shard, channel, message)) {
        message_drop(&shard->counters, message);
        return;
    }
    bool is_placed = message->offset > 0;
    if (is_placed && channel_log_open(shard, channel->roster, &log) == RC_OK)
        channel_log_take_placed(shard, log, message, epoch);
    home_deliver_placed(shard, channel, message);
}

static void take_messages(struct shard *shard, struct cluster_event *event)
{
    struct channel *channel = channel_of(shard, event);
    if (channel == NULL) return;
    for (uint32_t i = 0; i < event->messages_count; i++) {
        struct message *message = event->messages[i];
        event->messages[i] = NULL;
        take_message(shard, channel, message, event->position.epoch);
    }
    if (channel->roster->log != NULL) channel_log_reach(channel->roster->log, &event->position);
}

/* ---- what is over ---- */

/* Who knows a position hears that it is none any more; clients of others pass over such an event. */
static void tell_lost(struct shard *shard, struct channel *channel, const struct position *position)
{
    char data[100] = "{\"recovered\":false}";
    struct event event = {.name = text_of("pusher_internal:ringcast_position")};
    if (position_is_set(position)) {
        snprintf(data, sizeof data, "{\"offset\":%llu,\"epoch\":\"%s\",\"recovered\":false}",
                 (unsigned long long)position->offset, position->epoch);
    }
    event.data = text_of(data);
    struct message *message = event_message(&shard->counters, &channel->name, &event);
    if (message != NULL) {
        home_deliver_placed(shard, channel, message);
    } else {
        log_error("out of memory: a channel's subscribers were not told that they have missed something");
    }
}

static void take_lost(struct shard *shard, const struct cluster_event *event)
{
    struct channel *channel = channel_of(shard, event);
    struct channel_log *log = channel != NULL ? channel->roster->log : NULL;
    if (log == NULL) return; /* nobody was told of a position */
    bool was_known = position_is_set(&log->window.last);
    if (!position_is_set(&event->position)) channel->roster->broker->position = BROKER_POSITION_UNASKED;
    channel_log_move(shard, log, &event->position);
    counter_add(&shard->counters, COUNTER_cluster_lost, 1);
    if (was_known) tell_lost(shard, channel, &event->position);
}

/* ---- people ---- */

static void take_people(struct shard *shard, struct people_event *event)
{
    struct cluster_event of = {.channel = &event->channel, .serial = event->serial};
    struct channel *channel = event->kind != PEOPLE_NEWS ? channel_of(shard, &of) : NULL;
    home_people_told(shard, channel != NULL ? channel->roster : NULL, event);
}

/* ---- all of it ---- */

static void take(struct shard *shard, struct cluster_item *item)
{
    struct broker_job *job = (struct broker_job *)item;
    struct cluster_event *event = (struct cluster_event *)item;
    switch (item->kind) {
    case CLUSTER_PUBLISH:
        broker_job_done(shard, job);
        broker_published(shard, job);
        return;
    case CLUSTER_ENTER:
        broker_job_done(shard, job);
        broker_entered(shard, job);
        return;
    case CLUSTER_LEAVE:
        broker_job_done(shard, job);
        broker_left(shard, job);
        return;
    case CLUSTER_READ:
        broker_job_done(shard, job);
        broker_was_read(shard, job);
        return;
    case CLUSTER_MESSAGES:
        take_messages(shard, event);
        cluster_event_free(&shard->counters, event);
        return;
    case CLUSTER_LOST:
        take_lost(shard, event);
        cluster_event_free(&shard->counters, event);
        return;
    case CLUSTER_PEOPLE:
        home_people_back(shard, (struct people_job *)item);
        return;
    case CLUSTER_PEOPLE_TOLD:
        take_people(shard, (struct people_event *)item);
        return;
    }
    __builtin_unreachable();
}

void home_take_cluster(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    struct cluster_item *item;
    if (shard->cluster == NULL) return;
    broker_leave_again(shard);
    home_people_run(shard);
    while (!post_deliveries_wait(shard) && (item = cluster_receive(shard->cluster, shard->index)) != NULL) {
        take(shard, item);
    }
}
