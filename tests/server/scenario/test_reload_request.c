/* tests/server/scenario/test_reload_request.c - reloads one after the other, and what is told of each. What a reload
 * does to a server is in tests/server/scenario/test_reload.c. */
#include "server/run/reload.h"

#include "server/config/config.h"
#include "tests/support/config_folder.h"
#include "tests/support/leaks.h"
#include "tests/support/scenario.h"

static const char *const words[] = {"--listen", "127.0.0.1:0", "--config", "a.conf", "--shards", "2", NULL};
static struct scenario scenario;
static struct reload *reload;

/* A server by this file. */
static void start(const char *config)
{
    static const char *argv[16] = {"ringcast"};
    int argc = 1;
    struct options options;
    enter_folder();
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

static const char *told(void)
{
    return reload_result(reload).text;
}

static uint64_t ping_ms(void)
{
    return scenario.server.shards[1].options->ping_ms;
}

Test(reload_request, it_is_told_what_it_has_changed, .timeout = 30)
{
    start("");
    write_file("a.conf", "[limits]\nping_ms=30s\nmailbox_letters=4096\n[tls]\nhandshakes=3\n");
    reload_begin(reload, &scenario.server, false);
    cr_expect(reload_is_under_way(reload), "no shard has taken it");
    cr_expect_eq(ping_ms(), 25000);
    go_on();
    struct reload_result result = reload_result(reload);
    cr_expect(result.rc == RC_OK && result.applied == 2 && result.restarts == 1);
    cr_expect_str_eq(told(), "mailbox_letters: 2048 -> 4096; this needs a restart, until then it is as it was\n"
                             "tls_handshakes: 2 -> 3\nping_ms: 25s -> 30s\n"
                             "done: 2 changes are applied, 1 need a restart\n");
    cr_expect_eq(ping_ms(), 30000);
    stop();
}

Test(reload_request, all_that_is_wrong_is_told_and_nothing_is_applied, .timeout = 30)
{
    start("");
    write_file("a.conf", "[limits]\nping_ms=30s\nping=1\n[nowhere]\n[app a]\nkey=k\nsecret=@/nowhere/Geheim\n");
    reload_begin(reload, &scenario.server, false);
    struct reload_result result = reload_result(reload);
    cr_expect(result.rc == RC_EINVAL && result.applied == 0 && result.restarts == 0);
    uint32_t lines = 0;
    for (const char *at = told(); (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    cr_expect_eq(lines, 3, "%s", told());
    cr_expect_eq(strncmp(told(), "refused, everything stays as it was: a.conf:3: ", 46), 0, "%s", told());
    go_on();
    cr_expect_eq(ping_ms(), 25000);
    cr_expect_eq(scenario.server.config->number, 1);
    stop();
}

Test(reload_request, those_asked_for_during_one_are_one_more, .timeout = 30)
{
    start("");
    write_file("a.conf", "[limits]\nping_ms=30s\n");
    reload_begin(reload, &scenario.server, false);
    write_file("a.conf", "[limits]\nping_ms=40s\n");
    reload_begin(reload, &scenario.server, false);
    reload_begin(reload, &scenario.server, false);
    cr_expect(reload_is_under_way(reload));
    go_on();
    cr_expect_eq(reload_result(reload).rc, RC_OK);
    cr_expect_str_eq(told(), "ping_ms: 30s -> 40s\ndone: 1 changes are applied, 0 need a restart\n");
    cr_expect_eq(scenario.server.config->number, 3);
    cr_expect_eq(ping_ms(), 40000);
    stop();
}

Test(reload_request, while_the_server_drains_there_is_none, .timeout = 30)
{
    start("");
    write_file("a.conf", "[limits]\nping_ms=30s\n");
    reload_begin(reload, &scenario.server, true);
    cr_expect_eq(reload_result(reload).rc, RC_EINVAL);
    cr_expect_str_eq(told(), "refused, everything stays as it was: the server is draining, and will be gone soon\n");
    stop();
}
