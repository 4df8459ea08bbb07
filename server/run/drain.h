/* server/run/drain.h - the end of a shard: its clients are closed, one after the other or all at once; then it ends.
 *
 * SERVER_CLEARING: WebSockets are closed spread over --drain-ms, in slices, and no new ones are served; HTTP goes on.
 * SERVER_STOPPING: nobody new is let in, and all who are left are told goodbye, a slice each turn. Whoever is in
 * already is answered: connections that the kernel has accepted are taken while their handshakes end, and have
 * DRAIN_REQUEST_MS (server/connection/deadline.h) for a request; so have those that were used that lately, for their
 * next one may be under way. An answer says that it is the last; a request of which not all has come gets a 503, as
 * does one for a WebSocket. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct shard;

/* Once a turn in SERVER_CLEARING. Sets shard->has_cleared when it is through, or nobody is left. */
void drain_clear(struct shard *shard);
/* Once a turn in SERVER_STOPPING. False: every connection of every shard has ended, or the time is over. */
bool drain_go_on(struct shard *shard);

/* How long a shard may sleep until there are connections to be told; UINT64_MAX: it does not drain. */
uint64_t drain_sleep_ms(const struct shard *shard);
