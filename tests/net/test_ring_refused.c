/* tests/net/test_ring_refused.c - a kernel, or a seccomp profile, that sets a ring up and then lets it do nothing.
 *
 * Where io_uring is not allowed every test is skipped and says so. */
#include "net/ring.h"

#include "tests/support/forbid_call.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

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

/* Neither a wait without end nor a spin: the ring says that it is over, and takes what it is still asked for. */
Test(ring_refused, a_kernel_that_refuses_for_good_is_told)
{
    struct completion completion;
    struct send_failure failures[64 + BUFFERS];
    int error = 0;
    cr_assert(forbid_call(SYS_io_uring_enter));
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
    cr_assert(forbid_call(SYS_io_uring_enter));
    for (uint32_t i = 0; i < 200; i++)
        ring_receive(ring, i, 1);
    cr_expect_eq(ring_wait(ring, 1000), EPERM);
}

Test(ring_refused, the_probe_names_the_call_that_is_refused)
{
    char line[RING_REASON_BYTES];
    cr_assert(forbid_call(SYS_io_uring_enter));
    cr_expect_eq(ring_probe(line, sizeof line), RC_EKERNEL);
    cr_expect_not_null(strstr(line, "io_uring_enter is refused (Operation not permitted"), "%s", line);
}
