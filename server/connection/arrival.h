/* server/connection/arrival.h - from accept to the first byte that is read: ARRIVING.
 *
 * Where somebody wants to know who a client is, the kernel is asked first; nothing is read until it has answered, a
 * call later. With --proxy-protocol the header of the PROXY protocol has to come then, before anything else.
 * Threads: the shard's. */
#pragma once

#include <stdint.h>

struct bytes;
struct connection;
struct shard;

/* A new socket in this slot has come in at this listener of the door. */
void arrival_begin(struct shard *shard, uint32_t slot, uint32_t listener);
/* The answer to ring_ask_peer(). */
void arrival_told(struct shard *shard, struct connection *connection, int32_t result);
/* ARRIVING: bytes have come. Eats what is the proxy's; when the state is another one, what is left is the client's. */
void arrival_receive(struct shard *shard, struct connection *connection, struct bytes *in);
