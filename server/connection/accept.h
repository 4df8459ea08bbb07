/* server/connection/accept.h - letting connections in, up to connections_max.
 *
 * At the limit a shard stops accepting; newcomers wait in the listeners' backlogs, and what came in the same breath
 * is closed. It tries again every 100 ms and begins when a fiftieth of the places is free.
 * Over TLS they come in one by one, and not at all while ACCEPT_HELLOS_MAX wait for their handshake to begin: a herd
 * that comes faster than handshakes are computed waits in the backlog, where it costs nothing.
 * Behind a door that wants to know where its connections come from, they come one by one too, each with its address. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct completion;
struct shard;

#define ACCEPT_HELLOS_MAX 256 /* a second's work or less */

/* Starts accepting on all listeners. */
void accept_start(struct shard *shard);
/* Once a turn: goes on, where handshakes that waited have been begun. */
void accept_more(struct shard *shard);
/* Stops for good: from now on the kernel lets nobody new in. Those who have begun to connect are taken by
 * accept_start(), in each turn from now on, and have a round trip's time for that (shard->accept.timer); then the
 * listeners are closed. From a socket that was passed to us nobody is taken any more: who waits there is for the next
 * server. */
void accept_stop(struct shard *shard);
/* Has accepting stopped for good? Only then is the port free for whoever starts next. */
bool accept_has_stopped(const struct shard *shard);

/* An ACCEPT completed. */
void accept_completed(struct shard *shard, const struct completion *completion);
/* shard->accept.timer ran out. */
void accept_timer(struct shard *shard);
