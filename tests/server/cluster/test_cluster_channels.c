/* tests/server/cluster/test_cluster_channels.c - a channel enters, takes pushes, fills gaps, is told as lost and is
 * left. */
#include "tests/support/cluster_sim.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static void expect_sound(struct sim *sim)
{
    const char *first;
    sim_settle(sim);
    cr_expect_eq(sim_judge(sim, &first), 0, "%s", first);
}

static struct sim *one_reader(uint32_t messages_max)
{
    struct sim *sim = sim_new(SIM_SOUND, 1, messages_max);
    sim_enter(sim, 0, 0, false);
    sim_settle(sim);
    sim_publish(sim, 0, 0, 2, true);
    sim_settle(sim);
    sim_send(sim, 0);
    while (sim_redis_takes_question(sim, 0) && sim_node_takes_answer(sim, 0)) /* of an audit */
        continue;
    cr_assert(sim_is_in(sim, 0, 0));
    return sim;
}

static uint64_t count_of(struct sim *sim, enum counter counter)
{
    return counter_get(sim_counters(sim, 0), counter);
}

/* ---- what one channel does ---- */

Test(cluster_channels, who_enters_is_told_where_the_channel_is_and_then_what_comes, .timeout = 5)
{
    struct sim *sim = sim_new(SIM_SOUND, 1, 2000);
    sim_publish(sim, 0, 0, 3, true);
    sim_enter(sim, 0, 0, false);
    cr_expect_eq(sim_channel(sim, 0, 0)->state, CHANNEL_OUT);
    sim_send(sim, 0);
    cr_expect_eq(sim_channel(sim, 0, 0)->state, CHANNEL_ENTERING);
    sim_redis_takes_names(sim, 0);
    sim_node_takes_push(sim, 0);
    cr_expect_eq(sim_channel(sim, 0, 0)->state, CHANNEL_READING);
    sim_publish(sim, 0, 0, 2, true);
    sim_node_takes_push(sim, 0); /* kept: it may be before the place that is asked for */
    cr_expect_not(sim_is_in(sim, 0, 0));
    sim_send(sim, 0);
    sim_redis_takes_question(sim, 0);
    sim_publish(sim, 0, 0, 1, true);
    sim_node_takes_push(sim, 0);
    sim_node_takes_answer(sim, 0);
    cr_expect_eq(sim_channel(sim, 0, 0)->state, CHANNEL_IN);
    cr_expect_eq(sim_channel(sim, 0, 0)->position.offset, 6);
    cr_expect_eq(sim_messages(sim, 0, 0), 1, "what came behind the place");
    expect_sound(sim);
    cr_expect_eq(sim_losses(sim, 0, 0), 0);
    sim_free(sim);
}

Test(cluster_channels, a_channel_without_history_is_in_at_once_and_nothing_is_read, .timeout = 5)
{
    struct sim *sim = sim_new(SIM_SOUND, 1, 2000);
    sim_enter(sim, 0, SIM_CHANNELS - 1, false);
    sim_send(sim, 0);
    sim_redis_takes_names(sim, 0);
    sim_node_takes_push(sim, 0);
    cr_expect(sim_is_in(sim, 0, SIM_CHANNELS - 1));
    cr_expect_not(sim_send(sim, 0));
    sim_publish(sim, 0, SIM_CHANNELS - 1, 3, false);
    sim_end_b(sim, 0);
    expect_sound(sim);
    sim_publish(sim, 0, SIM_CHANNELS - 1, 2, false);
    expect_sound(sim);
    cr_expect_eq(sim_messages(sim, 0, SIM_CHANNELS - 1), 2);
    sim_free(sim);
}

Test(cluster_channels, what_was_missed_while_a_connection_was_away_is_read_and_nothing_is_lost, .timeout = 5)
{
    struct sim *sim = one_reader(2000);
    sim_end_b(sim, 0);
    for (uint32_t i = 0; i < 5; i++)
        sim_publish(sim, 0, 0, 4, true);
    expect_sound(sim);
    cr_expect_eq(sim_messages(sim, 0, 0), 22);
    cr_expect_eq(sim_losses(sim, 0, 0), 0);
    sim_free(sim);
}

Test(cluster_channels, a_long_gap_is_read_in_pages_and_one_that_is_too_long_is_told, .timeout = 5)
{
    struct sim *sim = one_reader(2000);
    sim_end_b(sim, 0);
    for (uint32_t i = 0; i < 40; i++)
        sim_publish(sim, 0, 0, 8, true);
    expect_sound(sim);
    cr_expect_eq(sim_messages(sim, 0, 0), 322, "more than a page, less than the bound");
    cr_expect_eq(sim_losses(sim, 0, 0), 0);
    sim_end_b(sim, 0);
    for (uint32_t i = 0; i < 120; i++)
        sim_publish(sim, 0, 0, 8, true);
    expect_sound(sim);
    cr_expect_eq(sim_losses(sim, 0, 0), 1);
    sim_free(sim);
}

Test(cluster_channels, a_gap_whose_beginning_was_trimmed_is_told_and_one_that_just_was_not_is_filled, .timeout = 5)
{
    static const struct {
        uint32_t kept, losses;
    } cases[] = {
        {7, 0}, /* the own entry is there */
        {6, 0}, /* it has just gone, and the next one is there */
        {5, 1}, /* that one has gone too */
        {1, 1},
    };
    for (uint32_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sim *sim = one_reader(2000);
        sim_end_b(sim, 0);
        sim_publish(sim, 0, 0, 6, true);
        sim_trim(sim, 0, cases[i].kept);
        expect_sound(sim);
        cr_expect_eq(sim_losses(sim, 0, 0), cases[i].losses, "%u kept", cases[i].kept);
        sim_free(sim);
    }
}

Test(cluster_channels, a_stream_that_was_deleted_is_told_by_its_next_message, .timeout = 5)
{
    struct sim *sim = one_reader(2000);
    sim_delete(sim, 0);
    sim_publish(sim, 0, 0, 2, true);
    sim_node_takes_push(sim, 0);
    cr_expect_eq(sim_losses(sim, 0, 0), 1);
    cr_expect_eq(sim_messages(sim, 0, 0), 4);
    expect_sound(sim);
    sim_free(sim);
}

Test(cluster_channels, a_stream_that_was_deleted_is_told_by_an_audit_when_nothing_more_comes, .timeout = 5)
{
    struct sim *sim = one_reader(2000);
    sim_delete(sim, 0);
    expect_sound(sim);
    cr_expect_eq(sim_losses(sim, 0, 0), 1);
    cr_expect_eq(count_of(sim, COUNTER_cluster_streams_gone), 1);
    cr_expect_eq(sim_channel(sim, 0, 0)->position.epoch, 0);
    sim_free(sim);
}

Test(cluster_channels, an_epoch_that_began_unseen_is_read_from_its_beginning, .timeout = 5)
{
    struct sim *sim = one_reader(2000);
    sim_end_b(sim, 0);
    sim_delete(sim, 0);
    sim_publish(sim, 0, 0, 5, true);
    expect_sound(sim);
    cr_expect_eq(sim_losses(sim, 0, 0), 1);
    cr_expect_eq(sim_messages(sim, 0, 0), 7);
    sim_free(sim);
}

Test(cluster_channels, after_a_restart_that_may_have_forgotten_each_is_told_once_and_nothing_is_read, .timeout = 5)
{
    struct sim *sim = one_reader(2000);
    sim_restart(sim, UINT32_MAX);
    sim_send(sim, 0);
    sim_redis_takes_names(sim, 0);
    sim_node_takes_push(sim, 0);
    cr_expect_not(sim_send(sim, 0), "there is nothing to ask");
    cr_expect_eq(sim_losses(sim, 0, 0), 1);
    sim_publish(sim, 0, 0, 2, true);
    expect_sound(sim);
    cr_expect_eq(sim_losses(sim, 0, 0), 1);
    cr_expect_eq(sim_messages(sim, 0, 0), 4);
    sim_free(sim);
}

Test(cluster_channels, a_publish_that_was_repeated_after_redis_had_forgotten_it_is_handed_out_once, .timeout = 5)
{
    struct sim *sim = one_reader(2000);
    sim_delete(sim, 0);
    sim_repeat(sim, 0, 0);
    sim_publish(sim, 0, 0, 1, true);
    expect_sound(sim);
    cr_expect_eq(sim_messages(sim, 0, 0), 3);
    cr_expect_eq(count_of(sim, COUNTER_cluster_repeats), 2);
    sim_free(sim);
}

Test(cluster_channels, pushes_for_which_there_is_no_room_are_read_instead, .timeout = 5)
{
    struct sim *sim = one_reader(2000);
    sim_end_b(sim, 0);
    sim_publish(sim, 0, 0, 1, true);
    sim_send(sim, 0);
    sim_redis_takes_names(sim, 0);
    sim_node_takes_push(sim, 0);
    sim_send(sim, 0);
    sim_redis_takes_question(sim, 0);
    for (uint32_t i = 0; i < 40; i++) {
        sim_publish(sim, 0, 0, 1, true);
        sim_node_takes_push(sim, 0);
    }
    cr_expect_leq(sim_channel(sim, 0, 0)->kept_bytes, 2048);
    cr_expect_gt(count_of(sim, COUNTER_cluster_pushes_dropped), 0);
    expect_sound(sim);
    cr_expect_eq(sim_messages(sim, 0, 0), 43);
    cr_expect_eq(sim_losses(sim, 0, 0), 0);
    cr_expect_eq(count_of(sim, COUNTER_cluster_audits_failed), 0, "no audit was needed for that");
    sim_free(sim);
}

/* The channel is read anew, and its question is on the way. */
static void fall_behind(struct sim *sim, uint32_t channel)
{
    sim_unsubscribe_unasked(sim, 0, channel);
    sim_node_takes_push(sim, 0);
    sim_send(sim, 0);
    sim_redis_takes_names(sim, 0);
    sim_node_takes_push(sim, 0);
    sim_send(sim, 0);
    while (sim_redis_takes_question(sim, 0))
        continue;
}

/* Method: two other channels take all the room that there is for pushes that wait, and one gives its share back. */
Test(cluster_channels, a_push_that_was_dropped_between_two_that_were_kept_is_read, .timeout = 5)
{
    struct sim *sim = sim_new(SIM_SOUND, 1, 200);
    for (uint32_t i = 0; i < 3; i++) {
        sim_enter(sim, 0, i, false);
        sim_settle(sim);
        sim_publish(sim, 0, i, 1, true);
    }
    sim_settle(sim);
    for (uint32_t i = 3; i-- > 0;)
        fall_behind(sim, i);
    for (uint32_t i = 0; i < 80; i++) {
        sim_publish(sim, 0, 1 + i % 2, 1, true);
        sim_node_takes_push(sim, 0);
    }
    sim_publish(sim, 0, 0, 1, true);
    sim_node_takes_push(sim, 0);
    cr_expect_eq(sim_channel(sim, 0, 0)->kept_bytes, 0, "there was no room");
    while (sim_channel(sim, 0, 2)->kept_bytes > 0 && sim_node_takes_answer(sim, 0))
        continue; /* what the third had kept is handed out */
    sim_publish(sim, 0, 0, 1, true);
    sim_node_takes_push(sim, 0);
    cr_expect_gt(sim_channel(sim, 0, 0)->kept_bytes, 0);
    expect_sound(sim);
    cr_expect_eq(sim_messages(sim, 0, 0), 3);
    cr_expect_eq(sim_losses(sim, 0, 0), 0);
    sim_free(sim);
}

/* Method: Redis' clock was set back before the stream was lost. */
Test(cluster_channels, an_epoch_that_is_smaller_is_no_old_one, .timeout = 5)
{
    struct sim *sim = one_reader(2000);
    struct stream_id at = sim_channel(sim, 0, 0)->position;
    uint32_t text = 1;
    struct cluster_entry entry = {.id = {at.epoch - 1000, 1}, .record = {(const char *)&text, sizeof text}};
    struct name name = sim_channel(sim, 0, 0)->name;
    cluster_channels_push(sim_channels(sim, 0), &name, &entry, 1, 2000000);
    cr_expect_eq(sim_losses(sim, 0, 0), 1);
    cr_expect_eq(sim_channel(sim, 0, 0)->position.epoch, at.epoch - 1000);
    sim_free(sim);
}

/* Method: a push that skips numbers, of which the stream knows nothing: two servers believed to be the master. */
Test(cluster_channels, a_push_that_no_stream_accounts_for_is_told_and_taken, .timeout = 5)
{
    struct sim *sim = one_reader(2000);
    struct stream_id at = sim_channel(sim, 0, 0)->position;
    uint32_t text = 1;
    struct cluster_entry entry = {.id = {at.epoch, at.offset + 7}, .record = {(const char *)&text, sizeof text}};
    struct name name = sim_channel(sim, 0, 0)->name;
    cluster_channels_push(sim_channels(sim, 0), &name, &entry, 1, 2000000);
    cr_expect_eq(sim_channel(sim, 0, 0)->state, CHANNEL_BEHIND);
    sim_send(sim, 0);
    sim_redis_takes_question(sim, 0);
    sim_node_takes_answer(sim, 0);
    cr_expect_eq(sim_channel(sim, 0, 0)->state, CHANNEL_IN);
    cr_expect_eq(sim_losses(sim, 0, 0), 1);
    cr_expect_eq(sim_channel(sim, 0, 0)->position.offset, at.offset + 7);
    sim_free(sim);
}

Test(cluster_channels, a_place_is_made_only_for_who_wants_one, .timeout = 5)
{
    struct sim *sim = sim_new(SIM_SOUND, 1, 2000);
    sim_enter(sim, 0, 0, false);
    sim_enter(sim, 0, 1, true);
    sim_settle(sim);
    cr_expect_eq(sim_channel(sim, 0, 0)->position.epoch, 0);
    cr_expect_neq(sim_channel(sim, 0, 1)->position.epoch, 0);
    sim_leave(sim, 0, 0);
    sim_enter(sim, 0, 0, true);
    cr_expect_not(sim_is_in(sim, 0, 0), "it is still subscribed, but there is no place yet");
    expect_sound(sim);
    cr_expect_neq(sim_channel(sim, 0, 0)->position.epoch, 0);
    sim_free(sim);
}

Test(cluster_channels, a_home_that_is_in_and_waits_in_vain_for_a_place_stays_in, .timeout = 5)
{
    struct sim *sim = sim_new(SIM_SOUND, 1, 20);
    sim_enter(sim, 0, 0, false);
    sim_settle(sim);
    sim_end_b(sim, 0);
    sim_enter_again(sim, 0, 0);
    sim_give_up(sim, 0, 0);
    sim_settle(sim);
    sim_publish(sim, 0, 0, 2, true);
    expect_sound(sim);
    cr_expect_eq(sim_messages(sim, 0, 0), 2);
    sim_free(sim);
}

/* ---- cache channels ---- */

static void subscribe(struct sim *sim)
{
    sim_send(sim, 0);
    sim_redis_takes_names(sim, 0);
    sim_node_takes_push(sim, 0);
}

static void ask(struct sim *sim)
{
    sim_send(sim, 0);
    sim_redis_takes_question(sim, 0);
    sim_node_takes_answer(sim, 0);
}

Test(cluster_channels, who_enters_a_cache_channel_enters_behind_its_last_event, .timeout = 5)
{
    struct sim *sim = sim_new(SIM_SOUND, 1, 20);
    sim_publish(sim, 0, 1, 2, true);
    sim_enter(sim, 0, 1, false);
    subscribe(sim);
    ask(sim);
    cr_expect_not(sim_is_in(sim, 0, 1), "the place is known, the last event is not");
    sim_publish(sim, 0, 1, 1, true);
    ask(sim);
    cr_expect_not(sim_is_in(sim, 0, 1), "nor for how long it is kept");
    ask(sim);
    cr_expect(sim_is_in(sim, 0, 1));
    cr_expect_eq(sim_channel(sim, 0, 1)->position.offset, 3, "it is told as the last event, and not once more");
    expect_sound(sim);
    cr_expect_eq(sim_messages(sim, 0, 1), 0);
    sim_free(sim);
}

Test(cluster_channels, of_a_cache_channel_without_history_nothing_older_comes_behind_its_last_event, .timeout = 5)
{
    struct sim *sim = sim_new(SIM_SOUND, 1, 20);
    sim_enter(sim, 0, SIM_CHANNELS - 1, true);
    subscribe(sim);
    for (uint32_t i = 0; i < 3; i++)
        sim_publish(sim, i % 2, SIM_CHANNELS - 1, 1, false);
    while (sim_node_takes_push(sim, 0))
        continue;
    ask(sim);
    sim_publish(sim, 0, SIM_CHANNELS - 1, 1, false);
    ask(sim);
    cr_expect(sim_is_in(sim, 0, SIM_CHANNELS - 1));
    cr_expect_eq(sim_messages(sim, 0, SIM_CHANNELS - 1), 0);
    expect_sound(sim);
    cr_expect_eq(sim_messages(sim, 0, SIM_CHANNELS - 1), 1, "what came behind it");
    sim_free(sim);
}

Test(cluster_channels, who_comes_back_to_a_cache_channel_is_told_its_last_event_again, .timeout = 5)
{
    struct sim *sim = sim_new(SIM_SOUND, 1, 20);
    sim_enter(sim, 0, 1, false);
    sim_settle(sim);
    sim_leave(sim, 0, 1);
    sim_publish(sim, 0, 1, 1, true);
    sim_enter(sim, 0, 1, false);
    cr_expect_not(sim_is_in(sim, 0, 1));
    expect_sound(sim);
    cr_expect_eq(sim_channel(sim, 0, 1)->position.offset, 1);
    sim_free(sim);
}

/* ---- leaving ---- */

Test(cluster_channels, who_comes_back_within_the_grace_is_in_at_once, .timeout = 5)
{
    struct sim *sim = one_reader(2000);
    sim_leave(sim, 0, 0);
    sim_publish(sim, 0, 0, 3, true);
    sim_node_takes_push(sim, 0);
    sim_enter(sim, 0, 0, false);
    cr_expect(sim_is_in(sim, 0, 0));
    cr_expect_eq(sim_channel(sim, 0, 0)->position.offset, 5, "the place was kept up");
    cr_expect_not(sim_send(sim, 0));
    sim_leave(sim, 0, 0);
    sim_wait(sim, 9000);
    cr_expect_not(sim_send(sim, 0));
    sim_wait(sim, 1200);
    cr_expect(sim_send(sim, 0), "the grace is over");
    cr_expect_eq(sim_channel(sim, 0, 0)->state, CHANNEL_LEAVING);
    sim_redis_takes_names(sim, 0);
    sim_node_takes_push(sim, 0);
    cr_expect_null(sim_channel(sim, 0, 0));
    sim_free(sim);
}

Test(cluster_channels, who_comes_while_the_channel_is_left_enters_anew, .timeout = 5)
{
    struct sim *sim = one_reader(2000);
    sim_leave(sim, 0, 0);
    sim_wait(sim, 11000);
    sim_send(sim, 0);
    sim_enter(sim, 0, 0, false);
    cr_expect_not(sim_is_in(sim, 0, 0));
    sim_publish(sim, 0, 0, 1, true);
    expect_sound(sim);
    cr_expect(sim_is_in(sim, 0, 0));
    sim_free(sim);
}

Test(cluster_channels, only_so_many_stay_without_readers, .timeout = 5)
{
    struct sim *sim = sim_new(SIM_SOUND, 1, 2000);
    for (uint32_t i = 0; i < 3; i++)
        sim_enter(sim, 0, i, false);
    sim_settle(sim);
    for (uint32_t i = 0; i < 3; i++)
        sim_leave(sim, 0, i);
    cr_expect(sim_send(sim, 0), "the bound is two");
    cr_expect_eq(sim_channel(sim, 0, 0)->state, CHANNEL_LEAVING, "the first that was left");
    cr_expect_eq(sim_channel(sim, 0, 1)->state, CHANNEL_IN);
    sim_settle(sim);
    cr_expect_eq(cluster_channels_count(sim_channels(sim, 0)), 0);
    sim_free(sim);
}

Test(cluster_channels, a_channel_without_readers_is_not_entered_again_when_a_connection_has_ended, .timeout = 5)
{
    struct sim *sim = one_reader(2000);
    sim_leave(sim, 0, 0);
    sim_end_b(sim, 0);
    cr_expect_null(sim_channel(sim, 0, 0));
    cr_expect_not(sim_send(sim, 0));
    sim_free(sim);
}

Test(cluster_channels, a_home_that_leaves_before_it_is_in_is_told_so, .timeout = 5)
{
    for (uint32_t steps = 0; steps < 5; steps++) {
        struct sim *sim = sim_new(SIM_SOUND, 1, 2000);
        sim_enter(sim, 0, 0, false);
        for (uint32_t i = 0; i < steps; i++) {
            sim_send(sim, 0);
            (void)(sim_redis_takes_names(sim, 0) || sim_node_takes_push(sim, 0) || sim_redis_takes_question(sim, 0) ||
                   sim_node_takes_answer(sim, 0));
        }
        sim_leave(sim, 0, 0);
        expect_sound(sim);
        cr_expect_null(sim_channel(sim, 0, 0));
        sim_free(sim);
    }
}

/* ---- many names ---- */

static void tell_nothing(void *self, struct cluster_channel *channel, const struct cluster_told *told)
{
    (void)channel;
    *(uint32_t *)self += told->kind == CLUSTER_TOLD_ENTERED;
}

static const struct cluster_channels_limits wide = {.kept_bytes_max = 1 << 20,
                                                    .kept_bytes_each_max = 1 << 20,
                                                    .gap_bytes_max = 1 << 20,
                                                    .grace_ms = 10000,
                                                    .grace_max = 10};

static struct name nth(char text[16], uint32_t n)
{
    int length = snprintf(text, 16, "room-%u", n);
    return name_of(0, (struct text){text, (size_t)length});
}

static void enter(struct cluster_channels *channels, const struct name *name, uint64_t now_ms)
{
    struct cluster_channel *channel = cluster_channels_get(channels, name);
    cr_assert_not_null(channel);
    cluster_channels_enter(channels, channel, &(struct cluster_entering){.serial = 1}, now_ms);
}

Test(cluster_channels, names_go_in_hundreds_one_command_at_a_time, .timeout = 10)
{
    static struct counters counters;
    uint32_t entered = 0;
    struct cluster_channels *channels = cluster_channels_new(&wide, &counters, tell_nothing, &entered);
    char text[16];
    for (uint32_t n = 0; n < 1200; n++) {
        struct name name = nth(text, n);
        enter(channels, &name, 1);
    }
    static struct cluster_channel *names[CLUSTER_NAMES_MAX];
    static const uint32_t expected[] = {500, 500, 200, 0};
    for (uint32_t round = 0; round < 4; round++) {
        bool is_subscribe = false;
        uint32_t count = cluster_channels_names(channels, names, &is_subscribe, 1);
        cr_expect_eq(count, expected[round]);
        for (uint32_t i = 0; i < count; i++) {
            static struct cluster_channel *more[CLUSTER_NAMES_MAX];
            cr_assert_eq(cluster_channels_names(channels, more, &is_subscribe, 1), 0);
            cr_assert_eq(cluster_channels_acknowledged(channels, &names[i]->name, true, 1), RC_OK);
        }
    }
    cr_expect_eq(entered, 1200);
    struct name name = nth(text, 7), unknown = nth(text, 7777);
    name = nth(text, 7);
    cr_expect_eq(cluster_channels_acknowledged(channels, &name, true, 1), RC_EPROTO);
    cr_expect_eq(cluster_channels_acknowledged(channels, &unknown, true, 1), RC_EPROTO);
    cluster_channels_free(channels);
}

Test(cluster_channels, after_a_reconnect_the_busiest_go_first_and_before_them_who_is_waited_for, .timeout = 10)
{
    static struct counters counters;
    uint32_t entered = 0;
    struct cluster_channels *channels = cluster_channels_new(&wide, &counters, tell_nothing, &entered);
    static struct cluster_channel *names[CLUSTER_NAMES_MAX];
    bool is_subscribe;
    char text[16];
    for (uint32_t n = 0; n < 3; n++) {
        struct name name = nth(text, n);
        enter(channels, &name, 1);
    }
    uint32_t count = cluster_channels_names(channels, names, &is_subscribe, 1);
    for (uint32_t i = 0; i < count; i++)
        cluster_channels_acknowledged(channels, &names[i]->name, true, 1);
    static const uint32_t busy[] = {10, 1000, 0};
    for (uint32_t n = 0; n < 3; n++) {
        struct name name = nth(text, n);
        for (uint32_t i = 0; i < busy[n]; i++)
            cluster_channels_push(channels, &name, &(struct cluster_entry){.time_ms = 1}, 1, 1);
    }
    cluster_channels_end(channels, 2);
    struct name late = nth(text, 3);
    enter(channels, &late, 2);
    cr_assert_eq(cluster_channels_names(channels, names, &is_subscribe, 3), 4);
    static const char *order[] = {"room-3", "room-1", "room-0", "room-2"};
    for (uint32_t i = 0; i < 4; i++)
        cr_expect(text_equals(name_text(&names[i]->name), text_of(order[i])), "%u", i);
    cluster_channels_free(channels);
}
