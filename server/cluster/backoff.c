/* server/cluster/backoff.c - waiting by chance. */
#include "server/cluster/backoff.h"

uint32_t backoff_ms(uint32_t failures, uint64_t chance)
{
    uint32_t most = BACKOFF_MS_MIN;
    for (uint32_t i = 1; i < failures && most < BACKOFF_MS_MAX; i++)
        most *= 2;
    if (most > BACKOFF_MS_MAX) most = BACKOFF_MS_MAX;
    return 1 + (uint32_t)(chance % most);
}
