/* server/connection/address_limits.h - what clients of one address may take together: connections at a time, connects
 * and failed handshakes in a second. Of IPv6 the first 64 bits count, for whoever has one address has all behind them.
 *
 * One table for all shards: the kernel spreads the connections of an address over them, and a share for each would be
 * wrong by as much as chance wants. It is touched when a connection comes and when it ends, under a lock that is held
 * for less than a microsecond; never for what is said or delivered. Refused: tables of the shards, asked by letters,
 * which are as exact, and let every connection wait for another shard.
 * Rates are kept as throttle.h does: after a rest an address may be one second ahead.
 * Memory:    64 bytes for each address that has connections, or whose rates are not at rest, which takes a second: at
 *            most twice connections_max. And 8 bytes for each of connections_max.
 * Threads:   any. */
#pragma once

#include "core/close_reason.h"
#include "core/rc.h"
#include "net/ip.h"

#include <stdbool.h>
#include <stdint.h>

struct address_limits;
struct options;

/* Is there any? */
bool address_limits_are_on(const struct options *options);

/* RC_ENOMEM. */
enum rc address_limits_new(struct address_limits **limits_r, uint64_t connections_max);
/* Accepts NULL. */
void address_limits_free(struct address_limits *limits);

/* A connection of this address has come. CLOSE_NONE: it is counted, and address_limits_leave() follows; else why it may
 * not stay. Times are monotonic, on one clock for all shards. */
enum close_reason address_limits_enter(struct address_limits *limits, const struct options *options,
                                       const struct ip *ip, uint64_t now_ms);
void address_limits_leave(struct address_limits *limits, const struct ip *ip, uint64_t now_ms);
/* A handshake of this address has failed, be the connection counted or not. */
void address_limits_fail(struct address_limits *limits, const struct options *options, const struct ip *ip,
                         uint64_t now_ms);

/* How many addresses are known now. */
uint32_t address_limits_count(struct address_limits *limits);
