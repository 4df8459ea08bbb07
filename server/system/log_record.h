/* server/system/log_record.h - one thing that the log tells, before it has a form: when, how grave, by whom, the words,
 * and what there is to say by name (server/system/log_field.def).
 *
 * Plain values without a pointer, made by one thread and given its form by another (server/system/log_line.h). Nothing
 * is allocated. */
#pragma once

#include "server/system/log_level.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define LOG_TEXT_BYTES_MAX   512 /* with its closing zero */
#define LOG_FIELDS_BYTES_MAX 512
#define LOG_THREAD_BYTES_MAX 16

enum log_field {
#define LOG_FIELD(kind, name, ...) LOG_FIELD_##name,
#include "server/system/log_field.def"
#undef LOG_FIELD
    LOG_FIELDS_MAX
};

enum log_field_kind { LOG_KIND_LINE, LOG_KIND_TEXT, LOG_KIND_NUMBER };

/* Fields and their values, one behind the other. A zeroed struct has none. */
struct log_fields {
    uint32_t used;
    char bytes[LOG_FIELDS_BYTES_MAX];
};

struct log_record {
    struct timespec when;
    enum log_level level;
    char thread[LOG_THREAD_BYTES_MAX]; /* "": it has no name */
    char text[LOG_TEXT_BYTES_MAX];
    struct log_fields fields;
};

/* The field's name, and that of the journal ("": none); static. */
const char *log_field_name(enum log_field field);
const char *log_field_journal_name(enum log_field field);
enum log_field_kind log_field_kind(enum log_field field);

/* Adds a field, of which there is none yet; a text of which there is no room is cut, a number left out. */
void log_field_text(struct log_fields *fields, enum log_field field, const char *text);
void log_field_number(struct log_fields *fields, enum log_field field, uint64_t number);
/* As seconds with three digits behind the point. */
void log_field_ms(struct log_fields *fields, enum log_field field, uint64_t ms);

/* The next field and its value, from *at, which begins with 0; false: that was the last. */
bool log_fields_next(const struct log_fields *fields, uint32_t *at, enum log_field *field_r, const char **value_r);

/* Writes the text, printf-like; what does not fit is cut between characters, with "…" in its place. */
void log_record_write(struct log_record *record, const char *format, va_list arguments);
