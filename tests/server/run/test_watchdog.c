/* tests/server/run/test_watchdog.c - looks at shards that turn, sleep and stand still, at times that the test chooses;
 * log_write() is replaced at link time. */
#include "server/run/watchdog.h"

#include "core/trace.h"
#include "server/run/turn.h"
#include "server/shard/shard.h"
#include "server/system/log.h"
#include "server/system/notify.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LIMIT_MS 2000 /* four looks; two in the longest sleep */

static struct shard shards[2];
static struct watchdog *watchdog;
static uint64_t now_ms = 1000000;
static char logged[65536]; /* since it was last looked at */

void __wrap_log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

void __wrap_log_write(enum log_level level, const char *format, ...)
{
    size_t used = strlen(logged);
    va_list arguments;
    cr_assert_eq(level, LOG_LEVEL_WARN);
    va_start(arguments, format);
    used += (size_t)vsnprintf(logged + used, sizeof logged - used, format, arguments);
    va_end(arguments);
    cr_assert_lt(used + 1, sizeof logged);
    logged[used++] = '\n';
    logged[used] = '\0';
}

static void start(void)
{
    shards[1].index = 1;
    shards[0].hub.homes = shards[1].hub.homes = 2;
    watchdog = watchdog_new(shards, 2, LIMIT_MS, now_ms);
    cr_assert_not_null(watchdog);
}

static void stop(void)
{
    watchdog_free(watchdog);
}

static void turn(uint32_t shard)
{
    counter_add(&shards[shard].counters, COUNTER_turns, 1);
}

static void look_after(uint64_t ms)
{
    now_ms += ms;
    watchdog_look(watchdog, now_ms);
}

/* Both shards stand still meanwhile, but for those that turn. */
static void pass(uint64_t ms, bool first_turns, bool second_turns)
{
    uint32_t period_ms = watchdog_period_ms(watchdog);
    for (uint64_t passed_ms = 0; passed_ms < ms; passed_ms += period_ms) {
        if (first_turns) turn(0);
        if (second_turns) turn(1);
        look_after(period_ms);
    }
}

static uint64_t stuck(void)
{
    return counter_get(watchdog_counters(watchdog), COUNTER_turns_stuck);
}

static void expect_logged(const char *words)
{
    cr_expect_not_null(strstr(logged, words), "\"%s\" is missing in:\n%s", words, logged);
}

TestSuite(watchdog, .init = start, .fini = stop, .timeout = 10);

Test(watchdog, says_nothing_of_shards_that_turn)
{
    pass(100 * LIMIT_MS, true, true);
    cr_expect_str_eq(logged, "");
    cr_expect_eq(stuck(), 0);
}

Test(watchdog, tells_once_of_a_shard_that_stands_still_and_once_that_it_goes_on)
{
    trace_note(&shards[1].trace, (struct trace_event){.kind = TRACE_SENDS, .number = 4711});
    trace_hold(&shards[1].trace, 17);
    pass(LIMIT_MS, true, true);
    pass(LIMIT_MS - watchdog_period_ms(watchdog), true, false);
    cr_expect_str_eq(logged, "");
    pass(10 * LIMIT_MS, true, false);
    cr_expect_eq(stuck(), 1);
    expect_logged("shard 1 has been in one turn for 2500 ms, of which its thread computed for 0 ms\n"
                  "it serves connection 17; what it did last:\n"
                  "  0 ms      submits 4711 sends\n");
    cr_expect_null(strstr(logged, "shard 0"));
    logged[0] = '\0';
    pass(1, true, true);
    cr_expect_str_eq(logged, "shard 1 goes on, after 22000 ms\n");
    pass(LIMIT_MS, true, true);
    cr_expect_eq(stuck(), 1);
}

Test(watchdog, tells_again_of_another_turn)
{
    pass(2 * LIMIT_MS, true, false);
    pass(1, true, true);
    pass(2 * LIMIT_MS, true, false);
    cr_expect_eq(stuck(), 2);
}

/* A process that was stopped, a machine that was suspended: the watchdog stood still too. */
Test(watchdog, does_not_hold_a_shard_to_account_for_time_that_it_lost_itself)
{
    pass(LIMIT_MS - 2 * watchdog_period_ms(watchdog), false, false);
    for (int i = 0; i < 10; i++) {
        look_after(3600000);
    }
    cr_expect_str_eq(logged, "");
    pass(3 * watchdog_period_ms(watchdog), false, false);
    cr_expect_eq(stuck(), 2);
    expect_logged("shard 0 has been in one turn for 2500 ms");
}

Test(watchdog, lets_a_shard_sleep_but_not_for_ever)
{
    for (int i = 0; i < 20; i++) { /* each sleep as long as it may be, and a short turn behind it */
        turn(0);
        shards[0].is_resting = 1;
        pass(TURN_SLEEP_MS_MAX, false, true);
        shards[0].is_resting = 0;
    }
    pass(LIMIT_MS, false, true); /* the sleep before does not count */
    cr_expect_str_eq(logged, "");
    turn(0);
    shards[0].is_resting = 1;
    pass(LIMIT_MS + TURN_SLEEP_MS_MAX, false, true);
    cr_expect_str_eq(logged, "");
    pass(2 * TURN_SLEEP_MS_MAX, false, true);
    cr_expect_eq(stuck(), 1);
    expect_logged("shard 0 does not wake up: it has slept for 3500 ms\nit serves no connection; what it did last:\n");
}

Test(watchdog, leaves_shards_alone_that_have_ended)
{
    shards[1].has_ended = 1;
    pass(10 * LIMIT_MS, true, false);
    cr_expect_str_eq(logged, "");
}

Test(watchdog, looks_often_enough_whatever_the_limit)
{
    static const uint64_t limits_ms[] = {1, 40, 5000, 3600000};
    for (size_t i = 0; i < sizeof limits_ms / sizeof limits_ms[0]; i++) {
        struct watchdog *other = watchdog_new(shards, 2, limits_ms[i], now_ms);
        cr_assert_not_null(other);
        uint32_t period_ms = watchdog_period_ms(other);
        cr_expect(period_ms >= 5 && period_ms <= 1000 && (period_ms == 5 || period_ms <= limits_ms[i] / 4));
        watchdog_free(other);
    }
}

Test(watchdog, all_is_well_unless_a_shard_stands_still)
{
    cr_expect(watchdog_all_is_well(watchdog));
    pass(LIMIT_MS + 1000, true, false);
    cr_expect_not(watchdog_all_is_well(watchdog));
    cr_expect_not_null(strstr(logged, "shard 1 has been in one turn"));
    logged[0] = '\0';
    pass(1000, true, true);
    cr_expect(watchdog_all_is_well(watchdog));
}

/* ---- its thread ---- */

Test(watchdog, is_none_without_a_limit)
{
    char reason[256];
    struct watchdog *none = watchdog;
    cr_assert_eq(watchdog_start(&none, shards, 2, 0, reason, sizeof reason), RC_OK);
    cr_expect_null(none);
    watchdog_stop(none);
    watchdog_free(none);
}

/* The timeout is the assertion. This thread is the shard's. */
Test(watchdog, looks_by_itself)
{
    char reason[256];
    struct watchdog *running;
    shards[0].thread.id = pthread_self();
    shards[0].thread.is_there = true;
    cr_assert_eq(watchdog_start(&running, shards, 1, 20, reason, sizeof reason), RC_OK);
    while (counter_get(watchdog_counters(running), COUNTER_turns_stuck) == 0) {
        usleep(1000);
    }
    watchdog_stop(running);
    expect_logged("shard 0 has been in one turn for ");
    watchdog_free(running);
}

/* A service manager at an abstract name, which wants to hear that all is well five times a second. */
static int listen_as_manager(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int count = snprintf(address.sun_path, sizeof address.sun_path, "@ringcast-test-%ld", (long)getpid());
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    setenv("WATCHDOG_USEC", "400000", 1);
    address.sun_path[0] = '\0';
    int manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)count);
    cr_assert_eq(bind(manager, (struct sockaddr *)&address, bytes), 0);
    return manager;
}

static bool has_heard(int manager)
{
    char text[100];
    ssize_t count = recv(manager, text, sizeof text, 0);
    if (count > 0) cr_assert(count == 10 && memcmp(text, "WATCHDOG=1", 10) == 0);
    return count > 0;
}

/* The timeout is the assertion that it is told; also where nothing is to be told in the log. */
Test(watchdog, tells_the_service_manager_as_long_as_turns_go_on)
{
    char reason[256];
    struct watchdog *running;
    int manager = listen_as_manager();
    shards[0].thread.id = pthread_self();
    shards[0].thread.is_there = true;
    cr_assert_eq(notify_open(reason, sizeof reason), RC_OK);
    cr_assert_eq(watchdog_start(&running, shards, 1, 0, reason, sizeof reason), RC_OK);
    cr_assert_not_null(running);
    cr_expect_leq(watchdog_period_ms(running), 100);
    for (uint32_t told = 0; told < 3; usleep(1000)) {
        turn(0);
        if (has_heard(manager)) told++;
    }
    while (counter_get(watchdog_counters(running), COUNTER_turns_stuck) == 0) {
        usleep(1000);
    }
    while (has_heard(manager)) {
    }
    usleep(500000);
    cr_expect_not(has_heard(manager));
    while (!has_heard(manager)) {
        turn(0);
        usleep(1000);
    }
    watchdog_stop(running);
    watchdog_free(running);
    notify_close();
    close(manager);
}
