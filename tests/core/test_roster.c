/* tests/core/test_roster.c - a home counts the subscribers of all shards, by form. */
#include "core/roster.h"

#include "core/channel.h"
#include "core/hub.h"
#include "core/letter.h"
#include "core/message.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct hub hub;
static struct roster *roster;

static void make_roster(void)
{
    struct name name = name_of(0, text_of("presence-cache-room"));
    hub_init(&hub, 0, 1);
    roster = hub_make(&hub, &name)->roster;
}

static void free_roster(void)
{
    hub_fini(&hub);
}

TestSuite(roster, .init = make_roster, .fini = free_roster, .timeout = 10);

Test(roster, it_knows_its_channel_and_what_the_name_says)
{
    cr_expect(roster->type.is_presence && roster->type.is_cache && roster->type.needs_auth);
    cr_expect_eq(roster->channel->roster, roster);
    cr_expect_not(roster_is_needed(roster));
}

/* Method: subscribers come and go at random on many shards; a plain table says who is where. */
Test(roster, counts_are_those_of_all_shards, .timeout = 30)
{
    static uint32_t counts[SHARDS_MAX][FORMS_MAX];
    uint32_t all[FORMS_MAX] = {0};
    srandom(3);
    for (int step = 0; step < 20000; step++) {
        uint32_t shard = (uint32_t)random() % SHARDS_MAX;
        enum form form = (enum form)(random() % FORMS_MAX);
        if (random() % 2 && counts[shard][form] > 0) {
            roster_remove(roster, shard, form);
            counts[shard][form]--;
            all[form]--;
        } else {
            cr_assert_eq(roster_add(roster, shard, form), RC_OK);
            counts[shard][form]++;
            all[form]++;
        }
        cr_assert_eq(roster_subscribers(roster), all[FORM_RAW] + all[FORM_EVENT]);
    }
    uint32_t shards = 0;
    for (uint32_t shard = 0; shard < SHARDS_MAX; shard++) {
        shards += counts[shard][FORM_RAW] + counts[shard][FORM_EVENT] + counts[shard][FORM_WATCH] > 0;
    }
    cr_expect_eq(roster->interests_count, shards, "only shards that have readers get letters");
    for (uint32_t i = 0; i < roster->interests_count; i++) {
        const struct interest *interest = &roster->interests[i];
        cr_expect_arr_eq(interest->counts, counts[interest->shard], sizeof interest->counts);
    }
}

Test(roster, a_shard_wants_the_forms_that_it_reads)
{
    struct message message = {.frame_bytes = {[FORM_EVENT] = 5}};
    roster_add(roster, 3, FORM_RAW);
    cr_expect_not(interest_wants(&roster->interests[0], &message));
    roster_add(roster, 3, FORM_EVENT);
    cr_expect_eq(roster->interests_count, 1);
    cr_expect(interest_wants(&roster->interests[0], &message));
    roster_remove(roster, 3, FORM_RAW);
    roster_remove(roster, 3, FORM_EVENT);
    cr_expect_eq(roster->interests_count, 0);
}
