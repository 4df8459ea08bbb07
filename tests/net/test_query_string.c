/* tests/net/test_query_string.c - queries: split, decoded, sorted, and put together for a signature. */
#include "net/query_string.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* A block of its own, so that the sanitizer sees a read behind it. free() it. */
static struct text block_of(struct text text)
{
    char *at = malloc(text.count);
    if (text.count > 0) memcpy(at, text.at, text.count);
    return (struct text){at, text.count};
}

/* The sorted text, written into a block of exactly the size promised, is this one? */
static bool sorted_is(const struct query_string *query, const char *without, const char *wanted)
{
    size_t bytes = query_string_sorted_bytes(query, without);
    char *at = malloc(bytes);
    cr_assert_eq(query_string_write_sorted(query, without, at), at + bytes, "as many bytes as promised");
    bool is_equal = text_is((struct text){at, bytes}, wanted);
    if (!is_equal) cr_log_warn("%.*s", (int)bytes, at);
    free(at);
    return is_equal;
}

Test(query_string, escapes_are_decoded, .timeout = 5)
{
    static const struct {
        const char *text;
        struct text decoded;
    } rows[] = {
        {"", {"", 0}},
        {"plain", {"plain", 5}},
        {"a+b", {"a+b", 3}}, /* a form would mean a space */
        {"%2C%2c", {",,", 2}},
        {"%00%ff", {"\0\xff", 2}},
        {"100%25", {"100%", 4}},
        {"%2541", {"%41", 3}}, /* once, not twice */
        {"%e2%82%AC\xe2\x82\xac", {"\xe2\x82\xac\xe2\x82\xac", 6}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct text text = block_of(text_of(rows[i].text));
        char *to = malloc(text.count);
        size_t count = percent_decode(text, to);
        cr_assert_neq(count, SIZE_MAX, "row %zu", i);
        cr_expect(text_equals((struct text){to, count}, rows[i].decoded), "row %zu", i);
        free((char *)text.at);
        free(to);
    }
    cr_expect_eq(percent_decode((struct text){0}, NULL), 0);
}

Test(query_string, bad_escapes_are_refused, .timeout = 5)
{
    static const char *const rows[] = {"%",   "%4",   "%zz",  "%4g",   "%g4",      "% 4",
                                       "%-1", "%%41", "abc%", "%41%4", "%\xb2\xb3"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct text text = block_of(text_of(rows[i]));
        char *to = malloc(text.count), query_text[32];
        cr_expect_eq(percent_decode(text, to), SIZE_MAX, "%s", rows[i]);
        free((char *)text.at);
        free(to);
        static const char *const formats[] = {"%s", "%s=1", "a=%s", "a=1&b=2&%s&c=3"};
        for (size_t j = 0; j < sizeof formats / sizeof formats[0]; j++) {
            struct query_string query;
            snprintf(query_text, sizeof query_text, formats[j], rows[i]);
            cr_expect_eq(query_string_read(&query, text_of(query_text)), RC_EINVAL, "%s", query_text);
            cr_expect_null(query.memory);
            cr_expect_eq(query.count, 0);
        }
    }
}

Test(query_string, an_escape_ends_with_its_piece, .timeout = 5)
{
    struct query_string query;
    cr_expect_eq(query_string_read(&query, text_of("a=%4&1=b")), RC_EINVAL);
    cr_expect_eq(query_string_read(&query, text_of("a%4=1")), RC_EINVAL);
}

Test(query_string, an_absent_or_empty_query_has_no_parameters, .timeout = 5)
{
    static const struct text rows[] = {{0}, {"", 0}, {"&", 1}, {"&&&", 3}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct query_string query;
        cr_assert_eq(query_string_read(&query, rows[i]), RC_OK);
        cr_expect_eq(query.count, 0);
        cr_expect_null(query_string_get(&query, "a").at);
        cr_expect_null(query_string_get(&query, "").at);
        cr_expect(sorted_is(&query, "auth_signature", ""));
        query_string_fini(&query);
    }
}

Test(query_string, a_zeroed_one_can_be_given_back, .timeout = 5)
{
    struct query_string query = {0};
    query_string_fini(&query);
    cr_assert_eq(query_string_read(&query, text_of("a=1")), RC_OK);
    query_string_fini(&query);
    cr_expect_null(query.memory);
    cr_expect_eq(query.count, 0);
    query_string_fini(&query);
}

Test(query_string, values_are_found_by_lower_case_name, .timeout = 5)
{
    struct query_string query;
    struct text text =
        block_of(text_of("Protocol=7&CLIENT=js&v%41l%3De=a%3Db=c&flag&empty=&=nameless&x=2&x=1&%c3%84=u"));
    cr_assert_eq(query_string_read(&query, text), RC_OK);
    free((char *)text.at); /* what was read is in memory of its own */
    cr_expect_eq(query.count, 9);
    cr_expect(text_is(query_string_get(&query, "protocol"), "7"));
    cr_expect(text_is(query_string_get(&query, "client"), "js"));
    cr_expect(text_is(query_string_get(&query, "val=e"), "a=b=c"), "split at the first '=' that is not escaped");
    cr_expect(text_is(query_string_get(&query, "flag"), ""));
    cr_expect(text_is(query_string_get(&query, "empty"), ""));
    cr_expect(text_is(query_string_get(&query, ""), "nameless"));
    cr_expect(text_is(query_string_get(&query, "x"), "2"), "the first that came");
    cr_expect(text_is(query_string_get(&query, "\xc3\x84"), "u"), "only ASCII has cases here");
    cr_expect_null(query_string_get(&query, "Protocol").at);
    cr_expect_null(query_string_get(&query, "proto").at);
    cr_expect_null(query_string_get(&query, "protocols").at);
    query_string_fini(&query);
}

/* The first two are whole requests as the official SDKs sign them; the others differ in order and escaping. */
Test(query_string, the_sorted_text_is_what_the_sdks_sign, .timeout = 5)
{
    static const struct {
        const char *query, *sorted;
    } rows[] = {
        {"auth_key=rcdemo4f2a9c71&auth_timestamp=1700000000&auth_version=1.0&"
         "body_md5=e9bf98ebe74d138c7b76bd938e5f0dea&"
         "auth_signature=9dc6ec712cd97f2e843f48fce3ae1fe2b7ae061e5344a430f36e0b2fc1da64b3",
         "auth_key=rcdemo4f2a9c71&auth_timestamp=1700000000&auth_version=1.0&"
         "body_md5=e9bf98ebe74d138c7b76bd938e5f0dea"},
        {"info=user_count&filter_by_prefix=presence-&"
         "auth_signature=d29f99a52aa0f140ee76ced874ed2c17635e31836679d00eeba8504dce3b5584&"
         "auth_version=1.0&auth_timestamp=1700000000&auth_key=rcdemo4f2a9c71",
         "auth_key=rcdemo4f2a9c71&auth_timestamp=1700000000&auth_version=1.0&filter_by_prefix=presence-&"
         "info=user_count"},
        {"info=user_count%2Csubscription_count&AUTH_KEY=k", "auth_key=k&info=user_count,subscription_count"},
        {"info=user_count,subscription_count&auth_key=k", "auth_key=k&info=user_count,subscription_count"},
        {"AUTH_SIGNATURE=1&a=1", "a=1"},
        {"auth_signature=1", ""},
        {"auth_signature=1&auth_signature=2", ""},
        {"a=1&auth_signature=2&auth_signature=1&z=1", "a=1&z=1"},
        {"auth_signatures=1", "auth_signatures=1"},
        {"flag&a=", "a=&flag="},
        {"=b&a", "=b&a="},
        {"=", "="},
        {"a=b%26c%3Dd", "a=b&c=d"}, /* decoded and no more escaped */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct query_string query;
        cr_assert_eq(query_string_read(&query, text_of(rows[i].query)), RC_OK);
        cr_expect(sorted_is(&query, "auth_signature", rows[i].sorted), "row %zu", i);
        query_string_fini(&query);
    }
}

Test(query_string, parameters_of_one_name_become_one, .timeout = 5)
{
    static const struct {
        const char *query, *sorted;
    } rows[] = {
        {"channels[]=a&channels[]=b", "channels[]=a,b"},
        {"channels%5B%5D=b&x=1&Channels[]=a", "channels[]=b,a&x=1"},
        {"a=&a=&a", "a=,,"},
        {"=2&=1", "=2,1"},
        {"a=1&aa=1&a=2", "a=1,2&aa=1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct query_string query;
        cr_assert_eq(query_string_read(&query, text_of(rows[i].query)), RC_OK);
        cr_expect(sorted_is(&query, "auth_signature", rows[i].sorted), "row %zu", i);
        query_string_fini(&query);
    }
}

/* Each piece is to stand before all that follow it here, whichever comes first in the query. */
/* Both as they are sent and as a form; NULL: the same. */
Test(query_string, a_form_joins_arrays_and_has_blanks, .timeout = 5)
{
    static const struct {
        const char *query, *sorted, *of_form;
    } rows[] = {
        {"info[0]=a&info[1]=b", "info[0]=a&info[1]=b", "info=a,b"},
        {"x=1&info%5B0%5D=b&info%5B1%5D=a&auth_signature=s", "info[0]=b&info[1]=a&x=1", "info=b,a&x=1"},
        {"info[]=a&INFO%5b%5D=b", "info[]=a,b", "info=a,b"},
        {"i[0]=0&i[1]=1&i[2]=2&i[3]=3&i[4]=4&i[5]=5&i[6]=6&i[7]=7&i[8]=8&i[9]=9&i[10]=10&b=",
         "b=&i[0]=0&i[10]=10&i[1]=1&i[2]=2&i[3]=3&i[4]=4&i[5]=5&i[6]=6&i[7]=7&i[8]=8&i[9]=9",
         "b=&i=0,1,2,3,4,5,6,7,8,9,10"},
        {"info[0]=a", "info[0]=a", "info=a"},
        {"info=c&info[0]=a", "info=c&info[0]=a", "info=c,a"},
        {"ab[0]=1&a=2", "a=2&ab[0]=1", "a=2&ab=1"},
        {"a=1&a=2", "a=1,2", NULL},
        {"[0]=a&[]=b&[=c&]=d&a[=e&a]=f&a[b]=g", "[=c&[0]=a&[]=b&]=d&a[=e&a[b]=g&a]=f", NULL},
        {"prefix=a+b%2Bc&d+e=", "d+e=&prefix=a+b+c", "d e=&prefix=a b+c"},
        {"", "", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct query_string query;
        struct text text = block_of(text_of(rows[i].query));
        cr_assert_eq(query_string_read(&query, text), RC_OK);
        cr_expect(sorted_is(&query, "auth_signature", rows[i].sorted), "row %zu", i);
        query_string_fini(&query);
        cr_assert_eq(query_string_read_form(&query, text), RC_OK);
        free((char *)text.at);
        const char *of_form = rows[i].of_form != NULL ? rows[i].of_form : rows[i].sorted;
        cr_expect(sorted_is(&query, "auth_signature", of_form), "row %zu as a form", i);
        query_string_fini(&query);
    }
    struct query_string query;
    cr_assert_eq(query_string_read_form(&query, text_of("info[1]=user+count&info[0]=b")), RC_OK);
    cr_expect(text_is(query_string_get(&query, "info"), "user count,b"), "what is signed is what is meant");
    query_string_fini(&query);
    cr_expect_eq(query_string_read_form(&query, text_of("a[0]=%zz")), RC_EINVAL);
}

Test(query_string, the_order_is_that_of_the_bytes, .timeout = 10)
{
    static const char *const pieces[] = {
        "=2",    "%00=1", "%00%00=1", "%01=1", "%3D=1", "a=%ff", "a%00=", "a-b=1", "a.b=1",  "a0=1",
        "a_b=1", "aa=",   "ab=1",     "b%00c", "b%00d", "z=1",   "%7f=1", "%80=1", "\xc3=1", "%ff=1"};
    const size_t count = sizeof pieces / sizeof pieces[0];
    for (size_t i = 0; i < count; i++) {
        for (size_t j = i + 1; j < count; j++) {
            char text[32];
            struct query_string first, both;
            cr_assert_eq(query_string_read(&first, text_of(pieces[i])), RC_OK);
            snprintf(text, sizeof text, "%s&%s", pieces[j], pieces[i]);
            cr_assert_eq(query_string_read(&both, text_of(text)), RC_OK);
            cr_assert_eq(both.count, 2);
            cr_expect(text_equals(both.parameters[0].name, first.parameters[0].name), "%s", text);
            cr_expect(text_equals(both.parameters[0].value, first.parameters[0].value), "%s", text);
            query_string_fini(&first);
            query_string_fini(&both);
        }
    }
}

Test(query_string, there_is_a_bound_on_parameters, .timeout = 5)
{
    struct query_string query;
    char text[6 * (QUERY_PARAMETERS_MAX + 1) + 1] = "", *at = text;
    for (int i = 0; i < QUERY_PARAMETERS_MAX; i++)
        at += snprintf(at, 7, "&&%02d=%d", i, i % 2);
    cr_assert_eq(query_string_read(&query, text_of(text)), RC_OK, "empty pieces do not count");
    cr_expect_eq(query.count, QUERY_PARAMETERS_MAX);
    query_string_fini(&query);
    memcpy(at, "&", 2);
    cr_assert_eq(query_string_read(&query, text_of(text)), RC_OK);
    query_string_fini(&query);
    memcpy(at, "&x", 3);
    cr_expect_eq(query_string_read(&query, text_of(text)), RC_ETOOBIG);
    cr_expect_null(query.memory);
    cr_expect_eq(query.count, 0);
}
