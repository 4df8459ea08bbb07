/* server/connection/connection.h - one client from accept to reaped: from state to state, saying, ending.
 * Threads: the shard's. */
#pragma once

#include "server/connection/connection_state.h"

#include <stddef.h>

/* FREE -> ARRIVING: a new socket in this slot, of a TLS address or of another. */
void connection_accepted(struct shard *shard, uint32_t slot, bool is_secure);
/* ARRIVING -> TLS or REQUEST: what it says is read from now on. */
void connection_arrived(struct shard *shard, struct connection *connection);
/* TLS -> REQUEST: the handshake is done. */
void connection_secured(struct shard *shard, struct connection *connection);

/* REQUEST -> ANSWERING: receive_answered() follows, once the answer is said. */
void connection_ask(struct shard *shard, struct connection *connection);
/* REQUEST or ANSWERING -> REQUEST: ready for the next request. Only receive_answered() calls this, and goes on with
 * what came meanwhile. */
void connection_answered(struct shard *shard, struct connection *connection);
/* REQUEST -> JOINING: the component will call receive_opened(). */
void connection_join(struct shard *shard, struct connection *connection);
/* JOINING -> OPEN: answers 101. Called by receive_opened(), which goes on with what came meanwhile, and by who closes
 * it at once. */
void connection_open(struct shard *shard, struct connection *connection);

/* Says something: queues a batch and flushes it this turn. Takes over the caller's reference. A NULL batch (it could
 * not be made) ends the connection for want of memory. */
void connection_say(struct shard *shard, struct connection *connection, struct batch *batch);
/* As connection_say(), an answer that may be long: it is counted as such (server/connection/long_answer.h). */
void connection_say_long(struct shard *shard, struct connection *connection, struct batch *batch);
/* As connection_say(), a ping or pong: ahead of messages, but not of answers over HTTP. */
void connection_say_control(struct shard *shard, struct connection *connection, struct batch *batch);
/* As connection_say(), a control frame of that payload, which is copied: a close behind messages, others ahead of
 * them. */
void connection_say_frame(struct shard *shard, struct connection *connection, enum frame_opcode opcode,
                          const uint8_t *payload, size_t count);

/* Ends the connection for this reason: with a close frame when it is open and the reason has a code, else at once. */
void connection_close(struct shard *shard, struct connection *connection, enum close_reason reason);
/* The peer says nothing more: its close frame has come (CLOSE_PEER_CLOSED, with its code or 0), or a frame that ends it
 * for another reason. Closes once it has heard what of its own is still on its way: OPEN -> SETTLING, unless nothing
 * is. */
void connection_last_heard(struct shard *shard, struct connection *connection, enum close_reason reason,
                           uint16_t code);
/* SETTLING -> CLOSING: the peer has heard what of its own was still on its way. */
void connection_settled(struct shard *shard, struct connection *connection);
/* The last answer over HTTP has been queued: send it, then FIN. */
void connection_linger(struct shard *shard, struct connection *connection, enum close_reason reason);
/* Nothing more can be said or understood: send what is sealed already, then FIN. */
void connection_break(struct shard *shard, struct connection *connection, enum close_reason reason);
/* Ends the connection now, whatever is unsaid. */
void connection_finish(struct shard *shard, struct connection *connection, enum close_reason reason);

/* The outbox of a WATCHED connection is empty. */
void connection_flushed(struct shard *shard, struct connection *connection);
/* Nothing more will come from the peer. The connection ends once what is held has been taken in. */
void connection_ended(struct shard *shard, struct connection *connection);
/* An operation has completed for the last time: a DRAINING connection may be free now. */
void connection_operation_done(struct shard *shard, struct connection *connection);
