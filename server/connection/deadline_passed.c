/* server/connection/deadline_passed.c - what the timer of a connection stands for in each state; silence,
 * and readers that stand still.
 *
 * Not obvious: the kernel calls a socket writable only when a good part of its buffer, which may be megabytes, is free
 * again. On a slow line that is after minutes. So before a peer is judged the kernel is asked how much it has
 * acknowledged, now and then, as any of it is a sign of life. */
#include "server/connection/deadline_passed.h"

#include "core/batch.h"
#include "net/frame.h"
#include "net/ring.h"
#include "server/connection/connection.h"
#include "server/connection/deadline.h"
#include "server/connection/door.h"
#include "server/connection/errand.h"
#include "server/shard/shard.h"

#include <assert.h>

/* ---- readers of answers and of last words ---- */

/* Notes what is not acknowledged now. Is it less than at the last look? */
static bool has_taken_some(struct connection *connection, int32_t unacked)
{
    uint32_t before = connection->unacked;
    connection->unacked = unacked > 0 ? (uint32_t)unacked : 0;
    return unacked > 0 && (uint32_t)unacked < before;
}

static void judge_reader(struct shard *shard, struct connection *connection, int32_t unacked)
{
    if (!connection_is_blocked(shard, connection)) return; /* it has read since, and what follows has its own time */
    if (has_taken_some(connection, unacked)) connection->moved_ms = shard->now_ms;
    if (deadline_look_at_reader(shard, connection)) return;
    bool is_last = connection->state == CONNECTION_LINGERING;
    connection_finish(shard, connection, is_last ? connection->reason : CLOSE_STALE_READER);
}

static void ask_unacked(struct shard *shard, const struct connection *connection)
{
    ring_ask_unacked(shard->ring, shard_slot(shard, connection), connection->life);
}

/* Asks how much the peer has acknowledged, if bytes wait for it to read. False: none do. */
static bool ask_how_far(struct shard *shard, const struct connection *connection)
{
    bool is_blocked = connection_is_blocked(shard, connection);
    if (is_blocked) ask_unacked(shard, connection);
    return is_blocked;
}

/* ---- requests ---- */

/* With a FIN, which the client reads behind all answers. */
static void hang_up(struct shard *shard, struct connection *connection, enum close_reason reason)
{
    connection_linger(shard, connection, reason);
    connection_flushed(shard, connection);
}

/* The timer ran out: no request came in time, no whole one, or the answers to earlier ones were not read. */
static void request_passed(struct shard *shard, struct connection *connection)
{
    if (!outbox_is_empty(shard_outbox(shard, connection)) || connection_has_unsent(connection)) {
        connection_finish(shard, connection, CLOSE_STALE_READER);
    } else if (shard->is_stopping && connection_has_begun_request(connection)) {
        shard->door->refuse(shard, connection, NULL, 503, "The server is stopping: try again in a moment.");
    } else if (shard->is_stopping) {
        hang_up(shard, connection, shard_drain_reason(shard));
    } else if (connection->http != NULL && !connection_has_begun_request(connection)) {
        hang_up(shard, connection, CLOSE_HTTP_DONE); /* it was kept for another request */
    } else if (connection->tls != NULL) {
        hang_up(shard, connection, CLOSE_HANDSHAKE_TIMEOUT);
    } else {
        connection_finish(shard, connection, CLOSE_HANDSHAKE_TIMEOUT);
    }
}

/* ---- open ---- */

static void ping(struct shard *shard, struct connection *connection)
{
    static const uint8_t frame[] = {0x80 | FRAME_PING, 0};
    connection->pinged_ms = shard->now_ms;
    connection->is_judged = false;
    connection->unacked = 0;
    counter_add(&shard->counters, COUNTER_pings_sent, 1);
    connection_say_control(shard, connection, batch_of_static(frame, sizeof frame, shard->now_ms));
}

/* Is it silent, is its outbox too old? Both move on without touching the timer. */
static void judge(struct shard *shard, struct connection *connection, bool is_moving)
{
    if (deadline_stale_at_ms(shard, connection) <= shard->now_ms) {
        connection_close(shard, connection, CLOSE_STALE_READER);
        return;
    }
    if (deadline_stranger_at_ms(connection) <= shard->now_ms) {
        connection_close(shard, connection, CLOSE_STRANGER);
        return;
    }
    bool is_silent = deadline_silence_at_ms(shard, connection) <= shard->now_ms;
    if (is_silent && connection_is_pinged(connection) && !is_moving) {
        connection_close(shard, connection, CLOSE_SILENT);
        return;
    }
    if (is_silent && connection_is_pinged(connection)) {
        connection->pinged_ms = shard->now_ms - shard->options->pong_ms_max / 2; /* the next look */
        connection->is_judged = true;
    } else if (is_silent) {
        ping(shard, connection);
    }
    deadline_set(shard, connection);
}

/* An open connection's timer. The ping may lie behind much else on a slow line, and what waits may be going: then
 * deadline_measured() judges. */
static void look(struct shard *shard, struct connection *connection)
{
    bool is_silent = connection_is_pinged(connection) && deadline_silence_at_ms(shard, connection) <= shard->now_ms;
    bool is_going = connection->unsent_ms > 0 && connection_is_blocked(shard, connection);
    if (is_silent || is_going) {
        ask_unacked(shard, connection);
    } else {
        judge(shard, connection, false);
    }
}

static void measure_open(struct shard *shard, struct connection *connection, int32_t unacked)
{
    /* Where it is we who do not listen the peer's pong would lie unread. That our ping has arrived says as much. */
    bool is_there = !connection_is_read(connection) && unacked <= 0;
    if (is_there) connection->heard_ms = shard->now_ms;
    bool is_first = connection->unacked == 0;
    bool has_taken = has_taken_some(connection, unacked);
    if (has_taken && connection->unsent_ms > 0) connection->unsent_ms = shard->now_ms;
    judge(shard, connection, has_taken || (is_first && unacked > 0));
}

void deadline_measured(struct shard *shard, struct connection *connection, int32_t unacked)
{
    assert(owner_is_me(&shard->owner));
    assert(connection->state != CONNECTION_FREE);
    bool is_over_http = connection->state == CONNECTION_REQUEST || connection->state == CONNECTION_LINGERING;
    if (is_over_http) judge_reader(shard, connection, unacked);
    if (connection->state == CONNECTION_OPEN) measure_open(shard, connection, unacked);
}

/* ---- any state ---- */

void deadline_passed(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    assert(connection->state != CONNECTION_FREE && !timer_is_set(&connection->timer));
    switch (connection->state) {
    case CONNECTION_FREE:
    case CONNECTION_REAPING:
        break;
    case CONNECTION_REQUEST:
        if (!ask_how_far(shard, connection)) request_passed(shard, connection);
        break;
    case CONNECTION_ARRIVING:
    case CONNECTION_TLS:
    case CONNECTION_JOINING:
        connection_finish(shard, connection, CLOSE_HANDSHAKE_TIMEOUT);
        break;
    case CONNECTION_ANSWERING:
        connection->errand->kind->late(shard, connection);
        break;
    case CONNECTION_SETTLING:
        connection_settled(shard, connection);
        break;
    case CONNECTION_LINGERING:
        if (!ask_how_far(shard, connection)) connection_finish(shard, connection, connection->reason);
        break;
    case CONNECTION_CLOSING:
        connection_finish(shard, connection, connection->reason);
        break;
    case CONNECTION_OPEN:
        look(shard, connection);
        break;
    case CONNECTION_STATES_MAX:
        __builtin_unreachable();
    }
}
