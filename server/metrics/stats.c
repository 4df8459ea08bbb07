/* server/metrics/stats.c - numbers and names of ours, of which none needs to be escaped, and what was logged. */
#include "server/metrics/stats.h"

#include "core/counters.h"
#include "core/json_text.h"
#include "net/utf8.h"
#include "server/cluster/cluster.h"
#include "server/config/app.h"
#include "server/config/node_name.h"
#include "server/connection/door.h"
#include "server/metrics/metrics.h"
#include "server/shard/exchange.h"
#include "server/shard/shard.h"
#include "server/system/clock.h"
#include "server/system/log_recent.h"
#include "server/system/process.h"

typedef unsigned long long ull;

/* A text that may hold anything; what is no UTF-8 loses what is no ASCII. */
static void write_string(FILE *out, char *text)
{
    char escaped[6 * LOG_RECENT_BYTES];
    struct utf8 utf8 = {0};
    bool is_good = utf8_check(&utf8, (const uint8_t *)text, strlen(text)) && utf8_is_complete(&utf8);
    for (char *at = text; !is_good && *at != '\0'; at++)
        if ((unsigned char)*at >= 0x80) *at = '?';
    char *end = json_text_write(escaped, text_of(text));
    fprintf(out, "\"%.*s\"", (int)(end - escaped), escaped);
}

/* The sentences are ours. */
static void write_node(FILE *out, const struct shard *shard)
{
    char name[NODE_NAME_BYTES];
    const char *trouble = shard->cluster != NULL ? cluster_trouble(shard->cluster) : NULL;
    node_name_write(shard->options, name);
    fprintf(out, ",\"node\":\"%s\",\"cluster\":\"%s\"", name,
            shard->cluster == NULL ? "none"
            : trouble == NULL      ? "ok"
                                   : trouble);
}

static void write_head(FILE *out, const struct shard *shard)
{
    struct process_use use = process_use();
    fprintf(out, "{\"version\":\"%s\",\"draining\":%s,\"now_ms\":%llu,\"begun_ms\":%llu", RINGCAST_VERSION,
            shard_is_draining(shard) ? "true" : "false", (ull)realtime_ms(), (ull)shard->counted->begun_ms);
    fprintf(out, ",\"process\":{\"resident_bytes\":%llu,\"virtual_bytes\":%llu,\"cpu_ms\":%llu",
            (ull)use.resident_bytes, (ull)use.virtual_bytes, (ull)use.cpu_ms);
    fprintf(out, ",\"descriptors\":%llu,\"descriptors_max\":%llu}", (ull)use.descriptors, (ull)use.descriptors_max);
    fprintf(out, ",\"limits\":{\"shards\":%u,\"connections_max\":%llu}", shard->hub.homes,
            (ull)shard->doors->public.connections_max);
}

/* Those that are told of the scope, or all. */
static void write_counters(FILE *out, const struct counter_sets *sets, uint32_t shard, bool is_of_shard)
{
    const char *comma = "";
    fputs("\"counters\":{", out);
    for (enum counter counter = 0; counter < COUNTERS_MAX; counter++) {
        if (is_of_shard && counter_metric(counter).scope != COUNTER_SCOPE_SHARD) continue;
        uint64_t value = is_of_shard ? counters_sum(&sets->sets[shard], 1, counter) : counter_sets_sum(sets, counter);
        fprintf(out, "%s\"%s\":%llu", comma, counter_name(counter), (ull)value);
        comma = ",";
    }
    fputc('}', out);
}

static void write_histogram(FILE *out, const char *comma, enum histogram_kind kind, const struct histogram *histogram)
{
    fprintf(out, "%s\"%s\":{\"count\":%llu,\"sum_us\":%llu", comma, histogram_name(kind),
            (ull)histogram_count(histogram), (ull)histogram->sum_us);
    fprintf(out, ",\"p50_us\":%llu,\"p90_us\":%llu,\"p99_us\":%llu,\"buckets\":[",
            (ull)histogram_quantile_us(histogram, 0.5), (ull)histogram_quantile_us(histogram, 0.9),
            (ull)histogram_quantile_us(histogram, 0.99));
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        fprintf(out, "%s%llu", i > 0 ? "," : "", (ull)histogram->buckets[i]);
    fputs("]}", out);
}

static void write_histograms(FILE *out, const struct counter_sets *sets, uint32_t shard, bool is_of_shard)
{
    const char *comma = "";
    fputs("\"histograms\":{", out);
    for (enum histogram_kind kind = 0; kind < HISTOGRAMS_MAX; kind++) {
        if (is_of_shard && histogram_metric(kind).scope != COUNTER_SCOPE_SHARD) continue;
        struct histogram sum = {0};
        if (is_of_shard) histogram_add(&sum, &sets->sets[shard]->histograms[kind]);
        if (!is_of_shard) sum = counter_sets_histogram(sets, kind);
        write_histogram(out, comma, kind, &sum);
        comma = ",";
    }
    fputc('}', out);
}

static void write_bounds(FILE *out)
{
    fputs(",\"bounds_us\":[", out);
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS - 1; i++)
        fprintf(out, "%s%llu", i > 0 ? "," : "", (ull)histogram_bound_us(i));
    fputc(']', out);
}

static void write_shards(FILE *out, const struct shard *asker)
{
    const struct counter_sets *sets = asker->counted;
    fputs(",\"shards\":[", out);
    for (uint32_t i = 0; i < sets->shards_count; i++) {
        char name[METRICS_SHARD_BYTES];
        fprintf(out, "%s{\"name\":\"%s\",\"mailbox_letters\":%llu,", i > 0 ? "," : "",
                metrics_shard_name(asker, i, name), (ull)exchange_letters(asker->exchange, i));
        write_counters(out, sets, i, true);
        fputc(',', out);
        write_histograms(out, sets, i, true);
        fputc('}', out);
    }
    fputc(']', out);
}

static void write_apps(FILE *out, const struct shard *shard)
{
    const struct app_list *apps = &shard->options->app;
    fputs(",\"apps\":[", out);
    for (uint32_t i = 0; i < apps->count; i++) /* the first one is never gone */
        if (!apps->items[i].is_gone)
            fprintf(out, "%s{\"id\":\"%s\",\"connections\":%llu}", i > 0 ? "," : "", apps->items[i].id,
                    (ull)ck_pr_load_64(&shard->app_connections[i]));
    fputc(']', out);
}

static void write_warnings(FILE *out)
{
    struct log_recent lines[LOG_RECENT_LINES];
    uint32_t count = log_recent_read(lines);
    fputs(",\"warnings\":[", out);
    for (uint32_t i = 0; i < count; i++) {
        fprintf(out, "%s{\"time_ms\":%llu,\"level\":\"%s\",\"thread\":\"%s\",\"text\":", i > 0 ? "," : "",
                (ull)lines[i].time_ms, log_level_name(lines[i].level), lines[i].thread);
        write_string(out, lines[i].text);
        fputc('}', out);
    }
    fputc(']', out);
}

void stats_write(FILE *out, const struct shard *shard)
{
    write_head(out, shard);
    write_node(out, shard);
    fputc(',', out);
    write_counters(out, shard->counted, 0, false);
    write_bounds(out);
    fputc(',', out);
    write_histograms(out, shard->counted, 0, false);
    write_shards(out, shard);
    write_apps(out, shard);
    write_warnings(out);
    fputs("}\n", out);
}
