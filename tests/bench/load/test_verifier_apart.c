/* tests/bench/load/test_verifier_apart.c - those who come and go, and slow readers: a gap is an offence,
 * an absence is none.
 *
 * Method: one room in which two publishers take turns; member 0 and 1 publish, the last one is the witness, and
 * between them some are apart. A history says when one of these leaves, comes back, and what it gets. */
#include "bench/load/verifier.h"

#include <criterion/criterion.h>
#include <string.h>

#define MESSAGES   40u
#define PUBLISHERS 2u

static const struct layout crowd = {
    .connections = 6, .rooms = 1, .publishers = PUBLISHERS, .has_echo = true, .has_guests = true};
static const struct layout slow_crowd = {
    .connections = 6, .rooms = 1, .publishers = PUBLISHERS, .has_echo = true, .slow_share = 5000};
static const uint32_t sent[PUBLISHERS] = {MESSAGES / PUBLISHERS, MESSAGES / PUBLISHERS};

/* Message n of the room: publishers take turns. */
static bool take(struct verifier *verifier, uint32_t member, uint32_t n)
{
    return verifier_take(verifier, member, n % PUBLISHERS, n / PUBLISHERS);
}

static uint32_t find_apart(const struct layout *layout)
{
    for (uint32_t i = 0; i < layout->connections; i++) {
        if (layout_is_apart(layout, i)) return i;
    }
    cr_assert_fail("nobody is apart");
    return 0;
}

/* All members but one get everything. */
static struct verifier verifier_of(const struct layout *layout, uint32_t but)
{
    struct verifier verifier;
    cr_assert_eq(verifier_init(&verifier, layout, 0, layout->connections), RC_OK);
    for (uint32_t member = 0; member < layout->connections; member++) {
        for (uint32_t n = 0; member != but && n < MESSAGES; n++) {
            cr_assert(take(&verifier, member, n));
        }
    }
    return verifier;
}

/* Ends the examination. */
static void expect(struct verifier *verifier, const char *words)
{
    const char *offence = verifier_finish(verifier, 1, sent);
    if (words == NULL) {
        cr_expect_null(offence, "%s", offence);
    } else {
        cr_expect(offence != NULL && strstr(offence, words) != NULL, "%s instead of %s", offence, words);
    }
    verifier_fini(verifier);
}

Test(verifier_apart, a_guest_that_stays_gets_all, .timeout = 10)
{
    uint32_t guest = find_apart(&crowd);
    struct verifier verifier = verifier_of(&crowd, guest);
    for (uint32_t n = 0; n < MESSAGES; n++) {
        cr_expect_not(verifier_is_complete(&verifier, sent), "before message %u", n);
        cr_expect(take(&verifier, guest, n));
    }
    cr_expect(verifier_is_complete(&verifier, sent));
    expect(&verifier, NULL);
}

/* Leaves behind any message and comes back before any other; the first it gets may be one sent before it came. */
Test(verifier_apart, what_a_guest_misses_while_it_is_away_is_no_loss, .timeout = 20)
{
    uint32_t guest = find_apart(&crowd);
    for (uint32_t left = 0; left <= MESSAGES; left++) {
        for (uint32_t back = left; back <= MESSAGES; back += 3) {
            struct verifier verifier = verifier_of(&crowd, guest);
            for (uint32_t n = 0; n < left; n++) {
                cr_assert(take(&verifier, guest, n));
            }
            cr_assert_eq(verifier_leave(&verifier, guest), RC_OK);
            cr_expect(verifier_is_complete(&verifier, sent));
            verifier_join(&verifier, guest, back + 2 < MESSAGES ? back + 2 : MESSAGES);
            for (uint32_t n = back; n < MESSAGES; n++) {
                cr_assert(take(&verifier, guest, n), "left %u back %u: %s", left, back, verifier.offence);
            }
            cr_expect(verifier_is_complete(&verifier, sent));
            expect(&verifier, NULL);
        }
    }
}

Test(verifier_apart, one_that_has_left_need_not_come_back, .timeout = 10)
{
    uint32_t guest = find_apart(&crowd);
    struct verifier verifier = verifier_of(&crowd, guest);
    cr_assert(take(&verifier, guest, 0));
    cr_assert_eq(verifier_leave(&verifier, guest), RC_OK);
    expect(&verifier, NULL);
}

Test(verifier_apart, any_message_lost_while_it_is_there_is_found, .timeout = 10)
{
    uint32_t guest = find_apart(&crowd);
    for (uint32_t lost = 10; lost < MESSAGES; lost++) {
        struct verifier verifier = verifier_of(&crowd, guest);
        bool is_right = true;
        cr_assert_eq(verifier_leave(&verifier, guest), RC_OK);
        verifier_join(&verifier, guest, 10); /* from message 10 on all is due */
        for (uint32_t n = 10; is_right && n < MESSAGES; n++) {
            if (n != lost) is_right = take(&verifier, guest, n);
        }
        cr_expect_eq(is_right, lost >= MESSAGES - PUBLISHERS, "only the last ones show at the end: %u", lost);
        cr_expect(!is_right || !verifier_is_complete(&verifier, sent));
        expect(&verifier, is_right ? "joined again, got no message" : "lost");
    }
}

Test(verifier_apart, a_message_that_comes_twice_is_found, .timeout = 10)
{
    uint32_t guest = find_apart(&crowd);
    struct verifier verifier = verifier_of(&crowd, guest);
    cr_assert(take(&verifier, guest, 0));
    cr_expect_not(take(&verifier, guest, 0));
    expect(&verifier, "again");
}

Test(verifier_apart, another_order_is_found_also_in_a_stay_that_is_over, .timeout = 20)
{
    uint32_t guest = find_apart(&crowd);
    for (uint32_t swapped = 4; swapped + 1 < 20; swapped++) {
        struct verifier verifier = verifier_of(&crowd, guest);
        verifier_join(&verifier, guest, 5);
        for (uint32_t n = 4; n < 20; n++) {
            uint32_t got = n == swapped ? n + 1 : n == swapped + 1 ? n - 1 : n;
            cr_assert(take(&verifier, guest, got), "%s", verifier.offence);
        }
        cr_assert_eq(verifier_leave(&verifier, guest), RC_OK);
        expect(&verifier, "no common order");
    }
}

Test(verifier_apart, a_slow_reader_may_lag_behind_but_not_skip, .timeout = 20)
{
    uint32_t slow = find_apart(&slow_crowd);
    cr_assert(layout_is_slow(&slow_crowd, slow));
    for (uint32_t got = 0; got < MESSAGES; got++) {
        struct verifier verifier = verifier_of(&slow_crowd, slow);
        for (uint32_t n = 0; n < got; n++) {
            cr_assert(take(&verifier, slow, n));
        }
        cr_expect(verifier_is_complete(&verifier, sent), "it is not waited for");
        expect(&verifier, NULL);
    }
    struct verifier verifier = verifier_of(&slow_crowd, slow);
    cr_expect_not(take(&verifier, slow, PUBLISHERS), "the first ones are missing");
    expect(&verifier, "lost");
    verifier = verifier_of(&slow_crowd, slow);
    cr_expect(take(&verifier, slow, 1), "which alone shows nothing");
    cr_expect(take(&verifier, slow, 0));
    expect(&verifier, "no common order");
}

Test(verifier_apart, guests_are_compared_with_a_witness_of_another_thread, .timeout = 10)
{
    uint32_t guest = find_apart(&crowd);
    for (int is_wrong = 0; is_wrong <= 1; is_wrong++) {
        struct verifier verifiers[2];
        cr_assert_eq(verifier_init(&verifiers[0], &crowd, 0, guest + 1), RC_OK);
        cr_assert_eq(verifier_init(&verifiers[1], &crowd, guest + 1, crowd.connections - guest - 1), RC_OK);
        for (uint32_t member = 0; member < crowd.connections; member++) {
            for (uint32_t n = 0; n < MESSAGES; n++) {
                cr_assert(take(&verifiers[member > guest], member, n ^ (uint32_t)(is_wrong && member == guest)));
            }
        }
        cr_expect_eq(verifier_finish(verifiers, 2, sent) != NULL, is_wrong);
        verifier_fini(&verifiers[0]);
        verifier_fini(&verifiers[1]);
    }
}
