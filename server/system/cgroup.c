/* server/system/cgroup.c - from /proc/self/cgroup to the files of limits, of each group and those above it. */
#include "server/system/cgroup.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOUNT          "/sys/fs/cgroup"
#define LINE_BYTES_MAX (PATH_MAX + 256)
/* Version 1 has no word for "no limit": the largest number of pages, in bytes. */
#define V1_MEMORY_NONE (UINT64_C(1) << 62)

/* Where the groups of one controller are. */
struct hierarchy {
    char mount[256];
    char group[PATH_MAX]; /* "" is the topmost */
};

static bool read_first_line(const struct hierarchy *hierarchy, const char *name, char *line, int size)
{
    char path[PATH_MAX + 512];
    snprintf(path, sizeof path, "%s%s/%s", hierarchy->mount, hierarchy->group, name);
    FILE *file = fopen(path, "re");
    if (file == NULL) return false;
    bool is_read = fgets(line, size, file) != NULL;
    fclose(file);
    return is_read;
}

/* One number, or CGROUP_NONE: max, -1 and what is no number. */
static uint64_t number_of(const char *text)
{
    char *end;
    uint64_t number = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && end != text ? number : CGROUP_NONE;
}

static void lower(uint64_t *limit, uint64_t to)
{
    if (to < *limit) *limit = to;
}

static void lower_cpus(struct cgroup_limits *limits, uint64_t quota_us, uint64_t period_us)
{
    if (quota_us == CGROUP_NONE || period_us == CGROUP_NONE || period_us == 0) return;
    uint64_t cpus = quota_us / period_us + (quota_us % period_us > 0);
    lower(&limits->cpus, cpus > 0 ? cpus : 1);
}

static void look_v2(const struct hierarchy *hierarchy, struct cgroup_limits *limits)
{
    char line[64];
    if (read_first_line(hierarchy, "cpu.max", line, sizeof line)) {
        const char *period = strchr(line, ' ');
        lower_cpus(limits, number_of(line), period != NULL ? number_of(period + 1) : CGROUP_NONE);
    }
    if (read_first_line(hierarchy, "memory.max", line, sizeof line)) lower(&limits->memory_bytes, number_of(line));
}

static void look_v1(const struct hierarchy *hierarchy, struct cgroup_limits *limits)
{
    char quota[64], period[64], memory[64];
    if (read_first_line(hierarchy, "cpu.cfs_quota_us", quota, sizeof quota) &&
        read_first_line(hierarchy, "cpu.cfs_period_us", period, sizeof period)) {
        lower_cpus(limits, number_of(quota), number_of(period));
    }
    if (!read_first_line(hierarchy, "memory.limit_in_bytes", memory, sizeof memory)) return;
    uint64_t bytes = number_of(memory);
    if (bytes < V1_MEMORY_NONE) lower(&limits->memory_bytes, bytes);
}

/* The group and all above it. In a container without a namespace of its own the group's path is the machine's, of which
 * only the end is mounted here, as the topmost. */
static void look_upwards(struct hierarchy *hierarchy, void (*look)(const struct hierarchy *, struct cgroup_limits *),
                         struct cgroup_limits *limits)
{
    if (strstr(hierarchy->group, "..") != NULL) hierarchy->group[0] = '\0'; /* beyond what is mounted */
    for (char *end = strchr(hierarchy->group, '\0'); end != NULL; end = strrchr(hierarchy->group, '/')) {
        *end = '\0';
        look(hierarchy, limits);
    }
}

static bool names(const char *controllers, const char *controller)
{
    size_t length = strlen(controller);
    for (const char *at = controllers; (at = strstr(at, controller)) != NULL; at += length) {
        bool begins = at == controllers || at[-1] == ',';
        if (begins && (at[length] == ',' || at[length] == '\0')) return true;
    }
    return false;
}

static void look_below(const char *root, const char *folder, const char *group,
                       void (*look)(const struct hierarchy *, struct cgroup_limits *), struct cgroup_limits *limits)
{
    struct hierarchy hierarchy;
    snprintf(hierarchy.mount, sizeof hierarchy.mount, "%s" MOUNT "%s%s", root, folder[0] != '\0' ? "/" : "", folder);
    snprintf(hierarchy.group, sizeof hierarchy.group, "%s", group);
    look_upwards(&hierarchy, look, limits);
}

/* A line is "0::/group" of version 2, "4:cpu,cpuacct:/group" of version 1. */
static void look_at(const char *root, char *line, struct cgroup_limits *limits)
{
    char *controllers = strchr(line, ':');
    char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    if (group == NULL) return;
    *group++ = '\0';
    controllers++;
    if (controllers[0] == '\0') {
        look_below(root, "", group, look_v2, limits);
        look_below(root, "unified", group, look_v2, limits); /* beside version 1 */
    } else if (names(controllers, "cpu") || names(controllers, "memory")) {
        look_below(root, controllers, group, look_v1, limits);
    }
}

void cgroup_read(const char *root, struct cgroup_limits *limits_r)
{
    char path[256], line[LINE_BYTES_MAX];
    *limits_r = (struct cgroup_limits){.cpus = CGROUP_NONE, .memory_bytes = CGROUP_NONE};
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *file = fopen(path, "re");
    if (file == NULL) return;
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        look_at(root, line, limits_r);
    }
    fclose(file);
}
