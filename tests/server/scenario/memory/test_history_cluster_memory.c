/* tests/server/scenario/memory/test_history_cluster_memory.c - the crowd of
 * tests/server/scenario/test_history_cluster.c while allocations fail: nothing is left behind, and who is told that it
 * got all got all.
 *
 * Method: that of tests/support/scarce.h. */
#include "tests/support/fake_cluster.h"
#include "tests/support/history_crowd.h"
#include "tests/support/leaks.h"
#include "tests/support/scarce_steps.h"
#include "tests/support/sized.h"

#include <criterion/criterion.h>

static uint32_t one_in;

static void run_scarce(uint32_t steps)
{
    scarce_steps(&crowd_scenario, steps, one_in);
}

Test(history_cluster_memory, while_it_is_short_nothing_is_left_behind_and_promises_are_kept, .timeout = 1200)
{
    for (uint64_t seed = 1; seed <= sized(4, 60); seed++) {
        one_in = 10 + 15 * (uint32_t)(seed % 8);
        crowd_begin_in_cluster(seed, 1 + (uint32_t)seed % 4, true);
        for (uint32_t life = 0; life < 2; life++) {
            if (life > 0) crowd_stop();
            if (life > 0) crowd_start_again(seed + 1000, 1 + (uint32_t)seed % 3);
            fake_cluster_settings.fail_one_in = 20;
            crowd_act(400, run_scarce);
            fake_cluster_settings.fail_one_in = 0;
            crowd_leave();
            crowd_act(100, crowd_run);
        }
        crowd_settle();
        crowd_leave();
        crowd_end();
        fake_cluster_forget();
        expect_no_leaks();
    }
    cr_expect_gt(crowd_counts.recovered, 20);
    cr_expect_gt(crowd_counts.replayed, 20);
    cr_expect_gt(fake_cluster_counts.reads, 20);
    cr_expect_gt(scarce_failures, 100);
}
