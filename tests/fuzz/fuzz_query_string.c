/* tests/fuzz/fuzz_query_string.c - any bytes as a query are judged as a naive reader does, and keep their meaning.
 *
 * Aborts when a good query is refused or a bad one taken, when parameters are out of order, when the sorted text is
 * not as long as promised, or when the parameters, escaped byte for byte and the last first, read otherwise. */
#include "net/query_string.h"
#include "tests/fuzz/fuzz.h"

#include <ctype.h>

static bool has_bad_escape(struct text text)
{
    for (size_t i = 0; i < text.count; i++) {
        if (text.at[i] != '%') continue;
        if (i + 2 >= text.count) return true;
        if (!isxdigit((unsigned char)text.at[i + 1]) || !isxdigit((unsigned char)text.at[i + 2])) return true;
    }
    return false;
}

/* How many pieces between '&' are not empty. */
static size_t pieces_count(struct text text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.count; i++) {
        bool is_first = i == 0 || text.at[i - 1] == '&';
        count += is_first && text.at[i] != '&';
    }
    return count;
}

/* -1, 0, 1 */
static int compare(struct text a, struct text b)
{
    for (size_t i = 0; i < a.count && i < b.count; i++) {
        if (a.at[i] != b.at[i]) return (unsigned char)a.at[i] < (unsigned char)b.at[i] ? -1 : 1;
    }
    return (a.count > b.count) - (a.count < b.count);
}

static void check_order(const struct query_string *query)
{
    for (uint32_t i = 0; i < query->count; i++) {
        const struct query_parameter *parameter = &query->parameters[i];
        FUZZ_CHECK(parameter->name.at != NULL && parameter->value.at != NULL);
        for (size_t j = 0; j < parameter->name.count; j++)
            FUZZ_CHECK(parameter->name.at[j] < 'A' || parameter->name.at[j] > 'Z');
        if (i == 0) continue;
        int order = compare(parameter[-1].name, parameter->name);
        FUZZ_CHECK(order < 0 || (order == 0 && parameter[-1].value.at <= parameter->value.at)); /* as they came */
    }
}

/* Looking up by name finds the first of that name, or nothing where there is none. */
static void check_lookup(const struct query_string *query)
{
    char name[64];
    for (uint32_t i = 0; i < query->count; i++) {
        struct text wanted = query->parameters[i].name;
        if (wanted.count >= sizeof name || memchr(wanted.at, '\0', wanted.count) != NULL) continue;
        memcpy(name, wanted.at, wanted.count);
        name[wanted.count] = '\0';
        uint32_t first = i;
        while (first > 0 && text_equals(query->parameters[first - 1].name, wanted))
            first--;
        FUZZ_CHECK(text_equals(query_string_get(query, name), query->parameters[first].value));
    }
    FUZZ_CHECK(query_string_get(query, "no such name, since it has a CAPITAL").at == NULL);
}

static void check_sorted(const struct query_string *query, const char *without)
{
    size_t bytes = query_string_sorted_bytes(query, without), wanted = 0;
    char *sorted = malloc(bytes);
    if (sorted == NULL && bytes > 0) abort();
    FUZZ_CHECK(query_string_write_sorted(query, without, sorted) == sorted + bytes);
    const char *at = sorted;
    for (uint32_t i = 0; i < query->count; i++) {
        const struct query_parameter *parameter = &query->parameters[i];
        if (text_is(parameter->name, without)) continue;
        if (i == 0 || !text_equals(parameter[-1].name, parameter->name)) {
            if (at != sorted) FUZZ_CHECK(*at++ == '&');
            FUZZ_CHECK(text_equals((struct text){at, parameter->name.count}, parameter->name));
            at += parameter->name.count;
            FUZZ_CHECK(*at++ == '=');
        } else {
            FUZZ_CHECK(*at++ == ',');
        }
        FUZZ_CHECK(text_equals((struct text){at, parameter->value.count}, parameter->value));
        at += parameter->value.count;
        wanted = (size_t)(at - sorted);
    }
    FUZZ_CHECK(wanted == bytes);
    free(sorted);
}

static char *write_escaped(char *to, struct text text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.count; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        *to++ = '%';
        *to++ = digits[byte >> 4];
        *to++ = digits[byte & 0x0f];
    }
    return to;
}

/* Every byte escaped, in the order found. */
static void check_again(const struct query_string *query, size_t count)
{
    char *text = malloc(3 * count + 2 * QUERY_PARAMETERS_MAX), *end = text;
    if (text == NULL) abort();
    for (uint32_t i = 0; i < query->count; i++) {
        end = write_escaped(end, query->parameters[i].name);
        *end++ = '=';
        end = write_escaped(end, query->parameters[i].value);
        *end++ = '&';
    }
    struct query_string again;
    FUZZ_CHECK(query_string_read(&again, text_between(text, end)) == RC_OK);
    free(text);
    FUZZ_CHECK(again.count == query->count);
    for (uint32_t i = 0; i < again.count; i++) {
        FUZZ_CHECK(text_equals(again.parameters[i].name, query->parameters[i].name));
        FUZZ_CHECK(text_equals(again.parameters[i].value, query->parameters[i].value));
    }
    query_string_fini(&again);
}

/* A form is as good or bad, and no longer. */
static void check_form(struct text text, enum rc rc)
{
    struct query_string query;
    FUZZ_CHECK(query_string_read_form(&query, text) == rc);
    check_sorted(&query, "auth_signature");
    FUZZ_CHECK(query_string_sorted_bytes(&query, "auth_signature") <= text.count + query.count);
    query_string_fini(&query);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t count)
{
    struct bytes slice = fuzz_slice(input, count);
    struct text text = {(const char *)slice.at, count};
    struct query_string query;
    enum rc rc = query_string_read(&query, text);
    FUZZ_CHECK(rc == RC_OK || rc == RC_EINVAL || rc == RC_ETOOBIG);
    FUZZ_CHECK((rc == RC_OK) == (!has_bad_escape(text) && pieces_count(text) <= QUERY_PARAMETERS_MAX));
    FUZZ_CHECK(rc != RC_EINVAL || has_bad_escape(text));
    FUZZ_CHECK(rc != RC_ETOOBIG || pieces_count(text) > QUERY_PARAMETERS_MAX);
    FUZZ_CHECK(query.count == (rc == RC_OK ? pieces_count(text) : 0));
    check_form(text, rc);
    free(slice.at);
    check_order(&query);
    check_lookup(&query);
    check_sorted(&query, "auth_signature");
    check_sorted(&query, "a");
    check_again(&query, count);
    query_string_fini(&query);
    return 0;
}
