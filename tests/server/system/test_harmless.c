/* tests/server/system/test_harmless.c - no text of anybody's forges a line or drives a terminal, however long it is. */
#include "server/system/harmless.h"

#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SIZE_MAX_HERE 100

Test(harmless, shows_what_could_forge_a_line_or_drive_a_terminal, .timeout = 10)
{
    static const char *const cases[][2] = {
        {"plain ~", "plain ~"},
        {"one\ntwo\r\ttab", "one\\x0atwo\\x0d\\x09tab"},
        {"\x1b[2J\x7f", "\\x1b[2J\\x7f"},
        {"Grüße, 日本, 🙂", "Grüße, 日本, 🙂"},
        {"\xc2\x9b"
         "2J",
         "\\xc2\\x9b2J"},                             /* U+009B, a control sequence in one character */
        {"\xc2\xa0", "\xc2\xa0"},                     /* the first after the controls */
        {"\x9b\xff", "\\x9b\\xff"},                   /* not UTF-8 at all */
        {"\xc0\x8a", "\\xc0\\x8a"},                   /* newline in two bytes */
        {"\xe0\x80\x8a", "\\xe0\\x80\\x8a"},          /* in three */
        {"\xf0\x80\x80\x8a", "\\xf0\\x80\\x80\\x8a"}, /* in four */
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},          /* a surrogate */
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* behind the last character */
        {"\xe6\x97", "\\xe6\\x97"},                   /* ends too early */
        {"\xf0\x9f\x99!", "\\xf0\\x9f\\x99!"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char shown[SIZE_MAX_HERE];
        cr_expect_str_eq(harmless_text(shown, sizeof shown, cases[i][0]), cases[i][1], "case %zu", i);
    }
}

/* Texts of every length into room of every size, in pieces of every size: whole if they fit, or cut behind one. */
Test(harmless, that_is_too_long_is_cut_between_characters, .timeout = 10)
{
    static const char *const pieces[][2] = {{"a", "a"}, {"é", "é"}, {"日", "日"}, {"🙂", "🙂"}, {"\n", "\\x0a"}};
    for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++) {
        size_t given_bytes = strlen(pieces[p][0]), shown_bytes = strlen(pieces[p][1]);
        char text[SIZE_MAX_HERE * 4 + 1] = "";
        for (size_t count = 0; count < SIZE_MAX_HERE; count++) {
            for (size_t size = 0; size < SIZE_MAX_HERE; size++) {
                char shown[SIZE_MAX_HERE];
                size_t bytes = harmless_put(shown, size, text);
                bool fits = count * shown_bytes <= size;
                size_t mark = fits || bytes == 0 ? 0 : strlen("…");
                cr_assert(bytes <= size && (bytes - mark) % shown_bytes == 0);
                for (size_t at = 0; at < bytes - mark; at += shown_bytes)
                    cr_assert(memcmp(shown + at, pieces[p][1], shown_bytes) == 0);
                if (fits) cr_assert_eq(bytes, count * shown_bytes);
                if (mark > 0) cr_assert(memcmp(shown + bytes - mark, "…", mark) == 0);
            }
            memcpy(text + count * given_bytes, pieces[p][0], given_bytes + 1);
        }
    }
}
