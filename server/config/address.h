/* server/config/address.h - socket addresses as people write them: 127.0.0.1:8080, [::1]:8080, *:8080.
 *
 * Numbers only: names are never looked up, so reading an address never waits. Plain values, no memory to give back;
 * any thread may call. */
#pragma once

#include "core/rc.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* Room for the longest text with its closing zero: [IPv6]:65535. */
#define ADDRESS_TEXT_MAX (INET6_ADDRSTRLEN + 8)

struct address {
    struct sockaddr_storage storage; /* AF_INET or AF_INET6; unused bytes are zero */
    socklen_t bytes;                 /* how much of it bind() and connect() want */
};

/* Reads ADDR:PORT, [ADDR]:PORT or *:PORT; `*` is every IPv4 address, port 0 lets the kernel choose one.
 * RC_OK, or RC_EINVAL with *address_r untouched. */
enum rc address_read(const char *text, struct address *address_r);

/* Writes the address the way address_read() takes it; "?" for a family other than the two. Returns `text_r`. */
const char *address_format(const struct address *address, char text_r[ADDRESS_TEXT_MAX]);

bool address_is_equal(const struct address *one, const struct address *other);
/* Would listeners on both get the same connections? True for one port when the addresses are equal, or one of them is
 * all addresses: 0.0.0.0 has all IPv4, [::] all IPv6 and IPv4. Never for port 0, which becomes another for each. */
bool address_overlaps(const struct address *one, const struct address *other);
/* Is it reached from this machine alone? */
bool address_is_loopback(const struct address *address);
/* 0 for a family other than the two. */
uint16_t address_port(const struct address *address);
