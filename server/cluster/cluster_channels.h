/* server/cluster/cluster_channels.h - the channels that this node reads: what it is subscribed to in Redis, how far
 * each has come, and what is to be asked so that their homes are told every message once and in order, or that
 * something may be missing. No input or output: whoever has it sends what is to be sent, and tells what came.
 *
 *     cluster_channels_enter(), _leave()      a home has its first reader, or no more
 *     count = cluster_channels_names(...)     the next command over the connection with subscriptions: send it;
 *                                             for each name of its answer _acknowledged()
 *     while (cluster_channels_question(...))  ask it over the other connection; with its answer _answer()
 *     cluster_channels_push()                 what Redis pushed; homes are told by the function given at the start
 *     cluster_channels_end()                  the connection with subscriptions is over
 *
 * Each name's pushes, acknowledgements and answers are told in the order in which they came over their connection;
 * between both there is no order. One command with names is under way at a time, the busiest channels first, those
 * that somebody waits for before them. A channel that nobody reads any more stays subscribed for a while, since pages
 * are loaded anew.
 * Threads:   one.
 * Ownership: channels are the table's, until nobody reads them and nothing is under way for them. Entries are views.
 * Memory:    for each channel 144 bytes, its name, and its share of the table; what is kept is bounded by the limits.
 * Errors:    without the memory to keep a push it is read from the stream later. */
#pragma once

#include "core/rc.h"
#include "server/cluster/cluster_channel.h"

#define CLUSTER_NAMES_MAX      500 /* of one command */
#define CLUSTER_PAGE_COUNT_MAX 256 /* entries that are read at once, */
#define CLUSTER_PAGE_BYTES_MAX (1024 * 1024)

struct cluster_channels;

/* What a home wants. */
struct cluster_entering {
    uint16_t shard;
    uint32_t serial;
    bool is_numbered; /* the channel has a history */
    bool is_cached;   /* it is a cache channel: its last event is asked before the home is told ENTERED */
    bool is_opened;   /* somebody wants to know the place: there has to be one, unless Redis has no memory for it */
};

/* NULL: out of memory. `counters` is the thread's. */
struct cluster_channels *cluster_channels_new(const struct cluster_channels_limits *limits, struct counters *counters,
                                              cluster_tell *tell, void *self);
/* Accepts NULL. No of_home is set any more. */
void cluster_channels_free(struct cluster_channels *channels);

/* Made if it is not there, to be entered at once. NULL: out of memory. */
struct cluster_channel *cluster_channels_get(struct cluster_channels *channels, const struct name *name);
/* Told ENTERED, at once or later, and from then on what comes. The channel may be entered already. */
void cluster_channels_enter(struct cluster_channels *channels, struct cluster_channel *channel,
                            const struct cluster_entering *entering, uint64_t now_ms);
/* Is told LEFT if it was not yet told ENTERED, then nothing more. */
void cluster_channels_leave(struct cluster_channels *channels, const struct name *name, uint64_t now_ms);
/* An entrance that waits is told LEFT: then the home has left, unless it had entered before. */
void cluster_channels_give_up(struct cluster_channels *channels, const struct name *name, uint64_t now_ms);
/* NULL: not in the table. Good until the next call. */
struct cluster_channel *cluster_channels_find(const struct cluster_channels *channels, const struct name *name);
/* All of them, in any order: NULL begins, NULL is behind the last. Nothing else is called meanwhile. */
struct cluster_channel *cluster_channels_next(const struct cluster_channels *channels,
                                              const struct cluster_channel *channel);
uint32_t cluster_channels_count(const struct cluster_channels *channels);
/* The channel's epoch for who publishes; 0: not known here. */
uint64_t cluster_channels_hint(const struct cluster_channels *channels, const struct name *name);

/* Has its home been told all up to this place? Also if it has left. Epoch 0: has it left? */
bool cluster_channels_is_told(const struct cluster_channels *channels, const struct name *name,
                              const struct stream_id *place);

/* The names for the next command, at most CLUSTER_NAMES_MAX: they count as sent. 0: none, or one is under way. */
uint32_t cluster_channels_names(struct cluster_channels *channels, struct cluster_channel **names_r,
                                bool *is_subscribe_r, uint64_t now_ms);
/* Redis has acknowledged one name, or has ended a subscription unasked. RC_EPROTO: it was not asked for. */
enum rc cluster_channels_acknowledged(struct cluster_channels *channels, const struct name *name, bool is_subscribe,
                                      uint64_t now_ms);
/* One push: entries behind each other in one epoch, or all without a place. For no channel here: dropped. */
void cluster_channels_push(struct cluster_channels *channels, const struct name *name,
                           const struct cluster_entry *entries, uint32_t count, uint64_t now_ms);
/* The connection with subscriptions is over: no acknowledgement comes any more. */
void cluster_channels_end(struct cluster_channels *channels, uint64_t now_ms);
/* Places of smaller epochs are over. Before names are sent to another server, or to one that was started anew. */
void cluster_channels_set_generation(struct cluster_channels *channels, uint64_t generation, uint64_t now_ms);

/* The next question; false: none now. It counts as sent, and must be answered or given back. */
bool cluster_channels_question(struct cluster_channels *channels, struct cluster_question *question_r,
                               uint64_t now_ms);
/* OPEN's answer has one entry with the id, without a record. */
void cluster_channels_answer(struct cluster_channels *channels, const struct cluster_question *question,
                             const struct cluster_entry *entries, uint32_t count, uint64_t now_ms);
/* It will not be answered, or was by an error: it is asked again if it still counts. `is_refused`: asking again does
 * not help, as Redis has no memory: then OPEN asks only whether there is a place. */
void cluster_channels_unanswered(struct cluster_channels *channels, const struct cluster_question *question,
                                 bool is_refused, uint64_t now_ms);

/* Whose grace is over, who is to be audited: call it some times a second. */
void cluster_channels_tick(struct cluster_channels *channels, uint64_t now_ms);
