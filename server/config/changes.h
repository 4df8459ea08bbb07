/* server/config/changes.h - what a reload changes, a line for each: "ping_ms: 25s -> 30s".
 *
 * One thread. Secrets are never among the texts: who adds a line writes values as option_row_text() does. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define CHANGES_TOLD_MAX 100 /* lines that are kept; further ones are counted */

struct change {
    char *text;
    bool needs_restart; /* it is not applied */
};

struct changes {
    struct change items[CHANGES_TOLD_MAX];
    uint32_t told;
    uint32_t applied, restarts; /* of each kind, told or not */
};

/* Adds a line about what is applied, or needs a restart. */
__attribute__((format(printf, 2, 3))) void changes_apply(struct changes *changes, const char *format, ...);
__attribute__((format(printf, 2, 3))) void changes_defer(struct changes *changes, const char *format, ...);
void changes_fini(struct changes *changes);
