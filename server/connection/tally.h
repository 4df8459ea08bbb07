/* server/connection/tally.h - what the log tells of a connection that has ended: whose it was, why it ended, how many
 * bytes, how long. --log-connections says of how many; without it nothing is counted here, and nothing kept.
 *
 * A line for one in so many, at most TALLY_LINES_MAX a second and shard: how many more there were is told too.
 * Threads: the shard's. Memory: 64 bytes for each slot that was ever used, and between the goodbye of a client and the
 * end of its socket the names of its app and user. */
#pragma once

#include "server/connection/connection_state.h"

#define TALLY_LINES_MAX 100

struct tally {
    uint64_t bytes_in, bytes_out; /* of the socket */
    uint64_t began_ms;
    const char *protocol; /* static */
    char *names;          /* of app and user, each with its zero; "": it has none. Owned; NULL: both are unknown */
};

/* RC_OK, also when nothing is to be told; RC_ENOMEM. Give it back with tally_fini(). */
enum rc tally_init(struct shard *shard);
void tally_fini(struct shard *shard);

/* A new connection has this slot. */
void tally_begin(struct shard *shard, uint32_t slot);
/* Its component is about to be told that it ends, if it has one. */
void tally_leave(struct shard *shard, const struct connection *connection);
/* Nothing comes or goes any more. */
void tally_end(struct shard *shard, const struct connection *connection);

static inline void tally_came(struct shard *shard, uint32_t slot, uint32_t bytes)
{
    if (shard->tally.entries != NULL) shard->tally.entries[slot].bytes_in += bytes;
}

static inline void tally_went(struct shard *shard, uint32_t slot, uint32_t bytes)
{
    if (shard->tally.entries != NULL) shard->tally.entries[slot].bytes_out += bytes;
}
