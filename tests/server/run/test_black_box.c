/* tests/server/run/test_black_box.c - what happened to shards, in words: each kind of event, and all that a crash
 * tells. */
#include "server/run/black_box.h"

#include "core/letter.h"
#include "core/trace.h"
#include "net/op.h"
#include "server/connection/component.h"
#include "server/connection/connection.h"
#include "server/shard/shard.h"
#include "server/system/crash.h"
#include "server/system/log.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOTS 8

static struct shard shards[2];
static struct connection connections[SLOTS];
static struct outbox outboxes[SLOTS];
static char said[65536];

static void say(struct safe_line *line)
{
    size_t used = strlen(said);
    snprintf(said + used, sizeof said - used, "%s\n", safe_line_end(line));
    line->count = 0;
}

static const char *told(struct trace_event event)
{
    said[0] = '\0';
    trace_note(&shards[0].trace, event);
    black_box_tell_events(&shards[0], 1, say);
    return said;
}

Test(black_box, says_each_event_in_words, .timeout = 5)
{
    static const struct {
        struct trace_event event;
        const char *text;
    } cases[] = {
        {{.kind = TRACE_TURN_BEGINS, .number = 7}, "turn begins, after a sleep of up to 7 ms"},
        {{.kind = TRACE_COMPLETION, .what = OP_RECEIVE, .slot = 3, .number = (uint32_t)-104},
         "RECEIVE of slot 3: -104"},
        {{.kind = TRACE_COMPLETION, .what = 200}, "UNKNOWN of slot 0: 0"},
        {{.kind = TRACE_ENTERS, .what = CONNECTION_OPEN, .slot = 3, .number = 9}, "connection 3.9 enters OPEN"},
        {{.kind = TRACE_ENTERS, .what = 200}, "connection 0.0 enters UNKNOWN"},
        {{.kind = TRACE_ENDS, .what = CLOSE_SLOW_READER, .slot = 1}, "connection 1.0 is to end: "},
        {{.kind = TRACE_ENDS, .what = 200}, "connection 0.0 is to end: for an unknown reason"},
        {{.kind = TRACE_LETTER, .what = LETTER_DELIVER, .from = 12}, "takes DELIVER from shard 12"},
        {{.kind = 200}, "an unknown event"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_expect_not_null(strstr(told(cases[i].event), cases[i].text), "%s", said);
    }
}

/* No text names a field that black_box.c does not know. */
Test(black_box, knows_every_field, .timeout = 5)
{
    for (unsigned kind = 0; kind < TRACE_KINDS_MAX; kind++) {
        const char *text = trace_text(kind);
        size_t fields = 0;
        for (const char *at = strchr(text, '%'); at != NULL; at = strchr(at + 1, '%')) {
            cr_expect_not_null(strchr("cnifolrs", at[1]), "%s", text);
            fields++;
        }
        told((struct trace_event){.kind = (uint8_t)kind});
        cr_expect_null(strchr(said, '%'), "%s", said);
        cr_expect_geq(strlen(said), strlen("  0 ms      ") + strlen(text) - fields, "%s", said);
    }
}

Test(black_box, says_how_long_ago, .timeout = 5)
{
    struct trace *trace = &shards[0].trace;
    trace->now_ms = UINT32_MAX - 5; /* it wraps every 49 days */
    trace_note(trace, (struct trace_event){.kind = TRACE_TURN_BEGINS});
    trace->now_ms = 1000;
    trace_note(trace, (struct trace_event){.kind = TRACE_TURN_ENDS});
    said[0] = '\0';
    black_box_tell_events(&shards[0], TRACE_EVENTS, say);
    cr_expect_str_eq(said,
                     "  -1006 ms  turn begins, after a sleep of up to 0 ms\n  0 ms      turn ends, after 0 us\n");
}

/* ---- a crash ---- */

static void prepare(void)
{
    static const struct component component = {.name = "lobby"};
    for (uint32_t i = 0; i < 2; i++) {
        shards[i] = (struct shard){.index = i,
                                   .hub.homes = 2,
                                   .slots_max = SLOTS,
                                   .connections = connections,
                                   .outboxes = outboxes,
                                   .now_ms = 5000};
        trace_note(&shards[i].trace, (struct trace_event){.kind = TRACE_SENDS, .number = 100 + i});
    }
    connections[3] = (struct connection){.state = CONNECTION_OPEN,
                                         .life = 44,
                                         .component = &component,
                                         .heard_ms = 4000,
                                         .is_paused = true,
                                         .is_secure = true,
                                         .reason = CLOSE_TOO_BIG};
    outboxes[3].bytes = 777;
}

/* Runs what follows on this shard's thread until it aborts; what it said stands in `said` then. */
static void crash_on(const struct shard *shard, uint32_t at_hand)
{
    int ends[2], status;
    size_t count = 0;
    cr_assert_eq(pipe(ends), 0);
    prepare();
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit no_core = {0};
        setrlimit(RLIMIT_CORE, &no_core);
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL); /* the test's runner has it */
        crash_watch(log_await_written, black_box_tell_all);
        black_box_open(shards, 2);
        if (shard != NULL) black_box_board(shard);
        if (shard != NULL && at_hand < SLOTS) trace_hold(&shards[shard->index].trace, at_hand);
        abort();
    }
    close(ends[1]);
    for (ssize_t got; (got = read(ends[0], said + count, sizeof said - 1 - count)) > 0;) {
        count += (size_t)got;
    }
    said[count] = '\0';
    close(ends[0]);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "status %x\n%s", (unsigned)status, said);
}

static const char *expect_said(const char *from, const char *words)
{
    const char *at = strstr(from, words);
    cr_assert_not_null(at, "\"%s\" is missing, or not where it should be:\n%s", words, said);
    return at;
}

Test(black_box, a_shard_that_crashes_is_told_first_with_the_connection_at_hand, .timeout = 30)
{
    crash_on(&shards[1], 3);
    const char *at = expect_said(said, "\nshard 1: 0 turns, 0 connections, woke up ");
    at = expect_said(at, "submits 101 sends");
    at =
        expect_said(at, "at hand: connection 3.44, OPEN, of the lobby, last heard of 1000 ms before the turn, outbox "
                        "777 bytes, marks 0x0, over TLS, paused, to end: ");
    at = expect_said(at, "\nshard 0: ");
    expect_said(at, "submits 100 sends");
}

Test(black_box, a_shard_between_connections_has_none_at_hand, .timeout = 30)
{
    crash_on(&shards[0], SLOTS);
    expect_said(expect_said(said, "\nshard 0: "), "\nshard 1: ");
    cr_expect_null(strstr(said, "at hand"), "%s", said);
}

Test(black_box, a_crash_elsewhere_tells_of_all_shards, .timeout = 30)
{
    crash_on(NULL, SLOTS);
    const char *at = expect_said(said, "\nshard 0: ");
    at = expect_said(at, "submits 100 sends");
    at = expect_said(at, "\nshard 1: ");
    expect_said(at, "submits 101 sends");
}
