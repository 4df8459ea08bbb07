/* net/ip.h - IP addresses as 16 bytes: IPv6, of which IPv4 is a part (::ffff:0:0/96, RFC 4291 2.5.5.2). So a client is
 * the same one whichever family its listener has. And networks of them.
 *
 * Plain values; any thread. */
#pragma once

#include "core/text.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct ip {
    uint8_t bytes[16];
};

/* 0.0.0.0: what IPv4 addresses begin with. */
extern const struct ip ip_v4_prefix;

/* Room for the longest text with its closing zero: [IPv6]:65535. */
#define IP_TEXT_MAX (INET6_ADDRSTRLEN + 8)

/* Of a socket address; its port too. False: of another family than the two. */
bool ip_of_socket(const void *address, struct ip *ip_r, uint16_t *port_r);
bool ip_is_v4(const struct ip *ip);
/* Reads 192.0.2.1 or 2001:db8::1, and nothing else. */
bool ip_read(struct text text, struct ip *ip_r);
/* Reads the same, and with a port behind it, 192.0.2.1:443, [2001:db8::1]:443; else the port is 0. Brackets may stand
 * without one. */
bool ip_read_with_port(struct text text, struct ip *ip_r, uint16_t *port_r);
/* Writes 192.0.2.1:443 or [2001:db8::1]:443; with port 0 the address alone, without brackets. Returns `text_r`. */
const char *ip_format(const struct ip *ip, uint16_t port, char text_r[IP_TEXT_MAX]);

/* All addresses that begin with the same bits. */
struct ip_network {
    struct ip first; /* the bits behind are 0 */
    uint8_t bits;    /* of 128: an IPv4 network has 96 and more */
};

/* Room for the longest text with its closing zero: IPv6/128. */
#define IP_NETWORK_TEXT_MAX (INET6_ADDRSTRLEN + 4)

/* Owns its items; `items` is NULL while `count` is 0. */
struct ip_networks {
    struct ip_network *items;
    uint32_t count;
};

/* The address without the bits behind so many. */
struct ip ip_cut(const struct ip *ip, uint8_t bits);
/* Reads 192.0.2.0/24, 2001:db8::/32, or a single address. Bits behind the length are cut off: whoever minds compares
 * with ip_network_format(). */
bool ip_network_read(struct text text, struct ip_network *network_r);
/* Writes it as it is read. Returns `text_r`. */
const char *ip_network_format(const struct ip_network *network, char text_r[IP_NETWORK_TEXT_MAX]);
/* Is the address in one of these? */
bool ip_networks_have(const struct ip_networks *networks, const struct ip *ip);
