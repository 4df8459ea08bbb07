/* core/counters.c - names, texts, kinds and sums of the counters.
 *
 * The close reasons are upper case in their table, for the enum; counters are named in lower case. Their names are
 * made once, before main() starts, so that any thread may read them. */
#include "core/counters.h"

#include <assert.h>
#include <ctype.h>

struct row {
    const char *name;
    const char *text;
    enum counter_kind kind;
};

#define CLOSED_NAME_BYTES 32
static char closed_names[CLOSE_REASONS_MAX][CLOSED_NAME_BYTES] = {
#define CLOSE_REASON(name, code, channel_code, error, text) [CLOSE_##name] = "closed_" #name,
#include "core/close_reason.def"
#undef CLOSE_REASON
};

#define CLOSE_REASON(name, code, channel_code, error, text) \
    _Static_assert(sizeof("closed_" #name) <= CLOSED_NAME_BYTES, "the counter's name is cut off");
#include "core/close_reason.def"
#undef CLOSE_REASON

static const struct row rows[COUNTERS_MAX] = {
#define COUNTER(id, what, words) [COUNTER_##id] = {.name = #id, .text = (words), .kind = COUNTER_KIND_##what},
#include "core/counters.def"
#undef COUNTER
#define CLOSE_REASON(id, code, channel_code, error, words) \
    [COUNTER_CLOSED + CLOSE_##id] = {.name = closed_names[CLOSE_##id], .text = "connections closed: " words},
#include "core/close_reason.def"
#undef CLOSE_REASON
};

__attribute__((constructor)) static void lower_closed_names(void)
{
    for (enum close_reason reason = 0; reason < CLOSE_REASONS_MAX; reason++)
        for (char *at = closed_names[reason]; *at != '\0'; at++)
            *at = (char)tolower((unsigned char)*at);
}

uint64_t counters_sum(const struct counters *const *sets, uint32_t sets_count, enum counter counter)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < sets_count; i++)
        sum += counter_get(sets[i], counter);
    bool is_below_zero = counter_kind(counter) == COUNTER_KIND_GAUGE && (int64_t)sum < 0;
    return is_below_zero ? 0 : sum;
}

const char *counter_name(enum counter counter)
{
    assert(counter < COUNTERS_MAX);
    return rows[counter].name;
}

const char *counter_text(enum counter counter)
{
    assert(counter < COUNTERS_MAX);
    return rows[counter].text;
}

enum counter_kind counter_kind(enum counter counter)
{
    assert(counter < COUNTERS_MAX);
    return rows[counter].kind;
}
