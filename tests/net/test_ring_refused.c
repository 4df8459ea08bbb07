/* tests/net/test_ring_refused.c - a kernel, or a seccomp profile, that sets a ring up and then lets it do nothing.
 *
 * Where io_uring is not allowed every test is skipped and says so. */
#include "net/ring.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define BUFFERS 16

static struct ring *ring;

static void set_up(void)
{
    char line[RING_REASON_BYTES];
    struct ring_setup setup = {
        .submissions = 64, .completions = 1024, .slots = 64, .buffers = BUFFERS, .buffer_bytes = 256};
    if (ring_probe(line, sizeof line) != RC_OK) {
        fprintf(stderr, "test_ring_refused: SKIPPED: %s\n", line);
        cr_skip("io_uring cannot be used here");
    }
    cr_assert_eq(ring_new(&ring, &setup, line, sizeof line), RC_OK, "%s", line);
    cr_assert_eq(ring_enable(ring), RC_OK);
}

static void tear_down(void)
{
    ring_free(ring);
}

TestSuite(ring_refused, .init = set_up, .fini = tear_down, .timeout = 20);

/* From here on this process is told EPERM by io_uring_enter(2). */
static void forbid_enter(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_enter, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};
    cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

/* Neither a wait without end nor a spin: the ring says that it is over, and takes what it is still asked for. */
Test(ring_refused, a_kernel_that_refuses_for_good_is_told)
{
    struct completion completion;
    struct send_failure failures[64 + BUFFERS];
    int error = 0;
    forbid_enter();
    for (uint32_t i = 0; i < 1000 && error == 0; i++)
        error = ring_wait(ring, 1000);
    cr_expect_eq(error, EPERM);
    for (uint32_t i = 0; i < 200; i++)
        ring_receive(ring, i, 1); /* more than the queue holds */
    cr_expect_gt(ring_send_room(ring), 0);
    ring_send(ring, 1, 0, (const uint8_t *)"x", 1);
    cr_expect_eq(ring_submit_sends(ring, failures), 0);
    cr_expect_eq(ring_wait(ring, 1000), EPERM);
    cr_expect_not(ring_next(ring, &completion));
}

Test(ring_refused, one_whose_full_queue_is_refused_for_good_goes_on_to_the_wait)
{
    forbid_enter();
    for (uint32_t i = 0; i < 200; i++)
        ring_receive(ring, i, 1);
    cr_expect_eq(ring_wait(ring, 1000), EPERM);
}

Test(ring_refused, the_probe_names_the_call_that_is_refused)
{
    char line[RING_REASON_BYTES];
    forbid_enter();
    cr_expect_eq(ring_probe(line, sizeof line), RC_EKERNEL);
    cr_expect_not_null(strstr(line, "io_uring_enter is refused (Operation not permitted"), "%s", line);
}
