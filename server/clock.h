/* server/clock.h - the clock of timeouts. */
#pragma once

#include <stdint.h>

/* Milliseconds that never go back; their zero means nothing. Any thread. */
uint64_t monotonic_ms(void);
