/* server/run/drain.h - the end of a shard: nobody new is let in, all are told goodbye (close 1001), a slice each turn.
 *
 * Whoever is in already is answered: connections that the kernel has accepted are taken while their handshakes end,
 * and have DRAIN_REQUEST_MS (server/connection/deadline.h) for a request; so have those that were used that lately, for
 * their next one may be under way. An answer says that it is the last; a request of which not all has come gets a 503,
 * as does one for a WebSocket. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct shard;

/* Once a turn while the server drains. False: every connection of every shard has ended, or the time is over. */
bool drain_go_on(struct shard *shard);

/* How long a draining shard may sleep: 0 while there are connections to be told. */
uint64_t drain_sleep_ms(const struct shard *shard);
