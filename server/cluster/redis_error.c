/* server/cluster/redis_error.c - errors by their first word. */
#include "server/cluster/redis_error.h"

static const struct redis_error errors[] = {
#define REDIS_ERROR(word, kind, text) {word, REDIS_ERROR_##kind, text},
#include "server/cluster/redis_error.def"
#undef REDIS_ERROR
};

static const struct redis_error other = {"", REDIS_ERROR_REFUSED,
                                         "Redis refuses what is asked of it; the log says what it answered"};

const struct redis_error *redis_error_of(struct text answer)
{
    const char *blank = answer.count > 0 ? memchr(answer.at, ' ', answer.count) : NULL;
    struct text word = blank != NULL ? text_between(answer.at, blank) : answer;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        if (text_is(word, errors[i].word)) return &errors[i];
    }
    return &other;
}
