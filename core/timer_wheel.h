/* core/timer_wheel.h - coarse timeouts, many of them. Time is passed in, in ms of a monotonic clock; never read here.
 *
 *     timer_set(&wheel, &connection->timer, now_ms + 10000);
 *     ...
 *     for (i = 0; i < TIMERS_PER_TURN_MAX && (timer = timer_wheel_expire(&wheel, now_ms)) != NULL; i++)
 *
 * Threads:   one.
 * Ownership: timers lie inside the objects they belong to; the wheel links them, frees nothing and has no fini. Clear
 *            a timer before its object goes away. Timers point into the wheel: it must not be moved.
 * Precision: a timer never fires early. It can fire from the first multiple of TIMER_TICK_MS on that is at or after
 *            its due time and after the latest time the wheel has seen. The second half means that a timer due now or
 *            in the past fires with the next tick: a loop over timer_wheel_expire() ends even if every timer it takes
 *            is set again at once. Order: tick by tick; within a tick, or when time jumps more than the horizon, any.
 * Cost:      set and clear O(1). The wheel is a ring of TIMER_SLOTS lists, one a tick; a timer further away than this
 *            horizon (32.8 s) waits in its slot and is stepped over once in each round until its own. Expiry first
 *            looks at all timers of a slot, then hands them out one by one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TIMER_TICK_MS = 32,
    TIMER_SLOTS = 1024,
};

/* Zeroed: not set. The fields are the wheel's. */
struct timer {
    struct timer *next;
    struct timer **place; /* the pointer that points here; NULL when not set */
    uint64_t tick;        /* when it fires, in ticks */
};

struct timer_wheel {
    uint64_t now_tick;                 /* the latest time seen */
    uint64_t next_tick;                /* slots of ticks before this one are done; at most now_tick + 1 */
    struct timer *due;                 /* taken from their slots, to be handed out */
    uint64_t filled[TIMER_SLOTS / 64]; /* a bit for each slot that has timers */
    struct timer *slots[TIMER_SLOTS];
    uint64_t soonest[TIMER_SLOTS]; /* lowest tick in a filled slot; 0: to be looked up */
};

/* `now_ms` is where the wheel's time begins. */
void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ms);

/* Sets the timer, or moves it when it is set already. */
void timer_set(struct timer_wheel *wheel, struct timer *timer, uint64_t due_ms);

/* Does nothing to a timer that is not set. */
void timer_clear(struct timer_wheel *wheel, struct timer *timer);

static inline bool timer_is_set(const struct timer *timer)
{
    return timer->place != NULL;
}

/* One timer that is due, already cleared; NULL when none is left. The caller may set and clear any timer between two
 * calls, and may stop early: the rest comes with later calls. A `now_ms` lower than before counts as the latest. */
struct timer *timer_wheel_expire(struct timer_wheel *wheel, uint64_t now_ms);

/* When timer_wheel_expire() next has something to give, exactly; a time already past when it has something now;
 * UINT64_MAX when no timer is set. Costs a glance while a timer is due within the horizon, otherwise a look at each
 * filled slot. */
uint64_t timer_wheel_wake_at_ms(struct timer_wheel *wheel);
