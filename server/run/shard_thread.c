/* server/run/shard_thread.c - making a shard, running its thread, taking it apart. */
#include "server/run/shard_thread.h"

#include "core/memory.h"
#include "net/listener.h"
#include "net/refusal.h"
#include "net/ring.h"
#include "net/tls/tls.h"
#include "server/channel/fan_out.h"
#include "server/component/pusher.h"
#include "server/connection/accept.h"
#include "server/connection/connection.h"
#include "server/connection/door.h"
#include "server/connection/flush_chunk.h"
#include "server/connection/peer.h"
#include "server/connection/secure_files.h"
#include "server/connection/tally.h"
#include "server/control/trail.h"
#include "server/home/home.h"
#include "server/run/black_box.h"
#include "server/run/turn.h"
#include "server/shard/crowd.h"
#include "server/shard/shard.h"
#include "server/shard/sweep.h"
#include "server/system/clock.h"
#include "server/system/crash.h"
#include "server/system/log.h"

#include <ck_pr.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define RING_SUBMISSIONS     4096
#define RING_COMPLETIONS     32768 /* an accept storm (a backlog of 4096) beside a busy turn */
#define SUBSCRIPTIONS_A_SLOT 128   /* on average; one connection may have what its app permits */
#define RECEIVE_BYTES        2048  /* of a receive buffer: a chat message, a handshake; larger ones come in several */

static struct ring_setup ring_setup_of(const struct options *options, uint32_t slots)
{
    return (struct ring_setup){
        .submissions = RING_SUBMISSIONS,
        .completions = RING_COMPLETIONS,
        .slots = slots,
        .buffers = options->receive_buffers,
        .buffer_bytes = RECEIVE_BYTES,
    };
}

uint64_t shard_thread_buffers_bytes(const struct options *options)
{
    struct ring_setup setup = ring_setup_of(options, 0);
    return ring_bytes(&setup) + flush_chunk_bytes();
}

static enum rc make_ring(struct shard *shard, char *reason_r, size_t reason_size)
{
    struct ring_setup setup = ring_setup_of(shard->options, shard->slots_max);
    return ring_new(&shard->ring, &setup, reason_r, reason_size);
}

/* The first shard behind a door takes the socket that claimed the address; the others join it, or share one that was
 * passed to us. */
static enum rc make_listener(struct shard *shard, uint32_t index, char *reason_r, size_t reason_size)
{
    int *claim = &shard->door->claims[index];
    const struct address *address = door_address(shard->door, index);
    if (*claim < 0 && address->passed > 0)
        return listener_share(address->passed, &shard->accept.listeners[index], reason_r, reason_size);
    if (*claim < 0) return listener_join(&address->storage, &shard->accept.listeners[index], reason_r, reason_size);
    shard->accept.listeners[index] = *claim;
    *claim = -1;
    return RC_OK;
}

static enum rc make_listeners(struct shard *shard, char *reason_r, size_t reason_size)
{
    uint32_t count = door_addresses_count(shard->door);
    shard->accept.listeners = malloc(count * sizeof shard->accept.listeners[0]);
    shard->accept.is_accepting = calloc(count, sizeof shard->accept.is_accepting[0]);
    if (shard->accept.listeners == NULL || shard->accept.is_accepting == NULL) return RC_ENOMEM;
    for (uint32_t i = 0; i < count; i++) {
        shard->accept.listeners[i] = -1;
    }
    if (shard->door->wants_peers) {
        shard->accept.from = calloc(count, sizeof shard->accept.from[0]);
        if (shard->accept.from == NULL) return RC_ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        enum rc rc = make_listener(shard, i, reason_r, reason_size);
        if (rc != RC_OK) return rc;
    }
    return RC_OK;
}

static enum rc make_tables(struct shard *shard, uint32_t homes_count)
{
    enum rc rc;
    uint32_t slots = shard->slots_max;
    shard->connections = memory_reserve(slots, sizeof shard->connections[0]);
    shard->outboxes = memory_reserve(slots, sizeof shard->outboxes[0]);
    shard->flush.chunk = flush_chunk_new();
    if (shard->connections == NULL || shard->outboxes == NULL || shard->flush.chunk == NULL) return RC_ENOMEM;
    if ((rc = peers_init(shard)) != RC_OK) return rc;
    if ((rc = slot_list_init(&shard->flush.dirty, slots)) != RC_OK) return rc;
    if ((rc = slot_list_init(&shard->flush.flushing, slots)) != RC_OK) return rc;
    if ((rc = slot_queue_init(&shard->crowd.queue, slots)) != RC_OK) return rc;
    if ((rc = slot_queue_init(&shard->answers.askers, slots)) != RC_OK) return rc;
    if ((rc = slot_list_init(&shard->receive.starved, slots)) != RC_OK) return rc;
    if ((rc = slot_queue_init(&shard->tls.shaking, slots)) != RC_OK) return rc;
    if ((rc = slot_queue_init(&shard->tls.hellos, slots)) != RC_OK) return rc;
    /* Twice: one that is paused again while it is resumed stands in it a second time until the others are done. */
    if ((rc = slot_list_init(&shard->receive.paused, 2 * slots)) != RC_OK) return rc;
    if ((rc = pool_init(&shard->channel.subscriptions, sizeof(struct subscription), SUBSCRIPTIONS_A_SLOT * slots)) !=
        RC_OK)
        return rc;
    if ((rc = tally_init(shard)) != RC_OK) return rc;
    if ((rc = pool_init(&shard->pusher.pool, sizeof(struct pusher), slots)) != RC_OK) return rc;
    return hub_init(&shard->hub, shard->index, homes_count);
}

static enum rc make_secure(struct shard *shard, struct tls_files *files, char *reason_r, size_t reason_size)
{
    shard->tls.plain = malloc(TLS_OPEN_BYTES_MAX);
    if (shard->tls.plain == NULL) return RC_ENOMEM;
    tls_files_hold(files);
    secure_offer_files(shard, files);
    return secure_take_files(shard, reason_r, reason_size);
}

enum rc shard_thread_init(struct shard *shard, uint32_t homes_count, struct tls_files *files, char *reason_r,
                          size_t reason_size)
{
    owner_take(&shard->owner); /* until its thread begins */
    shard_take_rules(shard);
    shard->signal_descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    shard->slots_max = shard->door->slots_max;
    shard->answers.bytes = shard->options->replay_bytes_max; /* until answers tell */
    TAILQ_INIT(&shard->sweeps);
    TAILQ_INIT(&shard->home.kept);
    TAILQ_INIT(&shard->home.logs);
    TAILQ_INIT(&shard->home.empty_logs);
    arc4random_buf(&shard->home.epoch_key, sizeof shard->home.epoch_key);
    name_filter_init(&shard->home.seen, shard->options->history_bytes_max / 8);
    TAILQ_INIT(&shard->home.store_jobs);
    TAILQ_INIT(&shard->home.cluster_jobs);
    TAILQ_INIT(&shard->home.people_asked);
    TAILQ_INIT(&shard->home.people_waiting);
    TAILQ_INIT(&shard->home.leavers);
    snprintf(reason_r, reason_size, "out of memory: start fewer --shards or lower --connections-max");
    enum rc rc = make_tables(shard, homes_count);
    if (rc == RC_OK && shard->signal_descriptor < 0) {
        snprintf(reason_r, reason_size, "no descriptor is left: raise RLIMIT_NOFILE (ulimit -n, LimitNOFILE=)");
        rc = RC_EKERNEL;
    }
    if (rc == RC_OK) rc = make_ring(shard, reason_r, reason_size);
    if (rc == RC_OK) rc = make_listeners(shard, reason_r, reason_size);
    if (rc == RC_OK && files != NULL) rc = make_secure(shard, files, reason_r, reason_size);
    if (rc != RC_OK) shard_thread_fini(shard);
    return rc;
}

void shard_thread_fini(struct shard *shard)
{
    if (shard->options == NULL) return;
    owner_take(&shard->owner); /* its thread has ended */
    ring_free(shard->ring);    /* first: the kernel may write to our memory until then */
    if (shard->hub.table != NULL) {
        sweeps_end(shard);
        home_end(shard);
    }
    hub_fini(&shard->hub);
    name_filter_fini(&shard->home.seen);
    for (uint32_t i = 0; shard->accept.listeners != NULL && i < door_addresses_count(shard->door); i++) {
        if (shard->accept.listeners[i] >= 0) close(shard->accept.listeners[i]);
    }
    if (shard->signal_descriptor >= 0) close(shard->signal_descriptor);
    free(shard->accept.listeners);
    trail_free(shard);
    free(shard->follow);
    free(shard->accept.is_accepting);
    free(shard->accept.from);
    free(shard->channel.active);
    free(shard->home.settling);
    flush_chunk_free(shard->flush.chunk);
    pool_fini(&shard->channel.subscriptions);
    pool_fini(&shard->pusher.pool);
    slot_list_fini(&shard->flush.dirty);
    slot_list_fini(&shard->flush.flushing);
    slot_queue_fini(&shard->crowd.queue);
    slot_queue_fini(&shard->answers.askers);
    slot_list_fini(&shard->receive.starved);
    slot_queue_fini(&shard->tls.shaking);
    slot_queue_fini(&shard->tls.hellos);
    secure_end(shard);
    tally_fini(shard);
    free(shard->tls.plain);
    slot_list_fini(&shard->receive.paused);
    peers_fini(shard);
    memory_release(shard->connections, shard->slots_max, sizeof shard->connections[0]);
    memory_release(shard->outboxes, shard->slots_max, sizeof shard->outboxes[0]);
    *shard = (struct shard){.signal_descriptor = -1};
}

/* ---- the thread ---- */

static enum rc begin(struct shard *shard)
{
    owner_take(&shard->owner);
    shard->now_ms = monotonic_ms();
    shard->turn.trim_at_ms = shard->now_ms + TRIM_MS;
    timer_wheel_init(&shard->timers, shard->now_ms);
    timer_wheel_init(&shard->home.timers, shard->now_ms);
    timer_wheel_init(&shard->receive.throttle_timers, shard->now_ms);
    enum rc rc = ring_enable(shard->ring);
    if (rc != RC_OK) return rc;
    ring_watch(shard->ring, shard->signal_descriptor);
    accept_start(shard);
    return RC_OK;
}

/* Gives back what is left when the time to say goodbye is over; the sockets close with the ring. */
static void end(struct shard *shard)
{
    home_settle(shard);
    fan_out_settle_all(shard);
    for (uint32_t slot = 0; slot < shard->slots_used; slot++) {
        connection_finish(shard, &shard->connections[slot], CLOSE_SERVER_STOP);
    }
    fan_out_settle_all(shard); /* that members left was told to those who left after them */
    crowd_give_up(shard);
    trim_end(&shard->turn.trim);
}

static void *run(void *argument)
{
    struct shard *shard = argument;
    char name[SHARD_NAME_BYTES];
    log_thread_init(shard_name(shard, name));
    crash_thread_init();
    black_box_board(shard);
    enum rc rc = begin(shard);
    shard->thread.begin_rc = rc; /* ours no more once the semaphore is up */
    sem_post(&shard->thread.has_begun);
    if (rc == RC_OK) {
        while (turn_run(shard)) {
        }
        end(shard);
    }
    log_thread_fini();
    ck_pr_store_uint(&shard->has_ended, 1);
    return NULL;
}

enum rc shard_thread_start(struct shard *shard, char *reason_r, size_t reason_size)
{
    char name[SHARD_NAME_BYTES];
    sem_init(&shard->thread.has_begun, 0, 0);
    int failed = pthread_create(&shard->thread.id, NULL, run, shard);
    if (failed != 0) {
        refusal_of_thread(shard_name(shard, name), failed, reason_r, reason_size);
        return RC_EKERNEL;
    }
    shard->thread.is_there = true;
    while (sem_wait(&shard->thread.has_begun) != 0) {
    }
    if (shard->thread.begin_rc == RC_OK) return RC_OK;
    snprintf(reason_r, reason_size,
             "io_uring: the ring of shard %u cannot be enabled: in a container, let its seccomp profile permit "
             "io_uring_register",
             shard->index);
    return shard->thread.begin_rc;
}
