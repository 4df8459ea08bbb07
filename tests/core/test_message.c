/* tests/core/test_message.c - a message is freed once, by whoever drops the last reference. */
#include "core/message.h"

#include "core/counters.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>

static struct counters counters;

Test(message, name_and_frame_are_its_own_copy, .timeout = 5)
{
    char text[] = "room-1";
    struct name name = name_of(0, (struct text){text, 6});
    struct message *message = message_new_of(&counters, &name, FORM_RAW, 3);
    memset(message_frame(message, FORM_RAW), 7, 3);
    memset(text, 'x', sizeof text);
    struct name same = name_of(0, text_of("room-1"));
    cr_expect(name_equals(&message->channel, &same));
    cr_expect_eq(message->frame_bytes[FORM_RAW], 3);
    cr_expect_eq(message->references, 1);
    cr_expect_not(message->publisher.is_excluded);
    cr_expect_eq(counter_get(&counters, COUNTER_messages_live), 1);
    message_drop(&counters, message);
    cr_expect_eq(counter_get(&counters, COUNTER_messages_live), 0);
}

Test(message, a_message_without_a_frame_says_only_a_name, .timeout = 5)
{
    struct name name = name_of(0, text_of("r"));
    struct message *message = message_new_of(&counters, &name, FORM_RAW, 0);
    cr_expect_eq(message->frame_bytes[FORM_RAW], 0);
    cr_expect_eq(message->channel.length, 1);
    message_drop(&counters, message);
}

Test(message, it_lives_as_long_as_anyone_holds_it, .timeout = 5)
{
    struct name name = name_of(0, text_of("room"));
    struct message *message = message_new_of(&counters, &name, FORM_RAW, 100);
    message_hold(message, 3);
    message_hold(message, 0);
    for (int i = 0; i < 4; i++) {
        cr_expect_eq(counter_get(&counters, COUNTER_messages_live), 1);
        memset(message_frame(message, FORM_RAW), i, 100);
        message_drop(&counters, message);
    }
    cr_expect_eq(counter_get(&counters, COUNTER_messages_live), 0);
}

/* ---- threads ---- */

#define THREADS  4
#define MESSAGES 20000

static struct message *shared[MESSAGES];
static pthread_barrier_t start;

/* Each thread counts for itself, as shards do; only the sum says how many live. */
static void *read_and_drop(void *argument)
{
    struct counters *mine = argument;
    pthread_barrier_wait(&start);
    for (uint32_t i = 0; i < MESSAGES; i++) {
        cr_assert_eq(message_frame(shared[i], FORM_RAW)[0], (uint8_t)i);
        message_drop(mine, shared[i]);
    }
    return NULL;
}

/* Method: threads drop the same messages at the same time; the sanitizer sees a use after free, two frees or none. */
Test(message, threads_that_drop_together_free_once, .timeout = 30)
{
    static struct counters own[THREADS];
    const struct counters *sets[THREADS + 1] = {&counters};
    struct name name = name_of(0, text_of("room"));
    for (uint32_t i = 0; i < MESSAGES; i++) {
        shared[i] = message_new_of(&counters, &name, FORM_RAW, 1);
        message_frame(shared[i], FORM_RAW)[0] = (uint8_t)i;
        message_hold(shared[i], THREADS - 1);
    }
    pthread_t threads[THREADS];
    pthread_barrier_init(&start, NULL, THREADS);
    for (uint32_t i = 0; i < THREADS; i++) {
        sets[i + 1] = &own[i];
        pthread_create(&threads[i], NULL, read_and_drop, &own[i]);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    uint64_t live = 0;
    for (uint32_t i = 0; i <= THREADS; i++) {
        live += counter_get(sets[i], COUNTER_messages_live);
    }
    cr_expect_eq(live, 0, "made less freed, over all threads");
    pthread_barrier_destroy(&start);
}
