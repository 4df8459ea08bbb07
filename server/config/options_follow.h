/* server/config/options_follow.h - options that were read while a server runs by others: what of them it can go by
 * without a restart, and what that changes.
 *
 * One thread; neither of both is a shard's yet, or any more. */
#pragma once

#include "server/config/changes.h"
#include "server/config/options.h"

#include <stddef.h>

/* What the operator gave of the options that need a restart, before the server settled what was left open (shards,
 * ports): a later reading is compared with this. */
struct options_given {
    char *texts[OPTIONS_COUNT]; /* NULL: an option that a reload applies */
};

/* RC_ENOMEM: nothing is left. */
enum rc options_given_note(struct options_given *given, const struct options *options);
void options_given_fini(struct options_given *given);

struct follow {
    struct changes changes;
    bool has_other_patterns; /* see struct config */
    bool shuts_apps;         /* the same */
};

/* Makes `next`, which was just read, what follows `now`: options that need a restart have the values that they had;
 * apps have the indexes that they had, with those that are gone among them; and whether a channel is durable stays.
 * What differs stands in follow->changes, which the caller gives back. Error: RC_ENOMEM or RC_EFULL, and reason_r is a
 * sentence; `next` is then of no use, but is given back as ever. */
enum rc options_follow(struct options *next, const struct options *now, const struct options_given *given,
                       struct follow *follow, char *reason_r, size_t reason_size);
