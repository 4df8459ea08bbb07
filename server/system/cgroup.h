/* server/system/cgroup.h - what the control groups of this process let it have, of both versions.
 *
 * Sources: Documentation/admin-guide/cgroup-v2.rst (cpu.max, memory.max), cgroup-v1/memory.rst
 * (memory.limit_in_bytes), scheduler/sched-bwc.rst (cpu.cfs_quota_us, cpu.cfs_period_us). The controllers are looked
 * for where systemd and containers mount them, below /sys/fs/cgroup. A group is bound by those above it as well. */
#pragma once

#include <stdint.h>

#define CGROUP_NONE UINT64_MAX

struct cgroup_limits {
    uint64_t cpus;         /* the quota of time in whole CPUs, rounded up, at least 1; CGROUP_NONE: there is none */
    uint64_t memory_bytes; /* CGROUP_NONE: there is none */
};

/* Files that are absent or say something else mean no limit. `root` stands before /proc and /sys: "", or where a test
 * has made them. Any thread. */
void cgroup_read(const char *root, struct cgroup_limits *limits_r);
