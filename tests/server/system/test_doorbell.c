/* tests/server/system/test_doorbell.c - a sleeper is woken, and does not spin where it cannot sleep. */
#include "server/system/doorbell.h"

#include "server/system/clock.h"
#include "tests/support/forbid_call.h"

#include <criterion/criterion.h>
#include <sys/wait.h>
#include <unistd.h>

/* The timeout is the assertion. */
Test(doorbell, ends_a_wait_that_has_begun_or_will, .timeout = 10)
{
    struct doorbell doorbell;
    cr_assert_eq(doorbell_init(&doorbell), RC_OK);
    doorbell_lie_down(&doorbell);
    doorbell_ring(&doorbell);
    doorbell_wait(&doorbell, 60 * 60 * 1000);
    doorbell_get_up(&doorbell);
    doorbell_ring(&doorbell); /* nobody sleeps: nothing is rung */
    doorbell_lie_down(&doorbell);
    doorbell_wait(&doorbell, 1);
    doorbell_ring_anyway(&doorbell);
    doorbell_wait(&doorbell, UINT32_MAX);
    doorbell_get_up(&doorbell);
    doorbell_fini(&doorbell);
}

/* In a process of its own, because the filter stays. */
Test(doorbell, rests_where_waiting_is_refused, .timeout = 10)
{
    struct doorbell doorbell;
    cr_assert_eq(doorbell_init(&doorbell), RC_OK);
    pid_t child = fork();
    if (child == 0) {
        if (!forbid_call(SYS_poll)) _exit(2);
        uint64_t begun_us = monotonic_us();
        for (int i = 0; i < 5; i++)
            doorbell_wait(&doorbell, 1000);
        _exit(monotonic_us() - begun_us >= 50000 ? 0 : 1);
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d", status);
    doorbell_fini(&doorbell);
}
