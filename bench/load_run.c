/* bench/load_run.c - what all phases of a run use: failures, turns, measured spans. */
#include "bench/load.h"

#include "bench/clock.h"

#include <errno.h>
#include <stdarg.h>

bool load_fail(struct load *load, enum load_status status, const char *format, ...)
{
    va_list arguments;
    if (load->status != LOAD_OK) return false;
    load->status = status;
    va_start(arguments, format);
    vsnprintf(load->failure, sizeof load->failure, format, arguments);
    va_end(arguments);
    return false;
}

bool load_turn(struct load *load, uint64_t timeout_ns)
{
    struct load_event event;
    load_flush(load);
    if (!load_ring_wait(&load->ring, timeout_ns)) {
        return load_fail(load, LOAD_UNABLE, "io_uring refuses to go on: %s", strerror(errno));
    }
    while (load->status == LOAD_OK && load_ring_next(&load->ring, &event)) {
        load_connection_event(load, &event);
    }
    return load->status == LOAD_OK;
}

/* ---- measured spans ---- */

static bool read_usage(struct load *load, struct usage *usage_r)
{
    *usage_r = (struct usage){0};
    if (load->options->pid == 0 || usage_read((pid_t)load->options->pid, usage_r) == RC_OK) return true;
    return load_fail(load, LOAD_UNABLE, "cannot read CPU time and memory of process %u: is it the server?",
                     load->options->pid);
}

static uint64_t own_cpu_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * NS_PER_SECOND + (uint64_t)time.tv_nsec;
}

bool load_span_begin(struct load *load)
{
    struct usage usage;
    if (!read_usage(load, &usage)) return false;
    load->began = (struct load_span){.ns = clock_ns(),
                                     .server_cpu_ns = usage.cpu_ns,
                                     .server_rss_bytes = (int64_t)usage.rss_bytes,
                                     .own_cpu_ns = own_cpu_ns()};
    return true;
}

bool load_span_end(struct load *load, struct load_span *span_r)
{
    struct usage usage;
    const struct load_span *began = &load->began;
    if (!read_usage(load, &usage)) return false;
    *span_r = (struct load_span){.ns = clock_ns() - began->ns,
                                 .server_cpu_ns = usage.cpu_ns - began->server_cpu_ns,
                                 .server_rss_bytes = (int64_t)usage.rss_bytes - began->server_rss_bytes,
                                 .own_cpu_ns = own_cpu_ns() - began->own_cpu_ns};
    load->server_rss_bytes = usage.rss_bytes;
    return true;
}
