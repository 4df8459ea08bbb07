/* tests/server/home/test_home_rules.c - other patterns of history, for thousands of channels, a piece in each turn. */
#include "server/home/home_rules.h"

#include "core/channel.h"
#include "core/roster.h"
#include "server/config/config.h"
#include "server/config/history_rule.h"
#include "server/config/options_read.h"
#include "server/shard/sweep.h"
#include "tests/support/home_case.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANY 3000

static const struct options *before;

/* The home's options are these now. */
static struct options *take_other(const char *pattern)
{
    char reason[OPTIONS_ERROR_BYTES];
    const char *argv[] = {"ringcast", "--app", "1001:key:secret", "--history", pattern};
    struct options *options = malloc(sizeof *options);
    cr_assert_eq(options_read(options, 5, (char *const *)argv, NULL, reason, sizeof reason), RC_OK, "%s", reason);
    before = case_home->options;
    case_home->options = options;
    return options;
}

static void give_back(struct options *options)
{
    case_home->options = before;
    options_fini(options);
    free(options);
}

static const struct roster *roster_of(uint32_t n)
{
    char name[16];
    snprintf(name, sizeof name, "c%u", n);
    struct name key = name_of(0, text_of(name));
    return hub_find(&case_home->hub, &key)->roster;
}

/* How many go by a rule with this pattern; "": by none. */
static uint32_t count_by(const char *pattern)
{
    uint32_t count = 0;
    for (uint32_t n = 0; n < MANY; n++) {
        const struct history_rule *rule = roster_of(n)->rule;
        count += strcmp(rule != NULL ? rule->pattern : "", pattern) == 0;
    }
    return count;
}

static struct join **enter_and_publish(void)
{
    struct join **joins = malloc(MANY * sizeof joins[0]);
    for (uint32_t n = 0; n < MANY; n++) {
        char name[16];
        snprintf(name, sizeof name, "c%u", n);
        joins[n] = case_join(1, name, FORM_EVENT, NULL);
        if (n % 10 == 0) case_publish(0, case_message(name, ORIGIN_BACKEND, "x"));
        while (strcmp(case_heard(1), "-") != 0) {
        }
    }
    return joins;
}

static void leave(struct join **joins)
{
    for (uint32_t n = 0; n < MANY; n++)
        case_leave(joins[n]);
    case_settle();
    free(joins);
}

Test(home_rules, other_patterns_come_to_many_channels_in_pieces, .timeout = 60)
{
    struct config config = {.holders = 1};
    case_begin(CASE_FLAGS("", "--history", "c*"));
    struct join **joins = enter_and_publish();
    struct options *options = take_other("c1*");
    uint32_t done = 0, pieces = 1;
    home_take_rules(case_home, &config);
    for (;; pieces++) {
        uint32_t now = MANY - count_by("c*");
        cr_expect_leq(now - done, SWEEP_LOOKS + 64, "in one piece");
        cr_expect_leq(count_by("c1*"), 1111);
        cr_expect_eq(config_is_held(&config), sweeps_wait(case_home));
        done = now;
        if (!sweeps_wait(case_home)) break;
        sweeps_go_on(case_home);
    }
    cr_expect_gt(pieces, 2);
    cr_expect_eq(done, MANY);
    cr_expect_eq(count_by("c1*"), 1111);
    cr_expect_eq(count_by(""), MANY - 1111);
    for (uint32_t n = 0; n < MANY; n++) {
        if (roster_of(n)->rule == NULL) cr_expect_null(roster_of(n)->log, "it is forgotten");
        if (roster_of(n)->rule != NULL && n % 10 == 0) cr_expect_not_null(roster_of(n)->log, "it goes on");
    }
    leave(joins);
    give_back(options);
    case_end();
}

/* A channel that is made while others wait goes by the new rules, and nothing of it is done twice. */
Test(home_rules, who_comes_meanwhile_goes_by_the_new_ones, .timeout = 60)
{
    struct config config = {.holders = 1};
    case_begin(CASE_FLAGS("", "--history", "c*"));
    struct join **joins = enter_and_publish();
    struct options *options = take_other("new*");
    home_take_rules(case_home, &config);
    cr_expect(sweeps_wait(case_home));
    struct join *join = case_join(1, "new1", FORM_EVENT, NULL);
    struct name key = name_of(0, text_of("new1"));
    cr_expect_str_eq(hub_find(&case_home->hub, &key)->roster->rule->pattern, "new*");
    while (sweeps_wait(case_home))
        sweeps_go_on(case_home);
    cr_expect_eq(count_by(""), MANY);
    cr_expect_str_eq(hub_find(&case_home->hub, &key)->roster->rule->pattern, "new*");
    case_leave(join);
    leave(joins);
    give_back(options);
    case_end();
}

Test(home_rules, a_home_that_ends_meanwhile_lets_the_rules_of_before_go, .timeout = 60)
{
    struct config config = {.holders = 1};
    case_begin(CASE_FLAGS("", "--history", "c*"));
    struct join **joins = enter_and_publish();
    struct options *options = take_other("d*");
    home_take_rules(case_home, &config);
    leave(joins);
    give_back(options);
    case_end();
    cr_expect_not(config_is_held(&config));
}
