/* net/refusal.c - why a system call is refused, as far as the error and the machine's settings tell. */
#include "net/refusal.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>

/* The errors with which a seccomp profile answers. */
static bool is_forbidden(int error)
{
    return error == ENOSYS || error == EPERM || error == EACCES;
}

static void read_setting(const char *path, char *line, int size)
{
    line[0] = '\0';
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        if (fgets(line, size, file) == NULL) line[0] = '\0';
        fclose(file);
    }
    line[strcspn(line, "\n")] = '\0';
    if (line[0] == '\0') snprintf(line, (size_t)size, "absent");
}

static void forbid_io_uring(const char *call, int error, const char *release, char *reason, size_t size)
{
    char disabled[16], group[16];
    read_setting("/proc/sys/kernel/io_uring_disabled", disabled, sizeof disabled);
    read_setting("/proc/sys/kernel/io_uring_group", group, sizeof group);
    /* The settings have a say in making a ring alone. */
    bool is_setup = strcmp(call, "io_uring_setup") == 0;
    snprintf(reason, size,
             "io_uring is not allowed here: %s is refused (%s; kernel %s, kernel.io_uring_disabled=%s, "
             "io_uring_group=%s): allow it%s with a seccomp profile of the container or service that permits "
             "io_uring_setup, io_uring_enter and io_uring_register (--security-opt seccomp=profile.json, "
             "SystemCallFilter=)",
             call, strerror(error), release, disabled, group,
             is_setup ? " with sysctl kernel.io_uring_disabled=0, or" : "");
}

void refusal_of_io_uring(const char *call, int error, char *reason_r, size_t reason_size)
{
    struct utsname system;
    struct rlimit locked = {0};
    uname(&system);
    if (is_forbidden(error)) {
        forbid_io_uring(call, error, system.release, reason_r, reason_size);
    } else if (error == ENOMEM) {
        getrlimit(RLIMIT_MEMLOCK, &locked);
        snprintf(
            reason_r, reason_size,
            "no memory for an io_uring (%s; kernel %s, RLIMIT_MEMLOCK %llu KiB): raise the limit of locked memory "
            "(ulimit -l, LimitMEMLOCK=infinity), start fewer --shards or free memory",
            call, system.release, (unsigned long long)locked.rlim_cur / 1024);
    } else if (error == EINVAL) {
        snprintf(reason_r, reason_size, "kernel %s lacks what io_uring is asked for (%s): run Linux 6.1 or newer",
                 system.release, call);
    } else {
        snprintf(reason_r, reason_size, "%s failed: %s (kernel %s)", call, strerror(error), system.release);
    }
}

void refusal_of_thread(const char *what, int error, char *reason_r, size_t reason_size)
{
    const char *cure = "";
    if (error == EAGAIN) cure = ": raise the limit of tasks (ulimit -u, TasksMax=, pids.max) or of memory";
    if (is_forbidden(error)) {
        cure = ": let the seccomp profile of the container or service permit clone3 and clone, or answer clone3 with "
               "ENOSYS";
    }
    snprintf(reason_r, reason_size, "no thread can be made for %s: %s%s", what, strerror(error), cure);
}

void refusal_of_call(const char *call, int error, const char *use, char *reason_r, size_t reason_size)
{
    const char *cure = "";
    if (is_forbidden(error)) cure = ": let the seccomp profile of the container or service permit it";
    snprintf(reason_r, reason_size, "%s, needed %s, is refused: %s%s", call, use, strerror(error), cure);
}
