/* bench/load/load.h - one thread's part of a load: its connections, what they have seen, and how far it has come.
 *
 * A thread connects, waits until all have, publishes, waits for the rest, and ends (load_part.c); the main thread
 * says when (load_threads.h). Nothing is shared but what stands in `told`, which the thread writes and others read, and
 * two buffers of latencies, handed over in turn. What goes wrong first is kept as a sentence and a status, and every
 * loop of every thread ends on it.
 * Slots: the part's members in the order of its layout from `first` on, then the connections to the HTTP API. */
#pragma once

#include "bench/load/layout.h"
#include "bench/load/load_options.h"
#include "bench/load/load_result.h"
#include "bench/load/load_ring.h"
#include "bench/load/load_tls.h"
#include "bench/load/reader.h"
#include "bench/load/series.h"
#include "bench/load/verifier.h"
#include "core/slot_list.h"

#include <pthread.h>
#include <stdatomic.h>

enum load_stage {
    LOAD_CLOSED,      /* not begun, or at its end */
    LOAD_SHAKING,     /* connects, TLS, the answer to the handshake; for the HTTP API up to TLS */
    LOAD_GREETED,     /* Pusher: the socket id is to come */
    LOAD_SUBSCRIBING, /* Pusher: success is to come */
    LOAD_OPEN,
    LOAD_LEAVING, /* has said goodbye, waits for the server's end of the stream */
};

/* Of a member: whose messages count as what. */
enum load_kind {
    LOAD_STAYS, /* its deliveries are those expected */
    LOAD_GUEST, /* comes and goes */
    LOAD_SLOW,
    LOAD_API, /* no member */
    LOAD_KINDS_MAX,
};

struct load_api;
struct load_run;
struct span;

/* What every delivery touches comes first. */
struct load_connection {
    struct load_tls *tls; /* NULL: ws:// */
    uint8_t stage;        /* enum load_stage */
    uint8_t kind;         /* enum load_kind */
    bool is_saying;       /* in load->saying */
    bool is_reading;      /* slow ones: a receive is under way */
    struct reader reader;
    struct span *head;    /* an answer to the handshake that came in pieces */
    struct span *filling; /* bytes to send next; NULL: none */
    struct span *sending; /* bytes on their way; NULL: none */
    uint64_t read_at_ns;  /* slow ones: when to read more */
};

/* What others may know of a thread while it runs. */
struct load_told {
    _Alignas(128) _Atomic uint32_t open; /* connections */
    _Atomic uint64_t sent;
    _Atomic uint64_t expected;
    _Atomic uint64_t delivered; /* to those that stay */
    _Atomic uint64_t heard_ns;  /* when anything came last */
    _Atomic bool has_due;       /* more is to be published */
    _Atomic bool is_complete;   /* guests have all */
    _Atomic uint32_t seconds;   /* buffers handed over */
    _Atomic uint32_t phase;     /* done, enum load_phase */
};

struct load {
    struct load_told told;
    _Alignas(128) _Atomic uint32_t seconds_taken; /* buffers that the main thread has given back; it writes */

    _Alignas(128) struct load_run *run;
    const struct load_options *options;
    uint32_t index;
    pthread_t thread;
    bool has_thread;
    struct layout layout;
    uint32_t first;   /* of the layout's connections */
    uint32_t members; /* how many from there on */
    uint32_t slots;   /* members and connections to the HTTP API */
    struct load_ring ring;
    struct load_tls_context *tls; /* NULL: ws:// */
    struct load_connection *connections;
    struct load_api *apis;   /* one for each publisher; NULL: published otherwise */
    struct slot_list saying; /* connections that have something to send */
    uint32_t started;
    uint32_t open;
    uint32_t handshakes; /* under way */

    struct verifier verifier;
    uint32_t *readers; /* of each room: those that a message is expected to come to, if all stay, and echo */
    uint32_t readers_most;
    uint32_t *sent; /* by each publisher */
    uint64_t sent_total;
    uint64_t expected; /* deliveries of what was sent to those that stay, over all threads */
    uint64_t delivered[LOAD_KINDS_MAX];
    uint64_t heard_ns;
    uint8_t *filler; /* of every payload */
    uint8_t *body;   /* of a request */
    uint32_t mask;   /* of the next frame */
    double rate;     /* of this part's publishers; 0: closed loop */
    uint64_t window; /* deliveries in flight; closed loop */

    struct slot_list guests; /* in the order in which they leave */
    uint32_t guests_left;    /* how often one has */
    uint64_t rejoined;
    struct slot_list slow;
    uint64_t slow_due_ns; /* when the next one reads */
    uint64_t slow_closed; /* by the server */
    bool slow_catch_up;   /* the load is over: they read all, to see whether the server has closed them */

    struct series_point seconds[2]; /* of which one is filled */
    uint32_t second_of[2];          /* since publishing began */
    uint32_t second;                /* buffers handed over */
    uint64_t second_ends_ns;

    uint64_t published_ns; /* how long it took, without the wait for the rest */
    uint64_t sent_in_time;
    uint64_t delivered_in_time;
    uint64_t delivered_to_slow; /* at their speed */

    enum load_status status;
    char failure[LOAD_ERROR_BYTES]; /* empty: none */
};

/* Keeps the first failure only. Always false. */
bool load_fail(struct load *load, enum load_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Makes everything but the thread. */
bool load_init(struct load *load, struct load_run *run, uint32_t index);
void load_fini(struct load *load);
/* A thread's main function, from the ring to the end. */
void *load_main(void *load);

/* Opens all connections. False: failed. */
bool load_connect(struct load *load);
/* Begins a connection, also in the place of another; load_start.c. */
bool load_start(struct load *load, uint32_t slot);
/* Asks for more to read: at once, or, for a slow reader, when it may. */
void load_receive(struct load *load, uint32_t slot);
/* How much a slow reader reads at a time. */
uint32_t load_piece_bytes(const struct load *load);
/* Publishes for the time asked. False: failed. */
bool load_publish(struct load *load);
/* An open loop's messages that were due and could not be sent in time: are there any, and out with them. */
bool load_has_due(const struct load *load);
void load_publish_rest(struct load *load);

/* load_turn.c: handles what has come, waiting for it at most timeout_ns. False: failed, here or elsewhere. */
bool load_turn(struct load *load, uint64_t timeout_ns);
/* Is it time to hand over the second's latencies? */
void load_tick(struct load *load, uint64_t now_ns);

/* A connection's events; load_connection.c. */
void load_connection_event(struct load *load, const struct load_event *event);
/* Sends what connections have to say. */
void load_flush(struct load *load);

/* load_say.c: adds bytes to what a connection sends at the end of the turn. */
bool load_say(struct load *load, uint32_t slot, const void *bytes, size_t count);
/* Like load_say(), a masked frame of three pieces. */
bool load_say_frame(struct load *load, uint32_t slot, uint8_t opcode, const struct text pieces[3]);
void load_say_later(struct load *load, uint32_t slot);

/* The handshake, load_handshake.c: what to say once connected, and what comes until the connection is open. */
void load_greet(struct load *load, uint32_t slot);
void load_handshake(struct load *load, uint32_t slot, struct bytes *in);
bool load_opened(struct load *load, uint32_t slot);

/* load_pusher.c: an event that is no test message; what a member's channel is called. */
bool load_pusher_event(struct load *load, uint32_t slot, struct text message);
void load_channel(const struct load *load, uint32_t slot, char channel_r[LOAD_CHANNEL_BYTES]);

/* load_api.c: connections that publish over HTTP. */
bool load_api_init(struct load *load);
void load_api_fini(struct load *load);
/* False: it waits for an answer or for the connection's end, or failed. */
bool load_api_publish(struct load *load, uint32_t publisher, struct text payload);
void load_api_take(struct load *load, uint32_t slot, struct bytes *in);
void load_api_ended(struct load *load, uint32_t slot);
void load_api_shut(struct load *load, uint32_t slot);

/* load_apart.c: those that come and go, and those that read slowly. */
bool load_apart_init(struct load *load);
/* Lets a guest leave if its time has come; returns when the next one does. */
uint64_t load_churn(struct load *load, uint64_t now_ns);
/* The stream of a connection that leaves is at its end. */
void load_left(struct load *load, uint32_t slot);
/* Lets those read whose time has come; returns the time until the next, at most wait_ns. */
uint64_t load_read_slowly(struct load *load, uint64_t wait_ns);
