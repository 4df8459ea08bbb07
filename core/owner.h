/* core/owner.h - which thread may touch an object; written for assertions, it locks nothing.
 *
 *     assert(owner_is_me(&shard->owner));
 *
 * Whoever starts to use an object takes it; handing it on is the next thread's owner_take(), with a real barrier (a
 * thread start or join, a mailbox) between the two. A zeroed owner is nobody's. The kernel may give a dead thread's
 * id to a new thread, so a wrong thread can pass unseen; a right one is never refused. */
#pragma once

#include <pthread.h>
#include <stdbool.h>

struct owner {
    pthread_t thread;
    bool is_taken;
};

/* From here on the calling thread owns the object. */
static inline void owner_take(struct owner *owner)
{
    *owner = (struct owner){.thread = pthread_self(), .is_taken = true};
}

static inline bool owner_is_me(const struct owner *owner)
{
    return owner->is_taken && pthread_equal(owner->thread, pthread_self());
}
