/* server/metrics/metrics.c - the families, and where their samples come from. */
#include "server/metrics/metrics.h"

#include "core/counters.h"
#include "server/config/app.h"
#include "server/config/node_name.h"
#include "server/connection/door.h"
#include "server/metrics/soketi.h"
#include "server/shard/exchange.h"
#include "server/shard/shard.h"
#include "server/system/process.h"

#include <string.h>

#define PREFIX       "ringcast_"
#define LABEL_BYTES  96
#define SHARD_LABELS "shard"

/* What the samples are of. */
struct telling {
    struct exposition exposition;
    const struct shard *shard; /* NULL: there is no server, only the families are told */
    struct process_use process;
};

const char *metrics_shard_name(const struct shard *asker, uint32_t index, char name_r[METRICS_SHARD_BYTES])
{
    bool is_control = index >= asker->hub.homes;
    snprintf(name_r, METRICS_SHARD_BYTES, is_control ? "control" : "%u", index);
    return name_r;
}

static const char *shard_label(const struct shard *asker, uint32_t index, char label_r[LABEL_BYTES])
{
    char name[METRICS_SHARD_BYTES];
    snprintf(label_r, LABEL_BYTES, "shard=\"%s\"", metrics_shard_name(asker, index, name));
    return label_r;
}

/* ---- what is not counted ---- */

static void tell_build(struct telling *telling)
{
    exposition_sample(&telling->exposition, "version=\"" RINGCAST_VERSION "\"", 1);
}

static void tell_node(struct telling *telling)
{
    char name[NODE_NAME_BYTES], label[LABEL_BYTES];
    node_name_write(telling->shard->options, name);
    snprintf(label, sizeof label, "name=\"%s\"", name);
    exposition_sample(&telling->exposition, label, 1);
}

static void tell_start(struct telling *telling)
{
    exposition_sample_ms(&telling->exposition, NULL, telling->shard->counted->begun_ms);
}

static void tell_cpu(struct telling *telling)
{
    exposition_sample_ms(&telling->exposition, NULL, telling->process.cpu_ms);
}

static void tell_resident(struct telling *telling)
{
    exposition_sample(&telling->exposition, NULL, telling->process.resident_bytes);
}

static void tell_virtual(struct telling *telling)
{
    exposition_sample(&telling->exposition, NULL, telling->process.virtual_bytes);
}

static void tell_open_fds(struct telling *telling)
{
    exposition_sample(&telling->exposition, NULL, telling->process.descriptors);
}

static void tell_max_fds(struct telling *telling)
{
    exposition_sample(&telling->exposition, NULL, telling->process.descriptors_max);
}

static void tell_draining(struct telling *telling)
{
    exposition_sample(&telling->exposition, NULL, shard_is_draining(telling->shard));
}

static void tell_shards(struct telling *telling)
{
    exposition_sample(&telling->exposition, NULL, telling->shard->hub.homes);
}

static void tell_connections_max(struct telling *telling)
{
    exposition_sample(&telling->exposition, NULL, telling->shard->doors->public.connections_max);
}

static void tell_app_connections(struct telling *telling)
{
    const struct app_list *apps = &telling->shard->options->app;
    for (uint32_t i = 0; i < apps->count; i++) {
        char label[LABEL_BYTES];
        if (apps->items[i].is_gone) continue;
        snprintf(label, sizeof label, "app=\"%s\"", apps->items[i].id);
        exposition_sample(&telling->exposition, label, ck_pr_load_64(&telling->shard->app_connections[i]));
    }
}

static void tell_mailbox_letters(struct telling *telling)
{
    const struct exchange *exchange = telling->shard->exchange;
    for (uint32_t to = 0; to < exchange->shards_count; to++) {
        char label[LABEL_BYTES];
        exposition_sample(&telling->exposition, shard_label(telling->shard, to, label),
                          exchange_letters(exchange, to));
    }
}

static const struct metric {
    struct exposition_family family;
    void (*tell)(struct telling *telling);
} metrics[] = {
#define METRIC(id, type_, unit_, prefix_, name_, labels_, text_) \
    {.family = {.type = EXPOSITION_##type_,                      \
                .prefix = (prefix_),                             \
                .name = (name_),                                 \
                .unit = (unit_),                                 \
                .labels = (labels_),                             \
                .text = (text_)},                                \
     .tell = tell_##id},
#include "server/metrics/metrics.def"
#undef METRIC
};

/* ---- what is counted ---- */

static const char *unit_name(enum counter_unit unit)
{
    switch (unit) {
    case COUNTER_UNIT_BYTES:
        return "bytes";
    case COUNTER_UNIT_SECONDS:
    case COUNTER_UNIT_MS:
        return "seconds";
    case COUNTER_UNIT_NONE:
        break;
    }
    return "";
}

static void sample(struct telling *telling, const struct counter_metric *metric, const char *label, uint64_t value)
{
    if (metric->unit == COUNTER_UNIT_MS) {
        exposition_sample_ms(&telling->exposition, label, value);
    } else {
        exposition_sample(&telling->exposition, label, value);
    }
}

/* Of one shard; a gauge that has fallen on another than it rose is nothing here. */
static uint64_t shard_value(const struct counter_sets *sets, uint32_t index, enum counter counter)
{
    return counters_sum(&sets->sets[index], 1, counter);
}

static void tell_counter(struct telling *telling, enum counter counter)
{
    struct counter_metric metric = counter_metric(counter);
    bool is_of_shards = metric.scope == COUNTER_SCOPE_SHARD;
    bool is_closed = counter >= COUNTER_CLOSED;
    struct exposition_family family = {
        .type = counter_kind(counter) == COUNTER_KIND_COUNT ? EXPOSITION_COUNT : EXPOSITION_GAUGE,
        .prefix = PREFIX,
        .name = metric.name,
        .unit = unit_name(metric.unit),
        .labels = is_of_shards ? SHARD_LABELS
                  : is_closed  ? "reason"
                               : NULL,
        .text = is_closed ? "connections closed, by reason" : counter_text(counter),
    };
    if (metric.name[0] == '\0') return;
    if (counter <= COUNTER_CLOSED) exposition_begin(&telling->exposition, &family);
    if (telling->shard == NULL) return;
    const struct counter_sets *sets = telling->shard->counted;
    if (!is_of_shards) sample(telling, &metric, metric.label, counter_sets_sum(sets, counter));
    for (uint32_t i = 0; is_of_shards && i < sets->shards_count; i++) {
        char label[LABEL_BYTES];
        sample(telling, &metric, shard_label(telling->shard, i, label), shard_value(sets, i, counter));
    }
}

static void tell_histogram(struct telling *telling, enum histogram_kind kind)
{
    struct counter_metric metric = histogram_metric(kind);
    bool is_of_shards = metric.scope == COUNTER_SCOPE_SHARD;
    struct exposition_family family = {
        .type = EXPOSITION_HISTOGRAM,
        .prefix = PREFIX,
        .name = metric.name,
        .unit = unit_name(metric.unit),
        .labels = is_of_shards ? SHARD_LABELS ", le" : "le",
        .text = histogram_text(kind),
    };
    exposition_begin(&telling->exposition, &family);
    if (telling->shard == NULL) return;
    const struct counter_sets *sets = telling->shard->counted;
    struct histogram sum = counter_sets_histogram(sets, kind);
    if (!is_of_shards) exposition_histogram(&telling->exposition, NULL, &sum);
    for (uint32_t i = 0; is_of_shards && i < sets->shards_count; i++) {
        char label[LABEL_BYTES];
        struct histogram one = {0};
        histogram_add(&one, &sets->sets[i]->histograms[kind]);
        exposition_histogram(&telling->exposition, shard_label(telling->shard, i, label), &one);
    }
}

/* ---- all of it ---- */

static void tell_all(struct telling *telling)
{
    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++) {
        exposition_begin(&telling->exposition, &metrics[i].family);
        if (telling->shard != NULL) metrics[i].tell(telling);
    }
    for (enum counter counter = 0; counter < COUNTERS_MAX; counter++)
        tell_counter(telling, counter);
    for (enum histogram_kind kind = 0; kind < HISTOGRAMS_MAX; kind++)
        tell_histogram(telling, kind);
    if (telling->shard != NULL && telling->shard->options->metrics_soketi)
        soketi_tell(&telling->exposition, telling->shard);
    exposition_end(&telling->exposition);
}

void metrics_write(FILE *out, const struct shard *shard, enum exposition_format format)
{
    struct telling telling = {.exposition = {.out = out, .format = format}, .shard = shard, .process = process_use()};
    tell_all(&telling);
}

void metrics_print(FILE *out)
{
    struct telling telling = {.exposition = {.out = out, .format = EXPOSITION_TABLE}};
    fputs("| metric | type | labels | what it is |\n|---|---|---|---|\n", out);
    tell_all(&telling);
}
