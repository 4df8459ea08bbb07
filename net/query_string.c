/* net/query_string.c - decodes all of a query into one block of memory, then sorts views of it. */
#include "net/query_string.h"

#include <stdbool.h>
#include <stdlib.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static size_t decode_text(struct text text, bool is_form, char *to)
{
    size_t count = 0;
    for (size_t i = 0; i < text.count; i++) {
        char c = text.at[i];
        if (c == '%') {
            if (text.count - i < 3) return SIZE_MAX;
            int high = hex_digit(text.at[i + 1]), low = hex_digit(text.at[i + 2]);
            if (high < 0 || low < 0) return SIZE_MAX;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && is_form) {
            c = ' ';
        }
        to[count++] = c;
    }
    return count;
}

size_t percent_decode(struct text text, char *to)
{
    return decode_text(text, false, to);
}

/* ---- reading ---- */

/* The bytes before the first `c`, or all. */
static struct text before(struct text text, char c)
{
    const char *found = memchr(text.at, c, text.count);
    return found != NULL ? text_between(text.at, found) : text;
}

static void make_lower_case(char *at, size_t count)
{
    for (; count > 0; at++, count--) {
        if (*at >= 'A' && *at <= 'Z') *at += 'a' - 'A';
    }
}

/* Decodes behind what *end has already, and moves it on. */
static bool decode(struct text text, bool is_form, char **end, struct text *decoded_r)
{
    size_t count = decode_text(text, is_form, *end);
    if (count == SIZE_MAX) return false;
    *decoded_r = (struct text){.at = *end, .count = count};
    *end += count;
    return true;
}

static bool read_parameter(struct text piece, bool is_form, char **end, struct query_parameter *parameter)
{
    struct text name = before(piece, '='), value = {.at = "", .count = 0};
    if (name.count < piece.count) value = text_behind(piece, name.count + 1);
    char *name_at = *end;
    if (!decode(name, is_form, end, &parameter->name)) return false;
    make_lower_case(name_at, parameter->name.count);
    return decode(value, is_form, end, &parameter->value);
}

static enum rc read_parameters(struct query_string *query, struct text text, bool is_form)
{
    char *end = query->memory;
    for (size_t at = 0; at < text.count;) {
        struct text piece = before(text_behind(text, at), '&');
        at += piece.count + 1;
        if (piece.count == 0) continue;
        if (query->count == QUERY_PARAMETERS_MAX) return RC_ETOOBIG;
        if (!read_parameter(piece, is_form, &end, &query->parameters[query->count])) return RC_EINVAL;
        query->count++;
    }
    return RC_OK;
}

static int compare_texts(struct text a, struct text b)
{
    size_t count = a.count < b.count ? a.count : b.count;
    int order = count > 0 ? memcmp(a.at, b.at, count) : 0;
    return order != 0 ? order : (a.count > b.count) - (a.count < b.count);
}

static int compare_parameters(const void *a, const void *b)
{
    const struct query_parameter *left = a, *right = b;
    int order = compare_texts(left->name, right->name);
    /* Equal names stay in the order they came, in which they lie in memory. */
    return order != 0 ? order : (left->name.at > right->name.at) - (left->name.at < right->name.at);
}

static enum rc read_query(struct query_string *query, struct text text, bool is_form)
{
    *query = (struct query_string){0};
    if (text.count == 0) return RC_OK;
    query->memory = malloc(text.count); /* decoding never makes longer */
    if (query->memory == NULL) return RC_ENOMEM;
    enum rc rc = read_parameters(query, text, is_form);
    if (rc != RC_OK) {
        query_string_fini(query);
        return rc;
    }
    qsort(query->parameters, query->count, sizeof query->parameters[0], compare_parameters);
    return RC_OK;
}

enum rc query_string_read(struct query_string *query, struct text text)
{
    return read_query(query, text, false);
}

/* ---- arrays ---- */

/* Takes [] or [DIGITS] off the end of a name. False: there is none. */
static bool take_index(struct text *name)
{
    size_t at = name->count;
    if (at == 0 || name->at[--at] != ']') return false;
    while (at > 0 && name->at[at - 1] >= '0' && name->at[at - 1] <= '9')
        at--;
    if (at < 2 || name->at[at - 1] != '[') return false; /* a name stands before it */
    name->count = at - 1;
    return true;
}

/* Has parameter `i` the name of the one before, so that only its value is to be added? */
static bool is_continued(const struct query_string *query, uint32_t i)
{
    return i > 0 && text_equals(query->parameters[i - 1].name, query->parameters[i].name);
}

/* Joins what now has one name. The text only gets shorter: a comma for a name. */
static enum rc join_values(struct query_string *query, size_t bytes_max)
{
    uint32_t count = 0;
    char *memory = malloc(bytes_max), *to = memory;
    if (memory == NULL) return RC_ENOMEM;
    for (uint32_t i = 0; i < query->count; i++) {
        struct query_parameter parameter = query->parameters[i];
        if (is_continued(query, i)) {
            *to++ = ',';
        } else {
            struct text name = text_copy(&to, parameter.name);
            query->parameters[count++] = (struct query_parameter){.name = name, .value = {.at = to}};
        }
        to = text_put(to, parameter.value);
        struct text *value = &query->parameters[count - 1].value;
        value->count = (size_t)(to - value->at);
    }
    free(query->memory);
    query->memory = memory;
    query->count = count;
    return RC_OK;
}

enum rc query_string_read_form(struct query_string *query, struct text text)
{
    bool has_indices = false;
    enum rc rc = read_query(query, text, true);
    if (rc != RC_OK) return rc;
    for (uint32_t i = 0; i < query->count; i++)
        has_indices = take_index(&query->parameters[i].name) || has_indices;
    if (!has_indices) return RC_OK;
    qsort(query->parameters, query->count, sizeof query->parameters[0], compare_parameters);
    rc = join_values(query, text.count);
    if (rc != RC_OK) query_string_fini(query);
    return rc;
}

void query_string_fini(struct query_string *query)
{
    free(query->memory);
    *query = (struct query_string){0};
}

struct text query_string_get(const struct query_string *query, const char *name)
{
    for (uint32_t i = 0; i < query->count; i++) {
        if (text_is(query->parameters[i].name, name)) return query->parameters[i].value;
    }
    return (struct text){0};
}

/* ---- the sorted text ---- */

size_t query_string_sorted_bytes(const struct query_string *query, const char *without)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < query->count; i++) {
        const struct query_parameter *parameter = &query->parameters[i];
        if (text_is(parameter->name, without)) continue;
        bytes += 1 + parameter->value.count;
        if (!is_continued(query, i)) bytes += parameter->name.count + 1;
    }
    return bytes > 0 ? bytes - 1 : 0; /* no '&' before the first */
}

static char *write_text(char *to, struct text text)
{
    if (text.count > 0) memcpy(to, text.at, text.count);
    return to + text.count;
}

char *query_string_write_sorted(const struct query_string *query, const char *without, char *to)
{
    const char *start = to;
    for (uint32_t i = 0; i < query->count; i++) {
        const struct query_parameter *parameter = &query->parameters[i];
        if (text_is(parameter->name, without)) continue;
        if (is_continued(query, i)) {
            *to++ = ',';
        } else {
            if (to != start) *to++ = '&';
            to = write_text(to, parameter->name);
            *to++ = '=';
        }
        to = write_text(to, parameter->value);
    }
    return to;
}
