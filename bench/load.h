/* bench/load.h - one run of ringcast-load: its connections, what they have seen, and how far it has come.
 *
 *   load_connect -> load_publish (which ends when all has come, or nothing comes any more) -> load_report
 * One thread, one ring. What goes wrong first is kept as a sentence and a status, and every loop ends on it. */
#pragma once

#include "bench/histogram.h"
#include "bench/layout.h"
#include "bench/load_options.h"
#include "bench/load_ring.h"
#include "bench/load_tls.h"
#include "bench/reader.h"
#include "bench/usage.h"
#include "bench/verifier.h"
#include "core/slot_list.h"

enum load_status {
    LOAD_OK = 0,
    LOAD_UNABLE = 1, /* could not be run */
    LOAD_MISUSED = 2,
    LOAD_OFFENCE = 3, /* the server did wrong */
};

struct span;

struct load_connection {
    struct reader reader;
    struct span *head;    /* an answer to the handshake that came in pieces */
    struct span *filling; /* bytes to send next; NULL: none */
    struct span *sending; /* bytes on their way; NULL: none */
    struct load_tls *tls; /* NULL: ws:// */
    bool is_open;
    bool is_saying; /* in load->saying */
};

/* From one moment to another. */
struct load_span {
    uint64_t ns;
    uint64_t server_cpu_ns;
    int64_t server_rss_bytes; /* growth */
    uint64_t own_cpu_ns;
};

struct load {
    const struct load_options *options;
    struct layout layout;
    struct load_ring ring;
    struct load_tls_context *tls; /* NULL: ws:// */
    struct load_connection *connections;
    struct slot_list saying; /* connections that have something to send */
    uint32_t started;
    uint32_t open;

    struct verifier verifier;
    struct histogram latency;
    uint32_t *sent; /* by each publisher */
    uint64_t sent_total;
    uint64_t expected; /* deliveries of what was sent */
    uint64_t delivered;
    uint64_t heard_ns; /* when anything came last */
    uint8_t *filler;   /* of every payload */
    uint32_t mask;     /* of the next frame */

    struct load_span began;      /* where the clocks stood when the span under way began */
    struct load_span connecting; /* this and the next are zero until they are over */
    struct load_span publishing;
    uint64_t begun_ns; /* of publishing */
    uint64_t end_ns;
    double publish_seconds; /* it took, without the wait for the rest */
    uint64_t sent_in_time;  /* in publish_seconds */
    uint64_t delivered_in_time;
    uint64_t server_rss_bytes;

    enum load_status status;
    char failure[LOAD_ERROR_BYTES]; /* empty: none */
};

/* Keeps the first failure only. Always false. */
bool load_fail(struct load *load, enum load_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Opens all connections. False: failed. */
bool load_connect(struct load *load);
/* Publishes for the time asked, waits for the rest, and checks. False: failed. */
bool load_publish(struct load *load);

/* Handles what has come, waiting for it at most timeout_ns. False: failed. */
bool load_turn(struct load *load, uint64_t timeout_ns);
/* A connection's events; load_connection.c. */
void load_connection_event(struct load *load, const struct load_event *event);
/* Adds bytes to what a connection sends at the end of the turn. */
bool load_say(struct load *load, uint32_t connection, const void *bytes, size_t count);
/* Sends what connections have to say. */
void load_flush(struct load *load);

/* A span is measured from one call to the other; *span_r is set at its end. False: the server's process is gone. */
bool load_span_begin(struct load *load);
bool load_span_end(struct load *load, struct load_span *span_r);

void load_report(const struct load *load, FILE *file);
void load_report_json(const struct load *load, FILE *file);
