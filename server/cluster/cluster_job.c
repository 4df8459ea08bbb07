/* server/cluster/cluster_job.c - making events; giving back what answers and events hold. */
#include "server/cluster/cluster_job.h"

#include "core/message.h"

#include <stdlib.h>
#include <string.h>

static void drop_messages(struct counters *counters, struct message **messages, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (messages[i] != NULL) message_drop(counters, messages[i]);
    }
    free(messages);
}

void cluster_job_fini(struct counters *counters, struct cluster_job *job)
{
    drop_messages(counters, job->messages, job->messages_count);
    job->messages = NULL;
    job->messages_count = 0;
    if (job->kept != NULL) message_drop(counters, job->kept);
    job->kept = NULL;
}

/* In one block: the event, the name, its text. */
struct cluster_event *cluster_event_new(enum cluster_kind kind, const struct name *channel, uint32_t serial)
{
    struct cluster_event *event = malloc(sizeof *event + sizeof *channel + channel->length);
    if (event == NULL) return NULL;
    struct name *name = (struct name *)(event + 1);
    char *text = memcpy(name + 1, channel->text, channel->length);
    *name = *channel;
    name->text = text;
    *event = (struct cluster_event){.item.kind = kind, .channel = name, .serial = serial};
    return event;
}

void cluster_event_free(struct counters *counters, struct cluster_event *event)
{
    if (event == NULL) return;
    drop_messages(counters, event->messages, event->messages_count);
    free(event);
}
