/* tests/server/cluster/test_cluster_channels_order.c - whatever the order in which acknowledgements, pushes, answers
 * and ends come, and homes enter and leave, everything is told once and in order, or that something may be missing:
 * all sequences of some steps are played. RINGCAST_LONG=1: two steps more. */
#include "tests/support/cluster_sim.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* A channel that is read, with two messages. */
static struct sim *one_reader(void)
{
    struct sim *sim = sim_new(SIM_SOUND, 1, 40);
    sim_enter(sim, 0, 0, false);
    sim_settle(sim);
    sim_publish(sim, 0, 0, 2, true);
    sim_settle(sim);
    return sim;
}

typedef bool step(struct sim *sim);

static bool publish_two(struct sim *sim)
{
    return sim_publish(sim, 0, 0, 2, true);
}

static bool publish_placeless(struct sim *sim)
{
    return sim_publish(sim, 1, 0, 1, false);
}

static bool repeat(struct sim *sim)
{
    return sim_repeat(sim, 0, 0);
}

static bool b_goes_on(struct sim *sim)
{
    sim_send(sim, 0);
    return sim_redis_takes_names(sim, 0);
}

static bool b_comes(struct sim *sim)
{
    return sim_node_takes_push(sim, 0);
}

static bool a_goes_on(struct sim *sim)
{
    sim_send(sim, 0);
    return sim_redis_takes_question(sim, 0);
}

static bool a_comes(struct sim *sim)
{
    return sim_node_takes_answer(sim, 0);
}

static bool b_ends(struct sim *sim)
{
    return sim_end_b(sim, 0);
}

static bool a_ends(struct sim *sim)
{
    return sim_end_a(sim, 0);
}

static bool is_deleted(struct sim *sim)
{
    return sim_delete(sim, 0);
}

static bool is_trimmed(struct sim *sim)
{
    return sim_trim(sim, 0, 1);
}

static bool forgets(struct sim *sim)
{
    return sim_restart(sim, 1);
}

static bool home_leaves(struct sim *sim)
{
    return sim_leave(sim, 0, 0);
}

static bool home_enters(struct sim *sim)
{
    return sim_enter(sim, 0, 0, false);
}

static bool home_enters_for_a_place(struct sim *sim)
{
    return sim_enter(sim, 0, 0, true);
}

static bool home_asks_for_a_place(struct sim *sim)
{
    return sim_enter_again(sim, 0, 0);
}

static bool home_gives_up(struct sim *sim)
{
    return sim_give_up(sim, 0, 0);
}

static bool grace_ends(struct sim *sim)
{
    return sim_wait(sim, 11000);
}

static bool is_unsubscribed(struct sim *sim)
{
    return sim_unsubscribe_unasked(sim, 0, 0);
}

struct alphabet {
    const char *what;
    uint32_t length; /* of the sequences */
    uint32_t count;
    step *steps[12];
};

static const struct alphabet alphabets[] = {
    {"pushes, acknowledgements and answers", 7, 5, {publish_two, b_goes_on, b_comes, a_goes_on, a_comes}},
    {"and ends", 5, 7, {publish_two, b_goes_on, b_comes, a_goes_on, a_comes, b_ends, a_ends}},
    {"and what Redis forgets",
     4,
     9,
     {publish_two, repeat, b_goes_on, b_comes, a_goes_on, a_comes, is_deleted, is_trimmed, forgets}},
    {"and messages without a place", 5, 6, {publish_two, publish_placeless, b_goes_on, b_comes, a_goes_on, a_comes}},
    {"coming and going",
     4,
     11,
     {publish_two, b_goes_on, b_comes, a_goes_on, a_comes, home_leaves, home_enters, home_enters_for_a_place,
      grace_ends, is_unsubscribed, b_ends}},
    {"and what a home asks once more",
     5,
     8,
     {b_goes_on, b_comes, a_goes_on, a_comes, home_asks_for_a_place, home_gives_up, home_enters, b_ends}},
};

#define STEPS_MAX 12

/* How many steps of the sequence had something to do: one that has not makes another, shorter sequence. */
static uint32_t play(struct sim *sim, const struct alphabet *alphabet, const uint32_t *sequence, uint32_t length)
{
    uint32_t i = 0;
    while (i < length && alphabet->steps[sequence[i]](sim))
        i++;
    return i;
}

/* The next sequence after all that begin with the first `count` steps of this one. */
static bool next_sequence(const struct alphabet *alphabet, uint32_t *sequence, uint32_t length, uint32_t count)
{
    for (uint32_t i = count; i < length; i++)
        sequence[i] = 0;
    while (count > 0 && ++sequence[count - 1] == alphabet->count)
        sequence[--count] = 0;
    return count > 0;
}

static void expect_sound_after(struct sim *sim, const char *what, const uint32_t *sequence, uint32_t length)
{
    const char *first;
    sim_settle(sim);
    if (sim_judge(sim, &first) == 0) return;
    char steps[4 * STEPS_MAX] = "";
    for (uint32_t i = 0, at = 0; i < length; i++)
        at += (uint32_t)snprintf(steps + at, sizeof steps - at, " %u", (unsigned)sequence[i]);
    cr_assert_fail("%s:%s: %s", what, steps, first);
}

static uint32_t play_all(const struct alphabet *alphabet, uint32_t length, bool begins_in)
{
    uint32_t played = 0, sequence[STEPS_MAX] = {0}, done = length;
    do {
        struct sim *sim = begins_in ? one_reader() : sim_new(SIM_SOUND, 1, 40);
        if (!begins_in) sim_enter(sim, 0, 0, false);
        done = play(sim, alphabet, sequence, length);
        if (done == length) expect_sound_after(sim, alphabet->what, sequence, length);
        played += done == length;
        sim_free(sim);
    } while (next_sequence(alphabet, sequence, length, done < length ? done + 1 : length));
    return played;
}

Test(cluster_channels_order, whatever_the_order_nothing_is_missing_untold_and_nothing_comes_twice, .timeout = 900)
{
    uint32_t more = getenv("RINGCAST_LONG") != NULL ? 2 : 0;
    for (uint32_t i = 0; i < sizeof alphabets / sizeof *alphabets; i++) {
        uint32_t length = alphabets[i].length + more;
        uint32_t entering = play_all(&alphabets[i], length, false), in = play_all(&alphabets[i], length, true);
        cr_expect_gt(entering, 20, "%s", alphabets[i].what);
        cr_expect_gt(in, 20, "%s", alphabets[i].what);
    }
}
