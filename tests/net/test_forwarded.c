/* tests/net/test_forwarded.c - whom X-Forwarded-For names, when some of its proxies are trusted. */
#include "net/forwarded.h"

#include "net/http.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* Whom a request with these header lines is from, where 10.0.0.0/8 and 2001:db8::/32 are trusted; "": nobody is named.
 */
static const char *client_of(const char *lines)
{
    static char text[IP_TEXT_MAX];
    struct ip_network networks[2];
    struct ip_networks trusted = {networks, 2};
    struct http_reader reader;
    struct ip ip;
    uint16_t port;
    char request[1000];
    int count = snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n", lines);
    struct bytes in = bytes_of(request, (size_t)count);
    cr_assert(ip_network_read(text_of("10.0.0.0/8"), &networks[0]));
    cr_assert(ip_network_read(text_of("2001:db8::/32"), &networks[1]));
    http_reader_init(&reader, 2000, 2000);
    cr_assert_eq(http_reader_feed(&reader, &in), RC_OK, "%s", lines);
    text[0] = '\0';
    if (forwarded_for(http_reader_request(&reader), &trusted, &ip, &port)) ip_format(&ip, port, text);
    http_reader_fini(&reader);
    return text;
}

#define XFF(list) "X-Forwarded-For: " list "\r\n"

Test(forwarded, the_last_that_is_not_trusted_is_the_client, .timeout = 5)
{
    cr_expect_str_eq(client_of(XFF("192.0.2.1")), "192.0.2.1");
    cr_expect_str_eq(client_of(XFF("203.0.113.9, 192.0.2.1")), "192.0.2.1", "anybody can write what stands before");
    cr_expect_str_eq(client_of(XFF("192.0.2.1, 10.1.2.3")), "192.0.2.1");
    cr_expect_str_eq(client_of(XFF("203.0.113.9,192.0.2.1 ,10.1.2.3,\t[2001:db8::7]:80")), "192.0.2.1");
    cr_expect_str_eq(client_of(XFF("2001:dead::1, 10.1.2.3")), "2001:dead::1");
}

Test(forwarded, where_all_are_trusted_it_is_the_first, .timeout = 5)
{
    cr_expect_str_eq(client_of(XFF("10.0.0.1, 10.0.0.2")), "10.0.0.1");
    cr_expect_str_eq(client_of(XFF("10.0.0.1:81")), "10.0.0.1:81");
}

Test(forwarded, several_lines_are_one_list, .timeout = 5)
{
    cr_expect_str_eq(client_of(XFF("192.0.2.1") "A: b\r\n" XFF("10.0.0.2")), "192.0.2.1");
    cr_expect_str_eq(client_of(XFF("192.0.2.1") "x-forwarded-for: 198.51.100.7\r\n"), "198.51.100.7");
    cr_expect_str_eq(client_of("X-Forwarded-Fo: 192.0.2.1\r\nX-Forwarded-Form: 192.0.2.2\r\n"), "");
}

Test(forwarded, what_is_no_address_ends_the_list, .timeout = 5)
{
    cr_expect_str_eq(client_of(XFF("192.0.2.1, unknown, 10.0.0.2")), "10.0.0.2");
    cr_expect_str_eq(client_of(XFF("192.0.2.1, ")), "", "an empty one is none");
    cr_expect_str_eq(client_of(XFF("192.0.2.1,,10.0.0.2")), "10.0.0.2");
    cr_expect_str_eq(client_of(XFF("evil\\\"")), "");
    cr_expect_str_eq(client_of(XFF("")), "");
    cr_expect_str_eq(client_of(XFF(",")), "");
    cr_expect_str_eq(client_of(""), "");
    cr_expect_str_eq(client_of(XFF("192.0.2.1") XFF("unknown")), "");
}
