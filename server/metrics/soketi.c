/* server/metrics/soketi.c - the table of Soketi's names, read off our counters. */
#include "server/metrics/soketi.h"

#include "core/counters.h"
#include "server/config/address.h"
#include "server/metrics/exposition.h"
#include "server/shard/shard.h"

#define PREFIX      "soketi_"
#define LABEL_BYTES 120

static const struct {
    struct exposition_family family;
    enum counter counter; /* COUNTER_CLOSED: all of them */
} rows[] = {
#define SOKETI(counter_, type_, unit_, name_, text_)                                                              \
    {.family = {.type = EXPOSITION_##type_, .prefix = PREFIX, .name = (name_), .unit = (unit_), .text = (text_)}, \
     .counter = COUNTER_##counter_},
#include "server/metrics/soketi.def"
#undef SOKETI
};

static void tell_connected(struct exposition *exposition, const struct shard *shard, uint16_t port)
{
    const struct app_list *apps = &shard->options->app;
    static const struct exposition_family connected = {
        .type = EXPOSITION_GAUGE, .prefix = PREFIX, .name = "connected", .text = "channel connections of an app"};
    exposition_begin(exposition, &connected);
    for (uint32_t i = 0; i < apps->count; i++) {
        char label[LABEL_BYTES];
        if (apps->items[i].is_gone) continue;
        snprintf(label, sizeof label, "app_id=\"%s\",port=\"%u\"", apps->items[i].id, port);
        exposition_sample(exposition, label, ck_pr_load_64(&shard->app_connections[i]));
    }
}

/* A sum of what only grows, so that it does too; the connections that are open are told by the shards at any time. */
static uint64_t count_closed(const struct shard *shard)
{
    uint64_t sum = 0;
    for (enum close_reason reason = CLOSE_NONE; reason < CLOSE_REASONS_MAX; reason++)
        if (reason != CLOSE_REFUSED) sum += counter_sets_sum(shard->counted, counter_of_close(reason));
    return sum;
}

void soketi_tell(struct exposition *exposition, const struct shard *shard)
{
    char label[LABEL_BYTES];
    uint16_t port = address_port(&shard->options->listen.items[0]);
    snprintf(label, sizeof label, "port=\"%u\"", port);
    tell_connected(exposition, shard, port);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool is_closed = rows[i].counter == COUNTER_CLOSED;
        exposition_begin(exposition, &rows[i].family);
        exposition_sample(exposition, label,
                          is_closed ? count_closed(shard) : counter_sets_sum(shard->counted, rows[i].counter));
    }
}
