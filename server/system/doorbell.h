/* server/system/doorbell.h - wakes a thread that sleeps on a descriptor; costs a system call only while it does.
 *
 * Not obvious: how the thread falls asleep. It says so, fences and looks at its queues once more; whoever queues for
 * it fences and looks whether it sleeps. One of the two always sees the other (server/shard/post.c does the same). */
#pragma once

#include "core/rc.h"

#include <stdbool.h>
#include <stdint.h>

struct doorbell {
    int descriptor;                     /* eventfd: readable once somebody rang */
    _Alignas(128) unsigned is_sleeping; /* atomic, and alone: everybody who rings looks at it */
};

/* RC_EKERNEL: no descriptor is left. */
enum rc doorbell_init(struct doorbell *doorbell);
/* Accepts one whose descriptor is -1. */
void doorbell_fini(struct doorbell *doorbell);

/* Any thread, after it has queued something. */
void doorbell_ring(struct doorbell *doorbell);
/* Any thread: the owner's present sleep, or the next one, ends in any case. */
void doorbell_ring_anyway(struct doorbell *doorbell);

/* Owner: from now on it is rung for. Then it looks at its queues: only if all are empty may it wait for the
 * descriptor. */
void doorbell_lie_down(struct doorbell *doorbell);
/* Owner: sleeps until somebody rings, but no longer than that; a signal may end it. Where the kernel or a seccomp
 * profile refuses to wait, it rests a moment, so that a thread never spins because of that. */
void doorbell_wait(struct doorbell *doorbell, uint32_t ms);
/* The rest that doorbell_wait() takes then, for who waits in another way. */
void doorbell_rest(void);
/* Owner: is up again, whether it waited or not. */
void doorbell_get_up(struct doorbell *doorbell);
