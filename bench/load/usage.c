/* bench/load/usage.c - the process's CPU clock, and its mappings summed up by the kernel.
 *
 * The clock is exact to the last switch or tick of each thread, where the ticks of /proc/PID/stat are cut to 10 ms;
 * smaps_rollup is exact where the resident pages of /proc/PID/statm leave out what each CPU has not yet told. */
#include "bench/load/usage.h"

#include "bench/clock.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

static bool read_cpu(pid_t pid, uint64_t *cpu_ns_r)
{
    clockid_t clock;
    struct timespec time;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) return false;
    *cpu_ns_r = (uint64_t)time.tv_sec * NS_PER_SECOND + (uint64_t)time.tv_nsec;
    return true;
}

static FILE *open_file(pid_t pid, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    return fopen(path, "r");
}

static bool read_rollup(pid_t pid, uint64_t *rss_bytes_r)
{
    char line[256];
    uint64_t kib;
    bool found = false;
    FILE *file = open_file(pid, "smaps_rollup");
    if (file == NULL) return false;
    while (!found && fgets(line, sizeof line, file) != NULL) {
        found = sscanf(line, "Rss: %" SCNu64, &kib) == 1;
    }
    fclose(file);
    if (found) *rss_bytes_r = kib * 1024;
    return found;
}

static bool read_statm(pid_t pid, uint64_t *rss_bytes_r)
{
    uint64_t pages;
    FILE *file = open_file(pid, "statm");
    if (file == NULL) return false;
    bool found = fscanf(file, "%*u %" SCNu64, &pages) == 1;
    fclose(file);
    if (found) *rss_bytes_r = pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return found;
}

enum rc usage_read(pid_t pid, struct usage *usage_r)
{
    *usage_r = (struct usage){0};
    bool has_rss = read_rollup(pid, &usage_r->rss_bytes) || read_statm(pid, &usage_r->rss_bytes);
    return has_rss && read_cpu(pid, &usage_r->cpu_ns) ? RC_OK : RC_ENOENT;
}
