/* tests/fuzz/fuzz_json.c - any bytes as JSON: what is taken keeps its meaning when it is written and read again.
 *
 * Taken is what yyjson takes and is nested no deeper than the bound, measured here on the document itself. Every
 * string in it is UTF-8, and core/json_text's escapes of it, once and twice, mean the same string to yyjson. Aborts
 * when that is not so, or when a member that is there is not found. */
#include "core/json_text.h"
#include "net/json.h"
#include "net/utf8.h"
#include "tests/fuzz/fuzz.h"

static bool is_within(yyjson_val *value, unsigned levels)
{
    size_t index, max;
    yyjson_val *key, *child;
    if (!yyjson_is_ctn(value)) return true;
    if (levels == 0) return false;
    yyjson_arr_foreach(value, index, max, child)
    {
        if (!is_within(child, levels - 1)) return false;
    }
    yyjson_obj_foreach(value, index, max, key, child)
    {
        (void)key;
        if (!is_within(child, levels - 1)) return false;
    }
    return true;
}

/* Judges by yyjson alone. */
static bool is_good(struct text text)
{
    yyjson_doc *doc = yyjson_read(text.at, text.count, YYJSON_READ_NUMBER_AS_RAW);
    bool is_good = doc != NULL && is_within(yyjson_doc_get_root(doc), JSON_DEPTH_MAX);
    yyjson_doc_free(doc);
    return is_good;
}

/* ---- strings ---- */

/* The text between quotes, read by yyjson. Free the document. */
static struct text read_string(const char *json, size_t bytes, yyjson_doc **doc_r)
{
    FUZZ_CHECK(json_read((struct text){json, bytes}, doc_r, NULL) == RC_OK);
    FUZZ_CHECK(yyjson_is_str(yyjson_doc_get_root(*doc_r)));
    return json_text(yyjson_doc_get_root(*doc_r));
}

static void check_escape(struct text text)
{
    size_t bytes = json_text_bytes(text) + 2;
    char *json = malloc(bytes);
    yyjson_doc *doc;
    if (json == NULL) abort();
    json[0] = json[bytes - 1] = '"';
    FUZZ_CHECK(json_text_write(json + 1, text) == json + bytes - 1);
    FUZZ_CHECK(text_equals(read_string(json, bytes, &doc), text));
    yyjson_doc_free(doc);
    free(json);
}

/* In the string is a string. */
static void check_escape_twice(struct text text)
{
    size_t bytes = json_text_bytes_twice(text) + 6;
    char *json = malloc(bytes);
    yyjson_doc *outer_doc, *inner_doc;
    if (json == NULL) abort();
    memcpy(json, "\"\\\"", 3);
    memcpy(json + bytes - 3, "\\\"\"", 3);
    FUZZ_CHECK(json_text_write_twice(json + 3, text) == json + bytes - 3);
    struct text outer = read_string(json, bytes, &outer_doc);
    FUZZ_CHECK(text_equals(read_string(outer.at, outer.count, &inner_doc), text));
    yyjson_doc_free(outer_doc);
    yyjson_doc_free(inner_doc);
    free(json);
}

static void check_string(struct text text)
{
    struct utf8 utf8 = {0};
    FUZZ_CHECK(text.at != NULL);
    FUZZ_CHECK(utf8_check(&utf8, (const uint8_t *)text.at, text.count) && utf8_is_complete(&utf8));
    check_escape(text);
    check_escape_twice(text);
}

/* ---- values ---- */

static void check_member(yyjson_val *object, yyjson_val *key)
{
    size_t index, max, same = 0;
    yyjson_val *other, *value, *found;
    struct text name = json_text(key);
    if (memchr(name.at, '\0', name.count) != NULL) return; /* cannot be asked for; yyjson puts a zero behind it */
    yyjson_obj_foreach(object, index, max, other, value)
    {
        (void)value;
        same += text_equals(json_text(other), name);
    }
    enum rc rc = json_member(object, name.at, &found);
    FUZZ_CHECK(rc == (same == 1 ? RC_OK : RC_EPROTO));
    FUZZ_CHECK(found == (same == 1 ? yyjson_obj_iter_get_val(key) : NULL));
}

static void check_value(yyjson_val *value)
{
    size_t index, max;
    yyjson_val *key, *child;
    FUZZ_CHECK(!yyjson_is_num(value));
    FUZZ_CHECK((json_text(value).at != NULL) == (yyjson_is_str(value) || yyjson_is_raw(value)));
    if (yyjson_is_str(value)) check_string(json_text(value));
    yyjson_arr_foreach(value, index, max, child)
    {
        check_value(child);
    }
    yyjson_obj_foreach(value, index, max, key, child)
    {
        check_string(json_text(key));
        check_member(value, key);
        check_value(child);
    }
}

/* Written and read again it is equal, and written once more the same to the byte. */
static void check_written(yyjson_val *value)
{
    char *first, *second;
    size_t first_bytes, second_bytes;
    yyjson_doc *again;
    FUZZ_CHECK(json_write(value, &first, &first_bytes) == RC_OK);
    FUZZ_CHECK(json_read((struct text){first, first_bytes}, &again, NULL) == RC_OK);
    FUZZ_CHECK(yyjson_equals(value, yyjson_doc_get_root(again)));
    FUZZ_CHECK(json_write(yyjson_doc_get_root(again), &second, &second_bytes) == RC_OK);
    FUZZ_CHECK(text_equals((struct text){first, first_bytes}, (struct text){second, second_bytes}));
    yyjson_doc_free(again);
    free(first);
    free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t count)
{
    struct bytes slice = fuzz_slice(input, count);
    struct text text = {(const char *)slice.at, count};
    const char *reason = NULL;
    yyjson_doc *doc;
    enum rc rc = json_read(text, &doc, &reason);
    FUZZ_CHECK(rc == RC_OK || rc == RC_EINVAL || rc == RC_ETOOBIG);
    FUZZ_CHECK((rc == RC_OK) == is_good(text));
    FUZZ_CHECK((doc != NULL) == (rc == RC_OK) && (reason != NULL) == (rc != RC_OK));
    free(slice.at);
    if (rc != RC_OK) return 0;
    check_value(yyjson_doc_get_root(doc));
    check_written(yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    return 0;
}
