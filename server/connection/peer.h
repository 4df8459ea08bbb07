/* server/connection/peer.h - who is at the other end of a connection: its client's address.
 *
 * In a table of its own by slot, 40 bytes each, which is there only where somebody wants to know: struct connection has
 * no room for it. The kernel is asked when a connection is accepted, since accepts that go on and on cannot tell it;
 * behind a door whose accepts tell (server/connection/accept.h) it is known by then, with any kernel.
 * Behind a proxy that is trusted (--trusted-proxies) the client is who its X-Forwarded-For says, with each request.
 * Threads: the shard's. */
#pragma once

#include "core/rc.h"
#include "net/ip.h"

#include <stdbool.h>
#include <stdint.h>

struct connection;
struct http_request;
struct options;
struct proxy_header;
struct shard;

/* Where a connection comes from. */
enum peer_origin {
    PEER_ELSEWHERE, /* or it is not known */
    PEER_MACHINE,   /* this one */
    PEER_SOCKET,    /* the unix socket, whose mode says who may open it */
};

struct peer {
    union {
        struct sockaddr_in6 asked; /* is_asked: where the kernel writes it; of IPv4 it is a struct sockaddr_in */
        struct {                   /* is_known: */
            struct ip ip;          /* the client's, */
            struct ip end;         /* and that at the other end of the socket: the same, or a proxy's */
        };
    };
    uint16_t port, end_port; /* 0: not known */
    uint16_t header_left;    /* bytes of the proxy's header that are to come, */
    bool has_header : 1;     /* whose beginning has been read */
    bool is_asked : 1;
    bool is_known : 1;
    bool is_counted : 1;         /* server/connection/admission.h */
    bool is_by_proxy : 1;        /* the socket's other end is a trusted proxy's, which may send a header; */
    bool is_trusted : 1;         /* and so is whom the header names: X-Forwarded-For is not its client's own */
    bool says_tls : 1;           /* the header says whether its client speaks TLS with the proxy, */
    bool has_tls : 1;            /* and it does */
    enum peer_origin origin : 8; /* where accepts tell: of the socket's other end, whatever a proxy says */
};

_Static_assert(sizeof(struct peer) == 40, "what peer.h says");

/* NULL: nobody wants to know. */
struct peer *peer_of(const struct shard *shard, const struct connection *connection);

/* Does anybody want to know? Or does something rest on it, so that nothing goes without? */
bool peer_is_wanted(const struct options *options);
bool peer_is_needed(const struct options *options);

/* Makes the table, if the shard's door asks for peers, or its accepts tell them, or proxies. RC_ENOMEM. */
enum rc peers_init(struct shard *shard);
void peers_fini(struct shard *shard);

/* A new connection is about to begin, behind a door whose accepts tell of it: where it comes from, zeroed if that is
 * not known, and at which listener of the door it came in. */
void peer_came(struct shard *shard, uint32_t slot, uint32_t listener, const struct sockaddr_storage *from);
/* Of a connection behind such a door. */
enum peer_origin peer_origin(const struct shard *shard, const struct connection *connection);
/* A new connection, which came in at this listener of its door. True: the kernel is asked, and peer_told() follows. */
bool peer_ask(struct shard *shard, const struct connection *connection, uint32_t listener);
/* The kernel has answered. */
void peer_told(struct shard *shard, const struct connection *connection, int32_t result);
/* The connection's proxy has said on whose behalf it connects. */
void peer_proxied(struct shard *shard, const struct connection *connection, const struct proxy_header *header);
/* May the other end say so? */
bool peer_may_proxy(const struct shard *shard, const struct connection *connection);
/* Is the kernel still asked? Then the slot must not be closed. */
bool peer_is_asked(const struct shard *shard, const struct connection *connection);

/* A request has come, perhaps by a proxy: the client is who that says. */
void peer_read_forwarded(struct shard *shard, const struct connection *connection,
                         const struct http_request *request);
/* Does the client speak TLS with a proxy, as that says in its header? */
bool peer_has_tls(const struct shard *shard, const struct connection *connection);
/* May the other end say so of a request's client, by X-Forwarded-Proto? Anybody, unless there are trusted proxies: then
 * they alone, whomever they connect for, but not where the header says it. */
bool peer_may_forward(const struct shard *shard, const struct connection *connection);

/* Writes the client's address and, where it is known, its port: 192.0.2.1:49152, [2001:db8::1]:49152. "-": nobody has
 * wanted to know, or the kernel does not tell. Returns `text_r`. */
const char *connection_address(const struct shard *shard, const struct connection *connection,
                               char text_r[IP_TEXT_MAX]);
