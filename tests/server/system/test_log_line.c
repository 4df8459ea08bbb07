/* tests/server/system/test_log_line.c - a line of the log has its form whatever it is made of. */
#include "server/system/log_line.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const struct timespec some_time = {.tv_sec = 1795448640, .tv_nsec = 123999999};

static const char *form(enum log_format format, struct log_record record)
{
    static char line[LOG_LINE_BYTES_MAX + 1];
    record.when = some_time;
    line[log_line_format(line, format, &record)] = '\0';
    return line;
}

static struct log_record record_of(enum log_level level, const char *thread, const char *text)
{
    struct log_record record = {.level = level};
    snprintf(record.thread, sizeof record.thread, "%s", thread);
    cr_assert(strlen(text) < sizeof record.text);
    memcpy(record.text, text, strlen(text) + 1);
    return record;
}

Test(log_line, has_time_level_thread_and_text, .timeout = 10)
{
    cr_expect_str_eq(form(LOG_FORMAT_TEXT, record_of(LOG_LEVEL_INFO, "shard 2", "hello")),
                     "2026-11-23T15:44:00.123Z info  shard 2: hello\n");
    cr_expect_str_eq(form(LOG_FORMAT_TEXT, record_of(LOG_LEVEL_ERROR, "", "hello")),
                     "2026-11-23T15:44:00.123Z error hello\n");
}

Test(log_line, has_fields_in_each_of_its_forms, .timeout = 10)
{
    struct log_record record = record_of(LOG_LEVEL_INFO, "shard 2", "it \"is\" so");
    log_field_text(&record.fields, LOG_FIELD_app, "shop");
    log_field_text(&record.fields, LOG_FIELD_user, "a=b \\ \"c\"\n");
    log_field_text(&record.fields, LOG_FIELD_reason, "");
    log_field_number(&record.fields, LOG_FIELD_bytes_in, UINT64_MAX);
    log_field_ms(&record.fields, LOG_FIELD_seconds, 61005);
    cr_expect_str_eq(
        form(LOG_FORMAT_TEXT, record),
        "2026-11-23T15:44:00.123Z info  shard 2: it \"is\" so app=shop user=\"a=b \\\\ \\\"c\\\"\\\\x0a\" "
        "reason=\"\" bytes_in=18446744073709551615 seconds=61.005\n");
    cr_expect_str_eq(
        form(LOG_FORMAT_LOGFMT, record),
        "time=2026-11-23T15:44:00.123Z level=info thread=\"shard 2\" message=\"it \\\"is\\\" so\" app=shop "
        "user=\"a=b \\\\ \\\"c\\\"\\\\x0a\" reason=\"\" bytes_in=18446744073709551615 seconds=61.005\n");
    cr_expect_str_eq(form(LOG_FORMAT_JSON, record),
                     "{\"time\":\"2026-11-23T15:44:00.123Z\",\"level\":\"info\",\"thread\":\"shard 2\","
                     "\"message\":\"it \\\"is\\\" so\",\"app\":\"shop\",\"user\":\"a=b \\\\ \\\"c\\\"\\\\x0a\","
                     "\"reason\":\"\",\"bytes_in\":18446744073709551615,\"seconds\":61.005}\n");
    char datagram[LOG_LINE_BYTES_MAX + 1];
    datagram[log_line_format_journal(datagram, &record)] = '\0';
    cr_expect_str_eq(datagram, "SYSLOG_IDENTIFIER=ringcast\nPRIORITY=6\nRINGCAST_THREAD=shard 2\nRINGCAST_APP=shop\n"
                               "RINGCAST_USER=a=b \\ \"c\"\\x0a\nRINGCAST_REASON=\n"
                               "RINGCAST_BYTES_IN=18446744073709551615\nRINGCAST_SECONDS=61.005\n"
                               "MESSAGE=it \"is\" so\n");
}

/* As the journal wants them: A-Z, 0-9 and _, not _ in front; and no two alike. */
Test(log_line, names_of_fields_are_ones_that_readers_take, .timeout = 10)
{
    for (enum log_field field = 0; field < LOG_FIELDS_MAX; field++) {
        const char *name = log_field_name(field), *journal = log_field_journal_name(field);
        cr_expect_eq(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name), "%s", name);
        cr_expect_eq(strspn(journal, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"), strlen(journal), "%s", journal);
        cr_expect(journal[0] != '_' && strlen(journal) <= 64, "%s", journal);
        for (enum log_field other = 0; other < field; other++)
            cr_expect(journal[0] == '\0' || strcmp(journal, log_field_journal_name(other)) != 0, "%s", journal);
    }
}

Test(log_line, shows_what_could_forge_a_line_or_drive_a_terminal, .timeout = 10)
{
    static const char *const cases[][2] = {
        {"one\ntwo\r\ttab", "one\\x0atwo\\x0d\\x09tab"},
        {"\x1b[2J\x7f", "\\x1b[2J\\x7f"},
        {"Grüße, 日本, 🙂", "Grüße, 日本, 🙂"},
        {"\x9b\xff", "\\x9b\\xff"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char expected[LOG_LINE_BYTES_MAX];
        snprintf(expected, sizeof expected, "2026-11-23T15:44:00.123Z warn  x: %s\n", cases[i][1]);
        cr_expect_str_eq(form(LOG_FORMAT_TEXT, record_of(LOG_LEVEL_WARN, "x", cases[i][0])), expected);
    }
}

static void write_words(struct log_record *record, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    log_record_write(record, format, arguments);
    va_end(arguments);
}

/* Of every length around the bound, in characters of every size: whole up to it, cut behind a whole one. */
Test(log_line, text_that_is_too_long_is_cut_between_characters, .timeout = 10)
{
    static const char *const pieces[] = {"a", "é", "日", "🙂"};
    char text[LOG_TEXT_BYTES_MAX * 5] = "";
    struct log_record record;
    for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++) {
        size_t piece = strlen(pieces[p]);
        for (size_t count = 0; count < LOG_TEXT_BYTES_MAX + 2; count++) {
            for (size_t i = 0; i < count; i++)
                memcpy(text + i * piece, pieces[p], piece + 1);
            if (count == 0) text[0] = '\0';
            write_words(&record, "%s", text);
            size_t bytes = strlen(record.text);
            if (count * piece < LOG_TEXT_BYTES_MAX) {
                cr_assert_str_eq(record.text, text);
            } else {
                cr_assert(bytes < LOG_TEXT_BYTES_MAX && (bytes - strlen("…")) % piece == 0);
                cr_assert_str_eq(record.text + bytes - strlen("…"), "…");
                cr_assert_eq(strncmp(record.text, text, bytes - strlen("…")), 0);
            }
        }
    }
}

/* Is it one JSON object, with strings and numbers alone in it? */
static bool is_whole_json(const char *line)
{
    bool in_string = false;
    size_t quotes = 0, length = strlen(line);
    for (const char *at = line; *at != '\0'; at++) {
        if (in_string && *at == '\\' && at[1] != '\0') {
            at++;
            continue;
        }
        if (*at != '"') continue;
        in_string = !in_string;
        quotes++;
    }
    return !in_string && quotes % 2 == 0 && length > 2 && line[0] == '{' && strcmp(line + length - 2, "}\n") == 0 &&
           line[length - 3] != ',' && line[length - 3] != ':';
}

/* Whatever it is made of, and however much: of bytes that take most room. */
Test(log_line, is_whole_and_bounded_whatever_is_in_it, .timeout = 20)
{
    static const char fill[] = {'a', '"', '\\', '\n', '\xff', ' '};
    for (size_t kind = 0; kind < sizeof fill; kind++) {
        for (size_t length = 0; length < LOG_TEXT_BYTES_MAX; length += 7) {
            struct log_record record = record_of(LOG_LEVEL_DEBUG, "fifteen letters", "");
            char value[LOG_TEXT_BYTES_MAX] = "";
            memset(value, fill[kind], length);
            memcpy(record.text, value, sizeof value);
            for (enum log_field field = LOG_FIELD_connection; field < LOG_FIELDS_MAX; field++)
                if (log_field_kind(field) == LOG_KIND_NUMBER)
                    log_field_number(&record.fields, field, UINT64_MAX);
                else
                    log_field_text(&record.fields, field, value);
            for (enum log_format format = 0; format < LOG_FORMATS_MAX; format++) {
                const char *line = form(format, record);
                cr_assert(strlen(line) <= LOG_LINE_BYTES_MAX && strchr(line, '\n') == line + strlen(line) - 1);
                if (format == LOG_FORMAT_JSON) cr_assert(is_whole_json(line), "%s", line);
            }
            char datagram[LOG_LINE_BYTES_MAX + 1];
            size_t bytes = log_line_format_journal(datagram, &record);
            cr_assert(bytes <= LOG_LINE_BYTES_MAX && datagram[bytes - 1] == '\n');
        }
    }
}
