/* tests/core/test_mailbox.c - letters arrive once, in order, however full the ring and whoever runs when. */
#include "core/mailbox.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

_Static_assert(sizeof(struct letter) == 16, "two letters fit in 32 bytes");

/* A letter's body is a number here, which nobody follows. */
static void *serial_body(uint32_t serial)
{
    return (void *)(uintptr_t)serial;
}

static uint32_t serial_of(const struct letter *letter)
{
    return (uint32_t)(uintptr_t)letter->body;
}

static enum rc send_serial(struct mailbox *mailbox, uint32_t serial)
{
    struct letter letter = {.body = serial_body(serial), .kind = LETTER_PUBLISH};
    return mailbox_send(mailbox, &letter);
}

/* Takes up to `most` letters and expects serials from *next on. */
static uint32_t expect_serials(struct mailbox *mailbox, uint32_t most, uint32_t *next)
{
    struct letter letters[256];
    uint32_t count = mailbox_receive(mailbox, letters, most);
    cr_assert_leq(count, most);
    for (uint32_t i = 0; i < count; i++) {
        cr_assert_eq(serial_of(&letters[i]), *next, "got %u, expected %u", serial_of(&letters[i]), *next);
        ++*next;
    }
    return count;
}

Test(mailbox, a_letter_comes_out_as_it_went_in, .timeout = 5)
{
    struct mailbox *mailbox = mailbox_new(4);
    struct letter out, in = {.body = (void *)0x1230, .kind = LETTER_SUBSCRIBED};
    cr_assert_eq(mailbox_receive(mailbox, &out, 1), 0);
    cr_assert_eq(mailbox_send(mailbox, &in), RC_OK);
    cr_assert_eq(mailbox_receive(mailbox, &out, 1), 1);
    cr_expect_eq(out.message, in.message);
    cr_expect_eq(out.kind, in.kind);
    cr_expect_eq(mailbox_receive(mailbox, &out, 1), 0);
    mailbox_free(mailbox);
}

Test(mailbox, the_ring_holds_one_letter_less_than_asked_and_the_rest_waits, .timeout = 5)
{
    static const uint32_t sizes[] = {4, 8, 64, 2048};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        struct mailbox *mailbox = mailbox_new(sizes[s]);
        uint32_t next = 0;
        for (uint32_t i = 0; i < sizes[s] - 1; i++) {
            cr_assert_eq(send_serial(mailbox, i), RC_OK, "letter %u of %u", i, sizes[s]);
        }
        cr_expect_eq(mailbox_waiting(mailbox), 0);
        for (uint32_t i = 0; i < 3; i++) {
            cr_expect_eq(send_serial(mailbox, sizes[s] - 1 + i), RC_PENDING);
        }
        cr_expect_eq(mailbox_waiting(mailbox), 3);
        cr_expect_eq(mailbox_count(mailbox), sizes[s] - 1, "those in the spill list do not count");
        cr_expect_eq(mailbox_unspill(mailbox), 0, "nobody took a letter");
        while (expect_serials(mailbox, 100, &next) > 0) {
        }
        cr_expect_eq(next, sizes[s] - 1, "waiting letters are not in the ring");
        cr_expect_eq(mailbox_unspill(mailbox), 3);
        cr_expect_eq(expect_serials(mailbox, 100, &next), 3);
        mailbox_free(mailbox);
    }
}

Test(mailbox, a_letter_does_not_overtake_those_that_wait, .timeout = 5)
{
    struct mailbox *mailbox = mailbox_new(4);
    uint32_t next = 0;
    for (uint32_t i = 0; i < 5; i++) {
        send_serial(mailbox, i);
    }
    cr_assert_eq(expect_serials(mailbox, 3, &next), 3);
    cr_expect_eq(send_serial(mailbox, 5), RC_PENDING, "the ring has room, but others came before");
    cr_expect_eq(expect_serials(mailbox, 3, &next), 0);
    cr_expect_eq(mailbox_unspill(mailbox), 3);
    cr_expect_eq(send_serial(mailbox, 6), RC_PENDING);
    cr_expect_eq(expect_serials(mailbox, 2, &next), 2);
    cr_expect_eq(mailbox_unspill(mailbox), 1);
    cr_expect_eq(send_serial(mailbox, 7), RC_OK);
    cr_expect_eq(expect_serials(mailbox, 3, &next), 3);
    cr_expect_eq(next, 8);
    mailbox_free(mailbox);
}

Test(mailbox, an_offer_is_taken_or_refused_and_never_waits, .timeout = 5)
{
    struct mailbox *mailbox = mailbox_new(4);
    uint32_t next = 0, serial = 0;
    for (uint32_t round = 0; round < 10; round++) { /* past the ring's end */
        for (uint32_t i = 0; i < 3; i++) {
            cr_assert_eq(mailbox_offer(mailbox, &(struct letter){.body = serial_body(serial)}), RC_OK);
            serial++;
        }
        cr_expect_eq(mailbox_offer(mailbox, &(struct letter){.body = serial_body(serial)}), RC_EFULL);
        cr_expect_eq(mailbox_waiting(mailbox), 0);
        cr_expect_eq(expect_serials(mailbox, 10, &next), 3);
    }
    for (uint32_t i = 0; i < 4; i++) {
        send_serial(mailbox, serial++);
    }
    cr_expect_eq(expect_serials(mailbox, 10, &next), 3);
    cr_expect_eq(mailbox_offer(mailbox, &(struct letter){.body = serial_body(serial)}), RC_EFULL,
                 "another came before and waits");
    cr_expect_eq(mailbox_unspill(mailbox), 1);
    cr_expect_eq(mailbox_offer(mailbox, &(struct letter){.body = serial_body(serial)}), RC_OK);
    cr_expect_eq(expect_serials(mailbox, 10, &next), 2);
    mailbox_free(mailbox);
}

Test(mailbox, empty_means_that_nothing_can_be_received, .timeout = 5)
{
    struct mailbox *mailbox = mailbox_new(4);
    uint32_t next = 0;
    cr_expect(mailbox_is_empty(mailbox));
    for (uint32_t i = 0; i < 100; i++) { /* past the ring's end many times */
        send_serial(mailbox, i);
        cr_expect_not(mailbox_is_empty(mailbox));
        cr_expect_eq(expect_serials(mailbox, 1, &next), 1);
        cr_expect(mailbox_is_empty(mailbox));
    }
    for (uint32_t i = 100; i < 105; i++) {
        send_serial(mailbox, i);
    }
    cr_expect_eq(expect_serials(mailbox, 10, &next), 3);
    cr_expect(mailbox_is_empty(mailbox), "what waits at the sender is not there for the receiver");
    cr_expect_eq(mailbox_unspill(mailbox), 2);
    cr_expect_not(mailbox_is_empty(mailbox));
    mailbox_free(mailbox);
}

Test(mailbox, free_accepts_null_and_letters_left_inside, .timeout = 5)
{
    mailbox_free(NULL);
    struct mailbox *mailbox = mailbox_new(4);
    for (uint32_t i = 0; i < 1000; i++) {
        send_serial(mailbox, i);
    }
    mailbox_free(mailbox); /* the leak checker looks at the spill list */
}

/* Method: a seeded mix of all calls beside a count of what went in and what came out. */
Test(mailbox, any_mix_of_calls_keeps_order_and_count, .timeout = 20)
{
    for (unsigned seed = 1; seed <= 50; seed++) {
        srandom(seed);
        struct mailbox *mailbox = mailbox_new(UINT32_C(4) << random() % 5);
        uint32_t sent = 0, next = 0;
        for (int step = 0; step < 3000; step++) {
            switch (random() % 4) {
            case 0:
            case 1:
                for (long left = random() % 40; left > 0; left--) {
                    uint32_t waited = mailbox_waiting(mailbox);
                    enum rc rc = send_serial(mailbox, sent++);
                    cr_assert(rc == RC_PENDING ? mailbox_waiting(mailbox) == waited + 1 : waited == 0);
                }
                break;
            case 2:
                expect_serials(mailbox, (uint32_t)(random() % 256), &next);
                break;
            default: {
                uint32_t waited = mailbox_waiting(mailbox), moved = mailbox_unspill(mailbox);
                cr_assert_eq(mailbox_waiting(mailbox), waited - moved);
            }
            }
        }
        do {
            mailbox_unspill(mailbox);
        } while (expect_serials(mailbox, 256, &next) > 0);
        cr_assert_eq(next, sent, "seed %u", seed);
        cr_assert_eq(mailbox_waiting(mailbox), 0);
        mailbox_free(mailbox);
    }
}

#ifdef __SANITIZE_ADDRESS__
size_t __sanitizer_get_current_allocated_bytes(void); /* gcc 12 has it without a header */

Test(mailbox, the_spill_list_gives_its_memory_back_when_it_is_empty, .timeout = 5)
{
    struct mailbox *mailbox = mailbox_new(64);
    size_t before = __sanitizer_get_current_allocated_bytes();
    uint32_t next = 0;
    for (uint32_t i = 0; i < 10000; i++) {
        send_serial(mailbox, i);
    }
    cr_expect_geq(__sanitizer_get_current_allocated_bytes() - before, 9900 * sizeof(struct letter));
    while (next < 10000) {
        expect_serials(mailbox, 256, &next);
        mailbox_unspill(mailbox);
    }
    cr_expect_eq(__sanitizer_get_current_allocated_bytes(), before);
    mailbox_free(mailbox);
}
#endif

/* ---- two threads ---- */

#define STRESS_LETTERS 1000000
#define STRESS_WAITING 5000 /* then the sender lets the receiver run */

/* Each letter's message points to a word written just before: with the wrong fences it would be seen too early. */
static uint32_t words[STRESS_LETTERS];

static void *stress_send(void *argument)
{
    struct mailbox *mailbox = argument;
    for (uint32_t i = 0; i < STRESS_LETTERS; i++) {
        words[i] = ~i;
        struct letter letter = {.body = &words[i], .kind = LETTER_DELIVER};
        cr_assert_neq(mailbox_send(mailbox, &letter), RC_ENOMEM);
        if (i % 64 == 0) mailbox_unspill(mailbox);
        while (mailbox_waiting(mailbox) > STRESS_WAITING) {
            if (mailbox_unspill(mailbox) == 0) sched_yield();
        }
    }
    while (mailbox_waiting(mailbox) > 0) {
        if (mailbox_unspill(mailbox) == 0) sched_yield();
    }
    return NULL;
}

Test(mailbox, two_threads_lose_nothing_and_keep_the_order, .timeout = 120)
{
    static const uint32_t sizes[] = {4, 2048};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        struct mailbox *mailbox = mailbox_new(sizes[s]);
        pthread_t sender;
        cr_assert_eq(pthread_create(&sender, NULL, stress_send, mailbox), 0);
        struct letter letters[64];
        for (uint32_t next = 0; next < STRESS_LETTERS;) {
            bool was_empty = mailbox_is_empty(mailbox);
            uint32_t count = mailbox_receive(mailbox, letters, 1 + next % 64);
            cr_assert(was_empty || count > 0, "not empty, but nothing to receive");
            if (count == 0) sched_yield();
            for (uint32_t i = 0; i < count; i++, next++) {
                const uint32_t *word = letters[i].body;
                if (word == &words[next] && *word == ~next) continue;
                cr_assert_fail("word %td came as number %u", word - words, next);
            }
        }
        pthread_join(sender, NULL);
        cr_expect(mailbox_is_empty(mailbox));
        cr_expect_eq(mailbox_waiting(mailbox), 0);
        mailbox_free(mailbox);
    }
}

/* Goal: the pattern that shards sleep by. Each side stores, fences and then looks at the other's word; one of them
 * always sees. Method: the receiver "sleeps" (waits for the flag to be cleared) after every letter; a lost wake-up
 * hangs and runs into the timeout. */
static uint32_t is_sleeping;

static void *ping_letters(void *argument)
{
    struct mailbox *mailbox = argument;
    for (uint32_t i = 0; i < 100000; i++) {
        send_serial(mailbox, i);
        while (mailbox_waiting(mailbox) > 0) {
            if (mailbox_unspill(mailbox) == 0) sched_yield();
        }
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (__atomic_load_n(&is_sleeping, __ATOMIC_RELAXED)) __atomic_store_n(&is_sleeping, 0, __ATOMIC_RELEASE);
    }
    return NULL;
}

Test(mailbox, a_fence_before_is_empty_makes_it_safe_to_sleep, .timeout = 60)
{
    struct mailbox *mailbox = mailbox_new(4);
    pthread_t sender;
    cr_assert_eq(pthread_create(&sender, NULL, ping_letters, mailbox), 0);
    uint32_t next = 0;
    while (next < 100000) {
        if (expect_serials(mailbox, 4, &next) > 0) continue;
        __atomic_store_n(&is_sleeping, 1, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (mailbox_is_empty(mailbox)) {
            while (__atomic_load_n(&is_sleeping, __ATOMIC_ACQUIRE)) {
                sched_yield();
            }
        }
    }
    pthread_join(sender, NULL);
    mailbox_free(mailbox);
}
