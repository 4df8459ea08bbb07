/* core/rc.c - the texts of the result codes. */
#include "core/rc.h"

const char *rc_text(enum rc rc)
{
    switch (rc) {
#define RC(name, value, text) \
    case RC_##name:           \
        return text;
#include "core/rc.def"
#undef RC
    }
    return "unknown result";
}
