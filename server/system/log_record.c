/* server/system/log_record.c - words and fields, kept as they are until somebody gives them a form. */
#include "server/system/log_record.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *journal_name;
    enum log_field_kind kind;
} table[LOG_FIELDS_MAX] = {
#define LOG_FIELD(kind_, name_, journal_, what) \
    [LOG_FIELD_##name_] = {.name = #name_, .journal_name = (journal_), .kind = LOG_KIND_##kind_},
#include "server/system/log_field.def"
#undef LOG_FIELD
};

const char *log_field_name(enum log_field field)
{
    assert(field < LOG_FIELDS_MAX);
    return table[field].name;
}

const char *log_field_journal_name(enum log_field field)
{
    assert(field < LOG_FIELDS_MAX);
    return table[field].journal_name;
}

enum log_field_kind log_field_kind(enum log_field field)
{
    assert(field < LOG_FIELDS_MAX);
    return table[field].kind;
}

/* So many of the first bytes are whole characters, if they are UTF-8 at all. */
static size_t whole_bytes(const char *text, size_t count)
{
    size_t at = count;
    while (at > 0 && count - at < 4 && ((unsigned char)text[at] & 0xc0) == 0x80)
        at--;
    return at;
}

void log_field_text(struct log_fields *fields, enum log_field field, const char *text)
{
    size_t room = LOG_FIELDS_BYTES_MAX - fields->used, count = strlen(text);
    if (room < 2) return; /* which field, and the closing zero */
    if (count > room - 2) count = whole_bytes(text, room - 2);
    char *to = fields->bytes + fields->used;
    *to++ = (char)field;
    memcpy(to, text, count);
    to[count] = '\0';
    fields->used += (uint32_t)count + 2;
}

static void put_number(struct log_fields *fields, enum log_field field, const char *digits)
{
    if (strlen(digits) + 2 <= LOG_FIELDS_BYTES_MAX - fields->used) log_field_text(fields, field, digits);
}

void log_field_number(struct log_fields *fields, enum log_field field, uint64_t number)
{
    char digits[32];
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    put_number(fields, field, digits);
}

void log_field_ms(struct log_fields *fields, enum log_field field, uint64_t ms)
{
    char digits[32];
    snprintf(digits, sizeof digits, "%llu.%03u", (unsigned long long)(ms / 1000), (unsigned)(ms % 1000));
    put_number(fields, field, digits);
}

bool log_fields_next(const struct log_fields *fields, uint32_t *at, enum log_field *field_r, const char **value_r)
{
    if (*at >= fields->used) return false;
    *field_r = (enum log_field)fields->bytes[*at];
    *value_r = fields->bytes + *at + 1;
    *at += (uint32_t)strlen(*value_r) + 2;
    return true;
}

void log_record_write(struct log_record *record, const char *format, va_list arguments)
{
    static const char cut[] = "…";
    int count = vsnprintf(record->text, sizeof record->text, format, arguments);
    if (count < 0) record->text[0] = '\0';
    if (count < (int)sizeof record->text) return;
    memcpy(record->text + whole_bytes(record->text, sizeof record->text - sizeof cut), cut, sizeof cut);
}
