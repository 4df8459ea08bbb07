/* core/timer_wheel.c - a ring of lists, one a tick, and a bitmap of those that hold something.
 *
 * Slots are done one at a time: what is due in one moves to wheel->due, which is handed out before the next slot is
 * looked at. A slot's soonest tick is kept so that the time to wake is known without walking through timers of later
 * rounds; it is forgotten (0) when its timers fire or one of them is cleared, and looked up when asked for. */
#include "core/timer_wheel.h"

#include <assert.h>

enum {
    SLOTS_PER_WORD = 64,
    WORDS = TIMER_SLOTS / SLOTS_PER_WORD,
};

static uint32_t slot_of(uint64_t tick)
{
    return (uint32_t)(tick % TIMER_SLOTS);
}

static void list_push(struct timer **head, struct timer *timer)
{
    assert(timer->place == NULL);
    timer->next = *head;
    timer->place = head;
    if (timer->next != NULL) timer->next->place = &timer->next;
    *head = timer;
}

static void list_remove(struct timer *timer)
{
    assert(*timer->place == timer);
    *timer->place = timer->next;
    if (timer->next != NULL) timer->next->place = timer->place;
    timer->next = NULL;
    timer->place = NULL;
}

static void mark_empty(struct timer_wheel *wheel, uint32_t slot)
{
    assert(wheel->slots[slot] == NULL);
    wheel->filled[slot / SLOTS_PER_WORD] &= ~(UINT64_C(1) << slot % SLOTS_PER_WORD);
}

static void mark_filled(struct timer_wheel *wheel, uint32_t slot)
{
    assert(wheel->slots[slot] != NULL);
    wheel->filled[slot / SLOTS_PER_WORD] |= UINT64_C(1) << slot % SLOTS_PER_WORD;
}

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ms)
{
    uint64_t now_tick = now_ms / TIMER_TICK_MS;
    *wheel = (struct timer_wheel){.now_tick = now_tick, .next_tick = now_tick + 1};
}

void timer_set(struct timer_wheel *wheel, struct timer *timer, uint64_t due_ms)
{
    timer_clear(wheel, timer);
    uint64_t tick = due_ms / TIMER_TICK_MS + (due_ms % TIMER_TICK_MS != 0);
    if (tick <= wheel->now_tick) tick = wheel->now_tick + 1;
    uint32_t slot = slot_of(tick);
    if (wheel->slots[slot] == NULL || tick < wheel->soonest[slot]) wheel->soonest[slot] = tick;
    timer->tick = tick;
    list_push(&wheel->slots[slot], timer);
    mark_filled(wheel, slot);
}

void timer_clear(struct timer_wheel *wheel, struct timer *timer)
{
    if (!timer_is_set(timer)) return;
    list_remove(timer);
    uint32_t slot = slot_of(timer->tick);
    if (wheel->slots[slot] == NULL) mark_empty(wheel, slot);
    if (wheel->soonest[slot] == timer->tick) wheel->soonest[slot] = 0;
}

/* How many ticks after `tick` the next filled slot comes, 0 for the tick's own; TIMER_SLOTS when all are empty. */
static uint32_t distance_to_filled(const struct timer_wheel *wheel, uint64_t tick)
{
    uint32_t first = slot_of(tick);
    uint64_t from_first_on = UINT64_MAX << first % SLOTS_PER_WORD;
    for (uint32_t i = 0; i <= WORDS; i++) { /* the first word twice: its upper part, at the end its lower part */
        uint32_t word = (first / SLOTS_PER_WORD + i) % WORDS;
        uint64_t filled = i == 0 ? wheel->filled[word] & from_first_on : wheel->filled[word];
        if (filled != 0) return slot_of(word * SLOTS_PER_WORD + (uint32_t)__builtin_ctzll(filled) - first);
    }
    return TIMER_SLOTS;
}

/* Moves what is due in the next slot that may have something to wheel->due. */
static void collect_next_slot(struct timer_wheel *wheel)
{
    assert(wheel->due == NULL && wheel->next_tick <= wheel->now_tick);
    wheel->next_tick += distance_to_filled(wheel, wheel->next_tick);
    if (wheel->next_tick > wheel->now_tick) {
        wheel->next_tick = wheel->now_tick + 1;
        return;
    }
    uint32_t slot = slot_of(wheel->next_tick);
    struct timer *next;
    for (struct timer *timer = wheel->slots[slot]; timer != NULL; timer = next) {
        next = timer->next;
        if (timer->tick > wheel->now_tick) continue; /* a later round's */
        list_remove(timer);
        list_push(&wheel->due, timer);
    }
    wheel->soonest[slot] = 0;
    if (wheel->slots[slot] == NULL) mark_empty(wheel, slot);
    wheel->next_tick++;
}

struct timer *timer_wheel_expire(struct timer_wheel *wheel, uint64_t now_ms)
{
    uint64_t now_tick = now_ms / TIMER_TICK_MS;
    if (now_tick > wheel->now_tick) wheel->now_tick = now_tick;
    /* Time jumped a round or more: one round over all slots finds everything that is due. */
    if (wheel->now_tick - wheel->next_tick + 1 > TIMER_SLOTS) wheel->next_tick = wheel->now_tick + 1 - TIMER_SLOTS;

    while (wheel->due == NULL && wheel->next_tick <= wheel->now_tick)
        collect_next_slot(wheel);
    struct timer *timer = wheel->due;
    assert(timer == NULL || timer->tick <= wheel->now_tick);
    if (timer != NULL) timer_clear(wheel, timer);
    return timer;
}

/* The lowest tick in the filled slot of `tick`. One at or before `tick` ends the search: no other can matter more. */
static uint64_t soonest_in_slot(struct timer_wheel *wheel, uint64_t tick)
{
    uint32_t slot = slot_of(tick);
    if (wheel->soonest[slot] != 0) return wheel->soonest[slot];
    uint64_t soonest = UINT64_MAX;
    for (const struct timer *timer = wheel->slots[slot]; timer != NULL && soonest > tick; timer = timer->next)
        if (timer->tick < soonest) soonest = timer->tick;
    wheel->soonest[slot] = soonest;
    return soonest;
}

uint64_t timer_wheel_wake_at_ms(struct timer_wheel *wheel)
{
    if (wheel->due != NULL) return wheel->due->tick * TIMER_TICK_MS;
    uint64_t soonest = UINT64_MAX;
    for (uint32_t passed = 0; passed < TIMER_SLOTS; passed++) {
        passed += distance_to_filled(wheel, wheel->next_tick + passed);
        if (passed >= TIMER_SLOTS) break;
        uint64_t tick = wheel->next_tick + passed;
        uint64_t in_slot = soonest_in_slot(wheel, tick);
        if (in_slot < soonest) soonest = in_slot;
        if (soonest <= tick) break; /* slots further on are later */
    }
    return soonest > UINT64_MAX / TIMER_TICK_MS ? UINT64_MAX : soonest * TIMER_TICK_MS;
}
