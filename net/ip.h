/* net/ip.h - IP addresses as 16 bytes: IPv6, of which IPv4 is a part (::ffff:0:0/96, RFC 4291 2.5.5.2). So a client is
 * the same one whichever family its listener has.
 *
 * Plain values; any thread. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct ip {
    uint8_t bytes[16];
};

/* Room for the longest text with its closing zero: [IPv6]:65535. */
#define IP_TEXT_MAX (INET6_ADDRSTRLEN + 8)

/* Of a socket address; its port too. False: of another family than the two. */
bool ip_of_socket(const void *address, struct ip *ip_r, uint16_t *port_r);
bool ip_is_v4(const struct ip *ip);
/* Writes 192.0.2.1:443 or [2001:db8::1]:443; with port 0 the address alone, without brackets. Returns `text_r`. */
const char *ip_format(const struct ip *ip, uint16_t port, char text_r[IP_TEXT_MAX]);
