/* server/cluster/redis_end.c - the table of reasons, as arrays. */
#include "server/cluster/redis_end.h"

const char *redis_end_word(enum redis_end end)
{
    static const char *const words[] = {
        [REDIS_END_NONE] = "none",
#define REDIS_END(name, word, text) [REDIS_END_##name] = (word),
#include "server/cluster/redis_end.def"
#undef REDIS_END
    };
    return words[end];
}

const char *redis_end_text(enum redis_end end)
{
    static const char *const texts[] = {
        [REDIS_END_NONE] = "",
#define REDIS_END(name, word, text) [REDIS_END_##name] = (text),
#include "server/cluster/redis_end.def"
#undef REDIS_END
    };
    return texts[end];
}
