/* tests/net/test_json.c - JSON of others: what is refused, what is found in it, and that it comes out as it was. */
#include "net/json.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* From a block of its own, so that the sanitizer sees a read behind it. */
static enum rc read_block(struct text text, yyjson_doc **doc_r, const char **reason_r)
{
    char *at = malloc(text.count);
    if (text.count > 0) memcpy(at, text.at, text.count);
    enum rc rc = json_read((struct text){at, text.count}, doc_r, reason_r);
    free(at);
    return rc;
}

static yyjson_doc *read_good(const char *text)
{
    yyjson_doc *doc;
    const char *reason = "";
    cr_assert_eq(read_block(text_of(text), &doc, &reason), RC_OK, "%s: %s", text, reason);
    cr_assert_not_null(doc);
    return doc;
}

/* What json_write() makes of the text is this. */
static bool is_written_as(const char *text, const char *wanted)
{
    yyjson_doc *doc = read_good(text);
    char *written;
    size_t bytes;
    cr_assert_eq(json_write(yyjson_doc_get_root(doc), &written, &bytes), RC_OK);
    yyjson_doc_free(doc);
    bool is_equal = text_is((struct text){written, bytes}, wanted);
    if (!is_equal) cr_log_warn("%.*s", (int)bytes, written);
    free(written);
    return is_equal;
}

Test(json, what_is_not_json_is_refused, .timeout = 5)
{
    static const struct text rows[] = {
        {0},
        {"", 0},
        {" \n", 2},
        {"\0", 1},
        {"{}\0", 3},           /* the zero is behind the document */
        {"\xef\xbb\xbf{}", 5}, /* a byte order mark, RFC 8259 8.1 */
        {"{} {}", 5},
        {"{}x", 3},
        {"1 2", 3},
        {"{", 1},
        {"[", 1},
        {"[1", 2},
        {"[1,", 3},
        {"[1,]", 4},
        {"[,1]", 4},
        {"[1 2]", 5},
        {"]", 1},
        {"]][", 3}, /* not "too deep" */
        {"[}", 2},
        {"{]", 2},
        {"{\"a\"}", 5},
        {"{\"a\":}", 6},
        {"{\"a\":1,}", 8},
        {"{a:1}", 5},
        {"{'a':1}", 7},
        {"{1:1}", 5},
        {"\"", 1},
        {"\"a", 2},
        {"\"a\\\"", 4},
        {"\"\\", 2},
        {"\"\\x41\"", 6},
        {"\"\\u12\"", 6},
        {"\"\\u12g4\"", 8},
        {"\"\n\"", 3}, /* control characters have to be escaped */
        {"\"\0\"", 3},
        {"nul", 3},
        {"True", 4},
        {"NaN", 3},
        {"Infinity", 8},
        {"-", 1},
        {"+1", 2},
        {"01", 2},
        {"1.", 2},
        {".5", 2},
        {"1e", 2},
        {"0x1", 3},
        {"// a\n1", 6},
        {"/* a */1", 8},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        yyjson_doc *doc = (yyjson_doc *)&doc;
        const char *reason = NULL;
        cr_expect_eq(read_block(rows[i], &doc, &reason), RC_EINVAL, "row %zu", i);
        cr_expect_null(doc);
        cr_expect(reason != NULL && strlen(reason) > 0, "row %zu", i);
        cr_expect_eq(json_read(rows[i], &doc, NULL), RC_EINVAL, "row %zu without reason", i);
    }
}

Test(json, bytes_that_are_not_utf_8_are_refused, .timeout = 5)
{
    static const char *const rows[] = {
        "\x80",         "\xc3",         "\xc3\x28",         "\xc0\x80", /* overlong */
        "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff",     "\xe2\x82",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        static const char *const formats[] = {"\"%s\"", "{\"%s\":1}", "[\"a\",\"long enough %s to matter\"]", "%s"};
        for (size_t j = 0; j < sizeof formats / sizeof formats[0]; j++) {
            char text[64];
            yyjson_doc *doc;
            snprintf(text, sizeof text, formats[j], rows[i]);
            cr_expect_eq(read_block(text_of(text), &doc, NULL), RC_EINVAL, "row %zu, format %zu", i, j);
        }
    }
}

Test(json, lone_surrogates_are_refused, .timeout = 5)
{
    static const char *const rows[] = {"\"\\ud800\"",        "\"\\udc00\"",       "\"\\udfff\"",
                                       "\"\\ud83dx\"",       "\"\\ud83d\"",       "\"\\ud83d\\u0041\"",
                                       "\"\\ude00\\ud83d\"", "\"\\ud83d\\ud83d\""};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        yyjson_doc *doc;
        cr_expect_eq(read_block(text_of(rows[i]), &doc, NULL), RC_EINVAL, "%s", rows[i]);
    }
    cr_expect(is_written_as("\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\""), "a pair is a character");
}

/* ---- depth ---- */

/* So many openings, what stands innermost, and the closings. */
static char *nested(size_t depth, const char *open, const char *inner, const char *close)
{
    char *text, *at;
    size_t bytes = depth * (strlen(open) + strlen(close)) + strlen(inner) + 1;
    at = text = malloc(bytes);
    for (size_t i = 0; i < depth; i++)
        at = stpcpy(at, open);
    at = stpcpy(at, inner);
    for (size_t i = 0; i < depth; i++)
        at = stpcpy(at, close);
    return text;
}

Test(json, nesting_has_a_bound_and_it_is_exact, .timeout = 5)
{
    static const struct {
        const char *open, *inner, *close;
    } rows[] = {
        {"[", "", "]"},
        {"[", "1", "]"},
        {"[[],", "{}", "]"}, /* with one more beside, not within, but for the innermost */
        {"{\"a\":", "1", "}"},
        {"{\"]}\":", "\"]}\"", "}"},
        {"{\"\\\"]\":", "\"\\\\\"", "}"},
        {"{\"\\\\\":", "\"\\\\\\\"}\"", "}"},
        {" [ \"[{\" , \"\\\"[\", ", "\"\\\\\"", " ] "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool is_deeper = rows[i].inner[0] == '{'; /* the innermost is one too */
        yyjson_doc *doc;
        const char *reason = NULL;
        char *text = nested(JSON_DEPTH_MAX - is_deeper, rows[i].open, rows[i].inner, rows[i].close);
        cr_expect_eq(read_block(text_of(text), &doc, NULL), RC_OK, "row %zu", i);
        yyjson_doc_free(doc);
        free(text);
        text = nested(JSON_DEPTH_MAX + 1 - is_deeper, rows[i].open, rows[i].inner, rows[i].close);
        cr_expect_eq(read_block(text_of(text), &doc, &reason), RC_ETOOBIG, "row %zu", i);
        cr_expect_null(doc);
        cr_expect(reason != NULL && strlen(reason) > 0);
        free(text);
    }
}

Test(json, depth_is_not_breadth, .timeout = 5)
{
    yyjson_doc *doc;
    char *text = nested(1000, "[{}],", "0", ""), *all = malloc(strlen(text) + 3);
    stpcpy(stpcpy(stpcpy(all, "["), text), "]");
    cr_expect_eq(read_block(text_of(all), &doc, NULL), RC_OK);
    cr_expect_eq(yyjson_arr_size(yyjson_doc_get_root(doc)), 1001);
    yyjson_doc_free(doc);
    free(text);
    free(all);
}

Test(json, a_million_openings_cost_nothing, .timeout = 5)
{
    yyjson_doc *doc;
    char *text = nested(1000000, "[", "", "");
    cr_expect_eq(read_block(text_of(text), &doc, NULL), RC_ETOOBIG);
    free(text);
    text = nested(1000000, "", "", "");
    cr_expect_eq(read_block(text_of(text), &doc, NULL), RC_EINVAL);
    free(text);
    text = nested(500000, "\\\"", "", ""); /* each quote is judged by the backslashes before it */
    cr_expect_eq(read_block(text_of(text), &doc, NULL), RC_EINVAL);
    free(text);
}

/* ---- what is in it ---- */

Test(json, a_member_is_found_if_it_is_there_once, .timeout = 5)
{
    static const struct {
        const char *text, *name;
        enum rc rc;
        const char *value;
    } rows[] = {
        {"{}", "a", RC_ENOENT, NULL},
        {"{\"a\":1}", "a", RC_OK, "1"},
        {"{\"b\":{\"a\":1}}", "a", RC_ENOENT, NULL},
        {"{\"b\":2,\"a\":[1,2],\"c\":{\"a\":3},\"d\":4}", "d", RC_OK, "4"},
        {"{\"a\":1,\"b\":2,\"a\":1}", "a", RC_EPROTO, NULL},
        {"{\"a\":1,\"b\":2,\"a\":1}", "b", RC_OK, "2"},
        {"{\"a\":1,\"\\u0061\":2}", "a", RC_EPROTO, NULL}, /* written otherwise, and yet the same */
        {"{\"\\u0061\":1}", "a", RC_OK, "1"},
        {"{\"a\\u0000\":1}", "a", RC_ENOENT, NULL},
        {"{\"A\":1,\"aa\":1,\"\":1}", "a", RC_ENOENT, NULL},
        {"{\"\":1}", "", RC_OK, "1"},
        {"[\"a\",1]", "a", RC_ENOENT, NULL},
        {"\"a\"", "a", RC_ENOENT, NULL},
        {"1", "a", RC_ENOENT, NULL},
        {"null", "a", RC_ENOENT, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        yyjson_doc *doc = read_good(rows[i].text);
        yyjson_val *value = (yyjson_val *)&value;
        cr_expect_eq(json_member(yyjson_doc_get_root(doc), rows[i].name, &value), rows[i].rc, "row %zu", i);
        cr_expect_eq(value != NULL, rows[i].rc == RC_OK, "row %zu", i);
        if (value != NULL) cr_expect(text_is(json_text(value), rows[i].value), "row %zu", i);
        yyjson_doc_free(doc);
    }
    yyjson_val *value = (yyjson_val *)&value;
    cr_expect_eq(json_member(NULL, "a", &value), RC_ENOENT);
    cr_expect_null(value);
}

Test(json, strings_and_numbers_have_a_text, .timeout = 5)
{
    static const struct {
        const char *json;
        struct text text;
        bool is_number;
    } rows[] = {
        {"\"\"", {"", 0}, false},
        {"\"a\\u0000b\\n\\u20ac\"", {"a\0b\n\xe2\x82\xac", 7}, false},
        {"\"\\/\\b\\f\\\\\\\"\"", {"/\b\f\\\"", 5}, false},
        {"\"42\"", {"42", 2}, false},
        {"42", {"42", 2}, true},
        {" -0.0e+10 ", {"-0.0e+10", 8}, true},
        {"true", {0}, false},
        {"null", {0}, false},
        {"[]", {0}, false},
        {"{}", {0}, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        yyjson_doc *doc = read_good(rows[i].json);
        yyjson_val *root = yyjson_doc_get_root(doc);
        struct text text = json_text(root);
        cr_expect(text_equals(text, rows[i].text), "row %zu", i);
        cr_expect_eq(text.at != NULL, rows[i].text.at != NULL, "row %zu", i);
        cr_expect_eq(yyjson_is_raw(root), rows[i].is_number, "row %zu", i);
        yyjson_doc_free(doc);
    }
    cr_expect_null(json_text(NULL).at);
}

Test(json, what_was_read_is_written_compact_and_unchanged, .timeout = 5)
{
    static const struct {
        const char *text, *written;
    } rows[] = {
        {" { \"a\" : [ 1 , true , null ] ,\n\"b\":{}, \"c\":\"\" } ", "{\"a\":[1,true,null],\"b\":{},\"c\":\"\"}"},
        {"[12345678901234567890123456789,0.1000,-0,1E400,1e-999,0.30000000000000004]",
         "[12345678901234567890123456789,0.1000,-0,1E400,1e-999,0.30000000000000004]"},
        {"9007199254740993", "9007199254740993"},
        {"\"text\"", "\"text\""},
        {"false", "false"},
        {"[]", "[]"},
        {"{\"z\":1,\"a\":2,\"z\":3}", "{\"z\":1,\"a\":2,\"z\":3}"},
        {"\"\\u0000\\u001f\\/\\u00e4\\u20ac\x7f\"", "\"\\u0000\\u001F/\xc3\xa4\xe2\x82\xac\x7f\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        cr_expect(is_written_as(rows[i].text, rows[i].written), "row %zu", i);
}

Test(json, a_part_of_a_document_can_be_written, .timeout = 5)
{
    yyjson_doc *doc = read_good("{\"event\":\"x\",\"data\":{\"n\":1.50,\"s\":[\"\\u00e4\"]}}");
    yyjson_val *data;
    char *written;
    size_t bytes;
    cr_assert_eq(json_member(yyjson_doc_get_root(doc), "data", &data), RC_OK);
    cr_assert_eq(json_write(data, &written, &bytes), RC_OK);
    yyjson_doc_free(doc);
    cr_expect(text_is((struct text){written, bytes}, "{\"n\":1.50,\"s\":[\"\xc3\xa4\"]}"));
    free(written);
}
