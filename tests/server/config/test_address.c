/* tests/server/config/test_address.c - addresses are read strictly and written the way they are read. */
#include "server/config/address.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

Test(address, is_written_the_way_it_is_read, .timeout = 10)
{
    static const struct {
        const char *given, *shown;
        int family;
    } cases[] = {
        {"127.0.0.1:8080", "127.0.0.1:8080", AF_INET},
        {"255.255.255.255:65535", "255.255.255.255:65535", AF_INET},
        {"*:80", "0.0.0.0:80", AF_INET},
        {"10.0.0.1:0", "10.0.0.1:0", AF_INET},
        {"[::1]:8080", "[::1]:8080", AF_INET6},
        {"[::]:1", "[::]:1", AF_INET6},
        {"[2001:DB8:0:0::1]:443", "[2001:db8::1]:443", AF_INET6},
        {"[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
         AF_INET6},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct address address = {0};
        char text[ADDRESS_TEXT_MAX];
        cr_assert_eq(address_read(cases[i].given, &address), RC_OK, "%s", cases[i].given);
        cr_expect_eq(address.storage.ss_family, cases[i].family);
        cr_expect_eq(address.bytes,
                     cases[i].family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
        cr_expect_str_eq(address_format(&address, text), cases[i].shown);
    }
}

Test(address, of_a_unix_socket_is_a_whole_path, .timeout = 10)
{
    static const char *const bad[] = {"",       "unix:",      "unix:relative", "unix:./x",
                                      "unix:/", "unix:/run/", "/run/x",        "UNIX:/x"};
    char longest[6 + ADDRESS_PATH_BYTES_MAX] = ADDRESS_UNIX "/", text[ADDRESS_TEXT_MAX];
    struct address address = {0}, other;
    memset(longest + 6, 'x', ADDRESS_PATH_BYTES_MAX - 1);
    cr_expect_eq(address_read_unix("unix:/run/a b,c.sock", &address), RC_OK);
    cr_expect_str_eq(address_format(&address, text), "unix:/run/a b,c.sock");
    cr_expect_str_eq(address_path(&address), "/run/a b,c.sock");
    cr_expect_eq(address_port(&address), 0);
    cr_expect(address_is_loopback(&address));
    cr_expect_eq(address_overlaps(&address, &address), false);
    cr_expect_eq(address_read_unix(longest, &other), RC_OK);
    cr_expect_str_eq(address_format(&other, text), longest);
    cr_expect(address_is_equal(&other, &other) && !address_is_equal(&other, &address));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect_eq(address_read_unix(bad[i], &other), RC_EINVAL, "%s", bad[i]);
    char longer[sizeof longest + 1];
    snprintf(longer, sizeof longer, "%sx", longest);
    cr_expect_eq(address_read_unix(longer, &other), RC_ETOOBIG);
    cr_expect_str_eq(address_format(&other, text), longest, "as it was");
    cr_expect_eq(address_read("unix:/run/x", &other), RC_EINVAL, "not where clients come in");
    cr_expect_eq(address_read("127.0.0.1:80", &other), RC_OK);
    cr_expect_null(address_path(&other));
}

Test(address, that_is_not_one_is_refused_and_nothing_written, .timeout = 10)
{
    static const char *const cases[] = {
        "",
        ":",
        ":8080",
        "8080",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "1.2.3:80",
        "1.2.3.4.5:8",
        "localhost:80",
        "127.0.0.1:8x",
        "127.0.0.1: 80",
        "127.0.0.1:+80",
        "127.0.0.1:-1",
        "[::1]",
        "[::1]:",
        "[::1]8080",
        "::1:8080",
        "[::1:8080",
        "[127.0.0.1]:8",
        "[]:80",
        "[*]:80",
        "**:80",
        " 127.0.0.1:80",
        "127.0.0.1:080080",
        "[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc]:80",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct address address, before;
        memset(&address, 0x5a, sizeof address);
        memset(&before, 0x5a, sizeof before);
        cr_expect_eq(address_read(cases[i], &address), RC_EINVAL, "%s", cases[i]);
        cr_expect(memcmp(&address, &before, sizeof address) == 0, "%s", cases[i]);
    }
}

Test(address, is_equal_to_itself_only, .timeout = 10)
{
    static const char *const texts[] = {"127.0.0.1:80", "127.0.0.1:81", "127.0.0.2:80", "0.0.0.0:80", "[::]:80"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        for (size_t j = 0; j < sizeof texts / sizeof texts[0]; j++) {
            struct address one, other;
            cr_assert_eq(address_read(texts[i], &one), RC_OK);
            cr_assert_eq(address_read(texts[j], &other), RC_OK);
            cr_expect_eq(address_is_equal(&one, &other), i == j, "%s and %s", texts[i], texts[j]);
        }
    }
}

Test(address, of_another_family_is_a_question_mark, .timeout = 10)
{
    struct address address = {.storage.ss_family = AF_NETLINK};
    char text[ADDRESS_TEXT_MAX];
    cr_expect_str_eq(address_format(&address, text), "?");
}

Test(address, port_is_known_for_both_families, .timeout = 5)
{
    static const struct {
        const char *text;
        uint16_t port;
    } cases[] = {{"127.0.0.1:8080", 8080}, {"[::1]:65535", 65535}, {"*:0", 0}};
    struct address address = {0};
    cr_expect_eq(address_port(&address), 0, "no family, no port");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert_eq(address_read(cases[i].text, &address), RC_OK);
        cr_expect_eq(address_port(&address), cases[i].port, "%s", cases[i].text);
    }
}

Test(address, on_loopback_is_reached_from_this_machine_alone, .timeout = 5)
{
    static const struct {
        const char *text;
        bool is_loopback;
    } cases[] = {
        {"127.0.0.1:80", true},
        {"127.255.1.2:0", true},
        {"[::1]:80", true},
        {"[::ffff:127.0.0.1]:80", true},
        {"*:80", false},
        {"0.0.0.0:80", false},
        {"[::]:80", false},
        {"10.127.0.1:80", false},
        {"126.0.0.1:80", false},
        {"128.0.0.1:80", false},
        {"[::ffff:10.0.0.1]:80", false},
        {"[::2]:80", false},
        {"[7f00::1]:80", false},
        {"[fe80::1]:80", false},
    };
    struct address address = {0};
    cr_expect_not(address_is_loopback(&address), "no family");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert_eq(address_read(cases[i].text, &address), RC_OK);
        cr_expect_eq(address_is_loopback(&address), cases[i].is_loopback, "%s", cases[i].text);
    }
}

Test(address, overlaps_what_gets_the_same_connections, .timeout = 10)
{
    static const struct {
        const char *one, *other;
        bool overlaps;
    } cases[] = {
        {"127.0.0.1:80", "127.0.0.1:80", true},
        {"127.0.0.1:80", "127.0.0.1:81", false},
        {"127.0.0.1:80", "127.0.0.2:80", false},
        {"0.0.0.0:80", "127.0.0.1:80", true},
        {"0.0.0.0:80", "0.0.0.0:80", true},
        {"[::]:80", "127.0.0.1:80", true},
        {"[::]:80", "0.0.0.0:80", true},
        {"[::]:80", "[::1]:80", true},
        {"[::1]:80", "0.0.0.0:80", false},
        {"[::1]:80", "[::2]:80", false},
        {"[::ffff:127.0.0.1]:80", "127.0.0.1:80", true},
        {"[::ffff:0.0.0.0]:80", "127.0.0.1:80", true},
        {"[::ffff:0.0.0.0]:80", "[::1]:80", false},
        {"[::]:80", "[::]:81", false},
        {"0.0.0.0:0", "0.0.0.0:0", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct address one, other;
        cr_assert_eq(address_read(cases[i].one, &one), RC_OK);
        cr_assert_eq(address_read(cases[i].other, &other), RC_OK);
        cr_expect_eq(address_overlaps(&one, &other), cases[i].overlaps, "%s, %s", cases[i].one, cases[i].other);
        cr_expect_eq(address_overlaps(&other, &one), cases[i].overlaps, "%s, %s", cases[i].other, cases[i].one);
    }
}
