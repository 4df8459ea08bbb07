/* server/connection/deadline.c - what the timer of a connection is set to in each state. */
#include "server/connection/deadline.h"

#include "server/connection/component.h"
#include "server/connection/connection_state.h"
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

bool deadline_look_at_reader(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    if (shard->now_ms >= connection->moved_ms + reader_ms_max(shard, connection)) return false;
    look_at_reader_later(shard, connection);
    return true;
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
    set_timer(shard, connection, shard->is_stopping && ms > most_ms ? most_ms : ms);
}

void deadline_between_requests(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    if (connection_is_blocked(shard, connection)) {
        shard_outbox(shard, connection)->marks |= OUTBOX_WATCHED;
        deadline_of_reader(shard, connection);
    } else if (connection_has_begun_request(connection)) { /* it came behind those whose answers have gone now */
        deadline_of_request(shard, connection);
    } else {
        set_timer(shard, connection, shard->is_stopping ? DRAIN_REQUEST_MS : shard->options->keep_alive_ms);
    }
}

void deadline_at_stop(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    if (connection->is_judged || connection_is_blocked(shard, connection)) return; /* the time that it has stands */
    uint64_t ms = connection->state == CONNECTION_TLS ? DRAIN_TLS_MS : DRAIN_REQUEST_MS;
    timer_set(&shard->timers, &connection->timer, connection->heard_ms + ms);
}

/* ---- open ---- */

/* When a silent connection is pinged: the same time for one, spread over a fifth for many that came together. */
static uint64_t ping_at_ms(const struct shard *shard, const struct connection *connection)
{
    uint64_t ping_ms = shard->options->ping_ms;
    uint64_t spread_ms = ping_ms / 5;
    uint64_t scattered = shard_slot(shard, connection) * UINT64_C(2654435761); /* Knuth's multiplier */
    return connection->heard_ms + ping_ms + (spread_ms > 0 ? scattered % spread_ms - spread_ms / 2 : 0);
}

uint64_t deadline_silence_at_ms(const struct shard *shard, const struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    if (connection_is_pinged(connection)) return connection->pinged_ms + shard->options->pong_ms_max;
    return ping_at_ms(shard, connection);
}

uint64_t deadline_stale_at_ms(struct shard *shard, const struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    const struct outbox *outbox = shard_outbox(shard, connection);
    uint64_t age_ms_max = shard->options->outbox_age_ms_max;
    if (connection->unsent_ms > 0) return connection->unsent_ms + age_ms_max;
    /* What was asked for and is long may take its time, as long as it moves. */
    if (outbox->marks & OUTBOX_LONG) return shard->now_ms + age_ms_max;
    return outbox_is_empty(outbox) ? UINT64_MAX : outbox_made_ms(outbox) + age_ms_max;
}

uint64_t deadline_stranger_at_ms(const struct connection *connection)
{
    const struct component *component = connection->component;
    uint64_t until_ms = component->stranger_until_ms != NULL ? component->stranger_until_ms(connection) : 0;
    return until_ms > 0 ? until_ms : UINT64_MAX;
}

void deadline_set(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    if (connection->state == CONNECTION_REQUEST) deadline_between_requests(shard, connection);
    if (connection->state == CONNECTION_LINGERING) deadline_of_reader(shard, connection);
    if (connection->state != CONNECTION_OPEN) return; /* the others' deadlines stand already */
    uint64_t silence_ms = deadline_silence_at_ms(shard, connection);
    uint64_t stale_ms = deadline_stale_at_ms(shard, connection);
    /* A pong does not touch the timer: after it the next ping may be due before this one's time is over. */
    uint64_t ping_ms = shard->now_ms + shard->options->ping_ms;
    uint64_t look_ms = shard->now_ms + shard->options->outbox_age_ms_max / LOOKS;
    uint64_t first_ms = silence_ms < stale_ms ? silence_ms : stale_ms;
    uint64_t stranger_ms = deadline_stranger_at_ms(connection);
    if (ping_ms < first_ms) first_ms = ping_ms;
    if (stranger_ms < first_ms) first_ms = stranger_ms;
    if (connection->unsent_ms > 0 && look_ms < first_ms) first_ms = look_ms;
    timer_set(&shard->timers, &connection->timer, first_ms);
}

void deadline_progressed(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    connection->heard_ms = shard->now_ms;
    if (shard_outbox(shard, connection)->marks & OUTBOX_LONG) connection->unsent_ms = shard->now_ms;
}
