/* server/cluster/cluster_lease.h - this node's lease at Redis, and those of the others: when to renew it, who runs,
 * and whose is over and is to be swept. No input or output.
 *
 * A node has a random name for each start, and a new one when its lease was over: what was under the old one is
 * swept by whoever sees that it is over, so a dead life and its successor are two nodes. Times of leases are
 * Redis's; here there are only pauses. All nodes see the same leases end, so each waits up to a second, another one
 * for each pair, before it sweeps; all may, and of each member only one is told that it was the one.
 * Threads: one. Bounds: LEASE_NODES_MAX nodes; of more the rest is not seen until some are gone. */
#pragma once

#include "core/rc.h"
#include "core/text.h"

#include <stdbool.h>
#include <stdint.h>

#define LEASE_NODES_MAX  1000
#define LEASE_NODE_BYTES 16
#define LEASE_WAIT_MS    1000

struct cluster_lease;

/* `number` is random. NULL: out of memory. */
struct cluster_lease *cluster_lease_new(uint64_t lease_ms, uint64_t number);
/* Accepts NULL. */
void cluster_lease_free(struct cluster_lease *lease);

/* The node's name, hexadecimal; terminated. */
const char *cluster_lease_node(const struct cluster_lease *lease);
uint64_t cluster_lease_ms(const struct cluster_lease *lease);

/* Is it to be renewed now? Each third of its time, and at once after cluster_lease_reset(); not while it is. */
bool cluster_lease_is_due(const struct cluster_lease *lease, uint64_t now_ms);
/* When it is, or somebody is to be swept. */
uint64_t cluster_lease_due_ms(const struct cluster_lease *lease);
void cluster_lease_sent(struct cluster_lease *lease, uint64_t now_ms);
/* No answer comes any more: of another connection it is asked for at once. */
void cluster_lease_reset(struct cluster_lease *lease);

/* RENEW is answered: this, then one call for each node that it names, then _renewed_end(). True: the lease was
 * over, so the node has another name now, `number`, which is to be renewed at once. */
bool cluster_lease_renewed(struct cluster_lease *lease, bool was_running, uint64_t number);
/* RC_ENOMEM or RC_EFULL: it is seen another time. */
enum rc cluster_lease_see(struct cluster_lease *lease, struct text node, bool is_running, uint64_t now_ms);
void cluster_lease_renewed_end(struct cluster_lease *lease);

/* The others whose leases run: start with *index = 0; false behind the last. */
bool cluster_lease_next_running(const struct cluster_lease *lease, uint32_t *index, struct text *node_r);
uint32_t cluster_lease_running(const struct cluster_lease *lease);
bool cluster_lease_is_running(const struct cluster_lease *lease, struct text node);

/* Whom to sweep now; false: nobody. Once it was given it is not given again, until RENEW has not named it, or
 * cluster_lease_sweep_again(). */
bool cluster_lease_take_swept(struct cluster_lease *lease, uint64_t now_ms, struct text *node_r);
/* It could not be done. */
void cluster_lease_sweep_again(struct cluster_lease *lease, struct text node, uint64_t now_ms);
