/* tests/server/cluster/test_script.c - every script is in the program, and its calls have the words that its head asks
 * for, in that order. What the scripts do is tested in tests/e2e/cluster_scripts.test.mjs. */
#include "server/cluster/script.h"

#include "server/cluster/script_call.h"
#include "server/cluster/script_files.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct script_call call;

static void init(void)
{
    cr_assert_eq(scripts_init(), RC_OK);
}

TestSuite(script, .init = init, .timeout = 10);

Test(script, has_a_file_and_each_file_a_script)
{
    cr_expect_eq(script_files_count, SCRIPTS_MAX);
    for (enum script script = 0; script < SCRIPTS_MAX; script++) {
        char head[64];
        snprintf(head, sizeof head, "#!lua\n-- %s - ", script_name(script));
        cr_expect(text_has_prefix(script_text(script), head), "%s", script_name(script));
        cr_expect_eq(script_sha1(script).count, 40);
        for (enum script other = 0; other < script; other++) {
            cr_expect_not(text_equals(script_sha1(other), script_sha1(script)));
        }
    }
}

/* The words of the call in one text, with blanks between; the digest is checked and left out. */
static void expect_words(enum script script, const char *expected)
{
    char text[1000], *to = text;
    cr_assert_eq(call.script, script);
    cr_assert(text_is(call.words[0], "EVALSHA"));
    cr_assert(text_equals(call.words[1], script_sha1(script)));
    for (uint32_t i = 2; i < call.words_count; i++) {
        struct text word = call.words[i];
        cr_assert_not_null(word.at);
        to = text_put(text_put(to, word.count > 0 ? word : text_of("''")), text_of(" "));
    }
    cr_expect(text_is(text_between(text, to - 1), expected), "%.*s\ninstead of\n%s", (int)(to - text), text,
              expected);
}

#define TEXT(string)              \
    {                             \
        string, sizeof string - 1 \
    }

static const struct script_record records[] = {{.bytes = TEXT("r1")},
                                               {.bytes = TEXT("r2"), .receipt = TEXT("k2")},
                                               {.bytes = TEXT("r3"), .is_last = true},
                                               {.bytes = TEXT("r4"), .receipt = TEXT("k4"), .is_last = true}};

static struct script_publish publish_of(uint32_t count)
{
    return (struct script_publish){.push = {.channel = text_of("push")},
                                   .deadline_ms = 1700000000123,
                                   .last = text_of("last"),
                                   .receipt_ms = 600000,
                                   .last_ms = 1800000,
                                   .records = records,
                                   .records_count = count,
                                   .stream = text_of("stream"),
                                   .generation = 1600000000123,
                                   .hint = 1650000000123,
                                   .entries_max = 100,
                                   .expire_ms = 18446744073709551615u,
                                   .look_from = text_of(""),
                                   .look_max = 5000};
}

Test(script, publish_is_called_with_what_it_asks_for)
{
    struct script_publish args = publish_of(1);
    script_call_publish(&call, &args);
    expect_words(SCRIPT_PUBLISH, "1 stream 1700000000123 1600000000123 1650000000123 100 push PUBLISH "
                                 "18446744073709551615 600000 1800000 '' '' 5000 r1");
    args = publish_of(4);
    args.push.is_sharded = true;
    args.look_from = text_of("1-2");
    script_call_publish(&call, &args);
    expect_words(SCRIPT_PUBLISH, "4 stream last k2 k4 1700000000123 1600000000123 1650000000123 100 push SPUBLISH "
                                 "18446744073709551615 600000 1800000 0123 1-2 5000 r1 r2 r3 r4");
}

Test(script, plain_is_called_with_what_it_asks_for)
{
    struct script_publish args = publish_of(4);
    script_call_plain(&call, &args);
    expect_words(SCRIPT_PLAIN, "3 last k2 k4 1700000000123 push PUBLISH 600000 1800000 0123 r1 r2 r3 r4");
}

Test(script, as_many_records_as_a_call_may_have_fit_into_it)
{
    struct script_record most[SCRIPT_RECORDS_MAX];
    struct script_publish args = publish_of(SCRIPT_RECORDS_MAX);
    for (uint32_t i = 0; i < SCRIPT_RECORDS_MAX; i++) {
        most[i] = records[3];
    }
    args.records = most;
    script_call_publish(&call, &args);
    cr_expect_eq(call.words_count, 3 + 2 + SCRIPT_RECORDS_MAX + 12 + SCRIPT_RECORDS_MAX);
    cr_expect(text_is(call.words[2], "66"));
    cr_expect(text_is(call.words[call.words_count - 1], "r4"));
}

Test(script, open_and_generation_are_called_with_what_they_ask_for)
{
    script_call_open(&call, text_of("stream"), 1700000000123, 0);
    expect_words(SCRIPT_OPEN, "1 stream 1700000000123 0");
    script_call_generation(&call, text_of("gen"), text_of("replid"), 0);
    expect_words(SCRIPT_GENERATION, "1 gen replid ''");
    script_call_generation(&call, text_of("gen"), text_of("replid"), 1700000000123);
    expect_words(SCRIPT_GENERATION, "1 gen replid 1700000000123");
}

Test(script, members_and_counts_are_called_with_what_they_ask_for)
{
    struct script_member args = {.push = {.channel = text_of("push")},
                                 .deadline_ms = 1700000000123,
                                 .members = text_of("key"),
                                 .node = text_of("node")};
    script_call_join(&call, &args, text_of("ann"), text_of(""));
    expect_words(SCRIPT_JOIN, "1 key 1700000000123 node ann '' push PUBLISH");
    const struct text users[] = {TEXT("ann"), TEXT("bob")};
    script_call_leave(&call, &args, users, 2);
    expect_words(SCRIPT_LEAVE, "1 key 1700000000123 node push PUBLISH ann bob");
    args.push.is_sharded = true;
    script_call_count(&call, &args, 0);
    expect_words(SCRIPT_COUNT, "1 key 1700000000123 node 0 push SPUBLISH");
    struct text most[SCRIPT_USERS_MAX];
    for (uint32_t i = 0; i < SCRIPT_USERS_MAX; i++) {
        most[i] = users[i % 2];
    }
    script_call_leave(&call, &args, most, SCRIPT_USERS_MAX);
    cr_expect_eq(call.words_count, 3 + 1 + 4 + SCRIPT_USERS_MAX);
}

Test(script, leases_are_called_with_what_they_ask_for)
{
    struct script_lease args = {.nodes = text_of("nodes"), .about = text_of("about"), .node = text_of("node")};
    script_call_renew(&call, &args, 15000, text_of("text"), 1000);
    expect_words(SCRIPT_RENEW, "2 nodes about node 15000 text 1000");
    script_call_retire(&call, &args, true);
    expect_words(SCRIPT_RETIRE, "2 nodes about node 1");
    script_call_retire(&call, &args, false);
    expect_words(SCRIPT_RETIRE, "2 nodes about node 0");
}
