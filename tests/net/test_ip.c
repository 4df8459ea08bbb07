/* tests/net/test_ip.c - IP addresses from sockets, and networks, as people read and write them. */
#include "net/ip.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <string.h>

/* What becomes of it when a listener of that family hears from it. */
static const char *heard(int family, const char *host, uint16_t port, char text_r[IP_TEXT_MAX])
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct ip ip;
    uint16_t read;
    cr_assert_eq(inet_pton(family, host, family == AF_INET ? (void *)&v4.sin_addr : (void *)&v6.sin6_addr), 1);
    cr_assert(ip_of_socket(family == AF_INET ? (void *)&v4 : (void *)&v6, &ip, &read));
    return ip_format(&ip, read, text_r);
}

Test(ip, a_client_is_the_same_whichever_listener_it_came_in_by, .timeout = 5)
{
    char text[IP_TEXT_MAX];
    cr_expect_str_eq(heard(AF_INET, "192.0.2.1", 49152, text), "192.0.2.1:49152");
    cr_expect_str_eq(heard(AF_INET6, "::ffff:192.0.2.1", 49152, text), "192.0.2.1:49152");
    cr_expect_str_eq(heard(AF_INET6, "2001:db8::1", 1, text), "[2001:db8::1]:1");
    cr_expect_str_eq(heard(AF_INET6, "::1", 65535, text), "[::1]:65535");
}

Test(ip, an_address_whose_port_nobody_knows_stands_alone, .timeout = 5)
{
    char text[IP_TEXT_MAX];
    cr_expect_str_eq(heard(AF_INET, "192.0.2.1", 0, text), "192.0.2.1");
    cr_expect_str_eq(heard(AF_INET6, "2001:db8::1", 0, text), "2001:db8::1");
}

Test(ip, the_longest_text_fits, .timeout = 5)
{
    char text[IP_TEXT_MAX];
    const char *longest = "[2001:db8:1111:2222:3333:4444:5555:6666]:65535";
    cr_expect_str_eq(heard(AF_INET6, "2001:db8:1111:2222:3333:4444:5555:6666", 65535, text), longest);
    cr_expect_lt(strlen(longest), sizeof text);
}

Test(ip, other_families_have_none, .timeout = 5)
{
    struct sockaddr_in6 local = {.sin6_family = AF_UNIX};
    struct ip ip;
    uint16_t port;
    cr_expect_not(ip_of_socket(&local, &ip, &port));
}

/* ---- reading ---- */

Test(ip, an_address_is_read_and_nothing_else, .timeout = 5)
{
    static const char *const good[][2] = {{"192.0.2.1", "192.0.2.1"},
                                          {"::", "::"},
                                          {"2001:DB8:0::1", "2001:db8::1"},
                                          {"::ffff:192.0.2.1", "192.0.2.1"}};
    static const char *const bad[] = {"",
                                      "192.0.2",
                                      "192.0.2.256",
                                      "192.0.2.01",
                                      " 192.0.2.1",
                                      "192.0.2.1 ",
                                      "[::1]",
                                      "1::2::3",
                                      "fe80::1%eth0",
                                      "localhost",
                                      "*",
                                      "unknown",
                                      "1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17.18.19.20.21.22"};
    char text[IP_TEXT_MAX];
    struct ip ip;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        cr_assert(ip_read(text_of(good[i][0]), &ip), "%s", good[i][0]);
        cr_expect_str_eq(ip_format(&ip, 0, text), good[i][1]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_expect_not(ip_read(text_of(bad[i]), &ip), "%s", bad[i]);
    }
    cr_expect_not(ip_read((struct text){"::1\0", 4}, &ip));
}

Test(ip, a_port_may_stand_behind_an_address, .timeout = 5)
{
    static const char *const good[][2] = {
        {"192.0.2.1", "192.0.2.1"},       {"192.0.2.1:443", "192.0.2.1:443"},     {"2001:db8::1", "2001:db8::1"},
        {"[2001:db8::1]", "2001:db8::1"}, {"[2001:db8::1]:5", "[2001:db8::1]:5"}, {"192.0.2.1:0", "192.0.2.1"}};
    static const char *const bad[] = {"",     ":",      "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:1:2",
                                      "[::1", "[::1]x", "[::1]:",     "[::1]:a",         "[192.0.2.1]:1",
                                      "[",    "[]",     "_hidden",    "unknown",         "192.0.2.1:000001"};
    char text[IP_TEXT_MAX];
    struct ip ip;
    uint16_t port;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        cr_assert(ip_read_with_port(text_of(good[i][0]), &ip, &port), "%s", good[i][0]);
        cr_expect_str_eq(ip_format(&ip, port, text), good[i][1]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_expect_not(ip_read_with_port(text_of(bad[i]), &ip, &port), "%s", bad[i]);
    }
}

/* ---- networks ---- */

/* Is the address in the network? The network, read and written again, is as given. */
static bool is_in(const char *network_text, const char *address)
{
    char text[IP_NETWORK_TEXT_MAX];
    struct ip_network network;
    struct ip ip;
    cr_assert(ip_network_read(text_of(network_text), &network), "%s", network_text);
    cr_expect_str_eq(ip_network_format(&network, text), network_text);
    cr_assert(ip_read(text_of(address), &ip), "%s", address);
    return ip_networks_have(&(struct ip_networks){&network, 1}, &ip);
}

Test(ip, a_network_has_all_that_begin_with_its_bits, .timeout = 5)
{
    cr_expect(is_in("10.0.0.0/8", "10.255.255.255"));
    cr_expect_not(is_in("10.0.0.0/8", "11.0.0.0"));
    cr_expect(is_in("192.0.2.128/25", "192.0.2.129"));
    cr_expect_not(is_in("192.0.2.128/25", "192.0.2.127"));
    cr_expect(is_in("192.0.2.1", "192.0.2.1"));
    cr_expect_not(is_in("192.0.2.1", "192.0.2.0"));
    cr_expect(is_in("0.0.0.0/0", "255.255.255.255"));
    cr_expect_not(is_in("0.0.0.0/0", "::1"), "of IPv4 alone");
    cr_expect(is_in("::/0", "192.0.2.1"), "IPv4 is a part of IPv6");
    cr_expect(is_in("2001:db8::/33", "2001:db8:7fff::1"));
    cr_expect_not(is_in("2001:db8::/33", "2001:db8:8000::1"));
    cr_expect(is_in("::1", "::1"));
    cr_expect_not(ip_networks_have(&(struct ip_networks){0}, &(struct ip){{0}}));
}

Test(ip, each_length_cuts_where_it_says, .timeout = 5)
{
    struct ip ones;
    memset(&ones, 0xff, sizeof ones);
    for (unsigned bits = 0; bits <= 128; bits++) {
        struct ip cut = ip_cut(&ones, (uint8_t)bits);
        for (unsigned i = 0; i < 128; i++) {
            cr_assert_eq(cut.bytes[i / 8] >> (7 - i % 8) & 1, i < bits, "bit %u of %u", i, bits);
        }
    }
}

Test(ip, what_is_no_network_is_refused, .timeout = 5)
{
    static const char *const bad[] = {"",
                                      "/",
                                      "/8",
                                      "10.0.0.0/",
                                      "10.0.0.0/33",
                                      "::/129",
                                      "10.0.0.0/8/8",
                                      "10/8",
                                      "a/8",
                                      "::/-1",
                                      "10.0.0.0/ 8",
                                      "10.0.0.0 /8",
                                      "::/99999999999999999999"};
    struct ip_network network;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_expect_not(ip_network_read(text_of(bad[i]), &network), "%s", bad[i]);
    }
}

Test(ip, the_longest_network_fits, .timeout = 5)
{
    cr_expect(is_in("2001:db8:1111:2222:3333:4444:5555:6660/125", "2001:db8:1111:2222:3333:4444:5555:6667"));
}
