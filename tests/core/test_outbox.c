/* tests/core/test_outbox.c - what a connection sends: every byte once, frames never cut, controls ahead.
 *
 * Method of the long test: the outbox beside a model that is an array, through seeded random steps. The model keeps
 * one reference of its own to each batch, so that it sees whether the outbox holds exactly one and when it lets go.
 */
#include "core/outbox.h"

#include "core/counters.h"
#include "core/message.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct outbox) <= 40, "one lies in memory for every connection");

static struct counters counters;

static struct batch *batch_of_text(const char *text, uint64_t now_ms)
{
    uint8_t *to;
    struct batch *batch = batch_new((uint32_t)strlen(text), now_ms, &to);
    memcpy(to, text, strlen(text));
    return batch;
}

static void append(struct outbox *outbox, const char *text)
{
    struct batch *batch = batch_of_text(text, 0);
    cr_assert_eq(outbox_append(outbox, batch), RC_OK);
    batch_drop(&counters, batch);
}

static void append_control(struct outbox *outbox, const char *text)
{
    struct batch *batch = batch_of_text(text, 0);
    cr_assert_eq(outbox_append_control(outbox, &counters, batch), RC_OK);
    batch_drop(&counters, batch);
}

/* What would be sent from here on, all of it. */
static const char *unsent(const struct outbox *outbox)
{
    static char text[4096];
    size_t count = outbox_is_empty(outbox) ? 0 : outbox_copy(outbox, (uint8_t *)text, sizeof text - 1);
    cr_assert_eq(count, outbox->bytes);
    text[count] = '\0';
    return text;
}

Test(outbox, a_zeroed_outbox_is_empty, .timeout = 5)
{
    struct outbox outbox = {0};
    cr_expect(outbox_is_empty(&outbox));
    cr_expect_eq(outbox_count(&outbox), 0);
    cr_expect_eq(outbox_behind_bytes(&outbox), 0);
    outbox_clear(&outbox, &counters, true);
    outbox_clear(&outbox, &counters, false);
    outbox_advance(&outbox, &counters, 0);
    cr_expect(outbox_is_empty(&outbox));
}

/* A script of steps: "m..." appends a message, "c..." a control frame, "N" advances N bytes, "x" clears but keeps
 * what has begun, "X" clears all. */
Test(outbox, control_frames_go_ahead_of_all_that_has_not_begun, .timeout = 5)
{
    static const struct {
        const char *steps[8];
        const char *unsent;
    } cases[] = {
        {{"mAA", "mBB"}, "AABB"},
        {{"mAA", "cp"}, "pAA"},
        {{"cp", "mAA"}, "pAA"},
        {{"mAA", "mBB", "cp", "cq"}, "pqAABB"},
        {{"mAA", "mBB", "1", "cp"}, "ApBB"},
        {{"mAA", "mBB", "1", "cp", "cq"}, "ApqBB"},
        {{"mAA", "mBB", "1", "cp", "1", "cq"}, "pqBB"},
        {{"mAA", "cpp", "3", "cq"}, "Aq"},
        {{"mAA", "mBB", "2", "cp"}, "pBB"},
        {{"mAA", "cpp", "1", "cq"}, "pqAA"},
        {{"mAA", "cpp", "1", "cq", "1", "cr"}, "qrAA"},
        {{"mAA", "mBB", "x"}, ""},
        {{"mAA", "mBB", "1", "x"}, "A"},
        {{"mAA", "mBB", "1", "x", "cp", "mC"}, "ApC"},
        {{"cpp", "mBB", "1", "x", "cq", "mC"}, "pqC"},
        {{"mAA", "mBB", "1", "cp", "x", "mC"}, "AC"},
        {{"mAA", "mBB", "1", "X", "mC"}, "C"},
        {{"m", "mBB", "1"}, "B"},
        {{"mA", "m", "mBB", "2"}, "B"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct outbox outbox = {.marks = 5};
        for (size_t s = 0; s < 8 && cases[i].steps[s] != NULL; s++) {
            const char *step = cases[i].steps[s];
            if (*step == 'm') append(&outbox, step + 1);
            if (*step == 'c') append_control(&outbox, step + 1);
            if (*step == 'x' || *step == 'X') outbox_clear(&outbox, &counters, *step == 'x');
            if (*step >= '0' && *step <= '9') outbox_advance(&outbox, &counters, (uint64_t)(*step - '0'));
        }
        cr_expect_str_eq(unsent(&outbox), cases[i].unsent, "case %zu", i);
        cr_expect_eq(outbox.marks, 5, "the marks are the owner's");
        outbox_clear(&outbox, &counters, false);
        cr_expect(outbox_is_empty(&outbox));
        cr_expect_eq(outbox.bytes, 0);
    }
}

Test(outbox, at_the_bound_a_control_frame_takes_the_place_of_the_newest, .timeout = 5)
{
    for (int is_begun = 0; is_begun <= 1; is_begun++) {
        struct outbox outbox = {0};
        append(&outbox, "AA");
        append(&outbox, "BB");
        if (is_begun) outbox_advance(&outbox, &counters, 1);
        for (int i = 0; i < OUTBOX_CONTROLS_MAX; i++) {
            append_control(&outbox, "p");
        }
        append_control(&outbox, "xyz");
        append_control(&outbox, "qr");
        cr_expect_eq(outbox_count(&outbox), 2 + OUTBOX_CONTROLS_MAX);
        char pings[OUTBOX_CONTROLS_MAX] = {0}, expected[128];
        memset(pings, 'p', OUTBOX_CONTROLS_MAX - 1);
        snprintf(expected, sizeof expected, "%s%sqr%sBB", is_begun ? "A" : "", pings, is_begun ? "" : "AA");
        cr_expect_str_eq(unsent(&outbox), expected);
        outbox_advance(&outbox, &counters, is_begun + 1); /* one control frame has gone: there is room for one */
        append_control(&outbox, "s");
        cr_expect_eq(outbox_count(&outbox), (is_begun ? 1 : 2) + OUTBOX_CONTROLS_MAX);
        outbox_clear(&outbox, &counters, false);
    }
}

Test(outbox, copy_takes_whole_batches_as_far_as_they_fit, .timeout = 5)
{
    static const struct {
        uint32_t sent;
        size_t room;
        const char *copied;
    } cases[] = {{0, 0, ""},   {0, 1, ""},      {0, 2, "AA"}, {0, 4, "AA"},   {0, 5, "AABBB"},
                 {1, 0, ""},   {1, 1, "A"},     {1, 3, "A"},  {1, 4, "ABBB"}, {0, 6, "AABBBC"},
                 {3, 2, "BB"}, {2, 99, "BBBC"}, {5, 99, "C"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct outbox outbox = {0};
        append(&outbox, "AA");
        append(&outbox, "BBB");
        append(&outbox, "C");
        outbox_advance(&outbox, &counters, cases[i].sent);
        uint8_t *to = malloc(cases[i].room); /* of just that size: the sanitizer sees a byte too many */
        size_t count = outbox_copy(&outbox, to, cases[i].room);
        cr_expect_eq(count, strlen(cases[i].copied), "case %zu: %zu", i, count);
        cr_expect(memcmp(to, cases[i].copied, strlen(cases[i].copied)) == 0, "case %zu", i);
        free(to);
        outbox_clear(&outbox, &counters, false);
    }
}

Test(outbox, a_shared_message_is_freed_by_the_last_outbox, .timeout = 5)
{
    struct outbox outboxes[3] = {0};
    struct name name = name_of(0, text_of("room"));
    struct message *message = message_new_of(&counters, &name, FORM_RAW, 5);
    memcpy(message_frame(message, FORM_RAW), "frame", 5);
    struct batch *batch = batch_of_message(message, FORM_RAW, 77);
    for (int i = 0; i < 3; i++) {
        outbox_append(&outboxes[i], batch);
    }
    batch_drop(&counters, batch);
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(counter_get(&counters, COUNTER_messages_live), 1);
        cr_expect_eq(outbox_made_ms(&outboxes[i]), 77);
        cr_expect_str_eq(unsent(&outboxes[i]), "frame");
        outbox_advance(&outboxes[i], &counters, 5);
    }
    cr_expect_eq(counter_get(&counters, COUNTER_messages_live), 0);
}

/* ---- beside a model ---- */

#define MODEL_MAX 4096

struct model {
    struct batch *batches[MODEL_MAX]; /* each with one reference of ours */
    uint32_t count;
    uint32_t first_sent;
};

/* The outbox has let go of this one. */
static void model_drop(struct batch *batch)
{
    cr_assert_eq(batch->references, 1, "the outbox still holds %u references", batch->references - 1);
    batch_drop(&counters, batch);
}

static void model_insert(struct model *model, uint32_t index, struct batch *batch)
{
    cr_assert_lt(model->count, MODEL_MAX);
    memmove(&model->batches[index + 1], &model->batches[index], (model->count - index) * sizeof(struct batch *));
    model->batches[index] = batch;
    model->count++;
}

static struct batch *model_remove(struct model *model, uint32_t index)
{
    struct batch *batch = model->batches[index];
    model->count--;
    memmove(&model->batches[index], &model->batches[index + 1], (model->count - index) * sizeof(struct batch *));
    return batch;
}

static void model_append_control(struct model *model, struct batch *batch)
{
    uint32_t end = 0, controls = 0;
    if (model->count > 0 && model->first_sent > 0 && !model->batches[0]->is_control) end = 1;
    for (; end < model->count && model->batches[end]->is_control; end++) {
        controls++;
    }
    if (controls == OUTBOX_CONTROLS_MAX) model_drop(model_remove(model, --end));
    model_insert(model, end, batch);
}

static void model_advance(struct model *model, uint64_t count)
{
    while (model->count > 0 && model->first_sent + count >= model->batches[0]->count) {
        count -= model->batches[0]->count - model->first_sent;
        model->first_sent = 0;
        model_drop(model_remove(model, 0));
    }
    model->first_sent += (uint32_t)count;
}

static void model_clear(struct model *model, bool keep_begun)
{
    uint32_t kept = keep_begun && model->first_sent > 0 ? 1 : 0;
    while (model->count > kept) {
        model_drop(model_remove(model, model->count - 1));
    }
    if (kept == 0) model->first_sent = 0;
}

static void compare(const struct outbox *outbox, const struct model *model)
{
    static uint8_t got[1 << 18], expected[1 << 18];
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < model->count; i++) {
        uint32_t from = i == 0 ? model->first_sent : 0;
        memcpy(expected + bytes, model->batches[i]->bytes + from, model->batches[i]->count - from);
        bytes += model->batches[i]->count - from;
        cr_assert_eq(model->batches[i]->references, 2);
    }
    cr_assert_eq(outbox_count(outbox), model->count);
    cr_assert_eq(outbox->bytes, bytes);
    cr_assert_eq(outbox_is_empty(outbox), model->count == 0);
    if (model->count == 0) return;
    cr_assert_eq(outbox_made_ms(outbox), model->batches[0]->made_ms);
    cr_assert_eq(outbox_behind_bytes(outbox), bytes - (model->batches[0]->count - model->first_sent));
    cr_assert_eq(outbox_copy(outbox, got, sizeof got), bytes);
    cr_assert(memcmp(got, expected, bytes) == 0);
}

static struct batch *random_batch(uint64_t now_ms)
{
    uint8_t *to;
    uint32_t count = (uint32_t)(random() % 40);
    struct batch *batch = batch_new(count, now_ms, &to);
    for (uint32_t i = 0; i < count; i++) {
        to[i] = (uint8_t)random();
    }
    return batch;
}

static void random_step(struct outbox *outbox, struct model *model, uint64_t now_ms, long controls_per_100)
{
    long dice = random() % 100;
    struct batch *batch;
    if (dice < 30) {
        batch = random_batch(now_ms);
        cr_assert_eq(outbox_append(outbox, batch), RC_OK);
        model_insert(model, model->count, batch);
    } else if (dice < 30 + controls_per_100) {
        batch = random_batch(now_ms);
        cr_assert_eq(outbox_append_control(outbox, &counters, batch), RC_OK);
        model_append_control(model, batch);
    } else if (dice < 98) {
        uint64_t most = outbox->bytes < 100 ? outbox->bytes : 100;
        uint64_t count = (uint64_t)random() % (most + 1);
        outbox_advance(outbox, &counters, count);
        model_advance(model, count);
    } else {
        bool keep_begun = random() % 2;
        outbox_clear(outbox, &counters, keep_begun);
        model_clear(model, keep_begun);
    }
}

Test(outbox, any_mix_of_steps_agrees_with_an_array, .timeout = 60)
{
    static struct model model;
    static const long controls_per_100[] = {0, 5, 30, 65};
    for (unsigned seed = 1; seed <= 80; seed++) {
        srandom(seed);
        struct outbox outbox = {0};
        model = (struct model){0};
        for (uint64_t step = 0; step < 800; step++) {
            random_step(&outbox, &model, step, controls_per_100[seed % 4]);
            compare(&outbox, &model);
        }
        outbox_clear(&outbox, &counters, false);
        model_clear(&model, false);
        compare(&outbox, &model);
    }
}
