/* tests/server/system/test_process.c - what the kernel says of this process is read right. */
#include "server/system/process.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)

Test(process, descriptors_are_counted, .timeout = 10)
{
    uint64_t before = process_use().descriptors;
    int descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC);
    cr_expect_eq(process_use().descriptors, before + 1);
    close(descriptor);
    cr_expect_eq(process_use().descriptors, before, "reading leaves none open");
    cr_expect_geq(before, 3);
}

Test(process, the_limit_is_the_soft_one, .timeout = 10)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 64;
    setrlimit(RLIMIT_NOFILE, &limit);
    cr_expect_eq(process_use().descriptors_max, 64);
}

Test(process, memory_that_is_touched_is_resident, .timeout = 10)
{
    struct process_use before = process_use();
    char *memory = malloc(16 * MIB);
    memset(memory, 1, 16 * MIB);
    struct process_use after = process_use();
    cr_expect_geq(after.resident_bytes, before.resident_bytes + 12 * MIB);
    cr_expect_geq(after.virtual_bytes, after.resident_bytes);
    cr_expect_eq(memory[MIB], 1);
    free(memory);
}

Test(process, processor_time_grows_with_work, .timeout = 60)
{
    uint64_t before = process_use().cpu_ms;
    while (process_use().cpu_ms < before + 20)
        continue;
    cr_expect_geq(process_use().cpu_ms, before + 20);
}
