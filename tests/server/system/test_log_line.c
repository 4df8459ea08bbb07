/* tests/server/system/test_log_line.c - a line of the log has its form whatever it is made of. */
#include "server/system/log_line.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const struct timespec some_time = {.tv_sec = 1795448640, .tv_nsec = 123999999};

Test(log_line, has_time_level_thread_and_text, .timeout = 10)
{
    char line[LOG_LINE_BYTES_MAX + 1];
    line[log_line_format(line, &some_time, LOG_LEVEL_INFO, "shard 2", "hello")] = '\0';
    cr_expect_str_eq(line, "2026-11-23T15:44:00.123Z info  shard 2: hello\n");
    line[log_line_format(line, &some_time, LOG_LEVEL_ERROR, "", "hello")] = '\0';
    cr_expect_str_eq(line, "2026-11-23T15:44:00.123Z error hello\n");
}

Test(log_line, shows_what_could_forge_a_line_or_drive_a_terminal, .timeout = 10)
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
        char line[LOG_LINE_BYTES_MAX + 1], expected[LOG_LINE_BYTES_MAX];
        line[log_line_format(line, &some_time, LOG_LEVEL_WARN, "x", cases[i][0])] = '\0';
        snprintf(expected, sizeof expected, "2026-11-23T15:44:00.123Z warn  x: %s\n", cases[i][1]);
        cr_expect_str_eq(line, expected, "case %zu: %s", i, line);
    }
}

/* Texts of every length around the bound, in pieces of every size: whole up to it, cut behind a whole piece. */
Test(log_line, that_is_too_long_is_cut_between_characters, .timeout = 10)
{
    static const char *const pieces[][2] = {{"a", "a"}, {"é", "é"}, {"日", "日"}, {"🙂", "🙂"}, {"\n", "\\x0a"}};
    const size_t head = strlen("2026-11-23T15:44:00.123Z info  x: ");
    for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++) {
        size_t given_bytes = strlen(pieces[p][0]), shown_bytes = strlen(pieces[p][1]);
        char text[LOG_LINE_BYTES_MAX * 4 + 1] = "";
        for (size_t count = 0; count < LOG_LINE_BYTES_MAX; count++) {
            char line[LOG_LINE_BYTES_MAX];
            size_t bytes = log_line_format(line, &some_time, LOG_LEVEL_INFO, "x", text);
            bool fits = head + count * shown_bytes + 1 <= LOG_LINE_BYTES_MAX;
            size_t mark_bytes = fits ? 0 : strlen("…");
            size_t shown = (bytes - head - mark_bytes - 1) / shown_bytes;
            cr_assert(bytes <= LOG_LINE_BYTES_MAX && line[bytes - 1] == '\n');
            cr_assert_eq((bytes - head - mark_bytes - 1) % shown_bytes, 0);
            for (size_t i = 0; i < shown; i++)
                cr_assert(memcmp(line + head + i * shown_bytes, pieces[p][1], shown_bytes) == 0);
            if (fits)
                cr_assert_eq(shown, count);
            else
                cr_assert(memcmp(line + bytes - 1 - mark_bytes, "…", mark_bytes) == 0);
            memcpy(text + count * given_bytes, pieces[p][0], given_bytes + 1);
        }
    }
}
