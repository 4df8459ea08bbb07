/* tests/server/scenario/test_reload_request.c - reloads by number: what is answered to whoever asks for one, and one
 * after the other. What a reload does to a server is in tests/server/scenario/test_reload.c. */
#include "server/run/reload.h"

#include "server/config/config.h"
#include "tests/support/config_folder.h"
#include "tests/support/leaks.h"
#include "tests/support/scenario.h"

#include <signal.h>

#define TEXT_BYTES 4096

static const char *const words[] = {"--listen", "127.0.0.1:0", "--config", "a.conf", "--shards", "2", NULL};
static struct scenario scenario;
static struct reload *reload;
static char text[TEXT_BYTES];

/* A server by this file, which is to hear of signals here. */
static void start(const char *config)
{
    static const char *argv[16] = {"ringcast"};
    int argc = 1;
    sigset_t set;
    struct options options;
    enter_folder();
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    for (; words[argc - 1] != NULL; argc++)
        argv[argc] = words[argc - 1];
    cr_assert_eq(read_text(&options, config), RC_OK, "%s", error);
    options_fini(&options);
    cr_assert_eq(options_read(&options, argc, (char *const *)argv, NULL, error, sizeof error), RC_OK, "%s", error);
    reload = reload_new(&options, argc, (char *const *)argv, NULL);
    cr_assert_not_null(reload);
    options_fini(&options);
    scenario_start(&scenario, 1, (const char *const[]){"--config", "a.conf", "--shards", "2", NULL});
}

static void stop(void)
{
    scenario_stop(&scenario);
    reload_free(reload);
    leave_folder();
    expect_no_leaks();
}

/* What the main thread does until there is nothing more to do. */
static void go_on(void)
{
    while (reload_go_on(reload, &scenario.server, false))
        scenario_step(&scenario, 20);
}

static bool hears_signal(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    return sigtimedwait(&set, NULL, &(struct timespec){0}) == SIGHUP;
}

static enum rc result(uint64_t number)
{
    return reload_result(reload, number, text, sizeof text);
}

static uint64_t ping_ms(void)
{
    return scenario.server.shards[1].options->ping_ms;
}

Test(reload_request, who_asks_for_one_is_told_what_it_has_changed, .timeout = 30)
{
    start("");
    write_file("a.conf", "[limits]\nping_ms=30s\nmailbox_letters=4096\n[tls]\nhandshakes=3\n");
    uint64_t number = reload_request(reload);
    cr_expect(hears_signal());
    cr_expect_eq(result(number), RC_PENDING);
    reload_begin(reload, &scenario.server, false);
    cr_expect_eq(result(number), RC_PENDING, "no shard has taken it");
    cr_expect_eq(ping_ms(), 25000);
    go_on();
    cr_expect_eq(result(number), RC_OK);
    cr_expect_str_eq(text, "mailbox_letters: 2048 -> 4096; this needs a restart, until then it is as it was\n"
                           "tls_handshakes: 2 -> 3\nping_ms: 25s -> 30s\n"
                           "done: 2 changes are applied, 1 need a restart");
    cr_expect_eq(ping_ms(), 30000);
    cr_expect_eq(reload_result(reload, number, text, 10), RC_OK);
    cr_expect_str_eq(text, "mailbox_l", "cut");
    stop();
}

Test(reload_request, all_that_is_wrong_is_told_and_nothing_is_applied, .timeout = 30)
{
    start("");
    write_file("a.conf", "[limits]\nping_ms=30s\nping=1\n[nowhere]\n[app a]\nkey=k\nsecret=@/nowhere/Geheim\n");
    uint64_t number = reload_request(reload);
    reload_begin(reload, &scenario.server, false);
    cr_expect_eq(result(number), RC_EINVAL);
    uint32_t lines = 1;
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    cr_expect_eq(lines, 3, "%s", text);
    cr_expect_eq(strncmp(text, "refused, everything stays as it was: a.conf:3: ", 46), 0, "%s", text);
    go_on();
    cr_expect_eq(ping_ms(), 25000);
    cr_expect_eq(scenario.server.config->number, 1);
    stop();
}

Test(reload_request, those_asked_for_during_one_are_one_more, .timeout = 30)
{
    start("");
    write_file("a.conf", "[limits]\nping_ms=30s\n");
    uint64_t first = reload_request(reload);
    reload_begin(reload, &scenario.server, false);
    write_file("a.conf", "[limits]\nping_ms=40s\n");
    uint64_t second = reload_request(reload), third = reload_request(reload);
    cr_expect(second > first && third == second);
    reload_begin(reload, &scenario.server, false);
    reload_begin(reload, &scenario.server, false);
    cr_expect_eq(result(first), RC_PENDING);
    go_on();
    cr_expect_eq(result(second), RC_OK);
    cr_expect_str_eq(text, "ping_ms: 30s -> 40s\ndone: 1 changes are applied, 0 need a restart");
    cr_expect_eq(scenario.server.config->number, 3);
    cr_expect_eq(ping_ms(), 40000);
    stop();
}

Test(reload_request, while_the_server_drains_there_is_none, .timeout = 30)
{
    start("");
    write_file("a.conf", "[limits]\nping_ms=30s\n");
    uint64_t number = reload_request(reload);
    reload_begin(reload, &scenario.server, true);
    cr_expect_eq(result(number), RC_EINVAL);
    cr_expect_str_eq(text, "refused, everything stays as it was: the server is draining, and will be gone soon");
    stop();
}
