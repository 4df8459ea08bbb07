/* net/json.c - the bounds around yyjson.
 *
 * yyjson itself does not recurse and has no bound on depth, but whoever walks over a document may recurse: so depth
 * is judged here, and before memory is spent on a document that will be refused. */
#include "net/json.h"

#include <assert.h>
#include <stdbool.h>

/* The quote that ends the string begun before `at`, or `end`. A quote behind an odd number of backslashes does not
 * end it. No backslash is counted twice: those of a quote lie behind the quote before it. */
static const char *string_end(const char *at, const char *end)
{
    for (const char *from = at; from < end;) {
        const char *quote = memchr(from, '"', (size_t)(end - from));
        if (quote == NULL) break;
        const char *backslashes = quote;
        while (backslashes > from && backslashes[-1] == '\\')
            backslashes--;
        if ((quote - backslashes) % 2 == 0) return quote;
        from = quote + 1;
    }
    return end;
}

/* Right for JSON, and for any text up to where it stops being JSON, which the parser finds. */
static bool is_too_deep(struct text text)
{
    if (text.count == 0) return false;
    const char *end = text.at + text.count;
    unsigned depth = 0;
    for (const char *at = text.at; at < end; at++) {
        switch (*at) {
        case '"':
            at = string_end(at + 1, end);
            if (at == end) return false;
            break;
        case '[':
        case '{':
            if (++depth > JSON_DEPTH_MAX) return true;
            break;
        case ']':
        case '}':
            if (depth > 0) depth--;
            break;
        default:
            break;
        }
    }
    return false;
}

enum rc json_read(struct text text, yyjson_doc **doc_r, const char **reason_r)
{
    *doc_r = NULL;
    if (is_too_deep(text)) {
        if (reason_r != NULL) *reason_r = "nested too deeply";
        return RC_ETOOBIG;
    }
    yyjson_read_err error;
    char *at = (char *)text.at; /* written to only with YYJSON_READ_INSITU */
    *doc_r = yyjson_read_opts(at, text.count, YYJSON_READ_NUMBER_AS_RAW, NULL, &error);
    if (*doc_r != NULL) return RC_OK;
    if (reason_r != NULL) *reason_r = error.msg;
    return error.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION ? RC_ENOMEM : RC_EINVAL;
}

enum rc json_member(yyjson_val *object, const char *name, yyjson_val **value_r)
{
    yyjson_obj_iter members = yyjson_obj_iter_with(object); /* of anything else: one without members */
    size_t name_bytes = strlen(name);
    yyjson_val *key, *found = NULL;
    *value_r = NULL;
    while ((key = yyjson_obj_iter_next(&members)) != NULL) {
        if (!yyjson_equals_strn(key, name, name_bytes)) continue;
        if (found != NULL) return RC_EPROTO;
        found = yyjson_obj_iter_get_val(key);
    }
    *value_r = found;
    return found != NULL ? RC_OK : RC_ENOENT;
}

struct text json_text(yyjson_val *value)
{
    if (yyjson_is_str(value)) return (struct text){yyjson_get_str(value), yyjson_get_len(value)};
    if (yyjson_is_raw(value)) return (struct text){yyjson_get_raw(value), yyjson_get_len(value)};
    return (struct text){0};
}

enum rc json_write(yyjson_val *value, char **text_r, size_t *bytes_r)
{
    assert(value != NULL);
    *text_r = yyjson_val_write_opts(value, YYJSON_WRITE_NOFLAG, NULL, bytes_r, NULL);
    return *text_r != NULL ? RC_OK : RC_ENOMEM; /* all else that can fail was found in reading */
}

const char *json_library(void)
{
    return "yyjson " YYJSON_VERSION_STRING;
}
