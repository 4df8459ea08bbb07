/* server/run/turn.c - the loop's body. Nothing in it blocks but the one wait at its top. */
#include "server/run/turn.h"

#include "core/roster.h"
#include "core/trace.h"
#include "net/ring.h"
#include "server/channel/fan_out.h"
#include "server/cluster/cluster.h"
#include "server/connection/accept.h"
#include "server/connection/arrival.h"
#include "server/connection/connection.h"
#include "server/connection/deadline_passed.h"
#include "server/connection/flush.h"
#include "server/connection/long_answer.h"
#include "server/connection/receive.h"
#include "server/connection/secure_files.h"
#include "server/connection/throttle.h"
#include "server/control/orders.h"
#include "server/control/trail.h"
#include "server/home/channel_log_store.h"
#include "server/home/home.h"
#include "server/home/home_cluster.h"
#include "server/run/drain.h"
#include "server/run/letters.h"
#include "server/run/take_config.h"
#include "server/shard/crowd.h"
#include "server/shard/post.h"
#include "server/shard/shard.h"
#include "server/shard/stage.h"
#include "server/shard/sweep.h"
#include "server/store/store.h"
#include "server/system/clock.h"
#include "server/system/log.h"
#include "server/webhook/webhook.h"

#include <assert.h>
#include <ck_pr.h>
#include <errno.h>
#include <stddef.h>

#define COMPLETIONS_PER_TURN_MAX 4096 /* then others have their turn: letters, timers, sends; and after */
#define COMPLETIONS_US_MAX       1500 /* this, looked at every so many completions: */
#define COMPLETIONS_A_LOOK       128
#define FRAMES_A_LOOK            128
#define FRAMES_PER_TURN_MAX      2048 /* or requests: a completion may hold hundreds, and each has work behind it */
#define TIMERS_PER_TURN_MAX      1024
#define LATE_MS_MAX              100  /* a clock that moved on further than was asked for: the process stood still */
#define CATCH_UP_MS_MAX          1000 /* for what came meanwhile to be heard, before deadlines are judged again */
#define TRIM_PAUSE_MS            2    /* between two steps of a pass */
#define LETTERS_RETRY_MS         1    /* nobody tells us when a full mailbox has room again, or a crowd is served */

/* ---- waking up ---- */

static uint64_t sleep_ms(struct shard *shard)
{
    bool has_left_over = shard->turn.has_more || shard->flush.dirty.count > 0 || shard->channel.active_count > 0 ||
                         shard->tls.shaking.count + shard->tls.hellos.count > 0;
    if (has_left_over || shard->receive.starved.count > 0) return 0;
    if (shard->shut.is_under_way || sweeps_wait(shard)) return 0;
    if (shard->home.settling_count > 0) return 0; /* closing slow readers tells members that they left */
    if (shard->post.waiting > 0 || shard->receive.paused.count > 0) return LETTERS_RETRY_MS;
    uint64_t wake_at_ms = timer_wheel_wake_at_ms(&shard->timers);
    uint64_t roster_at_ms = timer_wheel_wake_at_ms(&shard->home.timers);
    uint64_t throttle_at_ms = timer_wheel_wake_at_ms(&shard->receive.throttle_timers);
    if (roster_at_ms < wake_at_ms) wake_at_ms = roster_at_ms;
    if (throttle_at_ms < wake_at_ms) wake_at_ms = throttle_at_ms;
    if (crowd_due_ms(shard) < wake_at_ms) wake_at_ms = crowd_due_ms(shard);
    if (wake_at_ms <= shard->now_ms) return 0;
    uint64_t ms = wake_at_ms - shard->now_ms;
    uint64_t drain_ms = drain_sleep_ms(shard), most_ms = drain_ms < TURN_SLEEP_MS_MAX ? drain_ms : TURN_SLEEP_MS_MAX;
    if (trim_is_under_way(&shard->turn.trim)) most_ms = TRIM_PAUSE_MS;
    return ms < most_ms ? ms : most_ms;
}

/* Time in which the process stood still (stopped, frozen, starved of processors) is nobody's fault: the shard's clock
 * leaves it out, so that every deadline moves with it. */
static void read_clock(struct shard *shard, uint64_t asked_ms)
{
    uint64_t now_ms = monotonic_ms() - shard->lost_ms;
    uint64_t went_by_ms = now_ms - shard->now_ms;
    if (went_by_ms > asked_ms + LATE_MS_MAX) {
        uint64_t lost_ms = went_by_ms - asked_ms;
        shard->lost_ms += lost_ms;
        now_ms -= lost_ms;
        shard->turn.catch_up_until_ms = now_ms + CATCH_UP_MS_MAX;
        counter_add(&shard->counters, COUNTER_stalls, 1);
        counter_add(&shard->counters, COUNTER_stalled_ms, lost_ms);
        trace_note(&shard->trace, (struct trace_event){.kind = TRACE_STOOD_STILL, .number = (uint32_t)lost_ms});
    }
    shard->now_ms = now_ms;
    shard->woke_us = monotonic_us();
    shard->counters.now_us = shard->woke_us;
    shard->trace.now_ms = (uint32_t)now_ms;
    trace_note(&shard->trace, (struct trace_event){.kind = TRACE_TURN_BEGINS, .number = (uint32_t)asked_ms});
}

/* The shard cannot go on, because its io_uring_enter fails with this errno for good: the others stop once the main
 * thread has seen it, and woken them. */
static void fail(struct shard *shard, int error)
{
    ck_pr_store_int(shard->ring_error, error);
    ck_pr_store_uint(shard->stage, SERVER_STOPPED);
}

/* Was there time to sleep? */
static bool turn_sleep(struct shard *shard)
{
    uint64_t ms = sleep_ms(shard);
    if (ms > 0 && !post_may_sleep(shard)) ms = 0;
    uint64_t until_ms = shard->now_ms + ms;
    if (ms > 0) ck_pr_store_uint(&shard->is_resting, 1);
    int error = ring_wait(shard->ring, ms);
    if (ms > 0) ck_pr_store_uint(&shard->is_resting, 0);
    read_clock(shard, ms);
    bool is_over = ms > 0 && shard->now_ms >= until_ms;
    if (is_over && post_is_late(shard)) counter_add(&shard->counters, COUNTER_wakeups_late, 1);
    if (ms > 0) post_awake(shard);
    if (error != 0) fail(shard, error);
    return ms > 0;
}

/* ---- completions ---- */

/* The connection a completion is about; NULL when it is of an earlier life of the slot. */
static struct connection *connection_of(struct shard *shard, const struct completion *completion)
{
    struct connection *connection = &shard->connections[completion->slot];
    if (connection->state != CONNECTION_FREE && connection->life == completion->life) {
        trace_hold(&shard->trace, completion->slot);
        return connection;
    }
    counter_add(&shard->counters, COUNTER_stale_completions, 1);
    if (completion->has_buffer) ring_give_back(shard->ring, completion->buffer);
    return NULL;
}

static void writable(struct shard *shard, struct connection *connection)
{
    connection->is_awaiting = false;
    if (connection->state == CONNECTION_REAPING) {
        connection_operation_done(shard, connection);
    } else {
        flush_unblock(shard, connection);
    }
}

static void shut(struct shard *shard, struct connection *connection)
{
    connection->is_shutting = false;
    connection_operation_done(shard, connection);
}

static void take_completion(struct shard *shard, struct completion *completion)
{
    struct connection *connection;
    trace_note(&shard->trace, (struct trace_event){.kind = TRACE_COMPLETION,
                                                   .what = (uint8_t)completion->kind,
                                                   .slot = completion->slot,
                                                   .number = (uint32_t)completion->result});
    switch (completion->kind) {
    case OP_ACCEPT:
        accept_completed(shard, completion);
        break;
    case OP_RECEIVE:
        connection = connection_of(shard, completion);
        if (connection != NULL) receive_completed(shard, connection, completion);
        break;
    case OP_WRITABLE:
        connection = connection_of(shard, completion);
        if (connection != NULL) writable(shard, connection);
        break;
    case OP_DOORBELL:
        /* Ours was not heard, for want of memory: again. Otherwise somebody rang: letters are taken anyway. */
        if (completion->result == -ENOMEM) ring_doorbell(shard->ring, (int)completion->slot);
        break;
    case OP_SIGNAL:
        if (!completion->more) ring_watch(shard->ring, shard->signal_descriptor);
        break;
    case OP_UNACKED:
        connection = connection_of(shard, completion);
        if (connection != NULL) deadline_measured(shard, connection, completion->result);
        break;
    case OP_PEER:
        connection = connection_of(shard, completion);
        if (connection != NULL) arrival_told(shard, connection, completion->result);
        break;
    case OP_SHUTDOWN:
        connection = connection_of(shard, completion);
        if (connection != NULL) shut(shard, connection);
        break;
    case OP_CANCEL: /* nothing was left to cancel */
    case OP_CLOSE:
        break;
    case OP_SEND:
    case OP_KINDS_MAX:
        log_error("a completion of an unexpected kind: %s, result %d", op_name(completion->kind), completion->result);
        break;
    }
}

static uint64_t frames_and_requests(const struct shard *shard)
{
    return counter_get(&shard->counters, COUNTER_frames_received) +
           counter_get(&shard->counters, COUNTER_http_requests);
}

static void turn_take_completions(struct shard *shard)
{
    struct completion completion;
    uint32_t count = 0;
    uint64_t frames = frames_and_requests(shard), frames_max = frames + FRAMES_PER_TURN_MAX;
    uint64_t frames_seen = frames;
    bool is_over = false;
    while (!is_over && ring_next(shard->ring, &completion)) {
        take_completion(shard, &completion);
        frames = frames_and_requests(shard);
        is_over = ++count == COMPLETIONS_PER_TURN_MAX || frames >= frames_max;
        if (count % COMPLETIONS_A_LOOK != 0 && frames - frames_seen < FRAMES_A_LOOK) continue;
        frames_seen = frames;
        if (monotonic_us() - shard->woke_us > COMPLETIONS_US_MAX) is_over = true;
    }
    trace_let_go(&shard->trace);
    shard->turn.has_more = is_over;
    if (count == 0) shard->turn.catch_up_until_ms = 0; /* the kernel too may give what it has in parts */
    receive_retry_starved(shard);
    uint64_t overflows = ring_overflows(shard->ring);
    uint64_t counted = counter_get(&shard->counters, COUNTER_cq_overflows);
    if (overflows > counted) counter_add(&shard->counters, COUNTER_cq_overflows, overflows - counted);
}

/* ---- time ---- */

static void run_roster_timers(struct shard *shard)
{
    struct timer *timer;
    for (uint32_t i = 0; i < TIMERS_PER_TURN_MAX; i++) {
        timer = timer_wheel_expire(&shard->home.timers, shard->now_ms);
        if (timer == NULL) return;
        trace_note(&shard->trace, (struct trace_event){.kind = TRACE_ROSTER_TIMER});
        home_timer(shard, (struct roster *)((char *)timer - offsetof(struct roster, timer)));
    }
}

static void run_throttle_timers(struct shard *shard)
{
    struct timer *timer;
    for (uint32_t i = 0; i < TIMERS_PER_TURN_MAX; i++) {
        timer = timer_wheel_expire(&shard->receive.throttle_timers, shard->now_ms);
        if (timer == NULL) return;
        trace_note(&shard->trace, (struct trace_event){.kind = TRACE_THROTTLE_OVER});
        receive_go_on(shard, throttle_timer(shard, timer));
    }
}

static void pass_deadline(struct shard *shard, struct timer *timer)
{
    struct connection *connection = (struct connection *)((char *)timer - offsetof(struct connection, timer));
    uint32_t slot = shard_slot(shard, connection);
    trace_note(&shard->trace, (struct trace_event){.kind = TRACE_DEADLINE, .slot = slot});
    trace_hold(&shard->trace, slot);
    deadline_passed(shard, connection);
    trace_let_go(&shard->trace);
}

static void turn_run_timers(struct shard *shard)
{
    struct timer *timer;
    /* What was sent before its deadline may still lie in a socket. */
    if (shard->now_ms < shard->turn.catch_up_until_ms) return;
    run_roster_timers(shard);
    run_throttle_timers(shard);
    for (uint32_t i = 0; i < TIMERS_PER_TURN_MAX; i++) {
        timer = timer_wheel_expire(&shard->timers, shard->now_ms);
        if (timer == NULL) return;
        if (timer == &shard->accept.timer) {
            trace_note(&shard->trace, (struct trace_event){.kind = TRACE_ACCEPTS_AGAIN});
            accept_timer(shard);
        } else {
            pass_deadline(shard, timer);
        }
    }
}

/* ---- the turn ---- */

static void turn_shake_hands(struct shard *shard)
{
    char reason[RING_REASON_BYTES];
    if (secure_take_files(shard, reason, sizeof reason) != RC_OK) {
        log_error("the certificates stay as they were on shard %u: %s", shard->index, reason);
    }
    receive_run_handshakes(shard);
    counter_set(&shard->counters, COUNTER_tls_handshakes_waiting, shard->tls.shaking.count + shard->tls.hellos.count);
    accept_more(shard);
}

static void turn_wake_webhooks(struct shard *shard)
{
    if (!shard->home.has_told_webhook) return;
    shard->home.has_told_webhook = false;
    webhooks_wake(shard->webhooks, shard->index);
}

/* Gives back a piece of what a burst has left; not in its midst, when the memory is needed again at once. */
static void turn_trim(struct shard *shard, bool is_calm)
{
    if (!is_calm) trim_cut(&shard->turn.trim);
    if (!is_calm && !trim_is_under_way(&shard->turn.trim)) return;
    if (!trim_is_under_way(&shard->turn.trim) && shard->now_ms < shard->turn.trim_at_ms) return;
    if (!trim_step(&shard->turn.trim)) shard->turn.trim_at_ms = shard->now_ms + TRIM_MS;
}

static void turn_count(struct shard *shard)
{
    uint64_t took_us = monotonic_us() - shard->woke_us;
    counter_add(&shard->counters, COUNTER_turns, 1);
    histogram_record(&shard->counters.histograms[HISTOGRAM_turn], took_us);
    if (took_us > 1000) counter_add(&shard->counters, COUNTER_turns_over_1ms, 1);
    if (took_us > 5000) counter_add(&shard->counters, COUNTER_turns_over_5ms, 1);
    if (took_us > 20000) counter_add(&shard->counters, COUNTER_turns_over_20ms, 1);
    trace_note(&shard->trace, (struct trace_event){.kind = TRACE_TURN_ENDS, .number = (uint32_t)took_us});
}

bool turn_run(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    bool is_calm = turn_sleep(shard); /* the only place that sleeps */
    take_config(shard);
    turn_take_completions(shard);    /* bytes in -> frames -> messages -> letters */
    crowd_look(shard);               /* may those who publish be read? */
    post_retry(shard);               /* letters of ours that found a mailbox full */
    letters_take(shard);             /* of other shards: into order, or to our subscribers */
    trail_look(shard);               /* does an operator still follow what is told? */
    orders_look(shard);              /* what operators had the main thread do */
    channel_log_take_answers(shard); /* what the store has committed -> to its readers */
    home_take_cluster(shard);        /* what all nodes have published -> to its readers */
    turn_run_timers(shard);
    shut_apps(shard);
    sweeps_go_on(shard);
    home_settle(shard);         /* members who joined this turn -> one snapshot for all of them */
    fan_out_settle_all(shard);  /* what arrived -> outboxes */
    post_ring_doorbells(shard); /* before the sends: others work while we send */
    flush_outboxes(shard);      /* one send for each connection that has something to say */
    long_answers_go_on(shard);
    turn_shake_hands(shard);    /* some of the TLS handshakes that are due, when nobody waits for us */
    post_ring_doorbells(shard); /* closing told a home that somebody left; a request came behind a handshake */
    turn_wake_webhooks(shard);
    if (shard->store != NULL) store_wake(shard->store, shard->index);
    if (shard->cluster != NULL) cluster_wake(shard->cluster, shard->index);
    turn_trim(shard, is_calm);
    log_tell_left_out();
    turn_count(shard);
    switch ((enum server_stage)ck_pr_load_uint(shard->stage)) {
    case SERVER_RUNNING:
    case SERVER_LEAVING:
        return true;
    case SERVER_CLEARING:
        drain_clear(shard);
        return true;
    case SERVER_STOPPING:
        return drain_go_on(shard);
    case SERVER_STOPPED:
        return false;
    }
    __builtin_unreachable();
}
