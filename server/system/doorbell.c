/* server/system/doorbell.c - a flag, an eventfd, and the fences between. */
#include "server/system/doorbell.h"

#include <ck_pr.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define REST_MS 10

enum rc doorbell_init(struct doorbell *doorbell)
{
    doorbell->is_sleeping = 0;
    doorbell->descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return doorbell->descriptor >= 0 ? RC_OK : RC_EKERNEL;
}

void doorbell_fini(struct doorbell *doorbell)
{
    if (doorbell->descriptor >= 0) close(doorbell->descriptor);
    doorbell->descriptor = -1;
}

void doorbell_ring_anyway(struct doorbell *doorbell)
{
    uint64_t one = 1;
    /* It can only fail when the counter is full of signals that have been seen already. */
    ssize_t written = write(doorbell->descriptor, &one, sizeof one);
    (void)written;
}

void doorbell_ring(struct doorbell *doorbell)
{
    ck_pr_fence_memory(); /* what we queued, then the flag */
    if (!ck_pr_load_uint(&doorbell->is_sleeping) || !ck_pr_fas_uint(&doorbell->is_sleeping, 0)) return;
    doorbell_ring_anyway(doorbell);
}

void doorbell_lie_down(struct doorbell *doorbell)
{
    ck_pr_store_uint(&doorbell->is_sleeping, 1);
    ck_pr_fence_memory(); /* the flag, then what others queued */
}

void doorbell_rest(void)
{
    const struct timespec rest = {.tv_nsec = REST_MS * 1000000};
    nanosleep(&rest, NULL);
}

void doorbell_wait(struct doorbell *doorbell, uint32_t ms)
{
    struct pollfd ring = {.fd = doorbell->descriptor, .events = POLLIN};
    if (poll(&ring, 1, ms < INT_MAX ? (int)ms : INT_MAX) < 0 && errno != EINTR) doorbell_rest();
}

void doorbell_get_up(struct doorbell *doorbell)
{
    ck_pr_store_uint(&doorbell->is_sleeping, 0);
    uint64_t rings;
    ssize_t bytes = read(doorbell->descriptor, &rings, sizeof rings); /* or nobody has rung */
    (void)bytes;
}
