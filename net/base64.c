/* net/base64.c - mbedTLS writes base64; two letters are others in addresses, and padding says nothing there. */
#include "net/base64.h"

#include <assert.h>
#include <mbedtls/base64.h>

size_t base64url_write(char *to, struct text text)
{
    size_t count = 0;
    int failed = mbedtls_base64_encode((unsigned char *)to, BASE64URL_ROOM(text.count), &count,
                                       (const unsigned char *)text.at, text.count);
    assert(failed == 0); /* there is room */
    (void)failed;
    while (count > 0 && to[count - 1] == '=') {
        count--;
    }
    for (size_t i = 0; i < count; i++) {
        if (to[i] == '+') to[i] = '-';
        if (to[i] == '/') to[i] = '_';
    }
    return count;
}
