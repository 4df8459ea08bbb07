/* tests/bench/load/test_verifier.c - what is right passes, and every planted offence is found: loss,
 * repetition, disorder.
 *
 * Method: a script of deliveries is made as a correct server would, then one thing in it is spoiled. Those who come
 * and go are in test_verifier_apart.c. */
#include "bench/load/verifier.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define PUBLISHERS_MAX 16
#define VERIFIERS_MAX  3

struct delivery {
    uint32_t member;
    uint32_t publisher;
    uint32_t sequence;
};

struct script {
    struct layout layout;
    struct delivery *deliveries; /* member by member, in the order in which each gets them */
    uint32_t count;
    uint32_t sent[PUBLISHERS_MAX];
};

/* Publishers speak in turn, which is also the order that all members see. */
static struct script script_of(struct layout layout, uint32_t messages)
{
    struct script script = {.layout = layout};
    script.deliveries =
        calloc((size_t)layout.connections * messages + 1, sizeof script.deliveries[0]); /* one for a test to add */
    cr_assert_not_null(script.deliveries);
    for (uint32_t member = 0; member < layout.connections; member++) {
        for (uint32_t i = 0; i < messages; i++) {
            uint32_t publisher = i % layout.publishers;
            if (layout_room(&layout, publisher) != layout_room(&layout, member)) continue;
            if (publisher == member && !layout.has_echo) continue;
            script.deliveries[script.count++] = (struct delivery){member, publisher, i / layout.publishers};
        }
    }
    for (uint32_t i = 0; i < messages; i++) {
        script.sent[i % layout.publishers]++;
    }
    return script;
}

/* The place of a member's n-th delivery. */
static struct delivery *find(struct script *script, uint32_t member, uint32_t n)
{
    for (uint32_t i = 0; i < script->count; i++) {
        if (script->deliveries[i].member == member && n-- == 0) return &script->deliveries[i];
    }
    cr_assert_fail("member %u has no such delivery", member);
    return NULL;
}

static void take_out(struct script *script, struct delivery *delivery)
{
    struct delivery *end = script->deliveries + script->count--;
    memmove(delivery, delivery + 1, (size_t)(end - delivery - 1) * sizeof *delivery);
}

static void swap(struct delivery *a, struct delivery *b)
{
    struct delivery kept = *a;
    *a = *b;
    *b = kept;
}

/* Runs the script with its members dealt out to so many verifiers. The offence, "" for none. */
static const char *verdict_of(const struct script *script, uint32_t verifiers_count)
{
    static char offence[sizeof((struct verifier *)NULL)->offence];
    struct verifier verifiers[VERIFIERS_MAX];
    bool is_right = true;
    uint32_t all = script->layout.connections;
    for (uint32_t v = 0; v < verifiers_count; v++) {
        uint32_t first = all * v / verifiers_count, end = all * (v + 1) / verifiers_count;
        cr_assert_eq(verifier_init(&verifiers[v], &script->layout, first, end - first), RC_OK);
        for (uint32_t i = 0; is_right && i < script->count; i++) {
            const struct delivery *delivery = &script->deliveries[i];
            if (delivery->member < first || delivery->member >= end) continue;
            is_right = verifier_take(&verifiers[v], delivery->member, delivery->publisher, delivery->sequence);
        }
    }
    const char *found = verifier_finish(verifiers, verifiers_count, script->sent);
    cr_expect(found != NULL || is_right, "an offence is not forgotten");
    snprintf(offence, sizeof offence, "%s", found != NULL ? found : "");
    for (uint32_t v = 0; v < verifiers_count; v++) {
        verifier_fini(&verifiers[v]);
    }
    return offence;
}

/* Runs the script and frees it. */
static const char *verdict(struct script *script)
{
    const char *offence = verdict_of(script, 1);
    free(script->deliveries);
    return offence;
}

static const struct layout layouts[] = {
    {.connections = 1, .rooms = 1, .publishers = 1, .has_echo = true},
    {.connections = 10, .rooms = 1, .publishers = 1, .has_echo = false},
    {.connections = 10, .rooms = 1, .publishers = 9, .has_echo = false},
    {.connections = 10, .rooms = 1, .publishers = 10, .has_echo = true},
    {.connections = 17, .rooms = 4, .publishers = 13, .has_echo = false},
    {.connections = 17, .rooms = 4, .publishers = 3, .has_echo = true},
};

/* One room, two publishers: 0 and 1 speak in turn. */
static const struct layout loud = {.connections = 6, .rooms = 1, .publishers = 2, .has_echo = true};
static const struct layout quiet = {.connections = 6, .rooms = 1, .publishers = 3, .has_echo = false};

Test(verifier, what_is_right_passes, .timeout = 10)
{
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
        struct script script = script_of(layouts[i], 200);
        cr_expect_str_eq(verdict(&script), "", "layout %zu", i);
    }
}

Test(verifier, a_run_longer_than_the_kept_positions_passes, .timeout = 20)
{
    struct layout layout = {.connections = 3, .rooms = 1, .publishers = 2, .has_echo = true};
    struct script script = script_of(layout, 70000);
    cr_expect_str_eq(verdict(&script), "");
}

Test(verifier, any_lost_message_is_found_at_any_member, .timeout = 20)
{
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
        for (uint32_t member = 0; member < layouts[i].connections; member++) {
            /* The first, one in the middle, the last. */
            for (int place = 0; place < 3; place++) {
                struct script script = script_of(layouts[i], 40);
                uint32_t own = 0;
                for (uint32_t d = 0; d < script.count; d++) {
                    own += script.deliveries[d].member == member;
                }
                if (own > 0)
                    take_out(&script, find(&script, member, place == 2 ? own - 1 : place == 1 ? own / 2 : 0));
                const char *offence = verdict(&script);
                cr_expect_eq(own > 0, offence[0] != '\0', "layout %zu member %u place %d", i, member, place);
            }
        }
    }
}

Test(verifier, a_repeated_message_is_found, .timeout = 10)
{
    const struct layout both[] = {loud, quiet};
    for (size_t i = 0; i < 2; i++) {
        for (uint32_t member = 0; member < 6; member++) {
            struct script script = script_of(both[i], 40);
            *find(&script, member, 7) = *find(&script, member, 6);
            cr_expect_not_null(strstr(verdict(&script), "again"), "member %u", member);
        }
    }
}

Test(verifier, a_repeated_last_message_is_found, .timeout = 10)
{
    struct script script = script_of(loud, 40);
    script.deliveries[script.count] = script.deliveries[script.count - 1];
    script.count++;
    cr_expect_not_null(strstr(verdict(&script), "again"));
}

Test(verifier, another_order_of_two_publishers_is_found_at_a_member_that_sees_all, .timeout = 10)
{
    for (uint32_t member = 0; member < loud.connections; member++) {
        struct script script = script_of(loud, 40);
        swap(find(&script, member, 10), find(&script, member, 11)); /* different publishers: the counts stay right */
        cr_expect_not_null(strstr(verdict(&script), "no common order"), "member %u", member);
    }
}

Test(verifier, another_order_is_found_at_a_publisher_without_echo, .timeout = 10)
{
    for (uint32_t member = 0; member < quiet.connections; member++) {
        struct script script = script_of(quiet, 60);
        /* For a publisher two neighbours are of the two others; for a listener of any two. */
        swap(find(&script, member, 10), find(&script, member, 11));
        cr_expect_not_null(strstr(verdict(&script), "no common order"), "member %u", member);
    }
}

Test(verifier, two_messages_of_one_publisher_changed_are_found, .timeout = 10)
{
    struct script script = script_of(loud, 40);
    swap(find(&script, 4, 10), find(&script, 4, 12));
    cr_expect_not_null(strstr(verdict(&script), "lost, or out of order"));
}

Test(verifier, disorder_older_than_the_kept_positions_is_found_at_the_end, .timeout = 20)
{
    struct layout layout = {.connections = 2, .rooms = 1, .publishers = 2, .has_echo = true};
    struct script script = script_of(layout, 70000);
    swap(find(&script, 1, 10), find(&script, 1, 11));
    cr_expect_not_null(strstr(verdict(&script), "no common order"));
}

Test(verifier, a_message_of_another_room_is_found, .timeout = 10)
{
    struct layout layout = {.connections = 6, .rooms = 2, .publishers = 2, .has_echo = false};
    struct script script = script_of(layout, 40);
    find(&script, 4, 3)->publisher = 1;
    cr_expect_not_null(strstr(verdict(&script), "of room 1"));
}

Test(verifier, an_echo_where_none_is_due_and_the_other_way_round_are_named, .timeout = 10)
{
    struct script echoed = script_of(loud, 40);
    echoed.layout.has_echo = false;
    cr_expect_not_null(strstr(verdict(&echoed), "--echo yes"));
    struct script silent = script_of(quiet, 40);
    silent.layout.has_echo = true;
    cr_expect_not_null(strstr(verdict(&silent), "--echo no"));
}

Test(verifier, somebody_who_publishes_nothing_is_found, .timeout = 10)
{
    struct script script = script_of(loud, 40);
    find(&script, 3, 3)->publisher = 5;
    cr_expect_not_null(strstr(verdict(&script), "publishes nothing"));
}

Test(verifier, what_would_need_too_much_memory_is_refused, .timeout = 10)
{
    struct verifier verifier;
    struct layout layout = {.connections = 1u << 20, .rooms = 1, .publishers = 1u << 10, .has_echo = true};
    cr_expect_eq(verifier_init(&verifier, &layout, 0, layout.connections), RC_ETOOBIG);
    verifier_fini(&verifier);
}

Test(verifier, messages_of_other_parts_and_other_loads_are_found, .timeout = 10)
{
    static const struct {
        uint32_t part;
        const char *words;
    } cases[] = {{0, "connection 1 of room 1 got a message of room 2, from connection 8"}, {3, "another load"}};
    const struct layout whole = {.connections = 18, .rooms = 6, .publishers = 12, .has_echo = true};
    const struct layout part = layout_part(&whole, 1, 2), other = layout_part(&whole, 0, 2);
    cr_assert_eq(layout_number(&other, 4), 8);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct verifier verifier;
        cr_assert_eq(verifier_init(&verifier, &part, 0, part.connections), RC_OK);
        cr_expect(verifier_take(&verifier, 0, 1u << LAYOUT_MEMBERS_BITS, 0));
        cr_expect_not(verifier_take(&verifier, 0, cases[i].part << LAYOUT_MEMBERS_BITS | 4, 0));
        cr_expect_not_null(strstr(verifier.offence, cases[i].words), "%s", verifier.offence);
        verifier_fini(&verifier);
    }
}

/* Nothing, a loss, a repetition, another order: at every member, however many verifiers have the members. */
Test(verifier, several_find_what_one_finds, .timeout = 60)
{
    const struct layout both[] = {loud, quiet};
    for (size_t i = 0; i < 2; i++) {
        for (uint32_t spoiled = 0; spoiled < 4 * 6; spoiled++) {
            struct script script = script_of(both[i], 40);
            struct delivery *delivery = find(&script, spoiled / 4, 10);
            if (spoiled % 4 == 1) take_out(&script, delivery);
            if (spoiled % 4 == 2) delivery[1] = delivery[0];
            if (spoiled % 4 == 3) swap(&delivery[0], &delivery[1]);
            for (uint32_t count = 1; count <= VERIFIERS_MAX; count++) {
                const char *offence = verdict_of(&script, count);
                cr_expect_eq(offence[0] != '\0', spoiled % 4 != 0, "layout %zu, case %u, %u verifiers", i, spoiled,
                             count);
            }
            free(script.deliveries);
        }
    }
}
