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

Test(text, control_characters_are_those_of_ascii_and_the_next_thirty_two, .timeout = 10)
{
    static const char *const with[] = {"\x01", "a\n", "\x1f", "\x7f", "\xc2\x80", "a\xc2\x9f"};
    static const char *const without[] = {"", " ", "a~", "\xc2\xa0", "\xc3\x80", "\xf0\x9f\x8e\x89"};
    for (size_t i = 0; i < sizeof with / sizeof with[0]; i++) {
        cr_expect(text_has_controls(text_of(with[i])), "row %zu", i);
    }
    for (size_t i = 0; i < sizeof without / sizeof without[0]; i++) {
        cr_expect_not(text_has_controls(text_of(without[i])), "row %zu", i);
    }
    cr_expect(text_has_controls((struct text){"a\0", 2}));
    cr_expect_not(text_has_controls((struct text){"\xc2\x80", 1}), "cut: nothing behind it is read");
    cr_expect_not(text_has_controls((struct text){0}));
}
