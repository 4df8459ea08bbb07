/* server/run/limits.c - RLIMIT_NOFILE, the CPU set and the control group.
 *
 * Connections are no descriptors of the process but places in the rings' own tables; the kernel bounds the length of
 * each table by RLIMIT_NOFILE all the same, so that limit says how many connections a shard can hold. */
#include "server/run/limits.h"

#include "core/letter.h"
#include "server/protocol/socket_id.h"
#include "server/run/server.h"

#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define SLOTS_MIN             16                  /* of a shard, below which it is of no use */
#define SLOTS_MAX             (UINT32_C(1) << 20) /* the kernel's bound of a file table */
#define DESCRIPTORS_BASE      32                  /* standard streams, log, what libraries open */
#define DESCRIPTORS_A_SHARD   8                   /* ring, signal; without its listeners */
#define DESCRIPTORS_A_WEBHOOK 8                   /* requests under way, kept connections */

_Static_assert(SLOTS_MAX <= SOCKET_ID_SLOTS_MAX, "a socket id has room for every slot");

/* The processors that we may run on, but no more than we get the time of: more threads would only wait for each
 * other. */
static uint32_t cpus(const struct cgroup_limits *cgroup)
{
    cpu_set_t set;
    uint64_t count = 1;
    if (sched_getaffinity(0, sizeof set, &set) == 0) count = (uint64_t)CPU_COUNT(&set);
    if (cgroup->cpus < count) count = cgroup->cpus;
    return count < HOMES_MAX ? (uint32_t)count : HOMES_MAX;
}

static uint64_t raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

static uint64_t descriptors_needed(const struct options *options)
{
    uint64_t needed = DESCRIPTORS_BASE + (uint64_t)options->shards * (DESCRIPTORS_A_SHARD + options->listen.count +
                                                                      options->tls_listen.count);
    if (options->control.count > 0) needed += DESCRIPTORS_A_SHARD + options->control.count; /* a thread of its own */
    for (uint32_t i = 0; i < options->app.count; i++) {
        if (options->app.items[i].webhook[0] != '\0') needed += DESCRIPTORS_A_WEBHOOK;
    }
    return needed;
}

enum rc limits_settle(struct options *options, const struct cgroup_limits *cgroup, uint32_t *slots_max_r,
                      char *warning_r, size_t warning_size, char *reason_r, size_t reason_size)
{
    warning_r[0] = '\0';
    if (options->shards == 0) options->shards = cpus(cgroup);
    uint64_t descriptors = raise_descriptors();
    uint64_t needed = descriptors_needed(options);
    if (descriptors < needed || descriptors < SLOTS_MIN) {
        snprintf(reason_r, reason_size,
                 "RLIMIT_NOFILE is %llu, but %u shards need at least %llu descriptors: raise it (ulimit -n, "
                 "LimitNOFILE=) or start fewer --shards",
                 (unsigned long long)descriptors, options->shards, (unsigned long long)needed);
        return RC_EKERNEL;
    }
    uint64_t slots = descriptors < SLOTS_MAX ? descriptors : SLOTS_MAX;
    /* A shard may get more than its share, since the kernel spreads connections by hash: a sixteenth stays free. */
    uint64_t possible = options->shards * (slots - slots / 16);
    if (options->connections_max == 0) {
        options->connections_max = (uint32_t)possible;
    } else if (options->connections_max > possible) {
        snprintf(warning_r, warning_size,
                 "connections_max is lowered from %u to %llu, because RLIMIT_NOFILE is %llu: raise it (ulimit -n, "
                 "LimitNOFILE=) for more",
                 options->connections_max, (unsigned long long)possible, (unsigned long long)descriptors);
        options->connections_max = (uint32_t)possible;
    }
    /* All connections may come to one shard; and the one too many must find a place, to be told and closed. */
    uint64_t wanted = (uint64_t)options->connections_max + options->connections_max / 16 + SLOTS_MIN;
    *slots_max_r = (uint32_t)(wanted < slots ? wanted : slots);
    return RC_OK;
}

static uint64_t machine_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    return pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes : CGROUP_NONE;
}

uint64_t limits_memory(const struct cgroup_limits *cgroup, bool *is_group_r)
{
    uint64_t machine = machine_bytes();
    *is_group_r = cgroup->memory_bytes < machine;
    return *is_group_r ? cgroup->memory_bytes : machine;
}

void limits_weigh(const struct options *options, const struct cgroup_limits *cgroup, char *warning_r,
                  size_t warning_size)
{
    bool is_group;
    uint64_t needed = server_buffers_bytes(options), there = limits_memory(cgroup, &is_group);
    warning_r[0] = '\0';
    if (needed <= there / 2) return; /* connections and messages need some, too */
    snprintf(warning_r, warning_size,
             "the buffers of %u shards need up to %llu MiB, and %s has %llu MiB of memory: start fewer --shards, or "
             "lower --receive-buffers or --mailbox-letters, or the kernel may end the server",
             options->shards, (unsigned long long)(needed / MIB), is_group ? "its control group" : "this machine",
             (unsigned long long)(there / MIB));
}
