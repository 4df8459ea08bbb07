/* server/system/log_line.c - a record in one of its forms, as far as a line has room. */
#include "server/system/log_line.h"

#include "server/system/harmless.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define TIME_BYTES      32
#define IDENTIFIER      "ringcast"
#define FIELD_BYTES_MIN 8 /* of a value, below which a field is not worth showing */

static const char *const format_names[LOG_FORMATS_MAX] = {
    [LOG_FORMAT_TEXT] = "text", [LOG_FORMAT_LOGFMT] = "logfmt", [LOG_FORMAT_JSON] = "json"};

const char *log_format_name(enum log_format format)
{
    assert(format < LOG_FORMATS_MAX);
    return format_names[format];
}

/* What has been written of a line. `kept` bytes are left for its end, whatever comes before. */
struct line {
    char *to;
    size_t used, kept;
};

static size_t room_of(const struct line *line)
{
    return LOG_LINE_BYTES_MAX - line->used - line->kept;
}

/* Ours: it always fits, by what was kept for it. */
static void put(struct line *line, const char *text)
{
    size_t count = strlen(text);
    assert(count <= LOG_LINE_BYTES_MAX - line->used);
    memcpy(line->to + line->used, text, count);
    line->used += count;
}

/* Somebody's, in up to `most` bytes; `escaped` ones get a backslash in front, for which there is room then too. */
static void put_value(struct line *line, const char *value, size_t most, const char *escaped)
{
    char safe[LOG_LINE_BYTES_MAX];
    size_t count = harmless_put(safe, escaped[0] != '\0' ? most / 2 : most, value);
    for (size_t i = 0; i < count; i++) {
        if (escaped[0] != '\0' && strchr(escaped, safe[i]) != NULL) line->to[line->used++] = '\\';
        line->to[line->used++] = safe[i];
    }
}

static const char *write_time(const struct timespec *when, char time_r[TIME_BYTES])
{
    struct tm utc;
    gmtime_r(&when->tv_sec, &utc);
    size_t used = strftime(time_r, TIME_BYTES, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(time_r + used, TIME_BYTES - used, ".%03dZ", (int)(when->tv_nsec / 1000000));
    return time_r;
}

/* ---- logfmt, and what stands behind the words of a text ---- */

/* A value that has none of these, and is not empty, needs no quotes. */
static bool needs_quotes(const char *value)
{
    return value[0] == '\0' || strpbrk(value, " \"=\\") != NULL;
}

static void put_pair(struct line *line, enum log_field field, const char *value, size_t most)
{
    const char *name = log_field_name(field);
    size_t around = strlen(name) + strlen(" =\"\"");
    if (room_of(line) < around + FIELD_BYTES_MIN) return;
    if (most > room_of(line) - around) most = room_of(line) - around;
    bool is_quoted = needs_quotes(value);
    if (line->used > 0) put(line, " ");
    put(line, name);
    put(line, is_quoted ? "=\"" : "=");
    put_value(line, value, most, is_quoted ? "\"\\" : "");
    if (is_quoted) put(line, "\"");
}

static void put_pairs(struct line *line, const struct log_fields *fields)
{
    enum log_field field;
    const char *value;
    for (uint32_t at = 0; log_fields_next(fields, &at, &field, &value);)
        put_pair(line, field, value, SIZE_MAX);
}

static void write_text(struct line *line, const struct log_record *record)
{
    char time[TIME_BYTES], head[TIME_BYTES + LOG_THREAD_BYTES_MAX];
    snprintf(head, sizeof head, "%s %-5s ", write_time(&record->when, time), log_level_name(record->level));
    put(line, head);
    if (record->thread[0] != '\0') {
        put_value(line, record->thread, room_of(line), "");
        put(line, ": ");
    }
    put_value(line, record->text, room_of(line), "");
    put_pairs(line, &record->fields);
}

static void write_logfmt(struct line *line, const struct log_record *record)
{
    char time[TIME_BYTES];
    put_pair(line, LOG_FIELD_time, write_time(&record->when, time), SIZE_MAX);
    put_pair(line, LOG_FIELD_level, log_level_name(record->level), SIZE_MAX);
    if (record->thread[0] != '\0') put_pair(line, LOG_FIELD_thread, record->thread, SIZE_MAX);
    put_pair(line, LOG_FIELD_message, record->text, 2 * LOG_TEXT_BYTES_MAX);
    put_pairs(line, &record->fields);
}

/* ---- JSON ---- */

/* The closing brace is kept. */
static void put_member(struct line *line, enum log_field field, const char *value, size_t most)
{
    const char *name = log_field_name(field);
    bool is_number = log_field_kind(field) == LOG_KIND_NUMBER;
    size_t around = strlen(name) + strlen(",\"\":\"\"");
    if (room_of(line) < around + (is_number ? strlen(value) : FIELD_BYTES_MIN)) return;
    if (most > room_of(line) - around) most = room_of(line) - around;
    put(line, line->used > 1 ? ",\"" : "\"");
    put(line, name);
    put(line, is_number ? "\":" : "\":\"");
    put_value(line, value, most, is_number ? "" : "\"\\");
    if (!is_number) put(line, "\"");
}

static void write_json(struct line *line, const struct log_record *record)
{
    char time[TIME_BYTES];
    enum log_field field;
    const char *value;
    line->kept++;
    put(line, "{");
    put_member(line, LOG_FIELD_time, write_time(&record->when, time), SIZE_MAX);
    put_member(line, LOG_FIELD_level, log_level_name(record->level), SIZE_MAX);
    if (record->thread[0] != '\0') put_member(line, LOG_FIELD_thread, record->thread, SIZE_MAX);
    put_member(line, LOG_FIELD_message, record->text, 2 * LOG_TEXT_BYTES_MAX);
    for (uint32_t at = 0; log_fields_next(&record->fields, &at, &field, &value);)
        put_member(line, field, value, SIZE_MAX);
    put(line, "}");
}

size_t log_line_format(char line_r[LOG_LINE_BYTES_MAX], enum log_format format, const struct log_record *record)
{
    static void (*const write[LOG_FORMATS_MAX])(struct line *, const struct log_record *) = {
        [LOG_FORMAT_TEXT] = write_text, [LOG_FORMAT_LOGFMT] = write_logfmt, [LOG_FORMAT_JSON] = write_json};
    assert(format < LOG_FORMATS_MAX);
    struct line line = {.to = line_r, .kept = 1};
    write[format](&line, record);
    put(&line, "\n");
    return line.used;
}

/* ---- the journal ---- */

/* NAME=value, a line each: no value has a newline any more, so that none needs its length in front. */
static void put_variable(struct line *line, enum log_field field, const char *value)
{
    const char *name = log_field_journal_name(field);
    size_t around = strlen(name) + strlen("=\n");
    if (room_of(line) < around + FIELD_BYTES_MIN) return;
    put(line, name);
    put(line, "=");
    put_value(line, value, room_of(line) - strlen("\n"), "");
    put(line, "\n");
}

/* Of syslog, which the journal has taken over. */
static const char *priority_of(enum log_level level)
{
    static const char *const priorities[LOG_LEVELS_MAX] = {
        [LOG_LEVEL_ERROR] = "3", [LOG_LEVEL_WARN] = "4", [LOG_LEVEL_INFO] = "6", [LOG_LEVEL_DEBUG] = "7"};
    assert(level < LOG_LEVELS_MAX);
    return priorities[level];
}

size_t log_line_format_journal(char line_r[LOG_LINE_BYTES_MAX], const struct log_record *record)
{
    struct line line = {.to = line_r};
    enum log_field field;
    const char *value;
    put(&line, "SYSLOG_IDENTIFIER=" IDENTIFIER "\n");
    put_variable(&line, LOG_FIELD_level, priority_of(record->level));
    if (record->thread[0] != '\0') put_variable(&line, LOG_FIELD_thread, record->thread);
    for (uint32_t at = 0; log_fields_next(&record->fields, &at, &field, &value);)
        put_variable(&line, field, value);
    put_variable(&line, LOG_FIELD_message, record->text);
    return line.used;
}
