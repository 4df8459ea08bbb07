/* server/system/process.c - reading /proc/self. */
#include "server/system/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Without stdio, for which every read allocates. */
static void read_memory(struct process_use *use)
{
    char text[128];
    unsigned long long size = 0, resident = 0;
    int descriptor = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return;
    ssize_t count = read(descriptor, text, sizeof text - 1);
    close(descriptor);
    text[count > 0 ? count : 0] = '\0';
    if (sscanf(text, "%llu %llu", &size, &resident) != 2) return;
    use->virtual_bytes = size * (uint64_t)sysconf(_SC_PAGESIZE);
    use->resident_bytes = resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t count_descriptors(void)
{
    uint64_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL) return 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count > 0 ? count - 1 : 0; /* but that of the folder */
}

struct process_use process_use(void)
{
    struct process_use use = {.descriptors = count_descriptors()};
    struct timespec used;
    struct rlimit limit;
    read_memory(&use);
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0)
        use.cpu_ms = (uint64_t)used.tv_sec * 1000 + (uint64_t)used.tv_nsec / 1000000;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) use.descriptors_max = limit.rlim_cur;
    return use;
}
