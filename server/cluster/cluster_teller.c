/* server/cluster/cluster_teller.c - jobs that waited for a channel, and the messages of its entries. */
#include "server/cluster/cluster_teller.h"

#include "core/message.h"
#include "server/cluster/cluster_job.h"
#include "server/cluster/record.h"

#include <stdlib.h>

void cluster_teller_wait(struct cluster_channel *channel, struct cluster_job *job)
{
    job->item.next = NULL;
    struct cluster_item **place = (struct cluster_item **)&channel->of_home;
    while (*place != NULL)
        place = &(*place)->next;
    *place = &job->item;
}

static void answer(struct cluster_teller *teller, struct cluster_channel *channel, enum rc rc,
                   const struct stream_id *place)
{
    struct cluster_item *item = channel->of_home;
    channel->of_home = NULL;
    while (item != NULL) {
        struct cluster_job *job = (struct cluster_job *)item;
        item = item->next;
        job->rc = rc;
        job->position = stream_id_position(place);
        teller->done(teller->self, job);
    }
}

/* There was no memory to tell something: it is told as a loss when the channel is entered again. */
static void run_short(struct cluster_teller *teller, struct cluster_channel *channel)
{
    channel->is_loss_due = true;
    teller->is_short = true;
}

/* Those that can be read; NULL: out of memory. */
static struct message *message_of(struct cluster_teller *teller, const struct cluster_channel *channel,
                                  const struct cluster_entry *entry, bool *is_readable_r)
{
    struct text text = entry->record;
    struct record record;
    *is_readable_r = text.at != NULL && record_take(&text, &record) == RC_OK && record.kind == RECORD_MESSAGE;
    if (!*is_readable_r) return NULL;
    struct position position = stream_id_position(&entry->id);
    return record_message(teller->counters, &record, &channel->name, entry->id.epoch > 0 ? &position : NULL,
                          entry->time_ms, teller->node);
}

static enum rc fill(struct cluster_teller *teller, const struct cluster_channel *channel,
                    const struct cluster_told *told, struct cluster_event *event)
{
    if (told->count == 0) return RC_OK;
    event->messages = calloc(told->count, sizeof(struct message *));
    if (event->messages == NULL) return RC_ENOMEM;
    for (uint32_t i = 0; i < told->count; i++) {
        bool is_readable;
        struct message *message = message_of(teller, channel, &told->entries[i], &is_readable);
        if (message != NULL)
            event->messages[event->messages_count++] = message;
        else if (is_readable)
            return RC_ENOMEM;
        else
            counter_add(teller->counters, COUNTER_cluster_records_unread, 1);
    }
    return RC_OK;
}

static void tell_come_back(struct cluster_teller *teller, const struct cluster_channel *channel,
                           const struct cluster_told *told)
{
    uint64_t number = 0;
    for (uint32_t i = 0; i < told->count; i++) {
        if (told->entries[i].node == teller->node) number = told->entries[i].counter;
    }
    if (number > 0) teller->came_back(teller->self, &channel->name, number);
}

static void tell_event(struct cluster_teller *teller, struct cluster_channel *channel,
                       const struct cluster_told *told)
{
    enum cluster_kind kind = told->kind == CLUSTER_TOLD_LOST ? CLUSTER_LOST : CLUSTER_MESSAGES;
    struct cluster_event *event = cluster_event_new(kind, &channel->name, channel->serial);
    if (event == NULL || fill(teller, channel, told, event) != RC_OK) {
        cluster_event_free(teller->counters, event);
        run_short(teller, channel);
        return;
    }
    event->item.shard = channel->shard;
    event->position = stream_id_position(&told->position);
    teller->event(teller->self, event);
    tell_come_back(teller, channel, told);
}

void cluster_teller_tell(void *self, struct cluster_channel *channel, const struct cluster_told *told)
{
    struct cluster_teller *teller = self;
    if (told->kind == CLUSTER_TOLD_ENTERED)
        answer(teller, channel, RC_OK, &told->position);
    else if (told->kind == CLUSTER_TOLD_LEFT)
        answer(teller, channel, RC_ECLUSTER, &told->position);
    else
        tell_event(teller, channel, told);
}
