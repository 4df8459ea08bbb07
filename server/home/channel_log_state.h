/* server/home/channel_log_state.h - what is known of a channel's log. Its life is in server/home/channel_log.h, which
 * says what holds for all of it.
 *
 * Threads: the home shard. */
#pragma once

#include "core/history.h"
#include "core/letter.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct history_rule;
struct log_job;
struct roster;

/* What came while the log was being read: a SUBSCRIBE, PUBLISH or ASK, which is taken again. */
struct log_wait {
    struct log_wait *next;
    struct letter letter;
};

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
    bool is_end;                 /* the window is only the end of what is kept: the store, or the cluster, has more */
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
