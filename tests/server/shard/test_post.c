/* tests/server/shard/test_post.c - falling asleep while a letter comes: it is seen, or its bell is heard.
 *
 * Method: two shards' ends of the post without rings. One thread sends a letter and rings, the other looks whether it
 * may sleep, both from a start in common; what is stored by one and not yet seen by the other is the matter of a few
 * nanoseconds, so it is tried often, with the two a little apart in ever other ways. */
#include "net/ring.h"
#include "server/shard/exchange.h"
#include "server/shard/post.h"
#include "server/shard/shard.h"

#include "core/mailbox.h"

#include <ck_pr.h>
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#define ROUNDS     50000
#define FAR_BYTES  (UINT32_C(32) << 20)
#define FAR_APART  4160 /* another line and another page each time */
#define FAR_STORES 16

static struct exchange exchange;
static struct shard *shards;
static uint32_t arrivals; /* at both barriers of all rounds */
static uint32_t is_rung;
static uint8_t far_of_sender[FAR_BYTES], far_of_sleeper[FAR_BYTES];

void __wrap_ring_doorbell(struct ring *ring, int descriptor);
int __wrap_ring_descriptor(const struct ring *ring);

void __wrap_ring_doorbell(struct ring *ring, int descriptor)
{
    (void)ring, (void)descriptor;
    ck_pr_store_uint(&is_rung, 1);
}

int __wrap_ring_descriptor(const struct ring *ring)
{
    (void)ring;
    return 0;
}

static void post_begin(void)
{
    shards = aligned_alloc(_Alignof(struct shard), 2 * sizeof(struct shard));
    memset(shards, 0, 2 * sizeof(struct shard));
    cr_assert_eq(exchange_init(&exchange, shards, 2, 64), RC_OK);
    for (uint32_t i = 0; i < 2; i++) {
        shards[i].index = i;
        owner_take(&shards[i].owner);
        shards[i].exchange = &exchange;
    }
}

static void post_end(void)
{
    exchange_fini(&exchange, &shards[0].counters);
    free(shards);
}

static void take_letter(void)
{
    struct letter letter;
    cr_assert_eq(mailbox_receive(exchange_mailbox(&exchange, LETTER_LANE_DELIVERIES, 0, 1), &letter, 1), 1);
}

/* Waits for the other at the n-th barrier, and some more. */
static void meet(uint32_t n, uint32_t more)
{
    ck_pr_inc_uint(&arrivals);
    for (uint32_t spins = 0; ck_pr_load_uint(&arrivals) < 2 * n; spins++) {
        if (spins > 2000) sched_yield(); /* the other may have no processor */
        ck_pr_stall();
    }
    for (volatile uint32_t i = 0; i < more; i++) {
    }
}

/* Stores that miss the caches: what is stored next waits behind them, and what is read next does not. */
static void store_far(volatile uint8_t *far, uint32_t round)
{
    for (uint32_t i = 0; i < FAR_STORES; i++) {
        far[(round * FAR_STORES + i) * FAR_APART % FAR_BYTES] = (uint8_t)round;
    }
}

static void *send_letters(void *unused)
{
    static struct message *const body = NULL;
    owner_take(&shards[0].owner);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        meet(2 * round + 1, round / 64 % 64);
        if (round % 2 == 0) store_far(far_of_sender, round);
        post_send(&shards[0], 1, LETTER_DELIVER, body);
        post_ring_doorbells(&shards[0]);
        meet(2 * round + 2, 0);
        /* As one who rings: the other's next store finds the flag's line here, and takes time. */
        ck_pr_store_uint(&shards[1].is_sleeping, 0);
    }
    return unused;
}

Test(post, who_falls_asleep_while_a_letter_comes_sees_it_or_hears_the_bell, .timeout = 120)
{
    pthread_t sender;
    uint32_t missed = 0, slept = 0, seen = 0;
    post_begin();
    memset(far_of_sender, 1, FAR_BYTES); /* no page of it is new in between */
    memset(far_of_sleeper, 1, FAR_BYTES);
    cr_assert_eq(pthread_create(&sender, NULL, send_letters, NULL), 0);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        meet(2 * round + 1, round % 64);
        if (round % 2 == 1) store_far(far_of_sleeper, round);
        bool sleeps = post_may_sleep(&shards[1]);
        meet(2 * round + 2, 0); /* the sender waits for us at the next one */
        bool is_heard = ck_pr_load_uint(&is_rung) != 0;
        slept += sleeps;
        seen += !sleeps;
        missed += sleeps && !is_heard;
        ck_pr_store_uint(&is_rung, 0);
        take_letter();
    }
    cr_assert_eq(pthread_join(sender, NULL), 0);
    cr_expect_eq(missed, 0, "%u of %u letters lay there while the shard slept (%u slept, %u saw it)", missed, ROUNDS,
                 slept, seen);
    post_end();
}

Test(post, a_letter_that_nobody_rang_for_is_told_when_the_sleep_is_over, .timeout = 10)
{
    post_begin();
    cr_assert(post_may_sleep(&shards[1]));
    cr_expect_not(post_is_late(&shards[1]), "nothing came");
    post_send(&shards[0], 1, LETTER_DELIVER, NULL);
    cr_expect(post_is_late(&shards[1]), "it lies there, and nobody has rung");
    post_ring_doorbells(&shards[0]);
    cr_expect_not(post_is_late(&shards[1]), "the bell has been heard");
    post_awake(&shards[1]);
    cr_expect_not(post_may_sleep(&shards[1]), "a letter lies there");
    take_letter();
    post_end();
}
