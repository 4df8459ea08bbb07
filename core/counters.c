/* core/counters.c - names, texts, kinds and sums of the counters and histograms.
 *
 * The close reasons are upper case in their table, for the enum; counters are named in lower case. Their names are
 * made once, before main() starts, so that any thread may read them. */
#include "core/counters.h"

#include "core/tsan.h"

#include <assert.h>
#include <ctype.h>

struct row {
    const char *name;
    const char *text;
    struct counter_metric metric;
    enum counter_kind kind;
};

#define CLOSED_METRIC     "connections_closed"
#define CLOSED_NAME_BYTES 32
static char closed_names[CLOSE_REASONS_MAX][CLOSED_NAME_BYTES] = {
#define CLOSE_REASON(name, code, channel_code, error, text, advice) [CLOSE_##name] = "closed_" #name,
#include "core/close_reason.def"
#undef CLOSE_REASON
};
static char closed_labels[CLOSE_REASONS_MAX][CLOSED_NAME_BYTES + 3] = {
#define CLOSE_REASON(name, code, channel_code, error, text, advice) [CLOSE_##name] = "reason=\"" #name "\"",
#include "core/close_reason.def"
#undef CLOSE_REASON
};

#define CLOSE_REASON(name, code, channel_code, error, text, advice) \
    _Static_assert(sizeof("closed_" #name) <= CLOSED_NAME_BYTES, "the counter's name is cut off");
#include "core/close_reason.def"
#undef CLOSE_REASON

static const struct row rows[COUNTERS_MAX] = {
#define COUNTER(id, what, of, in, metric_name, words)                                                            \
    [COUNTER_##id] = {.name = #id,                                                                               \
                      .text = (words),                                                                           \
                      .metric = {.name = (metric_name), .scope = COUNTER_SCOPE_##of, .unit = COUNTER_UNIT_##in}, \
                      .kind = COUNTER_KIND_##what},
#include "core/counters.def"
#undef COUNTER
#define CLOSE_REASON(id, code, channel_code, error, words, advice)         \
    [COUNTER_CLOSED + CLOSE_##id] = {.name = closed_names[CLOSE_##id],     \
                                     .text = "connections closed: " words, \
                                     .metric = {.name = CLOSED_METRIC, .label = closed_labels[CLOSE_##id]}},
#include "core/close_reason.def"
#undef CLOSE_REASON
};

static const struct row histogram_rows[HISTOGRAMS_MAX] = {
#define HISTOGRAM(id, of, metric_name, words) \
    [HISTOGRAM_##                             \
        id] = {.name = #id,                   \
               .text = (words),               \
               .metric = {.name = (metric_name), .scope = COUNTER_SCOPE_##of, .unit = COUNTER_UNIT_SECONDS}},
#include "core/histograms.def"
#undef HISTOGRAM
};

static void lower(char *at)
{
    for (; *at != '\0'; at++)
        *at = (char)tolower((unsigned char)*at);
}

__attribute__((constructor)) static void lower_closed_names(void)
{
    for (enum close_reason reason = 0; reason < CLOSE_REASONS_MAX; reason++) {
        lower(closed_names[reason]);
        lower(closed_labels[reason]);
    }
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

struct counter_metric counter_metric(enum counter counter)
{
    assert(counter < COUNTERS_MAX);
    return rows[counter].metric;
}

const char *histogram_name(enum histogram_kind kind)
{
    assert(kind < HISTOGRAMS_MAX);
    return histogram_rows[kind].name;
}

const char *histogram_text(enum histogram_kind kind)
{
    assert(kind < HISTOGRAMS_MAX);
    return histogram_rows[kind].text;
}

struct counter_metric histogram_metric(enum histogram_kind kind)
{
    assert(kind < HISTOGRAMS_MAX);
    return histogram_rows[kind].metric;
}

/* ---- all of a server ---- */

void counter_sets_add(struct counter_sets *sets, const struct counters *counters)
{
    assert(sets->count < COUNTER_SETS_MAX);
    sets->sets[sets->count] = counters;
    TSAN_RELEASE(sets);
    ck_pr_fence_store();
    ck_pr_store_32(&sets->count, sets->count + 1);
}

/* What was added before. */
static uint32_t sets_count(const struct counter_sets *sets)
{
    uint32_t count = ck_pr_load_32(&sets->count);
    ck_pr_fence_load();
    TSAN_ACQUIRE(sets);
    return count;
}

uint64_t counter_sets_sum(const struct counter_sets *sets, enum counter counter)
{
    return counters_sum(sets->sets, sets_count(sets), counter);
}

struct histogram counter_sets_histogram(const struct counter_sets *sets, enum histogram_kind kind)
{
    struct histogram sum = {0};
    assert(kind < HISTOGRAMS_MAX);
    for (uint32_t i = 0, count = sets_count(sets); i < count; i++)
        histogram_add(&sum, &sets->sets[i]->histograms[kind]);
    return sum;
}
