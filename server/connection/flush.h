/* server/connection/flush.h - the end of a turn: everything a connection has to say leaves in one send.
 *
 * Sends go to the kernel in chunks, at most one for each connection in a chunk, straight from the shared batch when
 * an outbox holds one, joined in a scratch block when it holds several small ones. Success is silent; a connection
 * whose socket took less is BLOCKED until it is writable again.
 * Nothing may be put into any outbox between the queueing of a chunk's sends and their submit: a second send of the
 * same bytes would follow. So who is to be closed is put off until the chunk is submitted. */
#pragma once

#define FLUSH_CROWD_US 3000 /* so old is a turn when it stops serving crowds: who is of none waits no longer */

struct connection;
struct shard;

/* Sends what dirty outboxes hold, as far as the sockets take it: all of the list, of the queue a part, until
 * FLUSH_CROWD_US. Closes slow readers. */
void flush_outboxes(struct shard *shard);

/* The socket of a BLOCKED connection takes bytes again. */
void flush_unblock(struct shard *shard, struct connection *connection);
