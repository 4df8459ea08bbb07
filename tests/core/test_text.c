/* tests/core/test_text.c - views of text: comparing and cutting. */
#include "core/text.h"

#include <criterion/criterion.h>

Test(text, equality_minds_length_case_and_absence, .timeout = 10)
{
    struct text none = {0}, empty = text_of(""), word = text_of("Upgrade");
    cr_expect(text_is(word, "Upgrade"));
    cr_expect_not(text_is(word, "upgrade"));
    cr_expect(text_is_nocase(word, "uPGRADE"));
    cr_expect_not(text_is(word, "Upgrad"));
    cr_expect_not(text_is(word, "Upgrades"));
    cr_expect(text_is(empty, ""));
    cr_expect_not(text_is(none, ""), "none is not empty");
    cr_expect_not(text_is_nocase(none, ""));
    cr_expect(text_equals(word, (struct text){"Upgrade?", 7}));
    cr_expect_not(text_equals(word, text_of("Upgradf")));
    cr_expect(text_equals(none, empty), "both have no bytes");
}

Test(text, prefixes_and_what_is_behind_them, .timeout = 10)
{
    struct text path = text_of("/room/tea");
    cr_expect(text_has_prefix(path, "/room/"));
    cr_expect(text_has_prefix(path, ""));
    cr_expect(text_has_prefix(path, "/room/tea"));
    cr_expect_not(text_has_prefix(path, "/room/teas"));
    cr_expect_not(text_has_prefix((struct text){0}, "/"));
    cr_expect(text_is(text_behind(path, 6), "tea"));
    cr_expect(text_is(text_behind(path, path.count), ""));
    cr_expect(text_is(text_between(path.at + 1, path.at + 5), "room"));
}
