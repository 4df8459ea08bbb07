/* core/rc.h - result codes: what a function says about how it went.
 *
 * Zero is success, positive values are other good outcomes of incremental steps, negative values are errors.
 * Test with rc_is_error() or compare with the one code expected; the texts are for logs. */
#pragma once

#include <stdbool.h>

enum rc {
#define RC(name, value, text) RC_##name = (value),
#include "core/rc.def"
#undef RC
};

/* The code's short text, for logs; never NULL. */
const char *rc_text(enum rc rc);

static inline bool rc_is_error(enum rc rc)
{
    return rc < 0;
}
