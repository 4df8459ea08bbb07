/* server/system/process.h - what the kernel knows of this process: what it holds and has used. Any thread; a few small
 * reads of /proc, some 50 us and one more for each open descriptor. */
#pragma once

#include <stdint.h>

struct process_use {
    uint64_t resident_bytes;
    uint64_t virtual_bytes;
    uint64_t cpu_ms;          /* of all threads */
    uint64_t descriptors;     /* open; connections are none, they have places in the rings' own tables */
    uint64_t descriptors_max; /* RLIMIT_NOFILE */
};

/* What cannot be read is 0. */
struct process_use process_use(void);
