/* bench/pieces/bench_flush.c - outboxes to sockets: what a turn's sends cost before the kernel has its part.
 *
 * The real server/connection/flush.c over the tests' ring in memory (tests/support), whose sockets take all and copy
 * it. What that itself costs is told too, flush/N/ring: the same sends without outboxes. Every connection has the same
 * batches, as after one fan-out: one goes from where it lies, several are joined on the way. An operation is a send.
 */
#include "bench/clock.h"
#include "bench/pieces/bench.h"
#include "bench/pieces/pieces.h"
#include "core/batch.h"
#include "net/ring.h"
#include "server/connection/flush.h"
#include "server/connection/flush_chunk.h"
#include "server/connection/flush_queue.h"
#include "server/shard/shard.h"
#include "tests/support/fake_ring.h"

#include <stdio.h>
#include <stdlib.h>

#define SENDS       (UINT64_C(1) << 21) /* of a run */
#define BATCH_BYTES 66                  /* a text of 64 bytes */
#define BATCHES_MAX 3
#define CHUNK_SENDS 256 /* as server/connection/flush.c submits them */

struct crowd {
    struct shard shard;
    struct crowds_behind crowds_behind;
    struct fake_socket *sockets;
    struct send_failure failures[CHUNK_SENDS];
    uint8_t frame[BATCH_BYTES];
    uint32_t connections;
    uint32_t batches; /* for each; 0: the ring alone */
    uint64_t turns;
    uint64_t spent_ns;
};

static void crowd_fini(struct crowd *crowd)
{
    struct shard *shard = &crowd->shard;
    for (uint32_t i = 0; crowd->sockets != NULL && i < crowd->connections; i++) {
        free(crowd->sockets[i].to_client.bytes);
    }
    if (shard->ring != NULL) ring_free(shard->ring);
    flush_chunk_free(shard->flush.chunk);
    slot_list_fini(&shard->flush.dirty);
    slot_list_fini(&shard->flush.flushing);
    free(shard->outboxes);
    free(crowd->sockets);
    free(crowd);
}

static struct crowd *crowd_new(uint32_t connections, uint32_t batches, uint64_t turns)
{
    struct crowd *crowd = aligned_alloc(_Alignof(struct crowd), sizeof *crowd);
    if (crowd == NULL) return NULL;
    *crowd = (struct crowd){.connections = connections, .batches = batches, .turns = turns};
    struct shard *shard = &crowd->shard;
    struct ring_setup setup = {.slots = connections, .buffers = 1, .buffer_bytes = 1};
    fake_kernel_init(1);
    owner_take(&shard->owner);
    shard->crowd.behind = &crowd->crowds_behind;
    ring_new(&shard->ring, &setup, NULL, 0); /* the one in memory ends the program rather than fail */
    shard->outboxes = calloc(connections, sizeof shard->outboxes[0]);
    shard->flush.chunk = flush_chunk_new();
    crowd->sockets = calloc(connections, sizeof crowd->sockets[0]);
    memset(crowd->frame, 'x', sizeof crowd->frame);
    bool has_lists = slot_list_init(&shard->flush.dirty, connections) == RC_OK &&
                     slot_list_init(&shard->flush.flushing, connections) == RC_OK;
    if (shard->outboxes == NULL || shard->flush.chunk == NULL || crowd->sockets == NULL || !has_lists) {
        crowd_fini(crowd);
        return NULL;
    }
    for (uint32_t i = 0; i < connections; i++) {
        crowd->sockets[i].send_buffer = SIZE_MAX / 2;
        shard->ring->slots[i].socket = &crowd->sockets[i];
    }
    return crowd;
}

/* Every connection has this turn's batches to say. */
static void fill_outboxes(struct crowd *crowd, uint64_t turn)
{
    struct shard *shard = &crowd->shard;
    for (uint32_t b = 0; b < crowd->batches; b++) {
        uint8_t *bytes;
        struct batch *batch = batch_new(BATCH_BYTES, turn, &bytes);
        if (batch == NULL) abort(); /* one small block: the run means nothing any more */
        memset(bytes, (int)((turn + b) & 0x7f), BATCH_BYTES);
        for (uint32_t i = 0; i < crowd->connections; i++) {
            if (outbox_append(&shard->outboxes[i], batch) != RC_OK) abort();
            flush_later(shard, i);
        }
        batch_drop(&shard->counters, batch);
    }
}

static void send_alone(struct crowd *crowd)
{
    struct ring *ring = crowd->shard.ring;
    for (uint32_t i = 0; i < crowd->connections; i++) {
        if (ring_send_room(ring) == 0) ring_submit_sends(ring, crowd->failures);
        ring_send(ring, i, i % CHUNK_SENDS, crowd->frame, BATCH_BYTES);
    }
    ring_submit_sends(ring, crowd->failures);
}

/* The clients read it all. */
static uint64_t empty_sockets(struct crowd *crowd, uint64_t hash)
{
    for (uint32_t i = 0; i < crowd->connections; i++) {
        struct fake_pipe *pipe = &crowd->sockets[i].to_client;
        hash = bench_mix(hash, pipe->count << 8 | pipe->bytes[pipe->first]);
        pipe->count = pipe->first = 0;
    }
    return hash;
}

static uint64_t run(void *context)
{
    struct crowd *crowd = context;
    uint64_t hash = 0;
    crowd->spent_ns = 0;
    for (uint64_t turn = 0; turn < crowd->turns; turn++) {
        fill_outboxes(crowd, turn);
        uint64_t begun_ns = clock_ns();
        if (crowd->batches > 0) {
            flush_outboxes(&crowd->shard);
        } else {
            send_alone(crowd);
        }
        crowd->spent_ns += clock_ns() - begun_ns;
        hash = empty_sockets(crowd, hash);
    }
    return hash;
}

static void measure(struct bench *bench, uint32_t connections, uint32_t batches)
{
    char name[32];
    int count = snprintf(name, sizeof name, "flush/%u/", connections);
    if (batches > 0) {
        snprintf(name + count, sizeof name - (size_t)count, "%u", batches);
    } else {
        snprintf(name + count, sizeof name - (size_t)count, "ring");
    }
    if (!bench_wants(bench, name)) return;
    if (bench->is_smoke && connections > 1000) connections = 1000;
    uint64_t turns = bench_size(bench, SENDS) / connections + 1;
    struct crowd *crowd = crowd_new(connections, batches, turns);
    if (crowd == NULL) {
        bench_unable(bench, name, RC_ENOMEM);
        return;
    }
    uint64_t sends = turns * connections;
    struct bench_piece piece = {.name = name,
                                .operations = sends,
                                .bytes = sends * BATCH_BYTES * (batches > 0 ? batches : 1),
                                .run = run,
                                .context = crowd,
                                .spent_ns = &crowd->spent_ns};
    bench_measure(bench, &piece);
    crowd_fini(crowd);
}

void bench_flush(struct bench *bench)
{
    static const uint32_t connections[] = {1, 100, 1000, 10000, 100000};
    static const uint32_t batches[] = {0, 1, BATCHES_MAX};
    for (size_t i = 0; i < 3 * sizeof connections / sizeof connections[0]; i++) {
        measure(bench, connections[i / 3], batches[i % 3]);
    }
}
