/* server/cluster/cluster_channel.h - one channel that this node reads, as the cluster's thread knows it; what is done
 * with it stands in cluster_channel_take.h and cluster_channels.h. Here: what is asked of Redis for it, what is told
 * of it.
 *
 * Memory: 144 bytes and its name; kept pushes while a gap is filled. Threads: one. */
#pragma once

#include "core/counters.h"
#include "core/name.h"
#include "server/cluster/cluster_kept.h"
#include "server/cluster/cluster_senders.h"

#include <sys/queue.h>

struct cluster_channels;

enum cluster_channel_state {
    CHANNEL_OUT,      /* not subscribed */
    CHANNEL_ENTERING, /* SUBSCRIBE was sent */
    CHANNEL_READING,  /* pushes come and are kept, until it is known where in the history they go on */
    CHANNEL_IN,       /* pushes are handed out as they come */
    CHANNEL_BEHIND,   /* pushes are kept: what is missing before them is read */
    CHANNEL_LEAVING,  /* UNSUBSCRIBE was sent; pushes are dropped */
};

struct cluster_channels_limits {
    uint64_t kept_bytes_max;      /* pushes that wait for what is missing before them, of all channels, */
    uint32_t kept_bytes_each_max; /* and of one */
    uint32_t gap_bytes_max;       /* what is read to fill a gap; more is told as a loss */
    uint32_t grace_ms;            /* how long a channel stays that nobody reads, */
    uint32_t grace_max;           /* and how many of them */
    uint32_t audits_per_s;
};

/* In which queue it stands: at most in one of these. */
enum cluster_channel_queue {
    QUEUE_NONE,
    QUEUE_SUBSCRIBE,
    QUEUE_GRACE, /* nobody here reads it, and it stays for a while */
    QUEUE_UNSUBSCRIBE,
};

enum cluster_question_kind {
    QUESTION_NONE,
    QUESTION_POSITION, /* XREVRANGE + - COUNT 1 */
    QUESTION_OPEN,     /* the script that makes the stream if there is none; its answer is one entry */
    QUESTION_READ,     /* XRANGE from + COUNT count_max */
    QUESTION_AUDIT,    /* XREVRANGE + - COUNT 1 */
    QUESTION_LAST,     /* a cache channel's last event: an entry, or none; */
    QUESTION_LAST_MS,  /* and, if there is one, for how long it is kept: no entry */
};

/* Fields are the cluster's; whoever it tells reads the name and what is its own. */
struct cluster_channel {
    struct name name; /* text stands behind the struct */
    void *of_home;    /* of whoever is told; NULL once it was told LEFT, and when nobody waits */
    uint32_t serial;  /* of the home's last entrance */
    uint16_t shard;

    uint16_t question_serial; /* of the only question whose answer counts */
    struct cluster_channel *next;
    TAILQ_ENTRY(cluster_channel) queued;
    STAILQ_ENTRY(cluster_channel) asking;
    struct stream_id position; /* of the last that was handed out; epoch 0: none is known */
    struct cluster_kept kept;
    struct cluster_senders senders;
    uint32_t grace_until_ds; /* tenths of a second */
    uint32_t kept_bytes;
    uint32_t gap_bytes;    /* read since the gap was found */
    uint32_t record_bytes; /* of a message here, about */
    uint32_t busy;         /* messages, of which half are forgotten each minute, */
    uint16_t busy_minute;  /* the last time then */
    uint8_t questions;     /* sent and not answered: it may not be freed */
    uint8_t level;         /* in which queue for SUBSCRIBE it stands */

    enum cluster_channel_state state : 3;
    enum cluster_channel_queue queue : 2;
    enum cluster_question_kind question : 3; /* waits to be sent, or was sent */
    bool is_waiting : 1;                     /* its home is to be told CLUSTER_TOLD_ENTERED */
    bool is_told : 1;                        /* and it is told what comes */
    bool is_question_sent : 1;
    bool is_asking : 1;   /* stands in that queue */
    bool is_numbered : 1; /* its messages have places */
    bool is_cached : 1;   /* a cache channel: who enters is told its last event */
    bool is_opened : 1;   /* somebody wants to know the place: there has to be one */
    bool is_loss_due : 1; /* to be told as soon as the place is known */
    bool is_unsure : 1;   /* there was no history when pushes ceased to come */
    bool is_short : 1;    /* pushes were dropped for which there was no room: read on until they are there */
    bool is_suspect : 1;  /* an audit found something that is to be looked at again */
};

enum cluster_told_kind {
    CLUSTER_TOLD_ENTERED,  /* the entrance is done; the channel's place is `position` */
    CLUSTER_TOLD_LEFT,     /* the entrance that waited is over, as the home left or gave it up */
    CLUSTER_TOLD_MESSAGES, /* the next ones, in order; may be none, then the place alone has moved */
    CLUSTER_TOLD_LOST, /* something may be missing: what was known is over, and the channel goes on at `position` */
};

struct cluster_told {
    enum cluster_told_kind kind;
    uint32_t count;
    const struct cluster_entry *entries; /* while it is told */
    struct stream_id position;           /* behind it; epoch 0: none */
};

typedef void cluster_tell(void *self, struct cluster_channel *channel, const struct cluster_told *told);

/* A question that goes out, and comes back with its answer. */
struct cluster_question {
    enum cluster_question_kind kind;
    uint32_t count_max;
    uint16_t serial;
    struct cluster_channel *channel;
    struct stream_id from; /* READ: from this on; AUDIT: the place as it was when asked */
};

STAILQ_HEAD(cluster_asking, cluster_channel);

/* What the files of this part share of all channels. */
struct cluster_channel_context {
    cluster_tell *tell;
    void *self; /* its first argument */
    struct counters *counters;
    uint64_t now_ms;
    uint64_t generation;
    uint64_t kept_bytes; /* of all channels */
    uint64_t kept_bytes_max;
    uint32_t kept_bytes_each_max;
    uint32_t gap_bytes_max;
    struct cluster_asking asking;
};

/* Tells it, if the home has entered. */
void cluster_channel_tell(struct cluster_channel_context *context, struct cluster_channel *channel,
                          const struct cluster_told *told);
/* Tells an entrance that waits that it is done. */
void cluster_channel_let_in(struct cluster_channel_context *context, struct cluster_channel *channel);
/* The channel goes on at this place, and something before it may be missing. */
void cluster_channel_lose(struct cluster_channel_context *context, struct cluster_channel *channel,
                          struct stream_id place);
/* Hands out what was next, those that were there before excepted. */
void cluster_channel_hand_out(struct cluster_channel_context *context, struct cluster_channel *channel,
                              const struct cluster_entry *entries, uint32_t count);

/* Another question is to be asked, whatever was asked before. */
void cluster_channel_ask(struct cluster_channel_context *context, struct cluster_channel *channel,
                         enum cluster_question_kind kind);
/* None is to be asked, and the answer to one that was does not count. */
void cluster_channel_unask(struct cluster_channel *channel);
/* Keeps a push; what there is no room for is dropped, and read later. */
void cluster_channel_keep(struct cluster_channel_context *context, struct cluster_channel *channel,
                          const struct cluster_entry *entries, uint32_t count);
/* Frees the first push that is kept. */
void cluster_channel_drop_kept(struct cluster_channel_context *context, struct cluster_channel *channel);
void cluster_channel_drop_all_kept(struct cluster_channel_context *context, struct cluster_channel *channel);
/* How busy it is, as a power of two. */
uint32_t cluster_channel_level(const struct cluster_channel *channel, uint64_t now_ms);
