/* tests/server/cluster/test_cluster_key.c - what things are called in Redis. */
#include "server/cluster/cluster_key.h"

#include <criterion/criterion.h>

static const struct text prefix = {"ringcast", 8};

Test(cluster_key, has_prefix_kind_app_and_channel, .timeout = 5)
{
    static const struct {
        enum cluster_key kind;
        const char *app, *channel, *key;
    } rows[] = {
        {CLUSTER_KEY_STREAM, "1", "room", "ringcast:s:{1:room}"},
        {CLUSTER_KEY_PUSHES, "app_X-9", "presence-a;b,c.d=e@f", "ringcast:m:{app_X-9:presence-a;b,c.d=e@f}"},
        {CLUSTER_KEY_MEMBERS, "1", "#server-to-user-a b:c", "ringcast:p:{1:#server-to-user-a b:c}"},
        {CLUSTER_KEY_COUNTS, "1", "#server-to-user-{}%7b%", "ringcast:c:{1:#server-to-user-%7b%7d%257b%25}"},
        {CLUSTER_KEY_LAST, "1", "}{", "ringcast:l:{1:%7d%7b}"},
        {CLUSTER_KEY_LAST, "1", "\xc3\xa4\xff", "ringcast:l:{1:\xc3\xa4\xff}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char to[CLUSTER_KEY_BYTES_MAX], memory[NAME_BYTES_MAX];
        struct text app, channel;
        struct text key = cluster_key_of(to, prefix, rows[i].kind, text_of(rows[i].app), text_of(rows[i].channel));
        cr_expect(text_is(key, rows[i].key), "%.*s", (int)key.count, key.at);
        cr_assert_eq(cluster_key_read(key, prefix, rows[i].kind, memory, &app, &channel), RC_OK);
        cr_expect(text_is(app, rows[i].app));
        cr_expect(text_is(channel, rows[i].channel));
    }
}

Test(cluster_key, names_what_is_of_no_channel, .timeout = 5)
{
    char to[CLUSTER_KEY_BYTES_MAX], node[CLUSTER_NODE_BYTES + 1];
    cr_expect(text_is(cluster_key_receipt(to, prefix, text_of("1"), text_of("a}"), text_of("b{x} y")),
                      "ringcast:k:{1:a%7d}:b{x} y"));
    cr_expect(text_is(cluster_key_generation(to, prefix, text_of("0")), "ringcast:g:{0}"));
    cr_expect(
        text_is(cluster_key_node(to, prefix, cluster_node_write(node, 0xabcdef)), "ringcast:n:{0000000000abcdef}"));
    cr_expect(text_is(cluster_node_write(node, UINT64_MAX), "ffffffffffffffff"));
    cr_expect(text_is(cluster_key_nodes(to, prefix), "ringcast:{nodes}"));
    cr_expect(text_is(cluster_key_nodes_about(to, prefix), "ringcast:{nodes}:about"));
    cr_expect(text_is(cluster_key_control(to, prefix), "ringcast:ctl"));
    cr_expect(text_is(cluster_tag_write(to, text_of("1"), text_of("a%")), "1:a%25"));
}

Test(cluster_key, of_the_longest_names_fits, .timeout = 5)
{
    char braces[NAME_BYTES_MAX], letters[CLUSTER_PREFIX_BYTES_MAX], key[RECEIPT_KEY_BYTES_MAX];
    char *to = malloc(CLUSTER_KEY_BYTES_MAX), memory[NAME_BYTES_MAX]; /* the sanitizer looks on */
    memset(braces, '{', sizeof braces);
    memset(letters, 'x', sizeof letters);
    memset(key, 'k', sizeof key);
    struct text longest = {letters, sizeof letters}, app = {letters, CLUSTER_APP_BYTES_MAX},
                channel = {braces, sizeof braces};
    struct text text = cluster_key_receipt(to, longest, app, channel, (struct text){key, sizeof key});
    cr_expect_leq(text.count, CLUSTER_KEY_BYTES_MAX);
    text = cluster_key_of(to, longest, CLUSTER_KEY_STREAM, app, channel);
    struct text app_read, channel_read;
    cr_assert_eq(cluster_key_read(text, longest, CLUSTER_KEY_STREAM, memory, &app_read, &channel_read), RC_OK);
    cr_expect(text_equals(channel_read, channel));
    free(to);
}

Test(cluster_key, is_read_only_if_it_is_of_that_prefix_and_kind_and_whole, .timeout = 5)
{
    static const char *const rows[] = {
        "",
        "ringcast:m:{",
        "ringcast:m:{}",
        "ringcast:m:{1}",
        "ringcast:m:{:room}",
        "ringcast:m:{1:}",
        "ringcast:m:{1:room",
        "ringcast:m:{1:room}x",
        "ringcast:s:{1:room}",
        "other:m:{1:room}",
        "ringcast2:m:{1:room}",
        "ringcast:m:{1:ro}om}",
        "ringcast:m:{1:ro{om}",
        "ringcast:m:{1:ro%om}",
        "ringcast:m:{1:room%7}",
        "ringcast:m:{1:room%}",
        "ringcast:m:{1:room%7a}",
        "ringcast:m:{12345678901234567890123456789012345678901234567890123456789012345:room}",
    };
    char memory[NAME_BYTES_MAX];
    struct text app, channel;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cr_expect_eq(cluster_key_read(text_of(rows[i]), prefix, CLUSTER_KEY_PUSHES, memory, &app, &channel),
                     RC_EINVAL, "%s", rows[i]);
    }
    cr_expect_eq(cluster_key_read(text_of("ringcast:m:{1:a%7b}"), prefix, CLUSTER_KEY_PUSHES, memory, &app, &channel),
                 RC_OK);
}

Test(cluster_key, of_a_name_that_is_too_long_is_read_as_none, .timeout = 5)
{
    char tag[2 + NAME_BYTES_MAX + 1] = "1:", memory[NAME_BYTES_MAX];
    struct text app, channel;
    memset(tag + 2, 'x', NAME_BYTES_MAX + 1);
    cr_expect_eq(cluster_tag_read((struct text){tag, sizeof tag}, memory, &app, &channel), RC_EINVAL);
    cr_expect_eq(cluster_tag_read((struct text){tag, sizeof tag - 1}, memory, &app, &channel), RC_OK);
}

Test(cluster_key, has_a_prefix_without_braces, .timeout = 5)
{
    static const char *const good[] = {"a", "ringcast", "my-app:2_x.y/z",
                                       "1234567890123456789012345678901234567890123456789012345678901234"};
    static const char *const bad[] = {
        "", "a{b", "a}", "a b", "%", "\xc3\xa4", "12345678901234567890123456789012345678901234567890123456789012345"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        cr_expect(cluster_prefix_is_valid(text_of(good[i])), "%s", good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_expect_not(cluster_prefix_is_valid(text_of(bad[i])), "%s", bad[i]);
    }
}
