/* tests/e2e/deny_io_uring.c ERRNO PROGRAM [ARGUMENT]... - runs a program to which io_uring_setup(2) says ERRNO, as a
 * container's seccomp profile or an old kernel would. ERRNO is ENOSYS, EPERM or ENOMEM. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int errno_of(const char *name)
{
    static const struct {
        const char *name;
        int value;
    } known[] = {{"ENOSYS", ENOSYS}, {"EPERM", EPERM}, {"ENOMEM", ENOMEM}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(name, known[i].name) == 0) return known[i].value;
    }
    return 0;
}

/* The filter stays through exec; without new privileges, anyone may set one. */
static int deny(int error)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int main(int argc, char **argv)
{
    int error = argc > 2 ? errno_of(argv[1]) : 0;
    if (error == 0) {
        fputs("usage: deny_io_uring ENOSYS|EPERM|ENOMEM PROGRAM [ARGUMENT]...\n", stderr);
        return 126;
    }
    if (deny(error) == 0) execv(argv[2], argv + 2);
    perror("deny_io_uring");
    return 126;
}
