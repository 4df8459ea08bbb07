/* server/system/clock.h - the clock of timeouts, and the time of day. */
#pragma once

#include <stdint.h>

/* Milliseconds that never go back; their zero means nothing. Any thread. */
uint64_t monotonic_ms(void);

/* Like monotonic_ms(), in microseconds, to see how long something takes. */
uint64_t monotonic_us(void);

/* Milliseconds since 1970, as the machine's clock has them. Any thread. */
uint64_t realtime_ms(void);
