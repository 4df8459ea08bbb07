/* server/cluster/redis_wire.h - the socket below a connection to Redis, with or without TLS; it never waits but for
 * names. For server/cluster/redis_link.c alone.
 *
 * Threads: one. Memory: what getaddrinfo() found, and a TLS session. Errors: the wire keeps why it is broken. */
#pragma once

#include "server/cluster/redis_end.h"
#include "server/config/redis_url.h"

#include <stdbool.h>
#include <stddef.h>

struct addrinfo;
struct tls_call;
struct tls_trust;

enum { REDIS_DETAIL_BYTES = 256 };

/* Zeroed with fd -1, it is closed. */
struct redis_wire {
    int fd; /* -1: none */
    struct addrinfo *found, *next;
    struct tls_call *tls;            /* NULL: none */
    bool wants_write;                /* TLS has to write before it goes on */
    enum redis_end end;              /* why it broke; NONE: it did not */
    char detail[REDIS_DETAIL_BYTES]; /* what the system or mbedTLS said about that; "": nothing */
};

enum redis_wire_result {
    REDIS_WIRE_OK,
    REDIS_WIRE_WAITS, /* poll: for writing if it connects, wants_write, or cannot write; else for reading */
    REDIS_WIRE_BROKEN,
};

/* Looks the name up, which may take seconds, and begins to connect to the first address. Closed before. */
enum redis_wire_result redis_wire_open(struct redis_wire *wire, const struct redis_place *place);
/* When poll() says that something has happened; goes on to the next address if it has to. */
enum redis_wire_result redis_wire_connected(struct redis_wire *wire);
/* Goes on to the next address, because this one takes too long. BROKEN, for the reason that it had: there is none. */
enum redis_wire_result redis_wire_connect_next(struct redis_wire *wire);
/* The TLS handshake, begun by the first call. */
enum redis_wire_result redis_wire_shake(struct redis_wire *wire, struct tls_trust *trust, const char *host);
/* OK: *count_r bytes, at least one. */
enum redis_wire_result redis_wire_read(struct redis_wire *wire, void *to, size_t size, size_t *count_r);
/* The same; after WAITS the next call has the same bytes, or more behind them. */
enum redis_wire_result redis_wire_write(struct redis_wire *wire, const void *from, size_t count, size_t *count_r);
/* Keeps why it broke. */
void redis_wire_close(struct redis_wire *wire);
