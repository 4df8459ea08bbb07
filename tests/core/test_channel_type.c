/* tests/core/test_channel_type.c - what names say: every prefix, and names that only look like having one. */
#include "core/channel_type.h"

#include <criterion/criterion.h>

Test(channel_type, every_prefix_at_the_front_counts, .timeout = 5)
{
    static const struct {
        const char *name;
        const char *marks; /* Auth, Presence, Encrypted, Cache, User, client eVents */
    } cases[] = {
        {"private-encrypted-cache-x", "AEC"},
        {"private-encrypted-x", "AE"},
        {"private-encrypted-", "AE"},
        {"private-encryptedx", "AV"},
        {"private-cache-x", "ACV"},
        {"private-cachex", "AV"},
        {"private-x", "AV"},
        {"private-", "AV"},
        {"private", ""},
        {"presence-cache-x", "APCV"},
        {"presence-x", "APV"},
        {"presence-encrypted-x", "APV"},
        {"presence", ""},
        {"cache-x", "C"},
        {"cache-private-x", "C"},
        {"#server-to-user-7", "U"},
        {"#server-to-user", ""},
        {"room-private-x", ""},
        {"my-cache-x", ""},
        {"Private-x", ""},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct channel_type type = channel_type_of(text_of(cases[i].name));
        char marks[8], *to = marks;
        if (type.needs_auth) *to++ = 'A';
        if (type.is_presence) *to++ = 'P';
        if (type.is_encrypted) *to++ = 'E';
        if (type.is_cache) *to++ = 'C';
        if (type.is_user) *to++ = 'U';
        if (type.has_client_events) *to++ = 'V';
        *to = '\0';
        cr_expect_str_eq(marks, cases[i].marks, "%s is %s", cases[i].name, marks);
        cr_expect_eq(channel_type_is_public(type), marks[0] == '\0', "%s", cases[i].name);
    }
}
