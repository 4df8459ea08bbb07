/* bench/pieces/bench_presence.c - a presence channel with many members: one more comes and goes;
 * all are written down. */
#include "bench/pieces/bench.h"
#include "bench/pieces/pieces.h"
#include "core/presence.h"

#include <stdio.h>
#include <stdlib.h>

#define MEMBERS   10000
#define TURNS     UINT64_C(2000000)
#define SNAPSHOTS UINT64_C(2000)

struct work {
    struct presence *presence;
    char *snapshot;
    uint64_t repeats;
};

static struct text user_id(char at[24], uint64_t number)
{
    int count = snprintf(at, 24, "%llu", (unsigned long long)number);
    return (struct text){.at = at, .count = (size_t)count};
}

static enum rc join(struct presence *presence, uint64_t number)
{
    char id[24];
    return presence_join(presence, user_id(id, number), text_of("{\"name\":\"Ann Example\",\"color\":\"#4477aa\"}"));
}

static uint64_t run_turns(void *context)
{
    struct work *work = context;
    uint64_t hash = 0;
    char id[24];
    struct text newcomer = user_id(id, MEMBERS);
    for (uint64_t i = 0; i < work->repeats; i++) {
        enum rc rc = join(work->presence, MEMBERS);
        hash = bench_mix(hash, presence_snapshot_bytes(work->presence) + (rc == RC_OK));
        hash = bench_mix(hash, presence_leave(work->presence, newcomer));
    }
    return hash;
}

static uint64_t run_snapshots(void *context)
{
    struct work *work = context;
    uint64_t hash = 0;
    for (uint64_t i = 0; i < work->repeats; i++) {
        const char *end = presence_snapshot_write(work->presence, work->snapshot);
        hash = bench_mix(hash, (uint64_t)(end - work->snapshot) + (uint8_t)work->snapshot[i % 1000]);
    }
    return hash;
}

static enum rc set_up(struct work *work)
{
    enum rc rc = RC_OK;
    work->presence = presence_new();
    if (work->presence == NULL) return RC_ENOMEM;
    for (uint64_t i = 0; i < MEMBERS && rc == RC_OK; i++)
        rc = join(work->presence, i);
    if (rc != RC_OK) return rc;
    work->snapshot = malloc(presence_snapshot_bytes(work->presence));
    return work->snapshot != NULL ? RC_OK : RC_ENOMEM;
}

void bench_presence(struct bench *bench)
{
    static const char turn_name[] = "presence/join_leave", snapshot_name[] = "presence/snapshot/10000";
    if (!bench_wants(bench, turn_name) && !bench_wants(bench, snapshot_name)) return;
    struct work work = {0};
    enum rc rc = set_up(&work);
    if (rc != RC_OK) bench_unable(bench, "presence", rc);
    if (rc == RC_OK && bench_wants(bench, turn_name)) {
        work.repeats = bench_size(bench, TURNS);
        bench_measure(bench, &(struct bench_piece){
                                 .name = turn_name, .operations = work.repeats, .run = run_turns, .context = &work});
    }
    if (rc == RC_OK && bench_wants(bench, snapshot_name)) {
        work.repeats = bench_size(bench, SNAPSHOTS);
        bench_measure(bench, &(struct bench_piece){.name = snapshot_name,
                                                   .operations = work.repeats,
                                                   .bytes = work.repeats * presence_snapshot_bytes(work.presence),
                                                   .run = run_snapshots,
                                                   .context = &work});
    }
    free(work.snapshot);
    presence_free(work.presence);
}
