/* tests/support/cluster_sim_private.h - what cluster_sim.c, the Redis and its nodes, and cluster_sim_judge.c
 * share. */
#pragma once

#include "tests/support/cluster_sim.h"

#define SIM_TEXTS_MAX  4096
#define SIM_QUEUE_MAX  8192
#define SIM_BATCH_MAX  8
#define SIM_PUBLISHERS 2

struct sim_text { /* one message that was published */
    uint32_t channel;
    uint64_t node;
    uint64_t counter;
    uint64_t first_clock;
    uint64_t clock; /* of the last time that it was given a place, or passed on */
    bool is_placed;
};

struct sim_entry {
    struct stream_id id;
    uint32_t text; /* 0 at a marker */
};

struct sim_stream {
    struct sim_entry *entries;
    uint32_t count;
    uint64_t epoch_least;  /* epochs grow */
    struct sim_entry last; /* of a cache channel */
};

struct sim_push { /* or an acknowledgement: count 0 */
    uint32_t channel;
    bool is_subscribe;
    uint32_t count;
    struct sim_entry entries[SIM_BATCH_MAX];
};

struct sim_question {
    struct cluster_question question;
    bool is_answered;
    uint32_t count;
    struct sim_entry *entries;
};

struct sim_name {
    uint32_t channel;
    bool is_subscribe;
};

struct sim_reader { /* a home's channel */
    bool is_wanted;
    bool is_in;
    bool is_waiting; /* to be told that it is in, once more perhaps */
    struct stream_id position;
    uint64_t entered_clock;
    uint64_t lost_clock;
    uint32_t losses, messages;
    bool *has_seen; /* by text */
};

struct sim_node {
    struct cluster_channels *channels;
    struct counters counters;
    bool is_subscribed[SIM_CHANNELS];
    struct sim_name names[16 * SIM_CHANNELS]; /* of commands that Redis has not taken */
    uint32_t names_count;
    struct sim_push *pushes; /* a ring of SIM_QUEUE_MAX */
    uint32_t pushes_from, pushes_count;
    struct sim_question *questions;
    uint32_t questions_count;
    struct sim_reader readers[SIM_CHANNELS];
};

struct sim_call { /* a publisher's last one of a channel */
    uint32_t texts[SIM_BATCH_MAX];
    uint32_t count;
    bool is_placed;
};

struct sim {
    enum sim_fault fault;
    uint32_t nodes_count;
    uint64_t now_ms;
    uint64_t clock; /* of steps */
    uint64_t generation;
    uint32_t serial;
    struct sim_stream streams[SIM_CHANNELS];
    struct sim_node nodes[SIM_NODES];
    struct sim_text *texts;
    uint32_t texts_count, texts_max;
    uint64_t counters[SIM_PUBLISHERS];
    struct sim_call calls[SIM_PUBLISHERS][SIM_CHANNELS];
    uint32_t faults;
    char first_fault[300];
};

__attribute__((format(printf, 2, 3))) void sim_fault(struct sim *sim, const char *format, ...);
/* As cluster_tell; self is the node, whose simulation stands beside it. */
void sim_judge_told(struct sim *sim, struct sim_node *node, const struct cluster_channel *channel,
                    const struct cluster_told *told);
