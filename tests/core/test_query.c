/* tests/core/test_query.c - making a question, its key, and what its answer is written with. */
#include "core/query.h"

#include "core/counters.h"
#include "core/message.h"
#include "core/span.h"
#include "tests/support/leaks.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct counters counters;

static uint64_t messages_live(void)
{
    return counter_get(&counters, COUNTER_messages_live);
}

Test(query, its_name_is_its_own_copy, .timeout = 5)
{
    char text[] = "room-1";
    struct name name = name_of(3, (struct text){text, 6});
    struct query *query = query_new(QUERY_USERS, &name);
    memset(text, 'x', sizeof text);
    struct name same = name_of(3, text_of("room-1"));
    cr_expect_eq(query->kind, QUERY_USERS);
    cr_expect(name_equals(&query->name, &same));
    cr_expect_null(query->message);
    cr_expect_null(query->text);
    cr_expect_eq(query_key(query).count, 0);
    query_free(&counters, query);
}

Test(query, one_of_all_channels_has_an_empty_name, .timeout = 5)
{
    struct query *query = query_new(QUERY_CHANNELS, &(struct name){.app = 2});
    cr_expect_eq(query->name.length, 0);
    cr_expect_eq(query->name.app, 2);
    query_free(&counters, query);
    query_free(&counters, NULL);
}

Test(query, drops_its_message_and_its_text, .timeout = 5)
{
    struct name name = name_of(0, text_of("room"));
    struct query *query = query_new(QUERY_PUBLISH, &name);
    struct message *message = message_new_of(&counters, &name, FORM_RAW, 3);
    message_hold(message, 1);
    query->message = message;
    cr_assert_eq(query_append_string(&query->text, text_of("kept")), RC_OK);
    query_free(&counters, query);
    cr_expect_eq(message->references, 1, "its own reference only");
    message_drop(&counters, message);
    cr_expect_eq(messages_live(), 0);
    expect_no_leaks();
}

Test(query, one_behind_others_publishes_nothing, .timeout = 5)
{
    struct name name = name_of(0, text_of("room"));
    struct query *query = query_new_behind(&counters, &name);
    cr_expect_eq(query->kind, QUERY_PUBLISH);
    cr_expect_eq(query->message->origin, ORIGIN_SERVER, "no history keeps it");
    for (enum form form = 0; form < FORMS_MAX; form++) {
        cr_expect_not(message_has(query->message, form));
    }
    cr_expect(name_equals(&query->message->channel, &name));
    query_free(&counters, query);
    cr_expect_eq(messages_live(), 0);
}

/* ---- keys ---- */

static char long_key[QUERY_KEY_BYTES_MAX + 2];

Test(query, a_key_is_short_and_has_no_control_characters, .timeout = 5)
{
    static const char *const good[] = {"a", " ", "order-17", "\xc3\xa9\xff"}, *const bad[] = {"", "a\n", "\x01",
                                                                                              "a\x7f", "\x1f"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        cr_expect(query_key_is_valid(text_of(good[i])), "%s", good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_expect_not(query_key_is_valid(text_of(bad[i])), "row %zu", i);
    }
    memset(long_key, 'x', sizeof long_key);
    cr_expect(query_key_is_valid((struct text){long_key, QUERY_KEY_BYTES_MAX}));
    cr_expect_not(query_key_is_valid((struct text){long_key, QUERY_KEY_BYTES_MAX + 1}));
    cr_expect_not(query_key_is_valid((struct text){"a\0b", 3}));
}

Test(query, a_key_comes_back_as_it_was_and_says_whose_it_is, .timeout = 5)
{
    static const struct {
        enum query_asker asker;
        enum receipt_owner owner;
    } rows[] = {
        {QUERY_OF_BACKEND, RECEIPT_OF_BACKEND},
        {QUERY_OF_CLIENT, RECEIPT_OF_CLIENT},
    };
    struct name name = name_of(0, text_of("room"));
    memset(long_key, 'x', sizeof long_key);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct query *query = query_new(QUERY_PUBLISH, &name);
        struct text key = {long_key, QUERY_KEY_BYTES_MAX};
        query_set_key(query, rows[i].asker, key);
        cr_expect_eq(receipt_owner_of(text_of(query->key)), rows[i].owner);
        cr_expect_eq(query_key(query).count, key.count);
        cr_expect_arr_eq(query_key(query).at, key.at, key.count);
        query_set_key(query, rows[i].asker, text_of("b"));
        cr_expect(text_is(query_key(query), "b"));
        query_free(&counters, query);
    }
}

/* ---- what an answer is written with ---- */

/* Appends a zero and compares. */
static void expect_text(struct span **span, const char *expected)
{
    cr_assert_eq(span_append(span, (const uint8_t *)"", 1), RC_OK);
    cr_expect_str_eq((const char *)(*span)->bytes, expected);
    span_free(span);
}

Test(query, a_string_is_escaped_and_put_behind_what_is_there, .timeout = 5)
{
    struct span *span = NULL;
    cr_assert_eq(query_append_string(&span, text_of("a\"\\\n")), RC_OK);
    cr_assert_eq(query_append_string(&span, text_of("")), RC_OK);
    expect_text(&span, "\"a\\\"\\\\\\n\"\"\"");
}

Test(query, facts_are_those_asked_for_that_the_channel_has, .timeout = 5)
{
    static const unsigned all = QUERY_INFO_USER_COUNT | QUERY_INFO_SUBSCRIPTION_COUNT | QUERY_INFO_POSITION;
    static const struct query_facts kept = {2, 3, {.offset = UINT64_MAX, .epoch = "k3x9ab2m"}}, unkept = {2, 3, {0}};
    static const struct {
        const char *channel;
        unsigned info;
        const struct query_facts *facts;
        const char *text;
    } rows[] = {
        {"presence-a", 0, &kept, ""},
        {"presence-a", QUERY_INFO_CACHE, &kept, ""},
        {"presence-a", QUERY_INFO_USER_COUNT, &kept, "\"user_count\":2"},
        {"room", QUERY_INFO_USER_COUNT, &kept, ""},
        {"room", QUERY_INFO_SUBSCRIPTION_COUNT, &kept, "\"subscription_count\":3"},
        {"room", QUERY_INFO_POSITION, &kept, "\"offset\":18446744073709551615,\"epoch\":\"k3x9ab2m\""},
        {"room", QUERY_INFO_POSITION, &unkept, ""},
        {"room", all, &unkept, "\"subscription_count\":3"},
        {"presence-a", all, &kept,
         "\"user_count\":2,\"subscription_count\":3,\"offset\":18446744073709551615,\"epoch\":\"k3x9ab2m\""},
        {"presence-a", QUERY_INFO_USER_COUNT | QUERY_INFO_POSITION, &kept,
         "\"user_count\":2,\"offset\":18446744073709551615,\"epoch\":\"k3x9ab2m\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct span *span = NULL;
        struct name name = name_of(0, text_of(rows[i].channel));
        cr_assert_eq(query_append_facts(&span, &name, rows[i].info, rows[i].facts), RC_OK);
        expect_text(&span, rows[i].text);
    }
}
