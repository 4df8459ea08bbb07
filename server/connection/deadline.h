/* server/connection/deadline.h - when a connection's time is up: a request or a goodbye that does not come, silence, an
 * outbox that is too old, a reader that takes nothing. What happens then: server/connection/deadline_passed.h.
 * Threads: the shard's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define DRAIN_REQUEST_MS 250  /* while the server drains: for a request, */
#define DRAIN_TLS_MS     1000 /* for a handshake */

struct connection;
struct shard;

/* Sets the timer for what comes first: a look at silence, or the outbox's age. Over HTTP and for last words, where it
 * is called when a socket has taken some of them and not all: that the peer read is a sign of life, from which its
 * time begins anew. */
void deadline_set(struct shard *shard, struct connection *connection);
/* REQUEST or LINGERING, and the socket does not take all that waits: the peer has time to take something of it from
 * now on, and again from each time that it does: outbox_age_ms_max for answers over HTTP, close_ms_max for a close
 * frame and what stands before it. */
void deadline_of_reader(struct shard *shard, struct connection *connection);
/* Sets the timer for the next look at such a reader. False: it has taken nothing for too long. */
bool deadline_look_at_reader(struct shard *shard, struct connection *connection);
/* For a whole request to come, or for a handshake of TLS. */
void deadline_of_request(struct shard *shard, struct connection *connection);
/* Between two requests: until the next one begins, or, while answers wait, until the client has read some of them. One
 * that has begun has its own time once they have gone. */
void deadline_between_requests(struct shard *shard, struct connection *connection);
/* The server stops: for a request that may be under way (server/run/drain.h). Also TLS. */
void deadline_at_stop(struct shard *shard, struct connection *connection);
/* The connection's socket takes bytes again: the peer has acknowledged some, and lives. */
void deadline_progressed(struct shard *shard, struct connection *connection);

/* OPEN: when the connection is pinged, or, once it is, when it has been silent for too long. */
uint64_t deadline_silence_at_ms(const struct shard *shard, const struct connection *connection);
/* OPEN: when what the peer has to read has waited for too long; UINT64_MAX: nothing waits. */
uint64_t deadline_stale_at_ms(struct shard *shard, const struct connection *connection);
/* OPEN: when it is closed if it has not shown by then who it is; UINT64_MAX: it has, or need not. */
uint64_t deadline_stranger_at_ms(const struct connection *connection);
