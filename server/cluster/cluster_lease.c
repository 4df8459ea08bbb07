/* server/cluster/cluster_lease.c - leases: pauses, and a list of nodes. */
#include "server/cluster/cluster_lease.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

struct other {
    char node[LEASE_NODE_BYTES + 1];
    bool is_seen; /* in the answer that is being read */
    bool is_running;
    uint64_t sweep_ms; /* not running: when; UINT64_MAX: it is being done */
};

struct cluster_lease {
    char node[LEASE_NODE_BYTES + 1];
    uint64_t lease_ms;
    uint64_t renew_ms; /* when */
    bool is_under_way;
    bool has_lease; /* under this name */
    struct other *others;
    uint32_t count;
    uint32_t capacity;
};

static void set_node(struct cluster_lease *lease, uint64_t number)
{
    snprintf(lease->node, sizeof lease->node, "%016llx", (unsigned long long)number);
}

struct cluster_lease *cluster_lease_new(uint64_t lease_ms, uint64_t number)
{
    struct cluster_lease *lease = malloc(sizeof *lease);
    if (lease == NULL) return NULL;
    *lease = (struct cluster_lease){.lease_ms = lease_ms};
    set_node(lease, number);
    return lease;
}

void cluster_lease_free(struct cluster_lease *lease)
{
    if (lease != NULL) free(lease->others);
    free(lease);
}

const char *cluster_lease_node(const struct cluster_lease *lease)
{
    return lease->node;
}

uint64_t cluster_lease_ms(const struct cluster_lease *lease)
{
    return lease->lease_ms;
}

/* ---- its own ---- */

bool cluster_lease_is_due(const struct cluster_lease *lease, uint64_t now_ms)
{
    return !lease->is_under_way && now_ms >= lease->renew_ms;
}

uint64_t cluster_lease_due_ms(const struct cluster_lease *lease)
{
    uint64_t due_ms = lease->is_under_way ? UINT64_MAX : lease->renew_ms;
    for (uint32_t i = 0; i < lease->count; i++) {
        const struct other *other = &lease->others[i];
        if (!other->is_running && other->sweep_ms < due_ms) due_ms = other->sweep_ms;
    }
    return due_ms;
}

void cluster_lease_sent(struct cluster_lease *lease, uint64_t now_ms)
{
    assert(!lease->is_under_way);
    lease->is_under_way = true;
    lease->renew_ms = now_ms + lease->lease_ms / 3;
}

void cluster_lease_reset(struct cluster_lease *lease)
{
    lease->is_under_way = false;
    lease->renew_ms = 0;
}

bool cluster_lease_renewed(struct cluster_lease *lease, bool was_running, uint64_t number)
{
    assert(lease->is_under_way);
    bool is_over = lease->has_lease && !was_running;
    lease->is_under_way = false;
    lease->has_lease = true;
    for (uint32_t i = 0; i < lease->count; i++) {
        lease->others[i].is_seen = false;
    }
    if (is_over) {
        set_node(lease, number);
        lease->has_lease = false;
        lease->renew_ms = 0;
    }
    return is_over;
}

/* ---- the others ---- */

static struct other *find(const struct cluster_lease *lease, struct text node)
{
    for (uint32_t i = 0; i < lease->count; i++) {
        if (text_is(node, lease->others[i].node)) return &lease->others[i];
    }
    return NULL;
}

static enum rc add(struct cluster_lease *lease, struct text node, struct other **other_r)
{
    if (lease->count == LEASE_NODES_MAX) return RC_EFULL;
    if (lease->count == lease->capacity) {
        uint32_t capacity = lease->capacity > 0 ? 2 * lease->capacity : 4;
        struct other *others = realloc(lease->others, capacity * sizeof *others);
        if (others == NULL) return RC_ENOMEM;
        lease->others = others;
        lease->capacity = capacity;
    }
    *other_r = &lease->others[lease->count++];
    **other_r = (struct other){.is_running = true};
    text_put((*other_r)->node, node);
    return RC_OK;
}

/* The same for the same two nodes, and another one for others. */
static uint64_t wait_ms(const struct cluster_lease *lease, const struct other *other)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a: the names are random as it is */
    for (size_t i = 0; i < 2 * LEASE_NODE_BYTES; i++) {
        char letter = i < LEASE_NODE_BYTES ? lease->node[i] : other->node[i - LEASE_NODE_BYTES];
        hash = (hash ^ (uint8_t)letter) * UINT64_C(0x100000001b3);
    }
    return (hash >> 16) % LEASE_WAIT_MS;
}

enum rc cluster_lease_see(struct cluster_lease *lease, struct text node, bool is_running, uint64_t now_ms)
{
    if (node.count == 0 || node.count > LEASE_NODE_BYTES) return RC_OK; /* none of ours */
    if (text_is(node, lease->node)) return RC_OK;
    struct other *other = find(lease, node);
    enum rc rc = other == NULL ? add(lease, node, &other) : RC_OK;
    if (rc != RC_OK) return rc;
    if (other->is_running && !is_running) other->sweep_ms = now_ms + wait_ms(lease, other);
    other->is_running = is_running;
    other->is_seen = true;
    return RC_OK;
}

void cluster_lease_renewed_end(struct cluster_lease *lease)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < lease->count; i++) {
        if (lease->others[i].is_seen) lease->others[kept++] = lease->others[i];
    }
    lease->count = kept;
}

bool cluster_lease_next_running(const struct cluster_lease *lease, uint32_t *index, struct text *node_r)
{
    while (*index < lease->count) {
        const struct other *other = &lease->others[(*index)++];
        if (!other->is_running) continue;
        *node_r = text_of(other->node);
        return true;
    }
    return false;
}

uint32_t cluster_lease_running(const struct cluster_lease *lease)
{
    uint32_t index = 0, count = 0;
    struct text node;
    while (cluster_lease_next_running(lease, &index, &node)) {
        count++;
    }
    return count;
}

bool cluster_lease_is_running(const struct cluster_lease *lease, struct text node)
{
    const struct other *other = find(lease, node);
    return other != NULL && other->is_running;
}

bool cluster_lease_take_swept(struct cluster_lease *lease, uint64_t now_ms, struct text *node_r)
{
    for (uint32_t i = 0; i < lease->count; i++) {
        struct other *other = &lease->others[i];
        if (other->is_running || other->sweep_ms > now_ms) continue;
        other->sweep_ms = UINT64_MAX;
        *node_r = text_of(other->node);
        return true;
    }
    return false;
}

void cluster_lease_sweep_again(struct cluster_lease *lease, struct text node, uint64_t now_ms)
{
    struct other *other = find(lease, node);
    if (other != NULL && !other->is_running) other->sweep_ms = now_ms + LEASE_WAIT_MS;
}
