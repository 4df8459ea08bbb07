/* tests/support/cluster_sim.h - a Redis in memory with some nodes' tables of channels
 * (server/cluster/cluster_channels.h) on it, and a judge. Nothing happens by itself: each step is one thing that
 * happens somewhere, so a test can have them in any order.
 *
 * Between a node and Redis lie, as in a real one, two connections: B, over which names go and acknowledgements and
 * pushes come, and A, over which questions go and answers come; each keeps its order, and there is none between both.
 * The judge looks at each thing that a home is told as it comes, and in sim_judge() at what should have come. It
 * counts faults, and remembers the first in words. */
#pragma once

#include "server/cluster/cluster_channels.h"

#define SIM_CHANNELS 4 /* the second is a cache channel, the last one keeps no history */
#define SIM_NODES    3

/* Faults that are built in, to see that the judge finds them. */
enum sim_fault {
    SIM_SOUND,
    SIM_NO_TOKENS,       /* a repeat has another counter */
    SIM_SAME_GENERATION, /* a restart that forgot something is not told */
    SIM_LOSSES_UNTOLD,   /* the readers do not hear of losses */
};

struct sim;

/* At most so many messages are published. */
struct sim *sim_new(enum sim_fault fault, uint32_t nodes, uint32_t messages_max);
void sim_free(struct sim *sim);

/* ---- steps; false: there was nothing to do ---- */

/* Of the channel without history `is_opened` says that it is a cache channel. */
bool sim_enter(struct sim *sim, uint32_t node, uint32_t channel, bool is_opened);
/* A home that is in wants a place. */
bool sim_enter_again(struct sim *sim, uint32_t node, uint32_t channel);
/* A home that waits has waited for too long. */
bool sim_give_up(struct sim *sim, uint32_t node, uint32_t channel);
bool sim_leave(struct sim *sim, uint32_t node, uint32_t channel);
/* So many messages in one call, by a node of those that publish; placed or, `is_placed` false, only passed on. */
bool sim_publish(struct sim *sim, uint32_t publisher, uint32_t channel, uint32_t count, bool is_placed);
/* That publisher's last call of the channel once more, whose answer was lost. */
bool sim_repeat(struct sim *sim, uint32_t publisher, uint32_t channel);
/* The node sends all that is to be sent. */
bool sim_send(struct sim *sim, uint32_t node);
bool sim_redis_takes_names(struct sim *sim, uint32_t node);
bool sim_node_takes_push(struct sim *sim, uint32_t node); /* or acknowledgement */
bool sim_redis_takes_question(struct sim *sim, uint32_t node);
bool sim_node_takes_answer(struct sim *sim, uint32_t node);
bool sim_node_takes_error(struct sim *sim, uint32_t node); /* in place of an answer */
bool sim_end_b(struct sim *sim, uint32_t node);
bool sim_end_a(struct sim *sim, uint32_t node);
bool sim_unsubscribe_unasked(struct sim *sim, uint32_t node, uint32_t channel);
bool sim_delete(struct sim *sim, uint32_t channel);
bool sim_flush(struct sim *sim);
/* All but the last so many entries go. */
bool sim_trim(struct sim *sim, uint32_t channel, uint32_t kept);
/* All connections end, and of each stream the last so many entries are forgotten, or all. */
bool sim_restart(struct sim *sim, uint32_t forgotten);
bool sim_wait(struct sim *sim, uint64_t ms);

/* Everything under way comes, and audits have looked at everything. */
void sim_settle(struct sim *sim);
/* Faults until now, of all nodes: after sim_settle() also what has not come. *first_r: in words, of the first; the
 * simulator's. */
uint32_t sim_judge(struct sim *sim, const char **first_r);

/* ---- facts ---- */

struct cluster_channel *sim_channel(const struct sim *sim, uint32_t node, uint32_t channel); /* NULL: none */
struct cluster_channels *sim_channels(const struct sim *sim, uint32_t node);
struct counters *sim_counters(struct sim *sim, uint32_t node);
/* How many losses this home was told since it entered; how many messages. */
uint32_t sim_losses(const struct sim *sim, uint32_t node, uint32_t channel);
uint32_t sim_messages(const struct sim *sim, uint32_t node, uint32_t channel);
uint32_t sim_published(const struct sim *sim);
bool sim_is_in(const struct sim *sim, uint32_t node, uint32_t channel); /* its home was told so */
