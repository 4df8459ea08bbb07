/* server/home/channel_log.h - a channel's log at its home: it gives offsets, holds the window, asks the store.
 *
 * A message of a durable channel goes to the store first and to the readers when it is committed: nobody sees what a
 * restart would take back, and no offset is given twice. What the store has of a channel comes back when somebody
 * first wants something of it; until then whatever concerns its history waits here, in order.
 * When the store fails, who can be told is told (RC_ESTORE, RC_EFULL) and nothing goes out; what nobody waits for goes
 * out without an offset, and readers who were not further than that are told recovered:false when they come back, also
 * after a restart if the store has worked for a second before it.
 * Threads:   the home shard.
 * Ownership: the roster's; freed here, when nobody needs it any more. Jobs at the store are the shard's.
 * Strangers choose names: a log of which nothing was ever to be kept asks the store nothing, and goes with its last
 * subscriber; the next one begins in the same epoch.
 * Bounds:    the channel's history rule; history_bytes_max over all channels of a shard, empty ones too, which go
 *            first; of what waits for the store or is on its way to it store_jobs_max messages and store_bytes_max
 *            bytes, and as much again of what is not kept and waits behind that: more goes out at once. */
#pragma once

#include "core/history.h"
#include "core/rc.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct history_rule;
struct join;
struct log_job;
struct log_wait;
struct message;
struct name;
struct query;
struct receipt;
struct roster;
struct shard;

enum channel_log_state {
    LOG_UNREAD,  /* durable: the store has not been asked yet */
    LOG_READING, /* it has been */
    LOG_READY,
    LOG_FAILED, /* it could not answer; UNREAD again once those who waited know */
};

struct channel_log {
    struct roster *roster;
    const struct history_rule *rule;
    struct history window;      /* its last position is what readers have been sent */
    uint64_t given;             /* the offset given last: ahead of the window's while the store writes */
    uint64_t given_ms;          /* and its time: later ones have no earlier */
    uint64_t whole_from;        /* who was not so far missed something that is not kept, */
    uint64_t stored_whole_from; /* as the store knows it */
    uint64_t save_at_ms;        /* the next try to tell it */
    bool is_saving;             /* it is being told */
    enum channel_log_state state;
    struct log_job *last_append; /* at the store, the one asked last; NULL: none */
    bool is_torn;                /* something went out unkept while the window was not known */
    uint32_t jobs;
    struct log_wait *waiting; /* READING: what came meanwhile, oldest first */
    struct log_wait **waiting_end;
    uint64_t counted_bytes; /* that it takes, in the shard's count */
    uint64_t used_ms;       /* when anybody published or left */
    bool is_unseen;         /* nothing was ever to be kept of it: the store is not asked, its epoch is the same
                                     * when it is made again */
    bool is_stored;         /* durable: the store has something of it, in this epoch */
    bool is_listed_empty;   /* in the shard's list of */
    TAILQ_ENTRY(channel_log) entry; /* those without messages, or those with some; the longest unused first */
};
TAILQ_HEAD(log_list, channel_log);

/* The rule for what is published to that channel; NULL: it keeps no history. A roster has its own at hand. */
const struct history_rule *channel_log_rule(const struct shard *shard, const struct name *channel);

/* The channel's log, ready to be used. RC_ENOENT: it has none. RC_PENDING: it is being read, wait in it. RC_ESTORE,
 * RC_EFULL: it cannot be read now. RC_ENOMEM. *log_r is NULL if there is none. */
enum rc channel_log_open(struct shard *shard, struct roster *roster, struct channel_log **log_r);
/* Waits until the log is read; then it is published, admitted or answered anew. Takes over what is given; one of them
 * is, or message and query. RC_ENOMEM or RC_EFULL: not taken. */
enum rc channel_log_wait(struct shard *shard, struct channel_log *log, struct join *join, struct message *message,
                         struct query *query);

/* Gives the message its offset, keeps it, sends it to the readers and answers whoever waits for that, now or later.
 * Takes over everything; query and receipt may be NULL. RC_PENDING: mailboxes are full. */
enum rc channel_log_keep(struct shard *shard, struct channel_log *log, struct message *message, struct query *query,
                         struct receipt *receipt);
/* What was to be kept cannot be, for this reason: whoever waits is told, or it goes out unkept, behind what is still at
 * the store. Takes over everything; log may be NULL. */
void channel_log_refuse(struct shard *shard, struct channel_log *log, enum rc rc, struct message *message,
                        struct query *query, struct receipt *receipt);

/* What is not to be kept goes out behind what is still at the store, so that a publisher's messages stay in order.
 * False: nothing is, or there is no room; it is not taken. */
bool channel_log_pass_behind(struct shard *shard, struct channel_log *log, struct message *message,
                             struct query *query, struct receipt *receipt);

/* Asks the store for what is not in the window; the answer goes on with the join or the query. Takes over the one that
 * is given. RC_ESTORE, RC_EFULL or RC_ENOMEM: not taken. */
enum rc channel_log_read(struct shard *shard, struct channel_log *log, struct join *join, struct query *query,
                         uint64_t since, uint64_t before, uint32_t count_max);
/* Can a reader who came so far get everything since? It may be the store that has it. */
bool channel_log_is_whole(const struct channel_log *log, const struct position *from);

/* Once a turn: takes what the store has answered; wakes it. */
void channel_log_take_answers(struct shard *shard);

/* When it has something to do; UINT64_MAX: never. */
uint64_t channel_log_due_ms(struct shard *shard, struct channel_log *log);
/* That time has come: forgets what is too old, and the log when nobody needs it: false, it is gone. */
bool channel_log_run(struct shard *shard, struct channel_log *log);
/* The same when the last subscriber has left. */
bool channel_log_left(struct shard *shard, struct channel_log *log);

/* The shard ends, the store has stopped: gives up what it was asked, */
void channel_log_end(struct shard *shard);
/* and then each log. */
void channel_log_free(struct shard *shard, struct channel_log *log);
