/* tests/support/redis_peer.h - a server on loopback that says what a test has it say, one connection at a time, in the
 * test's own thread. */
#pragma once

#include "server/cluster/redis_link.h"

#include <stddef.h>
#include <stdint.h>

struct redis_peer {
    int listener, fd; /* fd -1: nobody is connected */
    struct redis_place place;
    char heard[65536]; /* what has come, with a zero behind it */
    size_t heard_count;
};

void redis_peer_start(struct redis_peer *peer);
void redis_peer_stop(struct redis_peer *peer);
/* Takes the next connection; aborts if there is none. */
void redis_peer_accept(struct redis_peer *peer);
/* Takes what has come, of at least one byte. */
void redis_peer_hear(struct redis_peer *peer);
void redis_peer_say(struct redis_peer *peer, const char *text);
void redis_peer_say_bytes(struct redis_peer *peer, const void *bytes, size_t count);
/* Ends the connection: with what was not read there, by a reset. */
void redis_peer_hang_up(struct redis_peer *peer);

/* An answer to INFO: of a master, 7.0.15. */
extern const char redis_peer_info[];

/* Waits until poll() says that something has happened to the link, and runs it; at most five seconds. */
void redis_peer_turn(struct redis_link *link, uint64_t now_ms);
/* A link to the peer that is open, with a few bounds; the target is the peer's, in plain. */
struct redis_link *redis_peer_link(struct redis_peer *peer, size_t out_bytes_max, size_t reply_bytes_max);
struct redis_target redis_peer_target(const struct redis_peer *peer);
