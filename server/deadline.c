/* server/deadline.c - what the timer of a connection stands for in each state, and what silence is. */
#include "server/deadline.h"

#include "core/batch.h"
#include "net/frame.h"
#include "net/ring.h"
#include "server/api.h"
#include "server/connection.h"
#include "server/flush.h"
#include "server/request.h"
#include "server/server.h"
#include "server/shard.h"

static bool is_pinged(const struct connection *connection)
{
    return connection->pinged_ms > connection->heard_ms;
}

/* When a silent connection is pinged: the same time for one, spread over a fifth for many that came together. */
static uint64_t ping_at_ms(const struct shard *shard, const struct connection *connection)
{
    uint64_t ping_ms = shard->options->ping_ms;
    uint64_t spread_ms = ping_ms / 5;
    uint64_t scattered = shard_slot(shard, connection) * UINT64_C(2654435761); /* Knuth's multiplier */
    return connection->heard_ms + ping_ms + (spread_ms > 0 ? scattered % spread_ms - spread_ms / 2 : 0);
}

static uint64_t silence_at_ms(const struct shard *shard, const struct connection *connection)
{
    if (is_pinged(connection)) return connection->pinged_ms + shard->options->pong_ms_max;
    return ping_at_ms(shard, connection);
}

static uint64_t stale_at_ms(struct shard *shard, const struct connection *connection)
{
    const struct outbox *outbox = shard_outbox(shard, connection);
    uint64_t age_ms_max = shard->options->outbox_age_ms_max;
    if (connection->unsent_ms > 0) return connection->unsent_ms + age_ms_max;
    /* What was asked for and is long may take its time, as long as it moves. */
    if (outbox->marks & OUTBOX_LONG) return shard->now_ms + age_ms_max;
    return outbox_is_empty(outbox) ? UINT64_MAX : outbox_made_ms(outbox) + age_ms_max;
}

void deadline_set(struct shard *shard, struct connection *connection)
{
    if (connection->state != CONNECTION_OPEN) {
        request_has_been_read(shard, connection); /* the others' deadlines stand already */
        return;
    }
    uint64_t silence_ms = silence_at_ms(shard, connection);
    uint64_t stale_ms = stale_at_ms(shard, connection);
    /* A pong does not touch the timer: after it the next ping may be due before this one's time is over. */
    uint64_t ping_ms = shard->now_ms + shard->options->ping_ms;
    uint64_t first_ms = silence_ms < stale_ms ? silence_ms : stale_ms;
    timer_set(&shard->timers, &connection->timer, first_ms < ping_ms ? first_ms : ping_ms);
}

static void ping(struct shard *shard, struct connection *connection)
{
    static const uint8_t frame[] = {0x80 | FRAME_PING, 0};
    connection->pinged_ms = shard->now_ms;
    connection->unacked = 0;
    counter_add(&shard->counters, COUNTER_pings_sent, 1);
    connection_say_control(shard, connection, batch_of_static(frame, sizeof frame, shard->now_ms));
}

/* An open connection's timer: is it silent, is its outbox too old? Both move on without touching the timer. */
static void look(struct shard *shard, struct connection *connection)
{
    if (!connection_is_read(connection)) connection->heard_ms = shard->now_ms; /* it is we who do not listen */
    if (stale_at_ms(shard, connection) <= shard->now_ms) {
        connection_close(shard, connection, CLOSE_STALE_READER);
    } else if (silence_at_ms(shard, connection) > shard->now_ms) {
        deadline_set(shard, connection);
    } else if (is_pinged(connection)) {
        /* The ping may lie behind much else on a slow line: deadline_measured() judges. */
        ring_ask_unacked(shard->ring, shard_slot(shard, connection), connection->life);
    } else {
        ping(shard, connection);
        deadline_set(shard, connection);
    }
}

void deadline_measured(struct shard *shard, struct connection *connection, int32_t unacked)
{
    if (connection->state != CONNECTION_OPEN) return;
    if (!is_pinged(connection)) { /* it was heard while the kernel was asked */
        deadline_set(shard, connection);
        return;
    }
    bool is_moving = unacked > 0 && (connection->unacked == 0 || (uint32_t)unacked < connection->unacked);
    if (!is_moving) {
        connection_close(shard, connection, CLOSE_SILENT);
        return;
    }
    connection->unacked = (uint32_t)unacked;
    connection->pinged_ms = shard->now_ms - shard->options->pong_ms_max / 2; /* the next look */
    deadline_set(shard, connection);
}

void deadline_progressed(struct shard *shard, struct connection *connection)
{
    connection->heard_ms = shard->now_ms;
    if (shard_outbox(shard, connection)->marks & OUTBOX_LONG) connection->unsent_ms = shard->now_ms;
}

void deadline_passed(struct shard *shard, struct connection *connection)
{
    switch (connection->state) {
    case CONNECTION_FREE:
    case CONNECTION_DRAINING:
        break;
    case CONNECTION_REQUEST:
        request_timer(shard, connection);
        break;
    case CONNECTION_TLS:
    case CONNECTION_JOINING:
        connection_finish(shard, connection, CLOSE_HANDSHAKE_TIMEOUT);
        break;
    case CONNECTION_ANSWERING:
        api_timer(shard, connection);
        break;
    case CONNECTION_SETTLING:
        connection_settled(shard, connection);
        break;
    case CONNECTION_CLOSING:
    case CONNECTION_LINGERING:
        connection_finish(shard, connection, connection->reason);
        break;
    case CONNECTION_OPEN:
        look(shard, connection);
        break;
    case CONNECTION_STATES_MAX:
        __builtin_unreachable();
    }
}
