/* server/connection/deadline.c - what the timer of a connection stands for in each state; silence,
 * and readers that stand still.
 *
 * Not obvious: the kernel calls a socket writable only when a good part of its buffer, which may be megabytes, is free
 * again. On a slow line that is after minutes. So before a peer is judged the kernel is asked how much it has
 * acknowledged, now and then, as any of it is a sign of life. */
#include "server/connection/deadline.h"

#include "core/batch.h"
#include "net/frame.h"
#include "net/http.h"
#include "net/ring.h"
#include "server/connection/connection.h"
#include "server/connection/door.h"
#include "server/connection/errand.h"
#include "server/connection/flush.h"
#include "server/connection/secure.h"
#include "server/shard/shard.h"

#include <assert.h>

#define LOOKS 4 /* at how far a reader has come, in the time that it has to take something */

/* ---- readers of answers and of last words ---- */

static uint64_t reader_ms_max(const struct shard *shard, const struct connection *connection)
{
    bool is_answer = connection->http != NULL; /* else a close frame, and what stood before it */
    return is_answer ? shard->options->outbox_age_ms_max : shard->options->close_ms_max;
}

/* The next look. */
static void look_at_reader_later(struct shard *shard, struct connection *connection)
{
    uint64_t most_ms = reader_ms_max(shard, connection);
    uint64_t end_ms = connection->moved_ms + most_ms, next_ms = shard->now_ms + most_ms / LOOKS;
    timer_set(&shard->timers, &connection->timer, next_ms < end_ms ? next_ms : end_ms);
}

void deadline_of_reader(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    connection->moved_ms = shard->now_ms;
    connection->unacked = 0;
    look_at_reader_later(shard, connection);
}

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
    if (shard->now_ms < connection->moved_ms + reader_ms_max(shard, connection)) {
        look_at_reader_later(shard, connection);
    } else {
        bool is_last = connection->state == CONNECTION_LINGERING;
        connection_finish(shard, connection, is_last ? connection->reason : CLOSE_STALE_READER);
    }
}

static void ask_unacked(struct shard *shard, const struct connection *connection)
{
    ring_ask_unacked(shard->ring, shard_slot(shard, connection), connection->life);
}

/* False: nothing waits for it to read. */
static bool ask_how_far(struct shard *shard, const struct connection *connection)
{
    bool is_blocked = connection_is_blocked(shard, connection);
    if (is_blocked) ask_unacked(shard, connection);
    return is_blocked;
}

/* ---- requests ---- */

static void set_timer(struct shard *shard, struct connection *connection, uint64_t ms)
{
    timer_set(&shard->timers, &connection->timer, shard->now_ms + ms);
}

void deadline_of_request(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    uint64_t ms = shard->options->handshake_ms_max;
    uint64_t most_ms = connection->state == CONNECTION_TLS ? DRAIN_TLS_MS : DRAIN_REQUEST_MS;
    set_timer(shard, connection, shard->is_draining && ms > most_ms ? most_ms : ms);
}

/* Has some of a request come, and not all? */
static bool has_begun(const struct connection *connection)
{
    return connection->http != NULL && !http_reader_is_fresh(connection->http);
}

void deadline_between_requests(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    if (connection_is_blocked(shard, connection)) {
        shard_outbox(shard, connection)->marks |= OUTBOX_WATCHED;
        deadline_of_reader(shard, connection);
    } else if (has_begun(connection)) { /* it came behind those whose answers have gone now */
        deadline_of_request(shard, connection);
    } else {
        set_timer(shard, connection, shard->is_draining ? DRAIN_REQUEST_MS : shard->options->keep_alive_ms);
    }
}

void deadline_at_stop(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    if (connection->is_judged || connection_is_blocked(shard, connection)) return; /* the time that it has stands */
    uint64_t ms = connection->state == CONNECTION_TLS ? DRAIN_TLS_MS : DRAIN_REQUEST_MS;
    timer_set(&shard->timers, &connection->timer, connection->heard_ms + ms);
}

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
    } else if (shard->is_draining && has_begun(connection)) {
        shard->door->refuse(shard, connection, NULL, 503, "The server is stopping: try again in a moment.");
    } else if (shard->is_draining) {
        hang_up(shard, connection, shard_drain_reason(shard));
    } else if (connection->http != NULL && !has_begun(connection)) {
        hang_up(shard, connection, CLOSE_HTTP_DONE); /* it was kept for another request */
    } else if (connection->tls != NULL) {
        hang_up(shard, connection, CLOSE_HANDSHAKE_TIMEOUT);
    } else {
        connection_finish(shard, connection, CLOSE_HANDSHAKE_TIMEOUT);
    }
}

/* ---- open ---- */

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
    assert(owner_is_me(&shard->owner));
    if (connection->state == CONNECTION_REQUEST) deadline_between_requests(shard, connection);
    if (connection->state == CONNECTION_LINGERING) deadline_of_reader(shard, connection);
    if (connection->state != CONNECTION_OPEN) return; /* the others' deadlines stand already */
    uint64_t silence_ms = silence_at_ms(shard, connection);
    uint64_t stale_ms = stale_at_ms(shard, connection);
    /* A pong does not touch the timer: after it the next ping may be due before this one's time is over. */
    uint64_t ping_ms = shard->now_ms + shard->options->ping_ms;
    uint64_t look_ms = shard->now_ms + shard->options->outbox_age_ms_max / LOOKS;
    uint64_t first_ms = silence_ms < stale_ms ? silence_ms : stale_ms;
    if (ping_ms < first_ms) first_ms = ping_ms;
    if (connection->unsent_ms > 0 && look_ms < first_ms) first_ms = look_ms;
    timer_set(&shard->timers, &connection->timer, first_ms);
}

static void ping(struct shard *shard, struct connection *connection)
{
    static const uint8_t frame[] = {0x80 | FRAME_PING, 0};
    connection->pinged_ms = shard->now_ms;
    connection->unacked = 0;
    counter_add(&shard->counters, COUNTER_pings_sent, 1);
    connection_say_control(shard, connection, batch_of_static(frame, sizeof frame, shard->now_ms));
}

/* Is it silent, is its outbox too old? Both move on without touching the timer. */
static void judge(struct shard *shard, struct connection *connection, bool is_moving)
{
    if (stale_at_ms(shard, connection) <= shard->now_ms) {
        connection_close(shard, connection, CLOSE_STALE_READER);
        return;
    }
    bool is_silent = silence_at_ms(shard, connection) <= shard->now_ms;
    if (is_silent && is_pinged(connection) && !is_moving) {
        connection_close(shard, connection, CLOSE_SILENT);
        return;
    }
    if (is_silent && is_pinged(connection)) {
        connection->pinged_ms = shard->now_ms - shard->options->pong_ms_max / 2; /* the next look */
    } else if (is_silent) {
        ping(shard, connection);
    }
    deadline_set(shard, connection);
}

/* An open connection's timer. The ping may lie behind much else on a slow line, and what waits may be going: then
 * deadline_measured() judges. */
static void look(struct shard *shard, struct connection *connection)
{
    bool is_silent = is_pinged(connection) && silence_at_ms(shard, connection) <= shard->now_ms;
    bool is_going = connection->unsent_ms > 0 && connection_is_blocked(shard, connection);
    if (is_silent || is_going) {
        ask_unacked(shard, connection);
    } else {
        judge(shard, connection, false);
    }
}

static void measure_open(struct shard *shard, struct connection *connection, int32_t unacked)
{
    /* It is we who do not listen: its pong would lie unread. That our ping has arrived says as much. */
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

void deadline_progressed(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    connection->heard_ms = shard->now_ms;
    if (shard_outbox(shard, connection)->marks & OUTBOX_LONG) connection->unsent_ms = shard->now_ms;
}

void deadline_passed(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    assert(connection->state != CONNECTION_FREE && !timer_is_set(&connection->timer));
    switch (connection->state) {
    case CONNECTION_FREE:
    case CONNECTION_DRAINING:
        break;
    case CONNECTION_REQUEST:
        if (!ask_how_far(shard, connection)) request_passed(shard, connection);
        break;
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
