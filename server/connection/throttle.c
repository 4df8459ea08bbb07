/* server/connection/throttle.c - one bucket for messages and one for bytes, each kept as the time at which it is full
 * again (the generic cell rate algorithm, ITU-T I.371). */
#include "server/connection/throttle.h"

#include "net/ring.h"
#include "server/connection/connection_state.h"
#include "server/shard/shard.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#define SECOND_NS UINT64_C(1000000000)
#define NS_A_MS   UINT64_C(1000000)

/* A cost falls due behind what fell due before, but never in the past: a rest gains no more than one second. */
static void add(uint64_t *due_ns, uint64_t now_ns, uint64_t count, uint64_t a_second)
{
    if (a_second == 0) return;
    if (*due_ns < now_ns) *due_ns = now_ns;
    *due_ns += count * SECOND_NS / a_second;
}

/* When one more message may come. How long that will be is not known, so bytes are paid for afterwards. */
static uint64_t next_at_ns(const struct throttle *throttle, uint64_t messages_max)
{
    uint64_t due_ns = throttle->bytes_ns;
    uint64_t one_more_ns = messages_max > 0 ? throttle->messages_ns + SECOND_NS / messages_max : 0;
    if (one_more_ns > due_ns) due_ns = one_more_ns;
    return due_ns > SECOND_NS ? due_ns - SECOND_NS : 0;
}

static struct throttle *throttle_of(struct shard *shard, struct connection *connection)
{
    if (connection->throttle != NULL) return connection->throttle;
    struct throttle *throttle = calloc(1, sizeof *throttle);
    if (throttle == NULL) return NULL;
    throttle->slot = shard_slot(shard, connection);
    connection->throttle = throttle;
    return throttle;
}

enum rc throttle_count(struct shard *shard, struct connection *connection, uint32_t bytes)
{
    assert(owner_is_me(&shard->owner));
    uint64_t messages_max = shard->options->room_messages_per_second;
    uint64_t bytes_max = shard->options->room_bytes_per_second;
    if (!throttle_is_on(shard->options)) return RC_OK;
    struct throttle *throttle = throttle_of(shard, connection);
    if (throttle == NULL) return RC_ENOMEM;
    uint64_t now_ns = shard->now_ms * NS_A_MS;
    add(&throttle->messages_ns, now_ns, 1, messages_max);
    add(&throttle->bytes_ns, now_ns, bytes, bytes_max);
    uint64_t at_ns = next_at_ns(throttle, messages_max);
    if (at_ns <= now_ns) return RC_OK;
    counter_add(&shard->counters, COUNTER_receives_throttled, 1);
    timer_set(&shard->receive.throttle_timers, &throttle->timer, (at_ns + NS_A_MS - 1) / NS_A_MS);
    connection->is_throttled = true;
    if (connection->is_receiving) ring_cancel_receive(shard->ring, throttle->slot, connection->life);
    return RC_OK;
}

struct connection *throttle_timer(struct shard *shard, struct timer *timer)
{
    assert(owner_is_me(&shard->owner));
    const struct throttle *throttle = (struct throttle *)((char *)timer - offsetof(struct throttle, timer));
    struct connection *connection = &shard->connections[throttle->slot];
    assert(connection->is_throttled && connection->throttle == throttle);
    connection->is_throttled = false;
    return connection;
}

bool throttle_end(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    struct throttle *throttle = connection->throttle;
    if (throttle == NULL) return false;
    timer_clear(&shard->receive.throttle_timers, &throttle->timer);
    connection->throttle = NULL;
    free(throttle);
    bool was_throttled = connection->is_throttled;
    connection->is_throttled = false;
    return was_throttled;
}
