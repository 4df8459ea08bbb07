/* server/system/day_clock.c - two clocks, and which of them is right. */
#include "server/system/day_clock.h"

#include "server/system/clock.h"

#define FOLLOW_MS  60000            /* so far the time of day may be off without being doubted */
#define BELIEVE_MS 10000            /* how long it must be further off */
#define FORGET_MS  (60 * 60 * 1000) /* and how long ahead, before anything is forgotten by it */

static bool is_near(int64_t a_ms, int64_t b_ms)
{
    return a_ms - b_ms <= FOLLOW_MS && b_ms - a_ms <= FOLLOW_MS;
}

/* The offset is far from the one that is believed: has it been where it is for long enough? */
static bool has_lasted(struct day_clock *clock, int64_t offset_ms, uint64_t now_ms)
{
    if (!clock->has_other || !is_near(offset_ms, clock->other_ms)) clock->other_since_ms = now_ms;
    clock->has_other = true;
    clock->other_ms = offset_ms;
    return now_ms - clock->other_since_ms >= BELIEVE_MS;
}

uint64_t day_clock_ms(struct day_clock *clock, uint64_t now_ms)
{
    int64_t offset_ms = (int64_t)(realtime_ms() - now_ms);
    if (!clock->has_begun) clock->forget_offset_ms = offset_ms;
    if (!clock->has_begun || is_near(offset_ms, clock->offset_ms) || has_lasted(clock, offset_ms, now_ms)) {
        clock->has_begun = true;
        clock->has_other = false;
        clock->offset_ms = offset_ms;
    }
    return now_ms + (uint64_t)clock->offset_ms;
}

uint64_t day_clock_forget_ms(struct day_clock *clock, uint64_t now_ms)
{
    day_clock_ms(clock, now_ms);
    bool was_ahead = clock->is_ahead;
    clock->is_ahead = clock->offset_ms - clock->forget_offset_ms > FOLLOW_MS;
    if (!was_ahead) clock->ahead_since_ms = now_ms;
    bool is_doubted = clock->has_other || (clock->is_ahead && now_ms - clock->ahead_since_ms < FORGET_MS);
    if (!is_doubted) {
        clock->is_ahead = false;
        clock->forget_offset_ms = clock->offset_ms;
    }
    return now_ms + (uint64_t)clock->forget_offset_ms;
}
