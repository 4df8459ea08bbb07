/* server/protocol/socket_id.h - the name of a channel connection that clients and backends know:
 * "1804289383.52776558133248".
 *
 * The first number is random and not 0: signatures are over the whole text, so nobody guesses one. The second says
 * where the connection is (shard, slot, life), so that a backend's socket_id finds it without a table. */
#pragma once

#include "core/message.h"
#include "core/text.h"

#include <stdbool.h>
#include <stdint.h>

#define SOCKET_ID_BYTES_MAX 32 /* with the closing zero */

/* Below 2^20: what fits into a socket id (and what the kernel bounds a file table to). */
#define SOCKET_ID_SLOTS_MAX (UINT32_C(1) << 20)

/* Writes the id; returns a view of it. */
struct text socket_id_write(char to[SOCKET_ID_BYTES_MAX], uint32_t random, uint32_t shard, uint32_t slot,
                            uint32_t life);

/* Two numbers with a point between? Then *publisher_r is the connection, excluded; whether it still is there, and the
 * app's, shows where the message is read. */
bool socket_id_read(struct text text, struct publisher *publisher_r);
