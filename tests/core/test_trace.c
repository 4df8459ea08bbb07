/* tests/core/test_trace.c - the last events are there, whole and in order, also while more come. */
#include "core/trace.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>

static void note(struct trace *trace, uint32_t number)
{
    trace_note(trace, (struct trace_event){
                          .kind = TRACE_LETTER, .what = (uint8_t)number, .slot = ~number, .number = number});
}

Test(trace, gives_back_what_was_noted, .timeout = 5)
{
    static struct trace trace;
    struct trace_event events[TRACE_EVENTS];
    cr_assert_eq(trace_read(&trace, events, TRACE_EVENTS), 0);
    trace.now_ms = 77;
    trace_note(&trace, (struct trace_event){
                           .kind = TRACE_COMPLETION, .what = 3, .from = 65535, .slot = 5, .number = (uint32_t)-104});
    cr_assert_eq(trace_read(&trace, events, TRACE_EVENTS), 1);
    cr_expect_eq(events[0].at_ms, 77);
    cr_expect_eq(events[0].kind, TRACE_COMPLETION);
    cr_expect_eq(events[0].what, 3);
    cr_expect_eq(events[0].from, 65535);
    cr_expect_eq(events[0].slot, 5);
    cr_expect_eq((int32_t)events[0].number, -104);
}

Test(trace, keeps_the_newest_and_tells_the_oldest_first, .timeout = 5)
{
    static struct trace trace;
    struct trace_event events[TRACE_EVENTS];
    for (uint32_t i = 0; i < 3 * TRACE_EVENTS + 5; i++) {
        note(&trace, i);
        cr_assert_eq(trace_read(&trace, events, 4), i < 3 ? i + 1 : 4);
        cr_assert_eq(events[i < 3 ? i : 3].number, i);
    }
    uint32_t count = trace_read(&trace, events, TRACE_EVENTS);
    cr_assert_eq(count, TRACE_EVENTS - 1);
    for (uint32_t i = 0; i < count; i++) {
        cr_assert_eq(events[i].number, 3 * TRACE_EVENTS + 5 - count + i);
    }
}

static struct trace shared;
static atomic_bool is_over;

static void *write_on(void *unused)
{
    for (uint32_t i = 0; !atomic_load(&is_over); i++) {
        note(&shared, i);
    }
    return unused;
}

/* A reader beside the writer gets events that belong together, and in one run. */
Test(trace, is_read_while_it_is_written, .timeout = 30)
{
    struct trace_event events[TRACE_EVENTS];
    pthread_t writer;
    cr_assert_eq(pthread_create(&writer, NULL, write_on, NULL), 0);
    for (uint32_t round = 0, seen = 0; seen < 20000 && round < 10000000; round++) {
        uint32_t count = trace_read(&shared, events, TRACE_EVENTS);
        for (uint32_t i = 0; i < count; i++) {
            cr_assert_eq(events[i].slot, ~events[i].number);
            cr_assert_eq(events[i].what, (uint8_t)events[i].number);
            cr_assert_eq(events[i].number, events[0].number + i);
        }
        seen += count;
    }
    atomic_store(&is_over, true);
    pthread_join(writer, NULL);
}

/* Of broken memory too. */
Test(trace, has_a_text_for_every_number, .timeout = 5)
{
    for (unsigned kind = 0; kind < 256; kind++) {
        cr_assert_neq(trace_text(kind)[0], '\0', "%u", kind);
    }
}
