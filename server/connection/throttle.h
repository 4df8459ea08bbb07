/* server/connection/throttle.h - how fast a raw connection may publish: room_messages_per_second,
 * room_bytes_per_second.
 *
 * A connection may be one second ahead of what these permit: a burst of as many, after a rest. Beyond that it is not
 * read, and TCP tells its client to wait, until it may send one more; it is never closed for it, and nothing of what it
 * sent is lost.
 * Threads:   the shard.
 * Ownership: the connection's, made at its first message, freed by throttle_end().
 * Memory:    none while neither option is set. Of what one that waits has sent, at most a receive buffer is held; the
 *            rest stays in its socket. */
#pragma once

#include "core/rc.h"
#include "core/timer_wheel.h"
#include "server/config/options.h"

#include <stdbool.h>
#include <stdint.h>

struct connection;
struct shard;

struct throttle {
    struct timer timer; /* in shard->receive.throttle_timers while the connection is not read */
    uint32_t slot;
    uint64_t messages_ns; /* when what it has published will have been permitted: so many, */
    uint64_t bytes_ns;    /* and so long */
};

static inline bool throttle_is_on(const struct options *options)
{
    return options->room_messages_per_second > 0 || options->room_bytes_per_second > 0;
}

/* An open connection has published a message of so many bytes. RC_ENOMEM: it cannot be counted, close it. */
enum rc throttle_count(struct shard *shard, struct connection *connection, uint32_t bytes);
/* One of shard->receive.throttle_timers ran out: returns its connection, which may be read again
 * (receive_go_on()). */
struct connection *throttle_timer(struct shard *shard, struct timer *timer);
/* Ends the throttle of a connection that leaves its room. True: it was not read for what it has published, and may be
 * again, for its last words (reading_go_on()). */
bool throttle_end(struct shard *shard, struct connection *connection);
