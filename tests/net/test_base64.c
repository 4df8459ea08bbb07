/* tests/net/test_base64.c - the vectors of RFC 4648 10, without padding, and the two letters of addresses. */
#include "net/base64.h"

#include <criterion/criterion.h>
#include <string.h>

Test(base64, bytes_are_letters_of_addresses_without_padding, .timeout = 5)
{
    static const struct {
        const char *text, *letters;
    } cases[] = {
        {"", ""},
        {"f", "Zg"},
        {"fo", "Zm8"},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg"},
        {"fooba", "Zm9vYmE"},
        {"foobar", "Zm9vYmFy"},
        {"\xfb\xff\xbf", "-_-_"},
        {"\xe6\x97\xa5\xe6\x9c\xac", "5pel5pys"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char letters[BASE64URL_ROOM(6)];
        size_t count = base64url_write(letters, text_of(cases[i].text));
        cr_expect_eq(count, strlen(cases[i].letters), "%s", cases[i].letters);
        cr_expect_arr_eq(letters, cases[i].letters, count, "%s", cases[i].letters);
    }
}
