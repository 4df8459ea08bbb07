/* tests/e2e/deny_call.c CALL ERRNO PROGRAM [ARGUMENT]... - runs a program to which a system call says ERRNO, as a
 * container's seccomp profile or an old kernel would. Both are names, of the tables below. io_uring_enter_later is
 * io_uring_enter with a registered ring: what works while the server probes, and no more once it runs. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LATER (-2)

static const struct known {
    const char *name;
    int value;
} calls[] = {{"io_uring_setup", SYS_io_uring_setup},
             {"io_uring_register", SYS_io_uring_register},
             {"io_uring_enter", SYS_io_uring_enter},
             {"io_uring_enter_later", LATER},
             {"clone3", SYS_clone3},
             {"getrandom", SYS_getrandom},
             {"rt_sigtimedwait", SYS_rt_sigtimedwait},
             {NULL, -1}},
  errors[] = {{"ENOSYS", ENOSYS}, {"EPERM", EPERM}, {"ENOMEM", ENOMEM}, {"EAGAIN", EAGAIN}, {NULL, -1}};

static int find(const struct known *known, const char *name)
{
    while (known->name != NULL && strcmp(known->name, name) != 0) {
        known++;
    }
    return known->value;
}

static int install(struct sock_filter *filter, size_t count)
{
    struct sock_fprog program = {.len = (unsigned short)count, .filter = filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1; /* then anyone may set a filter */
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* The filter stays through exec. */
static int deny(int call, int error)
{
    bool is_later = call == LATER;
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)(is_later ? SYS_io_uring_enter : call), 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[3])), /* of the enter: its flags */
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, is_later ? IORING_ENTER_REGISTERED_RING : UINT32_MAX, 0,
                 is_later ? 1 : 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    return install(filter, sizeof filter / sizeof filter[0]);
}

int main(int argc, char **argv)
{
    int call = argc > 3 ? find(calls, argv[1]) : -1;
    int error = argc > 3 ? find(errors, argv[2]) : -1;
    if (call == -1 || error == -1) {
        fputs("usage: deny_call CALL ERRNO PROGRAM [ARGUMENT]...\n", stderr);
        return 126;
    }
    if (deny(call, error) == 0) execv(argv[3], argv + 3);
    perror("deny_call");
    return 126;
}
