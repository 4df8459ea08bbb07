/* tests/net/test_utf8.c - net/utf8 against a decoder written the naive way, and at every cut. */
#include "net/utf8.h"

#include <criterion/criterion.h>
#include <string.h>

/* Is this one character, decoded in plain arithmetic? */
static bool is_whole_character(const uint8_t *at, size_t count)
{
    uint32_t code;
    if (count == 1) return at[0] < 0x80;
    if (count == 2 && (at[0] & 0xe0) == 0xc0)
        code = at[0] & 0x1f;
    else if (count == 3 && (at[0] & 0xf0) == 0xe0)
        code = at[0] & 0x0f;
    else if (count == 4 && (at[0] & 0xf8) == 0xf0)
        code = at[0] & 0x07;
    else
        return false;
    for (size_t i = 1; i < count; i++) {
        if ((at[i] & 0xc0) != 0x80) return false;
        code = code << 6 | (at[i] & 0x3f);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    return code >= least[count] && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
}

/* Can these bytes, no whole character yet, become one? The lowest and the highest completion are enough to try: the
 * valid ones of any start are an interval that reaches to one end or the other. */
static bool may_become_character(const uint8_t *at, size_t count)
{
    uint8_t low[4] = {0x80, 0x80, 0x80, 0x80}, high[4] = {0xbf, 0xbf, 0xbf, 0xbf};
    memcpy(low, at, count);
    memcpy(high, at, count);
    for (size_t all = count + 1; all <= 4; all++) {
        if (is_whole_character(low, all) || is_whole_character(high, all)) return true;
    }
    return false;
}

/* Where the naive way stops: the index of the first impossible byte, or count; *whole_r: nothing is cut. */
static size_t naive_check(const uint8_t *text, size_t count, bool *whole_r)
{
    size_t start = 0;
    for (size_t at = 0; at < count; at++) {
        size_t length = at + 1 - start;
        if (is_whole_character(text + start, length))
            start = at + 1;
        else if (length >= 4 || !may_become_character(text + start, length))
            return at;
    }
    *whole_r = start == count;
    return count;
}

/* Where utf8_check stops when fed byte by byte. */
static size_t bytewise_check(const uint8_t *text, size_t count, bool *whole_r)
{
    struct utf8 utf8 = {0};
    for (size_t at = 0; at < count; at++) {
        if (!utf8_check(&utf8, text + at, 1)) return at;
    }
    *whole_r = utf8_is_complete(&utf8);
    return count;
}

static bool same_as_naive(const uint8_t *text, size_t count)
{
    bool naive_whole = false, whole = false, at_once_whole = false;
    size_t naive = naive_check(text, count, &naive_whole);
    if (bytewise_check(text, count, &whole) != naive || whole != naive_whole) return false;
    struct utf8 utf8 = {0};
    bool good = utf8_check(&utf8, text, count);
    if (good) at_once_whole = utf8_is_complete(&utf8);
    return good == (naive == count) && at_once_whole == naive_whole;
}

/* Tries every byte behind the `count` good ones in `text`, and behind those that are good too, up to three. What is
 * spoilt stays spoilt, so nothing need be tried behind it. Returns how many are judged unlike the naive way does. */
static uint32_t count_wrong(uint8_t *text, size_t count, struct utf8 before)
{
    uint32_t wrong = 0;
    for (unsigned byte = 0; byte <= 0xff; byte++) {
        struct utf8 utf8 = before;
        bool naive_whole = false;
        text[count] = (uint8_t)byte;
        bool is_good = utf8_check(&utf8, text + count, 1);
        bool naive_good = naive_check(text, count + 1, &naive_whole) == count + 1;
        if (is_good != naive_good || (is_good && utf8_is_complete(&utf8) != naive_whole)) wrong++;
        if (is_good && naive_good && count < 2) wrong += count_wrong(text, count + 1, utf8);
    }
    return wrong;
}

Test(utf8, all_sequences_of_one_to_three_bytes_are_judged_as_a_naive_decoder_does, .timeout = 120)
{
    uint8_t text[3];
    uint32_t wrong = count_wrong(text, 0, (struct utf8){0});
    cr_assert_eq(wrong, 0, "%u sequences", wrong);
}

Test(utf8, the_borders_of_four_byte_characters_are_exact, .timeout = 20)
{
    static const uint8_t seconds[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff};
    uint32_t wrong = 0;
    for (unsigned lead = 0xe8; lead <= 0xff; lead++) {
        for (size_t i = 0; i < sizeof seconds; i++) {
            for (size_t j = 0; j < sizeof seconds; j++) {
                for (size_t k = 0; k < sizeof seconds; k++) {
                    uint8_t text[4] = {(uint8_t)lead, seconds[i], seconds[j], seconds[k]};
                    if (!same_as_naive(text, 4)) wrong++;
                }
            }
        }
    }
    cr_assert_eq(wrong, 0, "%u sequences", wrong);
}

Test(utf8, a_bad_byte_is_told_as_soon_as_it_comes, .timeout = 5)
{
    static const struct {
        const char *text;
        size_t count, stops_at;
    } rows[] = {
        {"\x80", 1, 0},
        {"\xc0\x80", 2, 0}, /* overlong */
        {"\xc1\xbf", 2, 0},
        {"\xc2\x41", 2, 1},
        {"\xe0\x9f\xbf", 3, 1}, /* overlong */
        {"\xed\xa0\x80", 3, 1}, /* surrogate */
        {"\xed\x9f\xc0", 3, 2},
        {"\xf0\x8f\xbf\xbf", 4, 1}, /* overlong */
        {"\xf4\x90\x80\x80", 4, 1}, /* above U+10FFFF */
        {"\xf5\x80\x80\x80", 4, 0},
        {"\xff", 1, 0},
        {"abcdefghijklmnop\xf4\x90", 18, 17},
        {"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80 edited", 22, 12},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool whole = false;
        cr_expect_eq(bytewise_check((const uint8_t *)rows[i].text, rows[i].count, &whole), rows[i].stops_at,
                     "row %zu", i);
    }
}

/* A spoilt byte at each place of a long ASCII text, so that each lane of the wide step is met. */
Test(utf8, a_bad_byte_is_found_at_every_place_of_a_long_text, .timeout = 5)
{
    uint8_t text[67];
    for (size_t from = 0; from < 9; from++) {
        for (size_t at = from; at < sizeof text; at++) {
            memset(text, 'a', sizeof text);
            struct utf8 utf8 = {0};
            cr_expect(utf8_check(&utf8, text + from, sizeof text - from));
            text[at] = 0xff;
            cr_expect_not(utf8_check(&utf8, text + from, sizeof text - from), "from %zu at %zu", from, at);
        }
    }
}

Test(utf8, cuts_anywhere_change_nothing, .timeout = 5)
{
    static const char text[] = "plain, then \xc3\xa4\xc3\xb6\xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80 \xed\x9f\xbf "
                               "\xee\x80\x80 \xf4\x8f\xbf\xbf and a long plain tail behind it";
    const size_t count = sizeof text - 1;
    const uint8_t *at = (const uint8_t *)text;
    for (size_t first = 0; first <= count; first++) {
        for (size_t second = first; second <= count; second++) {
            struct utf8 utf8 = {0};
            cr_expect(utf8_check(&utf8, at, first));
            cr_expect_eq(utf8_is_complete(&utf8), first == count || (text[first] & 0xc0) != 0x80, "cut at %zu",
                         first);
            cr_expect(utf8_check(&utf8, at + first, second - first));
            cr_expect(utf8_check(&utf8, at + second, count - second));
            cr_expect(utf8_is_complete(&utf8));
        }
    }
}
