/* bench/pieces/bench_metrics.c - a time put into a histogram, and what a server of some shards tells at a scrape. */
#include "bench/pieces/bench.h"
#include "bench/pieces/pieces.h"
#include "core/counters.h"
#include "server/connection/door.h"
#include "server/metrics/metrics.h"
#include "server/shard/exchange.h"
#include "server/shard/shard.h"

#include <stdio.h>
#include <stdlib.h>

#define TIMES     (UINT64_C(1) << 24)
#define TIME_BITS 25 /* of a time: up to half a minute */
#define SCRAPES   200
#define SEED      3
#define SHARDS    64
#define MAILBOXES 64 /* letters of each */

struct times {
    struct histogram histogram;
    uint64_t count;
};

static uint64_t record(void *context)
{
    struct times *times = context;
    uint64_t random = SEED, hash = 0;
    times->histogram = (struct histogram){0};
    for (uint64_t i = 0; i < times->count; i++) {
        uint64_t number = bench_random(&random);
        histogram_record(&times->histogram, number >> (64 - TIME_BITS) >> (number % TIME_BITS));
    }
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        hash = bench_mix(hash, times->histogram.buckets[i]);
    return hash;
}

static void measure_record(struct bench *bench)
{
    static struct times times;
    if (!bench_wants(bench, "metrics/record")) return;
    times.count = bench_size(bench, TIMES);
    struct bench_piece piece = {
        .name = "metrics/record", .operations = times.count, .run = record, .context = &times};
    bench_measure(bench, &piece);
}

/* ---- a scrape ---- */

/* A server as the control shard sees it, which is the last one. Its connections and channels do not matter: nothing of
 * what is told is found by looking at them. */
struct told {
    struct options options;
    struct doors doors;
    struct counter_sets counted;
    struct exchange exchange;
    uint32_t stage;
    struct shard *shards;
    uint32_t homes;
    uint64_t scrapes;
};

static uint64_t count_lines(const char *text)
{
    uint64_t lines = 0;
    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

static uint64_t scrape(void *context)
{
    const struct told *told = context;
    uint64_t hash = 0;
    for (uint64_t i = 0; i < told->scrapes; i++) {
        char *text = NULL;
        size_t bytes = 0;
        FILE *out = open_memstream(&text, &bytes);
        if (out == NULL) abort();
        metrics_write(out, &told->shards[told->homes], EXPOSITION_OPEN_METRICS);
        if (fclose(out) != 0) abort();
        hash = bench_mix(hash, count_lines(text)); /* what it says of the process differs each time */
        free(text);
    }
    return hash;
}

static enum rc fill(struct told *told, uint32_t homes)
{
    static char node[] = "bench";
    uint32_t count = homes + 1;
    *told = (struct told){.homes = homes, .counted.shards_count = count, .options.node = node};
    told->shards = aligned_alloc(_Alignof(struct shard), count * sizeof(struct shard));
    if (told->shards == NULL) return RC_ENOMEM;
    memset(told->shards, 0, count * sizeof(struct shard));
    for (uint32_t i = 0; i < count; i++) {
        told->shards[i].hub.homes = homes;
        told->shards[i].options = &told->options;
        told->shards[i].doors = &told->doors;
        told->shards[i].exchange = &told->exchange;
        told->shards[i].stage = &told->stage;
        told->shards[i].counted = &told->counted;
        counter_sets_add(&told->counted, &told->shards[i].counters);
    }
    return exchange_init(&told->exchange, told->shards, count, MAILBOXES);
}

static void measure_scrape(struct bench *bench, uint32_t homes)
{
    static struct told told;
    char name[40];
    snprintf(name, sizeof name, "metrics/scrape/%u", homes);
    if (!bench_wants(bench, name)) return;
    enum rc rc = fill(&told, homes);
    told.scrapes = bench_size(bench, SCRAPES);
    struct bench_piece piece = {.name = name, .operations = told.scrapes, .run = scrape, .context = &told};
    if (rc == RC_OK) bench_measure(bench, &piece);
    if (rc != RC_OK) bench_unable(bench, name, rc);
    if (told.shards != NULL) exchange_fini(&told.exchange, &told.shards[0].counters);
    free(told.shards);
}

void bench_metrics(struct bench *bench)
{
    measure_record(bench);
    measure_scrape(bench, 2);
    measure_scrape(bench, 8);
    measure_scrape(bench, SHARDS);
}
