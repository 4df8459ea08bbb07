/* core/traffic.h - how much goes through something now: messages and bytes a second over the last 8 to 16 seconds.
 *
 * Two windows of TRAFFIC_MS, the one that runs and the one before it: counting costs no division and no clock of its
 * own. Zeroed it is silence. One thread. */
#pragma once

#include <stdint.h>

#define TRAFFIC_MS_BITS 13
#define TRAFFIC_MS      (UINT64_C(1) << TRAFFIC_MS_BITS)

struct traffic {
    uint32_t window;      /* the number of the one that runs; it wraps after a thousand years */
    uint32_t messages[2]; /* in it, and in the one before */
    uint64_t bytes[2];
};

/* Goes on to the window of this time. */
static inline void traffic_go_on(struct traffic *traffic, uint64_t now_ms)
{
    uint32_t window = (uint32_t)(now_ms >> TRAFFIC_MS_BITS);
    if (window == traffic->window) return;
    uint32_t is_next = window == traffic->window + 1 ? 1 : 0;
    *traffic = (struct traffic){
        .window = window, .messages = {0, is_next * traffic->messages[0]}, .bytes = {0, is_next * traffic->bytes[0]}};
}

static inline void traffic_count(struct traffic *traffic, uint64_t now_ms, uint32_t bytes)
{
    traffic_go_on(traffic, now_ms);
    traffic->messages[0]++;
    traffic->bytes[0] += bytes;
}

/* Per second, in thousandths. */
static inline void traffic_rates(struct traffic *traffic, uint64_t now_ms, uint64_t *messages_r, uint64_t *bytes_r)
{
    traffic_go_on(traffic, now_ms);
    uint64_t ms = TRAFFIC_MS + (now_ms & (TRAFFIC_MS - 1)) + 1;
    *messages_r = (uint64_t)(traffic->messages[0] + traffic->messages[1]) * 1000000 / ms;
    *bytes_r = (traffic->bytes[0] + traffic->bytes[1]) * 1000 / ms * 1000;
}
