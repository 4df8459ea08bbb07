/* core/position.h - a place in a channel's history: how far a reader has come. */
#pragma once

#include "core/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define EPOCH_BYTES 8 /* of a-z and 0-9 */

/* Offsets count the events of an epoch, from 1 on; another epoch is another history. */
struct position {
    uint64_t offset;             /* of the last event; 0: before the first */
    char epoch[EPOCH_BYTES + 1]; /* terminated; "": no place at all */
};

static inline bool position_is_set(const struct position *position)
{
    return position->epoch[0] != '\0';
}

static inline bool position_is_of(const struct position *position, const char *epoch)
{
    return strcmp(position->epoch, epoch) == 0;
}
