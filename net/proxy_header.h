/* net/proxy_header.h - the header of the PROXY protocol, with which a proxy says on whose behalf it connects, v1 and v2
 * (HAProxy's doc/proxy-protocol.txt of 2020/03/05).
 *
 * Any thread; nothing is kept or allocated. */
#pragma once

#include "core/rc.h"
#include "net/ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of so many bytes it is known what they are. What a header of v2 has beyond them is passed over. */
#define PROXY_HEADER_BYTES_MAX 1024

struct proxy_header {
    bool has_address; /* else the proxy speaks for itself (LOCAL, UNKNOWN), or for one without an IP address */
    struct ip ip;
    uint16_t port;
    bool says_tls; /* v2, PP2_TYPE_SSL: it says whether the client speaks TLS with the proxy, */
    bool has_tls;  /* and it does */
    uint16_t rest; /* bytes of the header that are of no interest, and follow those that were eaten */
};

/* Reads the header that the bytes begin with; what of it has come before has to be given again. RC_OK; RC_MORE: it is
 * not whole; RC_EINVAL: it is none. */
enum rc proxy_header_read(const uint8_t *bytes, size_t count, struct proxy_header *header_r, size_t *eaten_r);
