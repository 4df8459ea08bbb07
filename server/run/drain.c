/* server/run/drain.c - closing all connections: one after the other, over the time that there is for it, or all without
 * keeping any of them waiting for the others.
 *
 * Not obvious: who came together has slots beside each other, so slots are not gone through in their order but in steps
 * of about their golden section, which meet each slot once and those beside each other at times far apart. So a herd is
 * not closed as one, and the rate stays even however the connections lie among the slots: none is counted. */
#include "server/run/drain.h"

#include "server/connection/accept.h"
#include "server/connection/connection.h"
#include "server/connection/deadline.h"
#include "server/connection/door.h"
#include "server/shard/shard.h"

#include <assert.h>
#include <ck_pr.h>

#define SLICE            512    /* connections told in one turn, */
#define LOOKS            16384  /* of so many slots */
#define TICK_MS          20     /* clearing: how often some are told */
#define OTHERS_WAIT_MS   20     /* stopping: how often to look whether the other shards are done */
#define GOLDEN_SECTION   40503u /* of 2^16 */
#define RETURNS_MS       1000   /* those who were told one after the other come back within, */
#define RETURNS_MS_MAX   30000  /* and at most those who were told all at once: */
#define RETURNS_A_SECOND 2000

/* ---- clearing ---- */

static uint32_t common_divisor(uint32_t one, uint32_t other)
{
    while (other > 0) {
        uint32_t rest = one % other;
        one = other;
        other = rest;
    }
    return one;
}

/* A step that comes by each of so many slots before it is back at the first. */
static uint32_t step_through(uint32_t slots)
{
    uint32_t step = (uint32_t)((uint64_t)slots * GOLDEN_SECTION >> 16);
    while (common_divisor(step, slots) > 1) {
        step++;
    }
    return step;
}

/* How many slots are to have been looked at by now. */
static uint32_t looks_due(const struct shard *shard)
{
    uint64_t passed_ms = shard->now_ms - shard->drain.since_ms, drain_ms = shard->options->drain_ms;
    if (passed_ms >= drain_ms) return shard->drain.walk_slots;
    return (uint32_t)(shard->drain.walk_slots * passed_ms / drain_ms);
}

static void walk(struct shard *shard)
{
    uint32_t due = looks_due(shard);
    for (uint32_t told = 0, looks = 0; shard->drain.looked_at < due && told < SLICE && looks < LOOKS; looks++) {
        struct connection *connection = &shard->connections[shard->drain.walk_at];
        shard->drain.walk_at = (shard->drain.walk_at + shard->drain.walk_step) % shard->drain.walk_slots;
        shard->drain.looked_at++;
        if (connection->state != CONNECTION_OPEN) continue;
        connection_close(shard, connection, shard_drain_reason(shard));
        told++;
    }
}

static bool has_clients(const struct shard *shard)
{
    return pool_in_use(&shard->pusher.pool) > 0 || pool_in_use(&shard->channel.subscriptions) > 0;
}

void drain_clear(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    if (shard->drain.since_ms == 0) {
        shard->drain.since_ms = shard->now_ms;
        shard->drain.walk_slots = shard->slots_used;
        shard->drain.walk_step = step_through(shard->slots_used);
        shard->returns_ms = RETURNS_MS;
    }
    walk(shard);
    if (shard->drain.looked_at == shard->drain.walk_slots || !has_clients(shard))
        ck_pr_store_uint(&shard->has_cleared, 1);
}

/* ---- stopping ---- */

static void tell(struct shard *shard, struct connection *connection)
{
    switch (connection->state) {
    case CONNECTION_ARRIVING:
    case CONNECTION_TLS:
    case CONNECTION_REQUEST:
        deadline_at_stop(shard, connection);
        break;
    case CONNECTION_JOINING: /* they are answered first, */
    case CONNECTION_ANSWERING:
        break; /* for the last time */
    default:
        connection_close(shard, connection, shard_drain_reason(shard));
        break;
    }
}

/* As many as are told at once are not to come back at once. */
static uint32_t returns_ms(const struct shard *shard)
{
    uint64_t ms = doors_connections_open(shard->doors) * 1000 / RETURNS_A_SECOND;
    if (ms < RETURNS_MS) return RETURNS_MS;
    return ms < RETURNS_MS_MAX ? (uint32_t)ms : RETURNS_MS_MAX;
}

static void begin_stop(struct shard *shard)
{
    shard->is_stopping = true;
    shard->returns_ms = returns_ms(shard);
    shard->drain.until_ms = shard->now_ms + shard->options->drain_ms_max;
    accept_stop(shard);
}

bool drain_go_on(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    if (!shard->is_stopping) begin_stop(shard);
    accept_start(shard);
    for (uint32_t told = 0; shard->drain.slot < shard->slots_used && told < SLICE; shard->drain.slot++) {
        struct connection *connection = &shard->connections[shard->drain.slot];
        if (connection->state == CONNECTION_FREE) continue;
        tell(shard, connection);
        told++;
    }
    /* A shard without connections stays for the letters of the others. */
    bool is_done = doors_connections_open(shard->doors) == 0 && accept_has_stopped(shard);
    return !is_done && shard->now_ms < shard->drain.until_ms;
}

uint64_t drain_sleep_ms(const struct shard *shard)
{
    if (shard->is_stopping) return shard->drain.slot < shard->slots_used ? 0 : OTHERS_WAIT_MS;
    if (shard->drain.since_ms == 0) return UINT64_MAX;
    return shard->drain.looked_at < looks_due(shard) ? 0 : TICK_MS;
}
