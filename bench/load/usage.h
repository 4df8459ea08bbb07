/* bench/load/usage.h - CPU time and memory of a process, as far as they can be read from outside. */
#pragma once

#include "core/rc.h"

#include <stdint.h>
#include <sys/types.h>

struct usage {
    uint64_t cpu_ns;    /* of all its threads, those that have ended and those of io_uring too */
    uint64_t rss_bytes; /* resident memory */
};

/* RC_ENOENT: there is no such process, or it may not be looked at. */
enum rc usage_read(pid_t pid, struct usage *usage_r);
