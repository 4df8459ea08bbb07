/* server/connection/admission.h - may a client's address have one more connection? --address-connections-max and what
 * else server/connection/address_limits.h counts.
 *
 * Not limited: addresses of --address-allow, trusted proxies themselves, and who is not known.
 * Threads: the shard's. */
#pragma once

#include "core/close_reason.h"

struct connection;
struct shard;

/* What a client is told whose connection may not stay. */
#define ADMISSION_REFUSED "Too many connections or failed requests of your address: try again later."

/* Counts the connection for its client's address, unless it is counted. CLOSE_NONE, or why it may not stay: then the
 * log is told. */
enum close_reason admission_begin(struct shard *shard, const struct connection *connection);
/* The connection has ended. */
void admission_end(struct shard *shard, const struct connection *connection);
