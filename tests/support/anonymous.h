/* tests/support/anonymous.h - how much memory of its own a process has, for programs that look at the heap. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* Without what is mapped of files: how much of the C library is resident depends on what else the machine does. */
static inline size_t anonymous_kib(void)
{
    char line[256];
    size_t kib = 0;
    bool is_found = false;
    FILE *file = fopen("/proc/self/smaps_rollup", "r"); /* Linux 4.14 */
    if (file == NULL) abort();
    while (!is_found && fgets(line, sizeof line, file) != NULL) {
        is_found = sscanf(line, "Anonymous: %zu kB", &kib) == 1;
    }
    fclose(file);
    if (!is_found) abort();
    return kib;
}
