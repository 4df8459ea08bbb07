/* tests/server/config/test_history_rule.c - the first rule that fits a channel counts, whatever its pattern; and a rule
 * is what was given, or one line says what to give. */
#include "server/config/options_read.h"

#include <criterion/criterion.h>
#include <string.h>

static char error[OPTIONS_ERROR_BYTES];

#define CHARACTERS_50  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define CHARACTERS_200 CHARACTERS_50 CHARACTERS_50 CHARACTERS_50 CHARACTERS_50

/* Reads --history with each word up to NULL, and RINGCAST_HISTORY unless it is NULL; there is a --data-dir. */
static enum rc read_rules(struct options *options, const char *const words[], const char *variable)
{
    const char *argv[2 * HISTORY_RULES_MAX + 16] = {"ringcast", "--data-dir", "/tmp"};
    const char *envp[2] = {variable};
    int argc = 3;
    for (; *words != NULL; words++) {
        argv[argc++] = "--history";
        argv[argc++] = *words;
    }
    return options_read(options, argc, (char *const *)argv, (char *const *)envp, error, sizeof error);
}

static void expect_rule(const struct history_rule *rule, const char *pattern, uint32_t size, uint64_t ttl,
                        uint64_t bytes, bool durable, const char *client_events)
{
    cr_expect_str_eq(rule->pattern, pattern);
    cr_expect_eq(rule->size, size, "%s: %u", pattern, rule->size);
    cr_expect_eq(rule->ttl, ttl, "%s: %lu", pattern, rule->ttl);
    cr_expect_eq(rule->bytes, bytes, "%s: %lu", pattern, rule->bytes);
    cr_expect_eq(rule->durable, durable, "%s", pattern);
    if (client_events == NULL) {
        cr_expect_null(rule->client_events, "%s", pattern);
    } else {
        cr_expect_str_eq(rule->client_events, client_events);
    }
}

Test(history_rule, settings_are_those_given_and_the_defaults, .timeout = 10)
{
    struct options options;
    static const char *const words[] = {"*", " private-*\tsize=5 ttl=7d  bytes=64KiB durable=yes client-events=yes\n",
                                        "a=b,c;d@e size=10000000 ttl=3650d bytes=64GiB size=1 client_events=yes "
                                        "client_events=client-x*",
                                        NULL};
    cr_assert_eq(read_rules(&options, words, NULL), RC_OK, "%s", error);
    cr_assert_eq(options.history.count, 3);
    expect_rule(&options.history.items[0], "*", 1000, 24 * HOUR_MS, 8 * MIB, false, NULL);
    expect_rule(&options.history.items[1], "private-*", 5, 7 * DAY_MS, 64 * KIB, true, "*");
    expect_rule(&options.history.items[2], "a=b,c;d@e", 1, 3650 * DAY_MS, 64 * GIB, false, "client-x*");
    options_fini(&options);
}

Test(history_rule, in_the_environment_stand_behind_semicolons, .timeout = 10)
{
    static const char *const none[] = {NULL};
    static const char variable[] = "RINGCAST_HISTORY=presence-*,x size=5 ttl=1h; ;\n * durable=yes ;";
    struct options options;
    cr_assert_eq(read_rules(&options, none, variable), RC_OK, "%s", error);
    cr_assert_eq(options.history.count, 2);
    expect_rule(&options.history.items[0], "presence-*,x", 5, HOUR_MS, 8 * MIB, false, NULL);
    expect_rule(&options.history.items[1], "*", 1000, 24 * HOUR_MS, 8 * MIB, true, NULL);
    options_fini(&options);

    cr_assert_eq(read_rules(&options, (const char *const[]){"a", NULL}, variable), RC_OK, "%s", error);
    cr_assert_eq(options.history.count, 1, "flags replace the environment");
    options_fini(&options);
}

Test(history_rule, mistakes_are_told_with_their_cure, .timeout = 10)
{
    static const char missing[] = "the pattern is missing; give PATTERN, then its settings: 'private-* size=500'";
    static const char characters[] = " is not valid; give 1 to 200 characters of A-Z a-z 0-9 _ - = @ , . ; and *";
    static const struct {
        const char *words[3];
        const char *error, *rest;
    } cases[] = {
        {{""}, missing, ""},
        {{" \t"}, missing, ""},
        {{"size=5 ttl=1h"}, missing, ""},
        {{"client-events=yes"}, missing, ""},
        {{"#server-to-user-*"}, "the pattern \"#server-to-user-*\"", characters},
        {{"private-?"}, "the pattern \"private-?\"", characters},
        {{"a/b"}, "the pattern \"a/b\"", characters},
        {{"\xc3\xa4*"}, "the pattern \"\xc3\xa4*\"", characters},
        {{CHARACTERS_200 "a"}, "the pattern \"" CHARACTERS_50 "aaaaaaaaaa\"", characters},
        {{"a", "a size=5"}, "the pattern \"a\" is there twice; give it once", ""},
        {{"a size"}, "a setting of a has no value; give name=value, without blanks around the equals sign", ""},
        {{"a size = 5"}, "a setting of a has no value; give name=value, without blanks around the equals sign", ""},
        {{"a sizes=5"}, "unknown setting \"sizes\" of a; did you mean size? See --help", ""},
        {{"a colour=red"}, "unknown setting \"colour\" of a; see --help", ""},
        {{"a size=0"}, "size of a: \"0\" is out of bounds; give 1 to 10000000", ""},
        {{"a size=10000001"}, "size of a: \"10000001\" is out of bounds; give 1 to 10000000", ""},
        {{"a ttl=999"}, "ttl of a: \"999\" is out of bounds; give 1s to 3650d", ""},
        {{"a ttl=3651d"}, "ttl of a: \"3651d\" is out of bounds; give 1s to 3650d", ""},
        {{"a ttl=day"}, "ttl of a: \"day\" is not a time (500ms, 10s, 24h, 7d); give 1s to 3650d", ""},
        {{"a bytes=1023"}, "bytes of a: \"1023\" is out of bounds; give 1KiB to 64GiB", ""},
        {{"a client_events=message"},
         "client_events of a: \"message\" is neither yes, no nor a name of client events; give one, as "
         "client-message*",
         ""},
        {{"a durable=maybe"}, "durable of a: \"maybe\" is neither yes nor no; give one of them", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct options options;
        char expected[OPTIONS_ERROR_BYTES];
        snprintf(expected, sizeof expected, "--history: %s%s", cases[i].error, cases[i].rest);
        cr_expect_eq(read_rules(&options, cases[i].words, NULL), RC_EINVAL, "%s", cases[i].words[0]);
        cr_expect_str_eq(error, expected);
        cr_expect_null(options.history.items, "nothing is left to give back");
    }
}

Test(history_rule, list_has_a_bound, .timeout = 10)
{
    char words[HISTORY_RULES_MAX + 1][32];
    const char *given[HISTORY_RULES_MAX + 2] = {NULL};
    struct options options;
    for (uint32_t i = 0; i <= HISTORY_RULES_MAX; i++) {
        snprintf(words[i], sizeof words[i], "room-%u", i);
        given[i] = words[i];
        cr_expect_eq(read_rules(&options, given, NULL), i < HISTORY_RULES_MAX ? RC_OK : RC_EINVAL, "%s", error);
        options_fini(&options);
    }
    cr_expect_str_eq(error, "--history: more than 64 rules; give fewer");
}

/* ---- finding ---- */

static bool fits(const char *pattern, struct text channel)
{
    struct history_rule rule = {.pattern = (char *)pattern};
    struct history_rule_list rules = {.items = &rule, .count = 1};
    return history_rule_of(&rules, channel) != NULL;
}

Test(history_rule, star_is_any_run_of_characters, .timeout = 10)
{
    static const struct {
        const char *pattern, *channel;
        bool fits;
    } cases[] = {
        {"a", "a", true},
        {"a", "b", false},
        {"a", "A", false},
        {"a", "ab", false},
        {"ab", "a", false},
        {"a", "", false},
        {"*", "", false}, /* no channel has no name */
        {"*", "a", true},
        {"**", "a", true},
        {"*", "presence-a.b;c,d@e=f_g", true},
        {"*", "#server-to-user-1", false},
        {"private-*", "private-", true},
        {"private-*", "private-x", true},
        {"private-*", "private", false},
        {"private-*", "x-private-x", false},
        {"*-x", "private-x", true},
        {"*-x", "private-x-x", true},
        {"*-x", "private-xy", false},
        {"a*c", "ac", true},
        {"a*c", "abc", true},
        {"a*c", "abcc", true},
        {"a*c", "abcd", false},
        {"a*b*c", "a-b-b-c", true},
        {"a*b*c", "a-c-b", false},
        {"*ab*ab*", "abab", true},
        {"*ab*ab*", "aab-aab-", true},
        {"*ab*ab*", "ab", false},
        {"*aab", "aaaab", true},
        {"a**b", "ab", true},
        {"***", "a", true},
        {"ab*", "a*", false}, /* a star in a name is none: there are no such names */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect_eq(fits(cases[i].pattern, text_of(cases[i].channel)), cases[i].fits, "%s: %s", cases[i].pattern,
                     cases[i].channel);
    cr_expect_not(fits("*", (struct text){0}), "no text is no channel");
    cr_expect(fits("a*", (struct text){.at = "abc", .count = 1}), "only what the view holds");
    cr_expect_not(fits("abc", (struct text){.at = "abc", .count = 2}));
}

/* The definition itself: exponential, so for short texts only. */
static bool fits_by_definition(const char *pattern, const char *text)
{
    if (*pattern == '\0') return *text == '\0';
    if (*pattern == '*')
        return fits_by_definition(pattern + 1, text) || (*text && fits_by_definition(pattern, text + 1));
    return *pattern == *text && fits_by_definition(pattern + 1, text + 1);
}

/* Writes the number by three letters: each text of one letter and more has one number, short ones the first. */
static void spell(uint32_t number, const char *letters, char text_r[8])
{
    size_t at = 0;
    for (; number > 0; number = (number - 1) / 3)
        text_r[at++] = letters[(number - 1) % 3];
    text_r[at] = '\0';
}

Test(history_rule, every_short_pattern_fits_what_it_should, .timeout = 60)
{
    char pattern[8], channel[8];
    for (uint32_t i = 1; i < 363; i++) {
        spell(i, "ab*", pattern);
        for (uint32_t k = 1; k < 1092; k++) {
            spell(k, "abc", channel);
            cr_assert_eq(fits(pattern, text_of(channel)), fits_by_definition(pattern, channel), "%s: %s", pattern,
                         channel);
        }
    }
}

/* By trying all runs for all stars this would outlast the test by far. */
Test(history_rule, matching_takes_no_longer_for_a_pattern_of_stars, .timeout = 10)
{
    char pattern[201], channel[200];
    for (size_t i = 0; i < 198; i += 2)
        memcpy(pattern + i, "a*", 2);
    memcpy(pattern + 198, "ab", 3);
    memset(channel, 'a', sizeof channel);
    for (int i = 0; i < 1000; i++)
        cr_assert_not(fits(pattern, (struct text){.at = channel, .count = sizeof channel}));
}

Test(history_rule, first_that_fits_counts, .timeout = 10)
{
    static const char *const words[] = {"private-direct-*", "private-*", "room", "*-archive", NULL};
    static const struct {
        const char *channel;
        int index; /* -1: none */
    } cases[] = {{"private-direct-a", 0},  {"private-a", 1}, {"room", 2},   {"rooms", -1},
                 {"private-a-archive", 1}, {"a-archive", 3}, {"lobby", -1}, {"#server-to-user-a-archive", -1}};
    struct options options;
    cr_assert_eq(read_rules(&options, words, NULL), RC_OK, "%s", error);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct history_rule *rule = history_rule_of(&options.history, text_of(cases[i].channel));
        cr_expect_eq(rule != NULL ? rule - options.history.items : -1, cases[i].index, "%s", cases[i].channel);
    }
    cr_expect_null(history_rule_of(&(struct history_rule_list){0}, text_of("a")));
    options_fini(&options);
}
