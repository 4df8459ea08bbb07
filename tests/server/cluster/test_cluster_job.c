/* tests/server/cluster/test_cluster_job.c - what answers and events hold is given back. */
#include "core/counters.h"
#include "core/message.h"
#include "server/cluster/cluster_job.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct counters counters;

static uint64_t messages_live(void)
{
    return counter_get(&counters, COUNTER_messages_live);
}

static struct message *message(void)
{
    struct name channel = name_of(0, text_of("room"));
    return message_new_of(&counters, &channel, FORM_RAW, 5);
}

static struct message **messages(uint32_t count)
{
    struct message **list = calloc(count, sizeof list[0]);
    for (uint32_t i = 0; i < count; i++)
        list[i] = message();
    return list;
}

Test(cluster_job, gives_back_the_answer_and_leaves_what_it_was_made_of, .timeout = 10)
{
    struct cluster_job job = {.message = message(), .kept = message(), .messages = messages(3), .messages_count = 3};
    cr_assert_eq(messages_live(), 5);
    cluster_job_fini(&counters, &job);
    cr_assert_eq(messages_live(), 1, "%llu", (unsigned long long)messages_live());
    cr_assert_null(job.kept);
    cr_assert_null(job.messages);
    cluster_job_fini(&counters, &job); /* there is nothing more to give back */
    cr_assert_eq(messages_live(), 1);
    message_drop(&counters, job.message);
}

Test(cluster_job, gives_back_an_event_with_its_messages, .timeout = 10)
{
    struct name channel = name_of(7, text_of("presence-x"));
    struct cluster_event *event = cluster_event_new(CLUSTER_MESSAGES, &channel, 2);
    cr_assert_eq(event->item.kind, CLUSTER_MESSAGES);
    cr_assert_neq(event->channel->text, channel.text, "its own copy");
    cr_assert(name_equals(event->channel, &channel));
    event->messages = messages(2);
    event->messages_count = 2;
    cluster_event_free(&counters, event);
    cr_assert_eq(messages_live(), 0);
    cluster_event_free(&counters, NULL);
}
