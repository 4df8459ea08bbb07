/* bench/load/load_result.h - what a run has shown: plain figures, which can be written to a file and joined with those
 * of other processes that took part in the same load.
 *
 * The file is text, one field a line: its name and its value. Percentiles of a whole cannot be made of percentiles
 * of its parts, so the file holds each second's histogram. */
#pragma once

#include "bench/load/load_options.h"
#include "bench/load/series.h"

#include <stdio.h>

enum load_status {
    LOAD_OK = 0,
    LOAD_UNABLE = 1, /* could not be run */
    LOAD_MISUSED = 2,
    LOAD_OFFENCE = 3, /* the server did wrong */
};

/* The figures, in the order of the file; the struct, the writer, the reader and the joining come from this table.
 *
 * FIELD(type, name, joined) - joined is what becomes of the figures of several processes:
 *     SUM   they add up
 *     MOST  the largest counts: of a wish that is the same for all, of a time, of a server looked at by several
 *     BEGUN the earliest; 0 is no time at all */
#define LOAD_FIELDS(FIELD)                        \
    FIELD(uint64_t, begun_ms, BEGUN)              \
    FIELD(uint64_t, processes, SUM)               \
    FIELD(uint64_t, threads, SUM)                 \
    FIELD(uint64_t, status, MOST)                 \
    FIELD(uint64_t, is_pusher, MOST)              \
    FIELD(uint64_t, is_unverified, MOST)          \
    FIELD(uint64_t, has_server, MOST)             \
    FIELD(uint64_t, connections, SUM)             \
    FIELD(uint64_t, rooms, SUM)                   \
    FIELD(uint64_t, publishers, SUM)              \
    FIELD(uint64_t, payload_bytes_min, MOST)      \
    FIELD(uint64_t, payload_bytes_max, MOST)      \
    FIELD(uint64_t, window, SUM)                  \
    FIELD(double, rate, SUM)                      \
    FIELD(uint64_t, connect_ns, MOST)             \
    FIELD(uint64_t, publish_ns, MOST)             \
    FIELD(uint64_t, span_ns, MOST)                \
    FIELD(uint64_t, sent, SUM)                    \
    FIELD(uint64_t, sent_in_time, SUM)            \
    FIELD(uint64_t, expected, SUM)                \
    FIELD(uint64_t, delivered, SUM)               \
    FIELD(uint64_t, delivered_in_time, SUM)       \
    FIELD(uint64_t, guests, SUM)                  \
    FIELD(uint64_t, rejoined, SUM)                \
    FIELD(uint64_t, delivered_to_guests, SUM)     \
    FIELD(uint64_t, slow, SUM)                    \
    FIELD(uint64_t, slow_closed, SUM)             \
    FIELD(uint64_t, delivered_to_slow, SUM)       \
    FIELD(uint64_t, own_cpu_ns, SUM)              \
    FIELD(uint64_t, server_connect_cpu_ns, MOST)  \
    FIELD(double, server_connect_rss_bytes, MOST) \
    FIELD(uint64_t, server_cpu_ns, MOST)          \
    FIELD(uint64_t, server_rss_bytes, MOST)

struct load_result {
#define LOAD_MEMBER(type, name, joined) type name;
    LOAD_FIELDS(LOAD_MEMBER)
#undef LOAD_MEMBER
    struct series series;
    char failure[LOAD_ERROR_BYTES]; /* empty: none */
};

void load_result_fini(struct load_result *result);

/* RC_OK, or RC_EINVAL with a sentence of cause and cure. */
enum rc load_result_save(const struct load_result *result, const char *path, char error_r[LOAD_ERROR_BYTES]);
enum rc load_result_read(struct load_result *result_r, const char *path, char error_r[LOAD_ERROR_BYTES]);

/* Adds another process's share of the load. RC_ENOMEM. */
enum rc load_result_join(struct load_result *result, const struct load_result *other);

/* For people, and for programs: one line of JSON. */
void load_report(const struct load_result *result, FILE *file);
void load_report_json(const struct load_result *result, FILE *file);

/* Can plots be drawn here? RC_EINVAL with a sentence: there is no gnuplot. */
enum rc load_plot_check(char error_r[LOAD_ERROR_BYTES]);
/* Latency and rate over time, as SVG. RC_EINVAL with a sentence. */
enum rc load_plot(const struct load_result *result, const char *path, char error_r[LOAD_ERROR_BYTES]);
