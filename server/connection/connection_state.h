/* server/connection/connection_state.h - what is known of one client from accept to reaped, and asked of it.
 *
 *   FREE -> ARRIVING -> [TLS ->] REQUEST -> JOINING -> OPEN -> [SETTLING ->] CLOSING -> DRAINING -> FREE
 * REQUEST may answer and stay (no further request is taken while its answers wait for the client to read), or ask
 * others first and be ANSWERING meanwhile, or answer for the last time and go to LINGERING, as OPEN does after a broken
 * frame; any state but FREE may enter DRAINING. What a fan-out touches of a connection is not here but in the shard's
 * array of outboxes, 32 bytes each; this struct is read when its client says something or a timer runs out.
 * Who goes from state to state: server/connection/connection.h.
 * Threads: the shard's.
 * Slot:    a connection's index, its outbox's index, and its place in the ring's file table. */
#pragma once

#include "core/close_reason.h"
#include "core/outbox.h"
#include "core/timer_wheel.h"
#include "net/frame_reader.h"
#include "server/shard/shard.h"

#include <stdbool.h>
#include <stdint.h>

struct component;
struct errand;
struct http_reader;
struct pusher;
struct span;
struct subscription;
struct throttle;
struct tls;

enum connection_state {
    CONNECTION_FREE,      /* no socket, no operation under way */
    CONNECTION_ARRIVING,  /* who is it? The kernel is asked, then a proxy's header read; nothing of its own is */
    CONNECTION_TLS,       /* the handshake of TLS: what comes waits for its turn to be computed */
    CONNECTION_REQUEST,   /* HTTP: reading a request, or between two */
    CONNECTION_ANSWERING, /* a backend's request waits for other shards; what comes is held */
    CONNECTION_JOINING,   /* an upgrade waits for the component (a channel's home); what comes is held */
    CONNECTION_OPEN,      /* frames both ways */
    CONNECTION_SETTLING,  /* the peer has said its last; what it has said before is still on its way back to it */
    CONNECTION_CLOSING,   /* our close frame is said; wait for the peer's, or for the timer */
    CONNECTION_LINGERING, /* all is said: once it is out, FIN; then wait for the peer's, or for the timer */
    CONNECTION_REAPING,   /* nothing more is read or said; wait until no operation is under way */
    CONNECTION_STATES_MAX
};

/* What a fan-out and a flush must know, kept in outbox.marks beside the outbox itself. */
enum outbox_mark {
    OUTBOX_DIRTY = 1 << 0,     /* in shard->flush.dirty, to be flushed this turn; or in the queue of crowds, with: */
    OUTBOX_BLOCKED = 1 << 1,   /* the kernel took no more; a WRITABLE is under way */
    OUTBOX_EXCLUDED = 1 << 2,  /* during one fan-out: published in it, does not get its own */
    OUTBOX_WATCHED = 1 << 3,   /* connection_flushed() wants to know when it is empty */
    OUTBOX_NO_MEMORY = 1 << 4, /* lost a message for want of memory: close it */
    OUTBOX_PASSED_OVER = 1 << 5, /* during one fan-out: EXCLUDED, and a reader of the channel */
    OUTBOX_SECURE = 1 << 6,      /* goes out through server/connection/secure */
    OUTBOX_CROWD = 1 << 7,       /* to be flushed when it is its turn among many */
    OUTBOX_LONG = 1 << 8,        /* a long answer stands in it, see server/connection/long_answer.h */
    OUTBOX_ASKER = 1 << 9,       /* in shard->answers.askers, perhaps as the slot's last connection */
};

struct connection {
    struct timer timer; /* the state's deadline; OPEN: the next look at silence and outbox age */
    union {
        struct frame_reader reader; /* OPEN, CLOSING */
        uint16_t peer_code;   /* SETTLING: of the peer's close frame, 0: it had none. Nothing is read any more */
        uint64_t accepted_us; /* TLS: when it came, to see how long its handshake takes */
    };
    const struct component *component;  /* JOINING, OPEN; NULL once on_close was called */
    struct subscription *subscriptions; /* the latest first */
    union {
        struct pusher *pusher;     /* of a channel connection, whose component is that; NULL: none */
        struct throttle *throttle; /* of a room's: made at the first message if there are limits */
    };
    struct errand *errand;    /* ANSWERING: what it waits for */
    struct http_reader *http; /* REQUEST, ANSWERING, JOINING: made at the first byte */
    struct span *message;     /* a message of which not all has come */
    struct span *control;     /* a control frame of which not all has come */
    struct tls *tls;          /* secure: made at the first byte */
    struct span *unsent;      /* secure: ciphertext that the socket has not taken */
    struct span *held;        /* bytes that came while JOINING or paused */
    uint64_t unsent_ms;       /* secure, or a long answer waits: since when, or when the peer last took something of
                                 it; 0: nothing waits */
    uint32_t unsent_at;       /* how much of it has gone */
    uint32_t unacked;         /* what the peer had not acknowledged at the last look; 0: there was none */
    uint64_t heard_ms;        /* when bytes came last, or went after they could not */
    uint32_t long_bytes;      /* of long answers in its outbox, since the last of them left; */
    uint32_t long_left;       /* all bytes of the outbox up to the end of the last */
    union {
        uint64_t pinged_ms;    /* when our last ping went out, or later, see is_judged; 0: none yet */
        uint64_t handshake_ms; /* TLS: until when it has time; while its handshake is due, how much it has left */
        uint64_t moved_ms;     /* REQUEST, LINGERING, blocked: when the peer was last seen to take something */
    };
    uint32_t life; /* which use of the slot; 24 bits */
    enum connection_state state : 8;
    enum close_reason reason : 8; /* why it ends: the first reason given */
    bool is_receiving : 1;        /* a RECEIVE is under way */
    bool is_awaiting : 1;         /* a WRITABLE is under way */
    bool is_shutting : 1;         /* a SHUTDOWN is under way */
    bool is_paused : 1;           /* not read from: it causes letters that find their mailbox full */
    bool is_choked : 1;       /* not read from: it sends on and on while it is ANSWERING, in TLS, or does not read;
                                 OPEN: what is held begins with a question that waits,
                                 see server/connection/long_answer.h */
    bool is_starved : 1;      /* in shard->receive.starved: its receive found no buffer, or it may be read on */
    bool has_ended : 1;       /* the peer sent its FIN: nothing more will come */
    bool has_peer_closed : 1; /* the peer's close frame has come */
    bool is_secure : 1;       /* came in over a TLS address, and speaks it */
    bool is_shaking : 1;      /* in shard->tls.shaking: its handshake is due */
    bool is_tls_ended : 1;    /* close_notify or an alert was said: nothing can be sealed any more */
    bool is_taken_in : 1;     /* what it said is being taken in, further up the stack */
    bool is_judged : 1;       /* the head of this request is, its body may come; OPEN: its silence since our ping is,
                                 and pinged_ms is later than that went */
    bool has_answered : 1;    /* the answer to the handshake has left the outbox */
    bool is_throttled : 1;    /* not read from: it publishes faster than it may */
    bool is_asking : 1;       /* for what may be long; the answer has not come */
};

_Static_assert(sizeof(struct connection) == 192, "three cache lines");

/* Has the connection ended, so that nothing more is read or said? */
static inline bool connection_is_gone(const struct connection *connection)
{
    return connection->state == CONNECTION_REAPING || connection->state == CONNECTION_FREE;
}

/* May bytes be taken from the connection's socket now? */
static inline bool connection_is_read(const struct connection *connection)
{
    return !connection->is_paused && !connection->is_choked && !connection->is_throttled;
}

static inline uint32_t shard_slot(const struct shard *shard, const struct connection *connection)
{
    return (uint32_t)(connection - shard->connections);
}

static inline struct outbox *shard_outbox(struct shard *shard, const struct connection *connection)
{
    return &shard->outboxes[shard_slot(shard, connection)];
}

/* Has our last ping not been answered? */
static inline bool connection_is_pinged(const struct connection *connection)
{
    return connection->pinged_ms > connection->heard_ms;
}

const char *connection_state_name(enum connection_state state);

/* Over TLS: is there ciphertext that the socket has not taken yet? The server's flight of its handshake, or at most
 * SECURE_SCRATCH_BYTES: a record and a few alerts. */
bool connection_has_unsent(const struct connection *connection);
/* Has the connection's socket not taken all that it was given? */
bool connection_is_blocked(const struct shard *shard, const struct connection *connection);
/* Has some of a request come, and not all? */
bool connection_has_begun_request(const struct connection *connection);
