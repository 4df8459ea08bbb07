/* server/cluster/redis_end.c - the table of reasons, as an array. */
#include "server/cluster/redis_end.h"

const char *redis_end_text(enum redis_end end)
{
    static const char *const texts[] = {
        [REDIS_END_NONE] = "",
#define REDIS_END(name, text) [REDIS_END_##name] = (text),
#include "server/cluster/redis_end.def"
#undef REDIS_END
    };
    return texts[end];
}
