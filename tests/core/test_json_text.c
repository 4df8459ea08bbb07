/* tests/core/test_json_text.c - escaping against rows written by hand and against a naive way, byte by byte.
 *
 * What is written always goes into a block of exactly the size promised: the sanitizer sees a byte too many. */
#include "core/json_text.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the naive way ---- */

/* Appends the byte's escape as RFC 8259 7 lists them. */
static void put_naively(FILE *file, unsigned char byte)
{
    static const struct {
        char byte;
        const char *escape;
    } rows[] = {{'"', "\\\""}, {'\\', "\\\\"}, {'\b', "\\b"}, {'\f', "\\f"},
                {'\n', "\\n"}, {'\r', "\\r"},  {'\t', "\\t"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].byte != (char)byte) continue;
        fputs(rows[i].escape, file);
        return;
    }
    if (byte < 0x20)
        fprintf(file, "\\u%04x", byte);
    else
        fputc(byte, file);
}

/* free() what .at points to. */
static struct text escape_naively(struct text text)
{
    char *at;
    size_t count;
    FILE *file = open_memstream(&at, &count);
    for (size_t i = 0; i < text.count; i++)
        put_naively(file, (unsigned char)text.at[i]);
    fclose(file);
    return (struct text){at, count};
}

/* ---- what is tested ---- */

static struct text escape(struct text text, size_t (*bytes)(struct text text),
                          char *(*write)(char *to, struct text text))
{
    size_t count = bytes(text);
    char *at = malloc(count);
    cr_assert_eq(write(at, text), at + count, "as many bytes as promised");
    return (struct text){at, count};
}

static struct text escape_once(struct text text)
{
    return escape(text, json_text_bytes, json_text_write);
}

static struct text escape_twice(struct text text)
{
    return escape(text, json_text_bytes_twice, json_text_write_twice);
}

/* Compares both ways with the naive one. The text is in a block of its own. */
static bool is_as_naive(struct text text)
{
    struct text naive = escape_naively(text), naive_twice = escape_naively(naive);
    struct text once = escape_once(text), twice = escape_twice(text);
    bool is_equal = text_equals(once, naive) && text_equals(twice, naive_twice);
    free((char *)naive.at);
    free((char *)naive_twice.at);
    free((char *)once.at);
    free((char *)twice.at);
    return is_equal;
}

Test(json_text, only_what_must_be_escaped_is, .timeout = 5)
{
    static const struct {
        struct text text;
        const char *once, *twice;
    } rows[] = {
        {{"", 0}, "", ""},
        {{"plain text / with a slash", 25}, "plain text / with a slash", "plain text / with a slash"},
        {{"\"", 1}, "\\\"", "\\\\\\\""},
        {{"\\", 1}, "\\\\", "\\\\\\\\"},
        {{"\b\f\n\r\t", 5}, "\\b\\f\\n\\r\\t", "\\\\b\\\\f\\\\n\\\\r\\\\t"},
        {{"\0\x01\x1f", 3}, "\\u0000\\u0001\\u001f", "\\\\u0000\\\\u0001\\\\u001f"},
        {{"\x0b\x0e\x10 ", 4}, "\\u000b\\u000e\\u0010 ", "\\\\u000b\\\\u000e\\\\u0010 "},
        {{"\x7f", 1}, "\x7f", "\x7f"},
        {{"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80", 11},
         "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80",
         "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"},
        {{"{\"text\":\"hi\"}", 13}, "{\\\"text\\\":\\\"hi\\\"}", "{\\\\\\\"text\\\\\\\":\\\\\\\"hi\\\\\\\"}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct text once = escape_once(rows[i].text), twice = escape_twice(rows[i].text);
        cr_expect(text_is(once, rows[i].once), "row %zu: %.*s", i, (int)once.count, once.at);
        cr_expect(text_is(twice, rows[i].twice), "row %zu: %.*s", i, (int)twice.count, twice.at);
        free((char *)once.at);
        free((char *)twice.at);
    }
}

Test(json_text, no_text_is_an_empty_one, .timeout = 5)
{
    char nothing;
    cr_expect_eq(json_text_bytes((struct text){0}), 0);
    cr_expect_eq(json_text_bytes_twice((struct text){0}), 0);
    cr_expect_eq(json_text_write(&nothing, (struct text){0}), &nothing);
    cr_expect_eq(json_text_write_twice(&nothing, (struct text){0}), &nothing);
}

/* The bytes around it are those that a wide step gone wrong could take for special ones: neighbours, and such as
 * differ from special ones in one bit. */
Test(json_text, every_byte_is_treated_right_at_every_place, .timeout = 30)
{
    static const char around[] = {'a', ' ', '!', '#', '[', ']', '\x7f', '\x80', '\xa2', '\xdc', '\xff'};
    for (size_t i = 0; i < sizeof around; i++) {
        for (int byte = 0; byte <= 0xff; byte++) {
            for (size_t place = 0; place < 37; place++) {
                char text[37];
                memset(text, around[i], sizeof text);
                text[place] = (char)byte;
                cr_assert(is_as_naive((struct text){text, sizeof text}), "byte %02x at %zu", byte, place);
            }
        }
    }
}

Test(json_text, any_text_of_any_length_is_escaped_as_the_naive_way_does, .timeout = 30)
{
    srandom(1);
    for (int round = 0; round < 4000; round++) {
        size_t count = (size_t)random() % 100;
        unsigned special = (unsigned)random() % 64; /* how dense */
        char *text = malloc(count);
        for (size_t i = 0; i < count; i++) {
            bool is_special = (unsigned)random() % 64 < special;
            text[i] = is_special ? "\"\\\n\x01"[random() % 4] : (char)random();
        }
        cr_assert(is_as_naive((struct text){text, count}), "round %d", round);
        free(text);
    }
}
