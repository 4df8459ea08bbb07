/* bench/load/load_turn.c - one turn of a thread, and what it tells the others. */
#include "bench/load/load.h"

#include "bench/clock.h"
#include "bench/load/load_threads.h"

#include <string.h>

/* `sent` is told before anything leaves: who has joined by then may know that it was sent. */
static void tell_sent(struct load *load)
{
    atomic_store_explicit(&load->told.sent, load->sent_total, memory_order_release);
    atomic_store_explicit(&load->told.expected, load->expected, memory_order_release);
}

static void tell_heard(struct load *load)
{
    uint64_t delivered = load->delivered[LOAD_STAYS];
    bool has_news = delivered != atomic_load_explicit(&load->told.delivered, memory_order_relaxed);
    atomic_store_explicit(&load->told.heard_ns, load->heard_ns, memory_order_relaxed);
    atomic_store_explicit(&load->told.delivered, delivered, memory_order_release);
    atomic_store_explicit(&load->told.open, load->open, memory_order_release);
    /* The first thread's window has room again. */
    if (has_news && load->index > 0 && load->options->rate == 0 && load_options_spans(load->options)) {
        load_ring_doorbell(&load->ring, load_ring_descriptor(&load->run->loads[0].ring));
    }
}

bool load_turn(struct load *load, uint64_t timeout_ns)
{
    struct load_event event;
    if (load->slow.count > 0) timeout_ns = load_read_slowly(load, timeout_ns);
    tell_sent(load);
    load_flush(load);
    int error = load_ring_wait(&load->ring, timeout_ns);
    if (error != 0) return load_fail(load, LOAD_UNABLE, "io_uring refuses to go on: %s", strerror(error));
    while (load->status == LOAD_OK && load_ring_next(&load->ring, &event)) {
        load_connection_event(load, &event);
    }
    tell_heard(load);
    return load->status == LOAD_OK && atomic_load_explicit(&load->run->failed, memory_order_relaxed) == 0;
}

/* The main thread must have taken the second before, or else this one goes on. */
void load_tick(struct load *load, uint64_t now_ns)
{
    uint64_t begun_ns = load->run->begun_ns;
    if (now_ns < load->second_ends_ns ||
        atomic_load_explicit(&load->seconds_taken, memory_order_acquire) != load->second) {
        return;
    }
    struct series_point *point = &load->seconds[load->second % 2];
    point->sent += load->sent_total;
    load->second++;
    atomic_store_explicit(&load->told.seconds, load->second, memory_order_release);
    /* Counted up from here, so that the next hand-over has the difference. */
    load->seconds[load->second % 2].sent = -load->sent_total;
    uint64_t second = (now_ns - begun_ns) / NS_PER_SECOND;
    load->second_of[load->second % 2] = (uint32_t)second;
    load->second_ends_ns = begun_ns + (second + 1) * NS_PER_SECOND;
}
