/* bench/load/load_run.c - the main thread: leads the others through the phases, gathers, and says how it ended. */
#include "bench/load/load_run.h"

#include "bench/clock.h"
#include "bench/load/load_progress.h"
#include "net/refusal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define DESCRIPTORS_OWN 64 /* standard streams, rings, files of /proc, sockets on their way into a table */
#define SETTLE_NS       (NS_PER_SECOND / 5)  /* for the server to come to rest after the handshakes */
#define LAST_WORD_NS    (NS_PER_SECOND / 20) /* for what comes twice or too much after all has come */
#define SILENCE_NS_MAX  (10 * NS_PER_SECOND) /* after the last message: nothing more will come */
#define REST_NS_MAX     (120 * NS_PER_SECOND)
#define LOOK_NS         (NS_PER_SECOND / 20)   /* how often what has been measured is gathered */
#define REST_LOOK_NS    (NS_PER_SECOND / 1000) /* the end is to be known to a millisecond */

/* ---- failures ---- */

static bool run_fail(struct load_run *run, enum load_status status, const char *text)
{
    uint32_t nobody = 0;
    if (atomic_compare_exchange_strong(&run->failed, &nobody, run->loads_count + 1)) {
        run->result.status = status;
        snprintf(run->result.failure, sizeof run->result.failure, "%s", text);
    }
    return false;
}

static bool has_failed(const struct load_run *run)
{
    return atomic_load(&run->failed) != 0;
}

/* ---- measured spans ---- */

static bool read_usage(struct load_run *run, struct usage *usage_r)
{
    char text[LOAD_ERROR_BYTES];
    *usage_r = (struct usage){0};
    for (uint32_t i = 0; i < run->options->pids_count; i++) {
        struct usage one;
        if (usage_read((pid_t)run->options->pids[i], &one) != RC_OK) {
            snprintf(text, sizeof text, "cannot read CPU time and memory of process %u: is it the server?",
                     run->options->pids[i]);
            return run_fail(run, LOAD_UNABLE, text);
        }
        usage_r->cpu_ns += one.cpu_ns;
        usage_r->rss_bytes += one.rss_bytes;
    }
    return true;
}

static uint64_t own_cpu_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * NS_PER_SECOND + (uint64_t)time.tv_nsec;
}

static bool span_begin(struct load_run *run)
{
    struct usage usage;
    if (!read_usage(run, &usage)) return false;
    run->began = (struct load_span){.ns = clock_ns(),
                                    .server_cpu_ns = usage.cpu_ns,
                                    .server_rss_bytes = (int64_t)usage.rss_bytes,
                                    .own_cpu_ns = own_cpu_ns()};
    return true;
}

static bool span_end(struct load_run *run, struct load_span *span_r)
{
    struct usage usage;
    const struct load_span *began = &run->began;
    if (!read_usage(run, &usage)) return false;
    *span_r = (struct load_span){.ns = clock_ns() - began->ns,
                                 .server_cpu_ns = usage.cpu_ns - began->server_cpu_ns,
                                 .server_rss_bytes = (int64_t)usage.rss_bytes - began->server_rss_bytes,
                                 .own_cpu_ns = own_cpu_ns() - began->own_cpu_ns};
    run->result.server_rss_bytes = usage.rss_bytes;
    return true;
}

/* ---- gathering ---- */

/* Takes the seconds that threads have handed over; `rest`: also what is left when they have ended. */
static void gather(struct load_run *run, bool takes_rest)
{
    for (uint32_t i = 0; i < run->loads_count; i++) {
        struct load *load = &run->loads[i];
        uint32_t taken = atomic_load_explicit(&load->seconds_taken, memory_order_relaxed);
        uint32_t seconds = atomic_load_explicit(&load->told.seconds, memory_order_acquire);
        if (takes_rest && load->run != NULL) load->seconds[load->second % 2].sent += load->sent_total;
        for (; taken < seconds + takes_rest; taken++) {
            struct series_point *point = &load->seconds[taken % 2];
            bool is_empty = point->sent == 0 && point->latency.count == 0;
            if (!is_empty && series_add(&run->result.series, load->second_of[taken % 2], point) != RC_OK) {
                run_fail(run, LOAD_UNABLE, "out of memory for the latencies of each second");
            }
            run->recent.sent += point->sent;
            histogram_add(&run->recent.latency, &point->latency);
            *point = (struct series_point){0};
            atomic_store_explicit(&load->seconds_taken, taken + 1, memory_order_release);
        }
    }
}

/* Waits for the threads, or for some time; meanwhile gathers and shows. */
static void look(struct load_run *run, uint64_t wait_ns)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    uint64_t ns = (uint64_t)until.tv_nsec + wait_ns;
    until.tv_sec += (time_t)(ns / NS_PER_SECOND);
    until.tv_nsec = (long)(ns % NS_PER_SECOND);
    while (sem_timedwait(&run->progress, &until) != 0 && errno == EINTR) {
    }
    if (run->begun_ns > 0) gather(run, false);
    load_progress(run);
}

static bool are_done(const struct load_run *run, enum load_phase phase)
{
    for (uint32_t i = 0; i < run->loads_count; i++) {
        if (atomic_load_explicit(&run->loads[i].told.phase, memory_order_acquire) <= phase) return false;
    }
    return true;
}

struct sums {
    uint64_t expected;
    uint64_t delivered;
    uint64_t heard_ns; /* the latest */
    bool has_due;
    bool is_complete;
};

static struct sums sums_of(const struct load_run *run)
{
    struct sums sums = {.is_complete = true};
    for (uint32_t i = 0; i < run->loads_count; i++) {
        const struct load_told *told = &run->loads[i].told;
        uint64_t heard_ns = atomic_load_explicit(&told->heard_ns, memory_order_relaxed);
        if (heard_ns > sums.heard_ns) sums.heard_ns = heard_ns;
        sums.has_due = sums.has_due || atomic_load_explicit(&told->has_due, memory_order_acquire);
        sums.is_complete = sums.is_complete && atomic_load_explicit(&told->is_complete, memory_order_acquire);
        sums.expected += atomic_load_explicit(&told->expected, memory_order_acquire);
        sums.delivered += atomic_load_explicit(&told->delivered, memory_order_acquire);
    }
    return sums;
}

/* ---- phases ---- */

static bool connect_all(struct load_run *run)
{
    char reason[LOAD_ERROR_BYTES];
    struct load_span span;
    if (!span_begin(run)) return false;
    for (uint32_t i = 0; i < run->loads_count; i++) {
        struct load *load = &run->loads[i];
        int failed = pthread_create(&load->thread, NULL, load_main, load);
        load->has_thread = failed == 0;
        if (failed != 0) {
            refusal_of_thread("the load", failed, reason, sizeof reason);
            return run_fail(run, LOAD_UNABLE, reason);
        }
    }
    while (!are_done(run, LOAD_CONNECTING) && !has_failed(run)) {
        look(run, LOOK_NS);
    }
    if (has_failed(run) || !span_end(run, &span)) return false;
    run->result.connect_ns = span.ns;
    run->result.server_connect_cpu_ns = span.server_cpu_ns;
    run->result.server_connect_rss_bytes = (double)span.server_rss_bytes;
    return true;
}

static uint64_t realtime_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Until all that stay have all, or nothing comes any more; that and the guests' lag are judged by the verifier. */
static bool await_all(struct load_run *run)
{
    uint64_t begun_ns = clock_ns();
    struct sums sums = sums_of(run);
    while ((sums.delivered < sums.expected || sums.has_due) && !has_failed(run)) {
        uint64_t now_ns = clock_ns(), heard_ns = sums.heard_ns > begun_ns ? sums.heard_ns : begun_ns;
        if (now_ns - begun_ns > REST_NS_MAX || (now_ns > heard_ns && now_ns - heard_ns > SILENCE_NS_MAX)) break;
        look(run, REST_LOOK_NS);
        sums = sums_of(run);
    }
    if (!sums.has_due || has_failed(run)) return !has_failed(run);
    return run_fail(run, LOAD_OFFENCE, "the server takes no more: messages were due and could not be sent");
}

static bool await_guests(struct load_run *run)
{
    atomic_store_explicit(&run->phase, LOAD_COMPLETING, memory_order_release);
    for (uint64_t begun_ns = clock_ns(); !sums_of(run).is_complete && !has_failed(run);) {
        uint64_t now_ns = clock_ns(), heard_ns = sums_of(run).heard_ns;
        if (heard_ns < begun_ns) heard_ns = begun_ns;
        if (now_ns - begun_ns > REST_NS_MAX || (now_ns > heard_ns && now_ns - heard_ns > SILENCE_NS_MAX)) break;
        look(run, REST_LOOK_NS);
    }
    return !has_failed(run);
}

static bool publish_all(struct load_run *run)
{
    struct load_span span;
    uint64_t settled_ns = clock_ns() + SETTLE_NS;
    while (clock_ns() < settled_ns && !has_failed(run)) {
        look(run, LOOK_NS / 5);
    }
    if (has_failed(run) || !span_begin(run)) return false;
    run->begun_ns = run->shown_ns = clock_ns();
    run->end_ns = run->begun_ns + (uint64_t)(run->options->seconds * (double)NS_PER_SECOND);
    run->result.begun_ms = realtime_ms();
    atomic_store_explicit(&run->phase, LOAD_PUBLISHING, memory_order_release);
    while (!are_done(run, LOAD_PUBLISHING) && !has_failed(run)) {
        look(run, LOOK_NS);
    }
    if (!await_all(run) || !span_end(run, &span)) return false;
    run->result.span_ns = span.ns;
    run->result.server_cpu_ns = span.server_cpu_ns;
    run->result.own_cpu_ns = span.own_cpu_ns;
    if (!await_guests(run)) return false;
    for (uint64_t end_ns = clock_ns() + LAST_WORD_NS; clock_ns() < end_ns && !has_failed(run);) {
        look(run, LOOK_NS / 5);
    }
    return !has_failed(run);
}

/* ---- the end ---- */

static void end_threads(struct load_run *run)
{
    atomic_store_explicit(&run->phase, LOAD_ENDING, memory_order_release);
    for (uint32_t i = 0; i < run->loads_count; i++) {
        if (run->loads[i].has_thread) pthread_join(run->loads[i].thread, NULL);
    }
    gather(run, true);
}

/* Threads that share rooms are verified together. */
static void verify(struct load_run *run)
{
    uint32_t each = load_options_spans(run->options) ? run->loads_count : 1;
    struct verifier *verifiers = calloc(each, sizeof verifiers[0]);
    if (verifiers == NULL) {
        run_fail(run, LOAD_UNABLE, "out of memory to verify");
        return;
    }
    for (uint32_t first = 0; first < run->loads_count && !has_failed(run); first += each) {
        for (uint32_t i = 0; i < each; i++) {
            verifiers[i] = run->loads[first + i].verifier;
        }
        const char *offence = verifier_finish(verifiers, each, run->loads[first].sent);
        if (offence != NULL) run_fail(run, LOAD_OFFENCE, offence);
    }
    free(verifiers);
}

static void check(struct load_run *run)
{
    char text[LOAD_ERROR_BYTES];
    if (!run->options->no_verify) verify(run);
    const struct load_result *result = &run->result;
    if (has_failed(run) || result->delivered == result->expected) return;
    snprintf(text, sizeof text, "%llu deliveries came where %llu were due", (unsigned long long)result->delivered,
             (unsigned long long)result->expected);
    run_fail(run, LOAD_OFFENCE, text);
}

static void sum_up(struct load_run *run)
{
    struct load_result *result = &run->result;
    for (uint32_t i = 0; i < run->loads_count; i++) {
        const struct load *load = &run->loads[i];
        result->connections += load->members;
        result->sent += load->sent_total;
        result->sent_in_time += load->sent_in_time;
        result->expected += load->expected;
        result->delivered += load->delivered[LOAD_STAYS];
        result->delivered_in_time += load->delivered_in_time;
        result->guests += load->guests.count;
        result->rejoined += load->rejoined;
        result->delivered_to_guests += load->delivered[LOAD_GUEST];
        result->slow += load->slow.count;
        result->slow_closed += load->slow_closed;
        result->delivered_to_slow += load->delivered_to_slow;
        if (load->published_ns > result->publish_ns) result->publish_ns = load->published_ns;
        if (i > 0 && load_options_spans(run->options)) continue;
        result->rooms += load->layout.rooms;
        result->publishers += load->layout.publishers;
        result->rate += load->rate;
        if (run->options->rate == 0 && load->readers_most > !load->layout.has_echo) {
            result->window += load->window / (load->readers_most - !load->layout.has_echo);
        }
    }
}

static void begin_result(struct load_run *run)
{
    const struct load_options *options = run->options;
    run->result = (struct load_result){.processes = 1,
                                       .threads = options->threads,
                                       .is_pusher = options->is_pusher,
                                       .is_unverified = options->no_verify,
                                       .has_server = options->pids_count > 0,
                                       .payload_bytes_min = options->payload_bytes_min,
                                       .payload_bytes_max = options->payload_bytes_max};
}

static void take_failure(struct load_run *run)
{
    uint32_t failed = atomic_load(&run->failed);
    if (failed == 0 || failed > run->loads_count) return;
    run->result.status = run->loads[failed - 1].status;
    memcpy(run->result.failure, run->loads[failed - 1].failure, sizeof run->result.failure);
}

/* Connections are places in a ring's own table, whose length the kernel bounds by RLIMIT_NOFILE. */
static bool raise_descriptors(struct load_run *run)
{
    struct rlimit limit;
    char text[LOAD_ERROR_BYTES];
    uint64_t needed = DESCRIPTORS_OWN;
    for (uint32_t i = 0; i < run->loads_count; i++) {
        if (run->loads[i].slots > needed) needed = run->loads[i].slots;
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return true;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= needed) return true;
    snprintf(text, sizeof text,
             "%llu connections of one thread are more than RLIMIT_NOFILE, which is %llu, hard: share them among more "
             "--threads, or raise it (ulimit -Hn)",
             (unsigned long long)needed, (unsigned long long)limit.rlim_cur);
    return run_fail(run, LOAD_UNABLE, text);
}

static bool init_all(struct load_run *run)
{
    filler_prepare();
    run->loads = aligned_alloc(_Alignof(struct load), run->options->threads * sizeof run->loads[0]);
    if (run->loads == NULL) return run_fail(run, LOAD_UNABLE, "out of memory");
    memset(run->loads, 0, run->options->threads * sizeof run->loads[0]);
    run->loads_count = run->options->threads;
    for (uint32_t i = 0; i < run->loads_count; i++) {
        if (!load_init(&run->loads[i], run, i)) return false;
    }
    return raise_descriptors(run);
}

void load_run(struct load_run *run, const struct load_options *options)
{
    *run = (struct load_run){.options = options};
    sem_init(&run->progress, 0, 0);
    begin_result(run);
    bool is_run = init_all(run) && connect_all(run) && publish_all(run);
    end_threads(run);
    load_progress_end(run);
    sum_up(run);
    if (is_run) check(run);
    take_failure(run);
    for (uint32_t i = 0; i < run->loads_count; i++) {
        load_fini(&run->loads[i]);
    }
    free(run->loads);
    sem_destroy(&run->progress);
}
