/* server/config/address.h - socket addresses as people write them: 127.0.0.1:8080, [::1]:8080, *:8080, unix:/run/x.
 *
 * Numbers only: names are never looked up, so reading an address never waits. Plain values, no memory to give back;
 * any thread may call. */
#pragma once

#include "core/rc.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#define ADDRESS_UNIX           "unix:"
/* Of a unix socket's path, which the kernel bounds. */
#define ADDRESS_PATH_BYTES_MAX (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)
/* Room for the longest text with its closing zero: unix:PATH. */
#define ADDRESS_TEXT_MAX       (sizeof ADDRESS_UNIX + ADDRESS_PATH_BYTES_MAX)

struct address {
    struct sockaddr_storage storage; /* AF_INET, AF_INET6 or AF_UNIX; unused bytes are zero */
    socklen_t bytes;                 /* how much of it bind() and connect() want */
    int passed; /* a descriptor that listens there already, see server/run/passed_sockets.h; 0: none */
};

/* Reads ADDR:PORT, [ADDR]:PORT or *:PORT; `*` is every IPv4 address, port 0 lets the kernel choose one.
 * RC_OK, or RC_EINVAL with *address_r untouched. */
enum rc address_read(const char *text, struct address *address_r);
/* Reads unix:PATH, a whole path from / on. RC_OK, RC_EINVAL: it is none, RC_ETOOBIG: longer than
 * ADDRESS_PATH_BYTES_MAX; then *address_r is untouched. */
enum rc address_read_unix(const char *text, struct address *address_r);

/* Writes the address the way these take it; "?" for a family other than the three. Returns `text_r`. */
const char *address_format(const struct address *address, char text_r[ADDRESS_TEXT_MAX]);

bool address_is_equal(const struct address *one, const struct address *other);
/* Would listeners on both get the same connections? True for one port when the addresses are equal, or one of them is
 * all addresses: 0.0.0.0 has all IPv4, [::] all IPv6 and IPv4. Never for port 0, which becomes another for each. */
bool address_overlaps(const struct address *one, const struct address *other);
/* Is it reached from this machine alone? So is a unix socket. */
bool address_is_loopback(const struct address *address);
/* The path of a unix socket, in the address; NULL: it is none. */
const char *address_path(const struct address *address);
/* 0 for what has none. */
uint16_t address_port(const struct address *address);
