/* server/cluster/cluster_reader.h - what this node reads from Redis: the jobs that enter and leave channels, the
 * events of what comes in them, and jobs that read what was kept. No input or output: whoever has it sends the
 * commands, and hands over what was received.
 *
 *     cluster_reader_ask()                                 a job comes
 *     while (cluster_reader_next(r, now, &call))           send call.words over the connection with commands, and
 *                                                          keep the call; with its reply, or without one,
 *                                                          cluster_reader_answered()
 *     if (cluster_reader_next_names(r, now, &call))        send call.words over the connection with subscriptions
 *     cluster_reader_pushed()                              whatever comes over that one
 *     cluster_reader_ended()                               that one is over
 *     cluster_reader_tick()                                some times a second
 *
 * How a channel is read: server/cluster/cluster_channels.h.
 * Threads:   one.
 * Ownership: a job is the asker's again when `done` is called with it, an event the receiver's of `event`. Words are
 *            views that last until the next call.
 * Memory:    cluster_channels.h; the words of one command; the entries of one reply. */
#pragma once

#include "core/rc.h"
#include "server/cluster/cluster_channels.h"

#include <hiredis/hiredis.h>

struct cluster_event;
struct cluster_job;
struct cluster_reader;
struct cluster_reading;

struct cluster_reader_settings {
    struct text prefix; /* outlives it */
    uint64_t node;      /* this node's number, in tokens */
    struct cluster_channels_limits limits;
    uint64_t patience_ms; /* a CLUSTER_READ waits so long while nothing can be sent */
    struct counters *counters;
    void (*done)(void *self, struct cluster_job *job);
    void (*event)(void *self, struct cluster_event *event);
    /* A message of this node, with this number in its token, has come back, and its home has been told. */
    void (*came_back)(void *self, const struct name *name, uint64_t number);
    /* Pushes of a channel come from here on, for the first time or again; its home has been told ENTERED. */
    void (*entered)(void *self, const struct name *name, struct text app, uint32_t shard, uint32_t serial);
    /* A push of members or of a count, as it came, and of which channel. */
    void (*other)(void *self, const struct name *name, struct text push);
    void *self; /* the first argument of these */
};

/* One command, and what its answer is for. */
struct cluster_reader_call {
    const struct text *words;
    size_t words_count;
    struct cluster_question question; /* of a channel, or of kind QUESTION_NONE: */
    struct cluster_reading *reading;  /* a CLUSTER_READ */
};

/* NULL: out of memory. */
struct cluster_reader *cluster_reader_new(const struct cluster_reader_settings *settings);
/* Accepts NULL. There are no jobs left. */
void cluster_reader_free(struct cluster_reader *reader);
/* For who publishes: places, and what was told of them. */
const struct cluster_channels *cluster_reader_channels(const struct cluster_reader *reader);

/* CLUSTER_ENTER, CLUSTER_LEAVE or CLUSTER_READ. */
void cluster_reader_ask(struct cluster_reader *reader, struct cluster_job *job, uint64_t now_ms);
/* Whoever waits to enter this channel has waited for too long, and comes back with RC_ECLUSTER. A home that was told
 * ENTERED before stays in. */
void cluster_reader_end_entering(struct cluster_reader *reader, const struct name *name, uint64_t now_ms);
/* All jobs come back with RC_ECLUSTER; calls that were sent are not answered any more. */
void cluster_reader_give_up(struct cluster_reader *reader);

/* The next command; false: none now. It counts as sent. */
bool cluster_reader_next(struct cluster_reader *reader, uint64_t now_ms, struct cluster_reader_call *call_r);
/* NULL: it never will be. */
void cluster_reader_answered(struct cluster_reader *reader, const struct cluster_reader_call *call,
                             const redisReply *reply, uint64_t now_ms);
bool cluster_reader_next_names(struct cluster_reader *reader, uint64_t now_ms, struct cluster_reader_call *call_r);

/* RC_OK. RC_ENOENT: it is of no channel, but for somebody else. RC_EPROTO, RC_ENOMEM: the connection has to end; what
 * is missed is read then. */
enum rc cluster_reader_pushed(struct cluster_reader *reader, const redisReply *reply, uint64_t now_ms);
/* Has the connection with subscriptions to end, for want of memory? */
bool cluster_reader_is_short(const struct cluster_reader *reader);
void cluster_reader_ended(struct cluster_reader *reader, uint64_t now_ms);
void cluster_reader_set_generation(struct cluster_reader *reader, uint64_t generation, uint64_t now_ms);
/* redis_ms: the time by Redis's clock, by which messages grow old. */
void cluster_reader_tick(struct cluster_reader *reader, uint64_t now_ms, uint64_t redis_ms);
