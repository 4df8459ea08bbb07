/* tests/server/cluster/test_cluster_rules.c - what nodes have to agree on, in lines. */
#include "server/cluster/cluster_rules.h"

#include "server/config/options.h"
#include "server/config/options_read.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static char *rules_of(const char *app, const char *history)
{
    struct options options;
    char reason[OPTIONS_ERROR_BYTES];
    const char *args[] = {"ringcast", "--node", "here", "--app", app, "--history", history, NULL};
    cr_assert_eq(options_read(&options, 7, (char *const *)args, NULL, reason, sizeof reason), RC_OK, "%s", reason);
    char *rules = cluster_rules_of(&options);
    options_fini(&options);
    return rules;
}

static bool is_difference(const char *one, const char *other, const char *line)
{
    struct text difference = cluster_rules_difference(text_of(one), text_of(other));
    return line == NULL ? difference.at == NULL : text_is(difference, line);
}

Test(cluster_rules, what_differs_is_named, .timeout = 5)
{
    char *one = rules_of("1001:key:secret", "* size=10"), *other = rules_of("1002:key:secret", "* size=11");
    cr_expect_not_null(strstr(one, "here\napp 1001\nhistory 1: * size=10 ttl=86400000ms bytes=8388608 durable=no"),
                       "%s", one);
    cr_expect_null(strstr(one, "secret"));
    cr_expect(is_difference(one, one, NULL));
    cr_expect(is_difference(one, other, "app 1001"));
    cr_expect(is_difference(other, one, "app 1002"));
    cr_expect(text_is(cluster_rules_name(text_of(one)), "here"));
    free(one);
    free(other);
}

Test(cluster_rules, only_whole_lines_count, .timeout = 5)
{
    cr_expect(is_difference("a\napp 1\n", "b\napp 1\n", NULL), "names may differ");
    cr_expect(is_difference("a\napp 1\n", "b\napp 11\n", "app 1"));
    cr_expect(is_difference("a\napp 1\n", "", "app 1"));
    cr_expect(is_difference("", "b\napp 1\n", NULL));
    cr_expect(is_difference("a\napp 1", "b\napp 1\napp 2\n", NULL));
}
