/* tests/server/scenario/memory/test_history_memory.c - the crowd of tests/server/scenario/test_history_scenario.c while
 * allocations fail: nothing is left behind, and who is told that it got all got all.
 *
 * Method: that of tests/support/scarce.h. */
#include "tests/support/api_client.h"
#include "tests/support/fake_store.h"
#include "tests/support/history_crowd.h"
#include "tests/support/leaks.h"
#include "tests/support/scarce_steps.h"

#include <criterion/criterion.h>
#include <stdio.h>

static uint32_t one_in;

static void run_scarce(uint32_t steps)
{
    scarce_steps(&crowd_scenario, steps, one_in);
}

Test(history_memory, while_it_is_short_nothing_is_left_behind_and_promises_are_kept, .timeout = 240)
{
    for (uint64_t seed = 1; seed <= 8; seed++) {
        one_in = 10 + 15 * (uint32_t)seed;
        crowd_begin(seed, 1 + (uint32_t)seed % 4, true);
        for (uint32_t life = 0; life < 2; life++) {
            if (life > 0) crowd_stop();
            if (life > 0) crowd_start_again(seed + 1000, 1 + (uint32_t)seed % 3);
            fake_store_settings.fail_one_in = 20;
            crowd_act(400, run_scarce);
            fake_store_settings.fail_one_in = 0;
            crowd_leave();
            crowd_act(100, crowd_run);
        }
        crowd_settle();
        crowd_leave();
        crowd_end();
        expect_no_leaks();
    }
    cr_expect_gt(crowd_counts.recovered, 50);
    cr_expect_gt(crowd_counts.replayed, 50);
    cr_expect_gt(crowd_counts.unkept, 20);
    cr_expect_gt(scarce_failures, 100);
}

/* ---- one message that finds no room ---- */

#define MESSAGES 8 /* then the window has to grow */

static struct scenario scenario;

static void publish(struct api_client *backend)
{
    api_client_publish(backend, "a", "x", "y");
    scenario_settle(&scenario);
}

/* Goal: a message that the store has, and the window has no room for, is in the pages.
 * Method: memory is short while it is published, and enough again for the next ones. */
Test(history_memory, what_the_window_lacks_comes_from_the_store, .timeout = 120)
{
    uint32_t lacking = 0;
    for (uint64_t seed = 1; seed <= 250; seed++) {
        char expected[40], epoch[EPOCH_BYTES + 1];
        fake_store_forget();
        scenario_start(&scenario, seed,
                       (const char *const[]){"--app", CHANNEL_APP, "--shards", "1", "--data-dir", "/nowhere",
                                             "--history", "a durable=yes ttl=10s", NULL});
        struct api_client *backend = api_client_join(&scenario, 0, 65536);
        for (uint32_t i = 0; i < MESSAGES; i++) {
            publish(backend);
        }
        api_client_publish(backend, "a", "x", "y");
        scarce_steps(&scenario, 40, 6);
        scenario_settle(&scenario);
        backend = api_client_join(&scenario, 0, 65536); /* the other one may be closed */
        publish(backend);
        lacking += scenario_counter(&scenario, COUNTER_history_unkept) > 0;
        api_client_get(backend, "/channels/a/history", "limit=4");
        scenario_settle(&scenario);
        const char *page = api_client_last(backend, 200);
        snprintf(epoch, sizeof epoch, "%s", page + strlen("{\"epoch\":\""));
        const struct fake_stored *stored = fake_store_next("a", epoch, MESSAGES - 1);
        for (; stored != NULL; stored = fake_store_next("a", epoch, stored->offset)) {
            snprintf(expected, sizeof expected, "{\"offset\":%lu,", stored->offset);
            cr_expect_not_null(strstr(page, expected), "seed %lu: no %lu in %s", seed, stored->offset, page);
        }
        scenario_pass(&scenario, 100000);
        scenario_stop(&scenario);
    }
    cr_expect_gt(lacking, 0);
}
