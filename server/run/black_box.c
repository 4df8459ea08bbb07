/* server/run/black_box.c - shards, their last events and their connections, in words. */
#include "server/run/black_box.h"

#include "core/letter.h"
#include "core/trace.h"
#include "net/op.h"
#include "server/connection/component.h"
#include "server/connection/connection.h"
#include "server/shard/shard.h"
#include "server/system/clock.h"
#include "server/system/crash.h"

#include <ck_pr.h>
#include <stddef.h>

#define EVENTS_OF_OTHERS 16 /* of shards on which nothing has happened that we know of */
#define TIME_COLUMN      12

static const struct shard *all;
static uint32_t all_count;
static _Thread_local const struct shard *own;

void black_box_open(const struct shard *shards, uint32_t shards_count)
{
    all_count = shards_count;
    ck_pr_fence_store();
    ck_pr_store_ptr(&all, (void *)(uintptr_t)shards);
}

void black_box_close(void)
{
    ck_pr_store_ptr(&all, NULL);
}

void black_box_board(const struct shard *shard)
{
    own = shard;
}

/* ---- events ---- */

static const char *state_name(unsigned state)
{
    return state < CONNECTION_STATES_MAX ? connection_state_name((enum connection_state)state) : "UNKNOWN";
}

static const char *reason_text(unsigned reason)
{
    return reason < CLOSE_REASONS_MAX ? close_reason_text((enum close_reason)reason) : "for an unknown reason";
}

/* What stands for one field, see core/trace.def. */
static void put_field(struct safe_line *line, char field, const struct trace_event *event)
{
    switch (field) {
    case 'c':
        safe_line_number(line, event->slot);
        break;
    case 'n':
        safe_line_number(line, event->number);
        break;
    case 'i':
        safe_line_signed(line, (int32_t)event->number);
        break;
    case 'f':
        safe_line_number(line, event->from);
        break;
    case 'l':
        safe_line_text(line, letter_name(event->what));
        break;
    case 'o':
        safe_line_text(line, op_name((enum op_kind)event->what));
        break;
    case 'r':
        safe_line_text(line, reason_text(event->what));
        break;
    case 's':
        safe_line_text(line, state_name(event->what));
        break;
    }
}

static void put_event(struct safe_line *line, const struct trace_event *event)
{
    char one[2] = "";
    for (const char *at = trace_text(event->kind); *at != '\0'; at++) {
        if (*at == '%') {
            put_field(line, *++at, event);
        } else {
            one[0] = *at;
            safe_line_text(line, one);
        }
    }
}

void black_box_tell_events(const struct shard *shard, uint32_t events_max, black_box_say *say)
{
    struct trace_event events[TRACE_EVENTS];
    struct safe_line line = {0};
    uint32_t count = trace_read(&shard->trace, events, events_max);
    for (uint32_t i = 0; i < count; i++) {
        int32_t ago_ms = (int32_t)(events[count - 1].at_ms - events[i].at_ms);
        safe_line_text(&line, "  ");
        safe_line_signed(&line, -(int64_t)ago_ms);
        safe_line_text(&line, " ms");
        safe_line_pad(&line, TIME_COLUMN);
        put_event(&line, &events[i]);
        say(&line);
    }
}

/* ---- the connection at hand ---- */

static void put_if(struct safe_line *line, bool is_so, const char *text)
{
    if (is_so) safe_line_text(line, text);
}

static void put_marks(struct safe_line *line, const struct connection *connection)
{
    put_if(line, connection->is_secure, ", over TLS");
    put_if(line, connection->is_paused, ", paused");
    put_if(line, connection->is_choked, ", choked");
    put_if(line, connection->is_throttled, ", throttled");
    put_if(line, connection->is_starved, ", starved");
    put_if(line, connection->held != NULL, ", with bytes held");
    put_if(line, connection->message != NULL, ", in the midst of a message");
    put_if(line, connection->has_ended, ", the peer has said its last");
    put_if(line, connection->is_awaiting, ", blocked");
}

static void put_outbox(struct safe_line *line, const struct outbox *outbox)
{
    safe_line_text(line, ", outbox ");
    safe_line_number(line, outbox->bytes);
    safe_line_text(line, " bytes, marks ");
    safe_line_hex(line, outbox->marks);
}

/* The shard is our own thread's, which reads what it was writing. */
static void tell_connection(const struct shard *shard, uint32_t slot)
{
    struct safe_line line = {0};
    const struct connection *connection = &shard->connections[slot];
    safe_line_text(&line, "  at hand: connection ");
    safe_line_number(&line, slot);
    safe_line_text(&line, ".");
    safe_line_number(&line, connection->life);
    safe_line_text(&line, ", ");
    safe_line_text(&line, state_name(connection->state));
    if (connection->component != NULL) {
        safe_line_text(&line, ", of the ");
        safe_line_text(&line, connection->component->name);
    }
    safe_line_text(&line, ", last heard of ");
    safe_line_number(&line, shard->now_ms - connection->heard_ms);
    safe_line_text(&line, " ms before the turn");
    put_outbox(&line, &shard->outboxes[slot]);
    put_marks(&line, connection);
    if (connection->reason != CLOSE_NONE) {
        safe_line_text(&line, ", to end: ");
        safe_line_text(&line, reason_text(connection->reason));
    }
    crash_say(&line);
}

/* ---- a crash ---- */

static void tell_counts(struct safe_line *line, const struct shard *shard)
{
    bool is_control = shard->index >= shard->hub.homes; /* as shard_name() says, which a handler of signals may not */
    safe_line_text(line, is_control ? "control" : "shard ");
    if (!is_control) safe_line_number(line, shard->index);
    safe_line_text(line, ": ");
    safe_line_number(line, counter_get(&shard->counters, COUNTER_turns));
    safe_line_text(line, " turns, ");
    safe_line_number(line, counter_get(&shard->counters, COUNTER_connections_open));
    safe_line_text(line, " connections");
}

static void tell_own(const struct shard *shard)
{
    struct safe_line line = {0};
    uint32_t at_hand = ck_pr_load_32(&shard->trace.at_hand);
    tell_counts(&line, shard);
    safe_line_text(&line, ", woke up ");
    safe_line_number(&line, monotonic_us() - shard->woke_us);
    safe_line_text(&line, " us ago; it crashed after this, the oldest first:");
    crash_say(&line);
    black_box_tell_events(shard, TRACE_EVENTS, crash_say);
    if (at_hand > 0 && at_hand <= shard->slots_max) tell_connection(shard, at_hand - 1);
}

static void tell_other(const struct shard *shard)
{
    struct safe_line line = {0};
    tell_counts(&line, shard);
    safe_line_text(&line, "; its last events, the oldest first:");
    crash_say(&line);
    black_box_tell_events(shard, EVENTS_OF_OTHERS, crash_say);
}

void black_box_tell_all(void)
{
    const struct shard *shards = ck_pr_load_ptr(&all);
    if (own != NULL) tell_own(own);
    for (uint32_t i = 0; shards != NULL && i < all_count; i++) {
        if (&shards[i] != own) tell_other(&shards[i]);
    }
}
