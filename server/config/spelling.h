/* server/config/spelling.h - what a misspelled name most likely meant, for errors that ask "did you mean ...?".
 *
 * Start-up only: it compares with every name there is. Nothing is allocated here. */
#pragma once

#include "core/text.h"

#include <stddef.h>

#define SPELLING_BYTES_MAX 32 /* of a known name, with its closing zero */

/* The nearest of `count` names, which are in small letters with '_' between words; the given one may be in any case
 * and have '-' there. `names` is what name_at() finds them in. `count`: none is near, up to a third of the letters may
 * be wrong. */
size_t spelling_closest(struct text given, const char *(*name_at)(const void *names, size_t index), const void *names,
                        size_t count);
/* So many of its first bytes may be shown in an error: what is no letter, digit, '_' or '-' cannot stand in a name, and
 * behind it there may be a secret. */
size_t spelling_shown(struct text given);
