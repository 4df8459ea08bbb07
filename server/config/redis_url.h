/* server/config/redis_url.h - where a Redis is, as people write it:
 *
 *     redis://[USER@]HOST[:PORT][/DB]               one server; rediss:// over TLS
 *     unix:PATH                                     one server on this machine, its socket
 *     redis+sentinel://[USER@]H1[:PORT],H2/NAME     the master that Sentinels call NAME; rediss+sentinel:// over TLS
 *     redis+cluster://[USER@]H1[:PORT],H2           Redis Cluster, some of its servers; rediss+cluster:// over TLS
 *
 * A host is a name or a number, of IPv6 in brackets. Nothing is looked up, so reading never waits. A password is
 * refused: whoever lists processes or reads logs would have it. Plain values, no memory to give back; any thread may
 * call.
 * Source: the scheme redis as registered with IANA, without password and parameters. */
#pragma once

#include "core/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    REDIS_PORT = 6379,
    REDIS_SENTINEL_PORT = 26379,
    REDIS_HOST_BYTES_MAX = 253, /* RFC 1035; a unix socket's path is shorter */
    REDIS_NAME_BYTES_MAX = 100, /* of a user, of a master */
    REDIS_PLACES_MAX = 9,
    REDIS_DATABASE_MAX = 1 << 20,
    REDIS_URL_BYTES_MAX = 3000, /* of a whole one */
    REDIS_PLACE_TEXT_MAX = REDIS_HOST_BYTES_MAX + sizeof "[]:65535",
};

/* A server's address. Two of them are the same if all bytes are. */
struct redis_place {
    char host[REDIS_HOST_BYTES_MAX + 1]; /* without brackets, in lower case; or a socket's path, from / on */
    uint16_t port;                       /* 0: it is a path */
};

enum redis_kind { REDIS_ALONE, REDIS_SENTINEL, REDIS_CLUSTER };

struct redis_url {
    enum redis_kind kind;
    bool is_tls;
    char user[REDIS_NAME_BYTES_MAX + 1]; /* "": the one that Redis calls default */
    struct redis_place places[REDIS_PLACES_MAX];
    uint32_t places_count;                 /* 1 if it is alone */
    uint32_t database;                     /* 0 in a cluster, whose servers have no other */
    char master[REDIS_NAME_BYTES_MAX + 1]; /* what the Sentinels call it; else "" */
};

/* Reads one. RC_OK, or RC_EINVAL with *url_r untouched and a reason that names cause and cure, without a full stop, and
 * never quotes what may be a password; 300 bytes are enough for it. */
enum rc redis_url_read(const char *text, struct redis_url *url_r, char *reason_r, size_t reason_size);
/* For logs: HOST:PORT, [HOST]:PORT or unix:PATH. Returns `text_r`. */
const char *redis_place_format(const struct redis_place *place, char text_r[REDIS_PLACE_TEXT_MAX]);
/* Reads HOST:PORT as a server tells of another one: host and port apart. False: it is no host. */
bool redis_place_of(const char *host, size_t host_bytes, uint16_t port, struct redis_place *place_r);
