/* tests/server/run/test_limits.c - how many connections and shards the machine lets us have, and what we say when it
 * does not. Each test runs in a process of its own, whose limits it may lower. */
#include "server/run/limits.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>

static char warning[600], reason[600];
static struct cgroup_limits cgroup = {.cpus = CGROUP_NONE, .memory_bytes = CGROUP_NONE};

static void limit_descriptors(rlim_t soft, rlim_t hard)
{
    struct rlimit limit = {.rlim_cur = soft, .rlim_max = hard};
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* With one --listen, as always. */
static enum rc settle(struct options *options, uint32_t *slots_max_r)
{
    options->listen.count = 1;
    memset(warning, '!', sizeof warning - 1);
    return limits_settle(options, &cgroup, slots_max_r, warning, sizeof warning, reason, sizeof reason);
}

Test(limits, the_soft_limit_of_descriptors_is_raised_to_the_hard_one, .timeout = 5)
{
    struct options options = {.shards = 1};
    struct rlimit limit;
    uint32_t slots_max;
    limit_descriptors(100, 500);
    cr_assert_eq(settle(&options, &slots_max), RC_OK);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    cr_expect_eq(limit.rlim_cur, 500);
    cr_expect_str_eq(warning, "");
}

Test(limits, what_is_possible_follows_from_descriptors_and_shards, .timeout = 5)
{
    static const struct {
        rlim_t descriptors;
        uint32_t shards, asked, connections_max;
        bool is_lowered;
    } cases[] = {
        {1600, 1, 0, 1500, false},     {1600, 4, 0, 6000, false},    {1600, 4, 6000, 6000, false},
        {1600, 4, 6001, 6000, true},   {1600, 4, 100, 100, false},   {1600, 1, 1, 1, false},
        {1600, 2, 100000, 3000, true}, {1600, 2, 3000, 3000, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct options options = {.shards = cases[i].shards, .connections_max = cases[i].asked};
        uint32_t slots_max;
        if (i == 0) limit_descriptors(cases[i].descriptors, cases[i].descriptors);
        cr_assert_eq(settle(&options, &slots_max), RC_OK);
        cr_expect_eq(options.connections_max, cases[i].connections_max, "case %zu: %u", i, options.connections_max);
        cr_expect_eq(warning[0] != '\0', cases[i].is_lowered, "case %zu: %s", i, warning);
        if (cases[i].is_lowered) cr_expect_not_null(strstr(warning, "ulimit -n"));
        cr_expect_leq(slots_max, cases[i].descriptors, "the kernel refuses a longer table");
        /* All may come to one shard, and one more than connections_max, to be told. */
        uint32_t needed = options.connections_max + 1;
        cr_expect(slots_max >= needed || slots_max == cases[i].descriptors, "case %zu: %u slots", i, slots_max);
    }
}

Test(limits, too_few_descriptors_name_cause_and_cure, .timeout = 5)
{
    struct options options = {.shards = 4};
    uint32_t slots_max;
    limit_descriptors(40, 40);
    cr_assert_eq(settle(&options, &slots_max), RC_EKERNEL);
    cr_expect_not_null(strstr(reason, "RLIMIT_NOFILE is 40"));
    cr_expect_not_null(strstr(reason, "--shards"));
    options.shards = 1; /* 41 are needed */
    cr_expect_eq(settle(&options, &slots_max), RC_EKERNEL);
}

Test(limits, addresses_of_the_api_take_a_thread_of_their_own, .timeout = 5)
{
    struct options options = {.shards = 1};
    uint32_t slots_max;
    limit_descriptors(49, 49);
    cr_expect_eq(settle(&options, &slots_max), RC_OK); /* 41 are needed */
    options.control.count = 1;                         /* 9 more */
    cr_expect_eq(settle(&options, &slots_max), RC_EKERNEL);
    cr_expect_not_null(strstr(reason, "at least 50 descriptors"));
}

Test(limits, without_a_number_there_is_a_shard_for_each_cpu_we_may_use, .timeout = 5)
{
    struct options options = {.shards = 0};
    uint32_t slots_max;
    cpu_set_t all, one;
    cr_assert_eq(sched_getaffinity(0, sizeof all, &all), 0);
    cr_assert_eq(settle(&options, &slots_max), RC_OK);
    cr_expect_eq(options.shards, (uint32_t)CPU_COUNT(&all));

    int cpu = 0;
    while (!CPU_ISSET(cpu, &all)) {
        cpu++;
    }
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    cr_assert_eq(sched_setaffinity(0, sizeof one, &one), 0);
    options = (struct options){.shards = 0};
    cr_assert_eq(settle(&options, &slots_max), RC_OK);
    cr_expect_eq(options.shards, 1);
}

Test(limits, a_quota_of_cpu_time_bounds_the_default_alone, .timeout = 5)
{
    struct options options = {.shards = 0};
    uint32_t slots_max;
    cgroup.cpus = 1;
    cr_assert_eq(settle(&options, &slots_max), RC_OK);
    cr_expect_eq(options.shards, 1);
    options = (struct options){.shards = 7};
    cr_assert_eq(settle(&options, &slots_max), RC_OK);
    cr_expect_eq(options.shards, 7, "whoever says a number means it");
}

Test(limits, buffers_that_need_more_than_half_of_the_memory_are_told_with_both_figures, .timeout = 5)
{
    struct options options = {.shards = 128, .receive_buffers = 1024, .mailbox_letters = 2048};
    cgroup.memory_bytes = 512 * MIB;
    limits_weigh(&options, &cgroup, warning, sizeof warning);
    /* Mailboxes alone: 2 lanes x 128 x 127 pairs x 2048 letters of 16 bytes are 1016 MiB, receive buffers 256. */
    cr_expect_not_null(strstr(warning, "the buffers of 128 shards need up to 1"), "%s", warning);
    cr_expect_not_null(strstr(warning, "its control group has 512 MiB of memory: start fewer --shards"), "%s",
                       warning);
    options.shards = 2;
    limits_weigh(&options, &cgroup, warning, sizeof warning);
    cr_expect_str_eq(warning, "");
    options.shards = 256;
    options.receive_buffers = 32768;
    options.mailbox_letters = 65536;
    cgroup.memory_bytes = CGROUP_NONE;
    limits_weigh(&options, &cgroup, warning, sizeof warning); /* 272 GiB */
    cr_expect_not_null(strstr(warning, "this machine has"), "%s", warning);
}
