/* server/cluster/redis_error.h - what it means that Redis answered by an error, from the table redis_error.def.
 *
 * Plain values; any thread. */
#pragma once

#include "core/text.h"

enum redis_error_kind {
    REDIS_ERROR_LATE,    /* it is not done: its deadline has passed */
    REDIS_ERROR_SCRIPTS, /* it is not done: the scripts are to be loaded */
    REDIS_ERROR_LATER,   /* it is not done now; soon it may be */
    REDIS_ERROR_MASTER,  /* it is not done: another server is the master */
    REDIS_ERROR_REFUSED, /* it is not done, and asking again does not help */
};

struct redis_error {
    const char *word;
    enum redis_error_kind kind;
    const char *text; /* what it means, and what helps; static */
};

/* The row of what a server answered, "OOM command not allowed ..."; of one that is not in the table: refused. */
const struct redis_error *redis_error_of(struct text answer);
