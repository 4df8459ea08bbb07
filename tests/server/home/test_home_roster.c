/* tests/server/home/test_home_roster.c - when a roster has something to do: what is due first counts, and a log's word
 * is taken as it stands. */
#include "server/home/home_roster.h"

#include "core/channel.h"
#include "core/message.h"
#include "core/roster.h"
#include "server/shard/shard.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define NEVER UINT64_MAX

static struct shard *shard;
static struct channel channel;
static struct roster roster;
static struct message *const an_event = (struct message *)&channel; /* whether there is one is all that is asked, */
static struct channel_log *const a_log = (struct channel_log *)&channel; /* of a log too */

static void begin(void)
{
    shard = aligned_alloc(_Alignof(struct shard), sizeof *shard);
    memset(shard, 0, sizeof *shard);
    owner_take(&shard->owner);
    timer_wheel_init(&shard->home.timers, 0);
    roster = (struct roster){.channel = &channel};
}

static void end(void)
{
    free(shard);
}

static uint64_t wakes_at_ms(void)
{
    home_set_timer(shard, &roster);
    return timer_wheel_wake_at_ms(&shard->home.timers);
}

Test(home_roster, has_nothing_to_do_without_anything, .timeout = 5, .init = begin, .fini = end)
{
    roster.log_due_ms = 64; /* of a log that is gone */
    cr_expect_eq(wakes_at_ms(), NEVER);
}

Test(home_roster, takes_the_logs_word, .timeout = 5, .init = begin, .fini = end)
{
    roster.log = a_log;
    roster.log_due_ms = 640;
    cr_expect_eq(wakes_at_ms(), 640);
    roster.log_due_ms = 320;
    cr_expect_eq(wakes_at_ms(), 320);
    roster.log_due_ms = NEVER;
    cr_expect_eq(wakes_at_ms(), NEVER);
}

Test(home_roster, wakes_for_what_is_due_first, .timeout = 5, .init = begin, .fini = end)
{
    roster.log = a_log;
    roster.log_due_ms = 640;
    roster.kept = an_event;
    roster.kept_until_ms = 320;
    cr_expect_eq(wakes_at_ms(), 320);
    roster.kept_until_ms = 960;
    cr_expect_eq(wakes_at_ms(), 640);
    roster.has_count_changed = true;
    roster.told_ms = 64;
    cr_expect_eq(wakes_at_ms(), 640);
    roster.log_due_ms = NEVER;
    roster.kept = NULL;
    uint64_t due_ms = roster.told_ms + COUNT_EVERY_MS;
    cr_expect_geq(wakes_at_ms(), due_ms);
    cr_expect_lt(wakes_at_ms(), due_ms + TIMER_TICK_MS);
}

Test(home_roster, settles_once_a_turn, .timeout = 5, .init = begin, .fini = end)
{
    cr_expect(home_settle_later(shard, &roster));
    cr_expect(home_settle_later(shard, &roster));
    cr_expect_eq(shard->home.settling_count, 1);
    cr_expect_eq(shard->home.settling[0], &roster);
    free(shard->home.settling);
}
