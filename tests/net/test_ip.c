/* tests/net/test_ip.c - IP addresses from sockets, and as people read them. */
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
