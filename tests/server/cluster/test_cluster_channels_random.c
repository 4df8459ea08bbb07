/* tests/server/cluster/test_cluster_channels_random.c - some nodes, channels and publishers, and all that may happen
 * to them and to Redis, at random, for many seeds; and that the judge is not blind. RINGCAST_LONG=1: a hundred times
 * as many, RINGCAST_SEED=N: this one. */
#include "tests/support/cluster_sim.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define STEPS      600
#define SEEDS      60
#define PUBLISHERS 2

static uint32_t random_below(uint64_t *state, uint32_t bound)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((*state >> 33) % bound);
}

static void something_moves(struct sim *sim, uint64_t *state)
{
    uint32_t node = random_below(state, SIM_NODES);
    switch (random_below(state, 6)) {
    case 0:
        sim_send(sim, node);
        break;
    case 1:
        sim_redis_takes_names(sim, node);
        break;
    case 2:
    case 3:
        sim_node_takes_push(sim, node);
        break;
    case 4:
        sim_redis_takes_question(sim, node);
        break;
    default:
        sim_node_takes_answer(sim, node);
    }
}

static void somebody_acts(struct sim *sim, uint64_t *state)
{
    uint32_t node = random_below(state, SIM_NODES), channel = random_below(state, SIM_CHANNELS);
    switch (random_below(state, 10)) {
    case 8:
        sim_enter_again(sim, node, channel);
        break;
    case 9:
        sim_give_up(sim, node, channel);
        break;
    case 0:
        sim_leave(sim, node, channel);
        break;
    case 1:
    case 2:
        sim_enter(sim, node, channel, random_below(state, 2) == 0);
        break;
    case 3:
        sim_publish(sim, random_below(state, PUBLISHERS), channel, 1, false);
        break;
    default:
        sim_publish(sim, random_below(state, PUBLISHERS), channel, 1 + random_below(state, 4), true);
    }
}

/* Connections end, or Redis forgets something too. */
static void something_breaks(struct sim *sim, uint64_t *state, bool may_forget)
{
    uint32_t node = random_below(state, SIM_NODES), channel = random_below(state, SIM_CHANNELS - 1);
    switch (random_below(state, may_forget ? 12 : 5)) {
    case 0:
        sim_end_b(sim, node);
        break;
    case 1:
        sim_end_a(sim, node);
        break;
    case 2:
        sim_end_b(sim, node);
        sim_end_a(sim, node);
        break;
    case 3:
        sim_node_takes_error(sim, node);
        break;
    case 4:
        sim_unsubscribe_unasked(sim, node, channel);
        break;
    case 5:
        sim_delete(sim, channel);
        break;
    case 6:
        sim_flush(sim);
        break;
    case 7:
        sim_trim(sim, channel, random_below(state, 6));
        break;
    case 8:
        sim_restart(sim, random_below(state, 5));
        break;
    case 9:
        sim_restart(sim, UINT32_MAX);
        break;
    default:
        sim_repeat(sim, random_below(state, PUBLISHERS), channel);
    }
}

static char first[320]; /* what was wrong first */

/* Faults; *losses_r: so many losses were told to those who read to the end. */
static uint32_t play(enum sim_fault fault, uint64_t seed, bool may_forget, uint32_t *losses_r)
{
    struct sim *sim = sim_new(fault, SIM_NODES, 4 * STEPS);
    uint64_t state = seed * 2654435761u + 1;
    uint32_t calm = 1 + random_below(&state, 40); /* how seldom something breaks */
    for (uint32_t i = 0; i < SIM_CHANNELS; i++)
        sim_publish(sim, 0, i, 1,
                    true); /* a channel that has no history yet may have had one, when it is seen again */
    for (uint32_t i = 0; i < STEPS; i++) {
        for (uint32_t moves = random_below(&state, 8); moves > 0; moves--)
            something_moves(sim, &state);
        if (random_below(&state, 2) == 0) somebody_acts(sim, &state);
        if (random_below(&state, calm) == 0) something_breaks(sim, &state, may_forget);
        if (random_below(&state, 30) == 0) sim_wait(sim, random_below(&state, 12000));
        if (random_below(&state, 200) == 0) sim_settle(sim);
    }
    sim_settle(sim);
    const char *words;
    uint32_t faults = sim_judge(sim, &words);
    snprintf(first, sizeof first, "%s", words);
    *losses_r = 0;
    for (uint32_t i = 0; i < SIM_NODES * SIM_CHANNELS; i++)
        *losses_r += sim_losses(sim, i / SIM_CHANNELS, i % SIM_CHANNELS);
    sim_free(sim);
    return faults;
}

static uint64_t seeds(uint64_t *from)
{
    const char *one = getenv("RINGCAST_SEED");
    *from = one != NULL ? strtoull(one, NULL, 10) : 1;
    if (one != NULL) return *from + 1;
    return *from + (getenv("RINGCAST_LONG") != NULL ? 100 * SEEDS : SEEDS);
}

Test(cluster_channels_random, whatever_happens_nothing_is_missing_untold_and_nothing_comes_twice, .timeout = 600)
{
    uint64_t seed, end = seeds(&seed);
    for (; seed < end; seed++) {
        uint32_t losses;
        uint32_t faults = play(SIM_SOUND, seed, true, &losses);
        cr_assert_eq(faults, 0, "RINGCAST_SEED=%llu: %s", (unsigned long long)seed, first);
    }
}

Test(cluster_channels_random, ends_of_connections_alone_lose_nothing, .timeout = 600)
{
    uint64_t seed, end = seeds(&seed);
    for (; seed < end; seed++) {
        uint32_t losses;
        uint32_t faults = play(SIM_SOUND, seed, false, &losses);
        cr_assert_eq(faults + losses, 0, "RINGCAST_SEED=%llu: %u losses. %s", (unsigned long long)seed, losses,
                     first);
    }
}

/* Method: the same with one thing that is wrong. Not every seed meets it, some must. */
Test(cluster_channels_random, the_judge_finds_what_is_wrong, .timeout = 60)
{
    static const struct {
        enum sim_fault fault;
        const char *what;
    } controls[] = {
        {SIM_NO_TOKENS, "repeats that cannot be told from new messages"},
        {SIM_SAME_GENERATION, "a restart that forgot something and goes on with the same epoch"},
        {SIM_LOSSES_UNTOLD, "losses that readers do not hear of"},
    };
    for (uint32_t i = 0; i < sizeof controls / sizeof *controls; i++) {
        uint32_t found = 0, losses;
        for (uint64_t seed = 1; seed <= 20; seed++)
            found += play(controls[i].fault, seed, true, &losses) > 0;
        cr_expect_gt(found, 2, "%s: found with %u seeds of 20", controls[i].what, found);
    }
}
