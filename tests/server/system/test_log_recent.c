/* tests/server/system/test_log_recent.c - the last warnings are kept, and who logs never waits for who reads. */
#include "server/system/log_recent.h"

#include "server/system/log.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct log_recent lines[LOG_RECENT_LINES];

Test(log_recent, warnings_and_errors_are_kept_and_nothing_else, .timeout = 5)
{
    cr_expect_eq(log_recent_read(lines), 0);
    log_recent_keep(1000, LOG_LEVEL_WARN, "shard 0", "first");
    log_recent_keep(2000, LOG_LEVEL_INFO, "shard 0", "calm");
    log_recent_keep(3000, LOG_LEVEL_ERROR, "", "second");
    cr_assert_eq(log_recent_read(lines), 2);
    cr_expect_str_eq(lines[0].text, "first");
    cr_expect_str_eq(lines[0].thread, "shard 0");
    cr_expect_eq(lines[0].time_ms, 1000);
    cr_expect_eq(lines[1].level, LOG_LEVEL_ERROR);
    cr_expect_str_eq(lines[1].text, "second");
}

Test(log_recent, only_the_last_stay_and_long_ones_are_cut, .timeout = 5)
{
    char text[2 * LOG_RECENT_BYTES];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (uint32_t i = 0; i < 3 * LOG_RECENT_LINES; i++) {
        snprintf(text, 10, "%u", i);
        text[strlen(text)] = ' ';
        log_recent_keep(i, LOG_LEVEL_WARN, "a thread with a long name", text);
    }
    cr_assert_eq(log_recent_read(lines), LOG_RECENT_LINES);
    for (uint32_t i = 0; i < LOG_RECENT_LINES; i++)
        cr_expect_eq(lines[i].time_ms, 2 * LOG_RECENT_LINES + i);
    cr_expect_eq(strlen(lines[0].text), LOG_RECENT_BYTES - 1);
    cr_expect_eq(strlen(lines[0].thread), LOG_RECENT_THREAD - 1);
}

Test(log_recent, what_is_logged_is_kept, .timeout = 5)
{
    int null = open("/dev/null", O_WRONLY);
    dup2(null, STDERR_FILENO);
    log_warn("the %s is %d%% full", "disk", 93);
    log_info("all is well");
    cr_assert_eq(log_recent_read(lines), 1);
    cr_expect_str_eq(lines[0].text, "the disk is 93% full");
    cr_expect_eq(lines[0].level, LOG_LEVEL_WARN);
}

static atomic_bool is_over;

static void *log_all_the_time(void *unused)
{
    for (uint64_t i = 0; !atomic_load(&is_over); i++) {
        char text[24];
        snprintf(text, sizeof text, "%lu", i);
        log_recent_keep(i, LOG_LEVEL_WARN, "", text);
    }
    return unused;
}

Test(log_recent, a_line_is_read_whole_while_others_log, .timeout = 30)
{
    pthread_t threads[2];
    for (uint32_t i = 0; i < 2; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, log_all_the_time, NULL), 0);
    for (uint32_t round = 0; round < 2000; round++) {
        uint32_t count = log_recent_read(lines);
        for (uint32_t i = 0; i < count; i++) {
            char text[24];
            snprintf(text, sizeof text, "%lu", lines[i].time_ms);
            cr_assert_str_eq(lines[i].text, text);
        }
    }
    atomic_store(&is_over, true);
    for (uint32_t i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}
