/* server/system/day_clock.h - the time of day by which messages are stamped and forgotten: a clock that leaps is not
 * believed at once.
 *
 * Time goes by the monotonic clock. Where the machine's clock is a little elsewhere (up to a minute), that is followed.
 * When it is further off it may be a glitch, which would stamp messages with another year, or forget all that is kept:
 * so it must stay there for ten seconds first. Then somebody has set it.
 * By a time that was set forward nothing is forgotten for an hour, and then only if it is still so: whoever sets a
 * clock wrong has that long to notice. The time that the machine was suspended is such a leap too.
 * Threads: its owner's. Zeroed it is as good as new: it believes what it sees first. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct day_clock {
    bool has_begun;
    int64_t offset_ms; /* of the time of day from the monotonic clock: the one that is believed, */
    int64_t other_ms;  /* and one that is not yet, */
    uint64_t other_since_ms;
    bool has_other;           /* if there is one */
    int64_t forget_offset_ms; /* the one by which is forgotten: */
    bool is_ahead;            /* what is believed is ahead of it, */
    uint64_t ahead_since_ms;  /* since then */
};

/* By which messages are stamped. Milliseconds since 1970. now_ms: monotonic, as server/system/clock.h has it, at the
 * beginning of a turn perhaps. */
uint64_t day_clock_ms(struct day_clock *clock, uint64_t now_ms);
/* By which what is kept grows old: that, or, for an hour after it has leapt forward, what it was before. */
uint64_t day_clock_forget_ms(struct day_clock *clock, uint64_t now_ms);
