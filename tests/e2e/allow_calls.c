/* tests/e2e/allow_calls.c NUMBER,NUMBER,... PROGRAM [ARGUMENT]... - runs a program that may make these system calls and
 * no others, which say EPERM: as under a unit with SystemCallFilter= and SystemCallErrorNumber=EPERM. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#define CALLS_MAX 1000

/* Two instructions for each call, since a jump goes no further than 255. */
static struct sock_filter filter[2 * CALLS_MAX + 2] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
};

/* How long the filter is; 0: that is no list of numbers. */
static size_t make_filter(const char *numbers)
{
    size_t used = 1;
    for (char *end; used <= 2 * CALLS_MAX; numbers = end + 1) {
        unsigned long number = strtoul(numbers, &end, 10);
        if (end == numbers || (*end != ',' && *end != '\0')) return 0;
        filter[used++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1);
        filter[used++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
        if (*end == '\0') break;
    }
    filter[used++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    return used;
}

int main(int argc, char **argv)
{
    struct sock_fprog program = {.filter = filter};
    if (argc > 2) program.len = (unsigned short)make_filter(argv[1]);
    if (program.len == 0) {
        fputs("usage: allow_calls NUMBER,NUMBER,... PROGRAM [ARGUMENT]...\n", stderr);
        return 126;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0)
        execv(argv[2], argv + 2);
    perror("allow_calls");
    return 126;
}
