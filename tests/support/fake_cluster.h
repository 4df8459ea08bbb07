/* tests/support/fake_cluster.h - server/cluster/cluster.h again, in memory: linked in place of
 * server/cluster/cluster.c, with other nodes that say what the test says.
 *
 * It runs on the fake kernel besides the shards: the seed chooses when it does what it was asked, which answers come
 * before which messages, and what fails. What is to be kept in order is: what is published in a channel, what is told
 * of it, and a publish of nothing behind what was published before. Streams outlive scenario_stop(), so that the next
 * start is a restart of this node alone. What a home may not do is asserted: enter what it is in, leave what it is not
 * in, have two channels of one serial.
 * Threads: the test's, between two steps; shards ask and receive in their own turns.
 * Memory:  by reallocarray(), which does not fail (tests/support/scarce.h); messages and events may. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Of a server with other nodes. */
#define FAKE_CLUSTER_FLAGS "--redis", "redis://127.0.0.1:1"

/* Forgets all streams, and all settings below. */
void fake_cluster_forget(void);
/* Changed between two steps. */
struct fake_cluster_settings {
    bool is_away;         /* it does nothing of what it was asked, and tells nothing */
    bool is_failing;      /* it answers that it cannot, and tells nothing */
    uint32_t fail_one_in; /* about one job in so many fails; 0: none */
    uint32_t jobs_max;    /* of a shard under way; 0: as many as come */
};
extern struct fake_cluster_settings fake_cluster_settings;

/* Another node publishes an event "x" there, which is kept or not; data is a JSON string's inside. */
void fake_cluster_publish(const char *channel, const char *data, bool is_for_history);
/* The stream is gone, as if it was deleted; who reads the channel is told, with the position that it goes on from or
 * without any. */
void fake_cluster_lose(const char *channel, bool has_position);
/* Jobs that were taken and not answered yet. */
uint32_t fake_cluster_jobs(void);
/* What was done in all, so that a test can say that it was worth it. */
struct fake_cluster_counts {
    uint32_t published, repeats, entered, left, reads, lost;
};
extern struct fake_cluster_counts fake_cluster_counts;
