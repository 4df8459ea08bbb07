/* tests/server/system/test_cgroup.c - limits of control groups, read from files as the kernel has them. */
#include "server/system/cgroup.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char root[64];

/* Writes a file below the root, with the folders it is in. */
static void put(const char *path, const char *text)
{
    char whole[512];
    snprintf(whole, sizeof whole, "%s%s", root, path);
    for (char *at = whole + strlen(root) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        mkdir(whole, 0700);
        *at = '/';
    }
    FILE *file = fopen(whole, "w");
    cr_assert_not_null(file, "%s", whole);
    fputs(text, file);
    fclose(file);
}

static void begin(void)
{
    snprintf(root, sizeof root, "/tmp/ringcast-cgroup-XXXXXX");
    cr_assert_not_null(mkdtemp(root));
}

static void end(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", root);
    cr_expect_eq(system(command), 0);
}

TestSuite(cgroup, .init = begin, .fini = end, .timeout = 10);

static void expect(uint64_t cpus, uint64_t memory_bytes)
{
    struct cgroup_limits limits;
    cgroup_read(root, &limits);
    cr_expect_eq(limits.cpus, cpus, "%llu CPUs", (unsigned long long)limits.cpus);
    cr_expect_eq(limits.memory_bytes, memory_bytes, "%llu bytes", (unsigned long long)limits.memory_bytes);
}

Test(cgroup, without_files_there_is_no_limit)
{
    expect(CGROUP_NONE, CGROUP_NONE);
    put("/proc/self/cgroup", "nonsense\n::\n0::\n");
    expect(CGROUP_NONE, CGROUP_NONE);
}

Test(cgroup, version_2_in_a_namespace_of_its_own)
{
    put("/proc/self/cgroup", "0::/\n");
    put("/sys/fs/cgroup/cpu.max", "150000 100000\n");
    put("/sys/fs/cgroup/memory.max", "536870912\n");
    expect(2, 536870912);
    put("/sys/fs/cgroup/cpu.max", "20000 100000\n");
    put("/sys/fs/cgroup/memory.max", "max\n");
    expect(1, CGROUP_NONE);
    put("/sys/fs/cgroup/cpu.max", "max 100000\n");
    expect(CGROUP_NONE, CGROUP_NONE);
    put("/sys/fs/cgroup/cpu.max", "100000\n");
    put("/sys/fs/cgroup/memory.max", "");
    expect(CGROUP_NONE, CGROUP_NONE);
}

Test(cgroup, version_2_is_bound_by_all_groups_above_it)
{
    put("/proc/self/cgroup", "0::/system.slice/ringcast.service\n");
    put("/sys/fs/cgroup/system.slice/ringcast.service/cpu.max", "800000 100000\n");
    put("/sys/fs/cgroup/system.slice/ringcast.service/memory.max", "1073741824\n");
    put("/sys/fs/cgroup/system.slice/cpu.max", "400000 100000\n");
    put("/sys/fs/cgroup/system.slice/memory.max", "2147483648\n");
    expect(4, 1073741824);
    put("/proc/self/cgroup", "0::/system.slice/../../elsewhere\n"); /* a group beyond this namespace */
    expect(CGROUP_NONE, CGROUP_NONE);
}

Test(cgroup, version_1_by_its_controllers)
{
    put("/proc/self/cgroup", "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n3:cpuset:/\n1:name=systemd:/\n");
    put("/sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us", "250000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us", "100000\n");
    put("/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "268435456\n");
    expect(3, 268435456);
    put("/sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "9223372036854771712\n");
    expect(CGROUP_NONE, CGROUP_NONE);
}

/* A container of version 1: the path is the machine's, and what is mounted is its own group alone. */
Test(cgroup, version_1_whose_group_is_mounted_as_the_topmost)
{
    put("/proc/self/cgroup", "5:memory:/docker/abc\n4:cpu:/docker/abc\n0::/docker/abc\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "134217728\n");
    expect(1, 134217728);
    put("/sys/fs/cgroup/unified/cpu.max", "max 100000\n");
    expect(1, 134217728);
}
