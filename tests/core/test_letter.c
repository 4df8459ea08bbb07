/* tests/core/test_letter.c - kinds of letter by name. */
#include "core/letter.h"

#include <criterion/criterion.h>

Test(letter, has_a_name, .timeout = 5)
{
    cr_assert_str_eq(letter_name(LETTER_SUBSCRIBE), "SUBSCRIBE");
    cr_assert_str_eq(letter_name(LETTER_ANSWER), "ANSWER");
    cr_assert_str_eq(letter_name(LETTER_ANSWER + 1), "UNKNOWN");
    cr_assert_str_eq(letter_name(UINT32_MAX), "UNKNOWN");
}
