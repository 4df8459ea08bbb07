/* tests/support/connection_case.c - a shard's thread with nothing but connections; their clients. */
#include "tests/support/connection_case.h"

#include "core/memory.h"
#include "net/tls/tls.h"
#include "server/config/options_read.h"
#include "server/connection/accept.h"
#include "server/connection/arrival.h"
#include "server/connection/deadline_passed.h"
#include "server/connection/door.h"
#include "server/connection/flush.h"
#include "server/connection/flush_chunk.h"
#include "server/connection/long_answer.h"
#include "server/connection/peer.h"
#include "server/connection/reading.h"
#include "server/connection/receive.h"
#include "server/connection/secure_files.h"
#include "server/connection/tally.h"
#include "server/connection/throttle.h"
#include "server/shard/crowd.h"
#include "server/system/clock.h"
#include "tests/support/fake_ring.h"
#include "tests/support/leaks.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SLOTS     64
#define TEXT_MAX  (1 << 20)
#define TEXTS_MAX 8

struct shard *case_shard;
static void (*due)(void); /* for the shard's thread; NULL: nothing */
static struct options options;
static struct door door;
static struct crowds_behind crowds_behind;
static bool is_stopping; /* the shard's thread is to end */

/* ---- the shard ---- */

static struct connection *connection_of(const struct completion *completion)
{
    struct connection *connection = &case_shard->connections[completion->slot];
    if (connection->state != CONNECTION_FREE && connection->life == completion->life) return connection;
    if (completion->has_buffer) ring_give_back(case_shard->ring, completion->buffer);
    return NULL;
}

static void take_completion(struct completion *completion)
{
    struct connection *connection = NULL;
    bool is_of_one = completion->kind == OP_RECEIVE || completion->kind == OP_WRITABLE ||
                     completion->kind == OP_SHUTDOWN || completion->kind == OP_UNACKED || completion->kind == OP_PEER;
    if (completion->kind == OP_SIGNAL && !completion->more)
        ring_watch(case_shard->ring, case_shard->signal_descriptor);
    if (completion->kind == OP_ACCEPT) accept_completed(case_shard, completion);
    if (is_of_one) connection = connection_of(completion);
    if (connection == NULL) return;
    if (completion->kind == OP_RECEIVE) receive_completed(case_shard, connection, completion);
    if (completion->kind == OP_PEER) arrival_told(case_shard, connection, completion->result);
    if (completion->kind == OP_UNACKED) deadline_measured(case_shard, connection, completion->result);
    if (completion->kind == OP_WRITABLE) connection->is_awaiting = false;
    if (completion->kind == OP_SHUTDOWN) connection->is_shutting = false;
    if (completion->kind == OP_SHUTDOWN || connection->state == CONNECTION_REAPING) {
        connection_operation_done(case_shard, connection);
    } else if (completion->kind == OP_WRITABLE) {
        flush_unblock(case_shard, connection);
    }
}

static void run_timers(void)
{
    struct timer *timer;
    while ((timer = timer_wheel_expire(&case_shard->receive.throttle_timers, case_shard->now_ms)) != NULL) {
        receive_go_on(case_shard, throttle_timer(case_shard, timer));
    }
    while ((timer = timer_wheel_expire(&case_shard->timers, case_shard->now_ms)) != NULL) {
        if (timer == &case_shard->accept.timer) {
            accept_timer(case_shard);
        } else {
            deadline_passed(case_shard, (struct connection *)((char *)timer - offsetof(struct connection, timer)));
        }
    }
}

static uint64_t sleep_ms(void)
{
    uint64_t at_ms = timer_wheel_wake_at_ms(&case_shard->timers);
    uint64_t throttle_ms = timer_wheel_wake_at_ms(&case_shard->receive.throttle_timers);
    bool is_busy = case_shard->flush.dirty.count + case_shard->receive.starved.count + case_shard->tls.shaking.count +
                       case_shard->tls.hellos.count + case_shard->crowd.queue.count >
                   0;
    if (throttle_ms < at_ms) at_ms = throttle_ms;
    if (is_busy || at_ms <= case_shard->now_ms) return 0;
    return at_ms - case_shard->now_ms < 1000 ? at_ms - case_shard->now_ms : 1000;
}

static void turn(void)
{
    struct completion completion;
    char reason[512];
    ring_wait(case_shard->ring, sleep_ms());
    case_shard->now_ms = monotonic_ms();
    case_shard->woke_us = monotonic_us();
    if (due != NULL) due();
    due = NULL;
    while (ring_next(case_shard->ring, &completion)) {
        take_completion(&completion);
    }
    receive_retry_starved(case_shard);
    crowd_look(case_shard);
    run_timers();
    flush_outboxes(case_shard);
    long_answers_go_on(case_shard);
    secure_take_files(case_shard, reason, sizeof reason);
    receive_run_handshakes(case_shard);
    accept_more(case_shard);
    flush_outboxes(case_shard);
}

static void *run(void *unused)
{
    owner_take(&case_shard->owner);
    case_shard->now_ms = monotonic_ms();
    timer_wheel_init(&case_shard->timers, case_shard->now_ms);
    timer_wheel_init(&case_shard->receive.throttle_timers, case_shard->now_ms);
    ring_enable(case_shard->ring);
    ring_watch(case_shard->ring, case_shard->signal_descriptor);
    accept_start(case_shard);
    while (!is_stopping) {
        turn();
    }
    return unused;
}

/* ---- life ---- */

static void read_options(const char *const flags[])
{
    const char *argv[40] = {"ringcast", "--listen", "127.0.0.1:0"};
    char reason[OPTIONS_ERROR_BYTES];
    int argc = 3;
    for (; flags[argc - 3] != NULL; argc++) {
        argv[argc] = flags[argc - 3];
    }
    cr_assert_eq(options_read(&options, argc, (char *const *)argv, NULL, reason, sizeof reason), RC_OK, "%s", reason);
}

static void make_listeners(void)
{
    uint32_t count = door_addresses_count(&door);
    case_shard->accept.listeners = malloc(count * sizeof case_shard->accept.listeners[0]);
    case_shard->accept.is_accepting = calloc(count, 1);
    for (uint32_t i = 0; i < count; i++) {
        case_shard->accept.listeners[i] = dup(STDIN_FILENO); /* the fake kernel knows them by their index */
    }
}

static void make_shard(void)
{
    char reason[RING_REASON_BYTES];
    struct ring_setup setup = {
        .submissions = 256, .completions = 1024, .slots = SLOTS, .buffers = 64, .buffer_bytes = 2048};
    case_shard = aligned_alloc(_Alignof(struct shard), sizeof *case_shard);
    memset(case_shard, 0, sizeof *case_shard);
    owner_take(&case_shard->owner); /* until its thread begins */
    case_shard->options = &options;
    case_shard->door = &door;
    case_shard->crowd.behind = &crowds_behind;
    case_shard->slots_max = SLOTS;
    case_shard->signal_descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    case_shard->answers.bytes = options.replay_bytes_max;
    case_shard->connections = memory_reserve(SLOTS, sizeof case_shard->connections[0]);
    case_shard->outboxes = memory_reserve(SLOTS, sizeof case_shard->outboxes[0]);
    cr_assert_eq(peers_init(case_shard), RC_OK);
    cr_assert_eq(tally_init(case_shard), RC_OK);
    case_shard->flush.chunk = flush_chunk_new();
    slot_list_init(&case_shard->flush.dirty, SLOTS);
    slot_list_init(&case_shard->flush.flushing, SLOTS);
    slot_list_init(&case_shard->receive.starved, SLOTS);
    slot_list_init(&case_shard->receive.paused, 2 * SLOTS);
    slot_queue_init(&case_shard->crowd.queue, SLOTS);
    slot_queue_init(&case_shard->answers.askers, SLOTS);
    slot_queue_init(&case_shard->tls.shaking, SLOTS);
    slot_queue_init(&case_shard->tls.hellos, SLOTS);
    cr_assert_eq(ring_new(&case_shard->ring, &setup, reason, sizeof reason), RC_OK, "%s", reason);
    make_listeners();
}

void case_begin_secure(const char *const flags[], struct tls_files *files)
{
    char reason[512];
    fake_kernel_init(1);
    read_options(flags);
    door = (struct door){.addresses = &options.listen,
                         .tls_addresses = files != NULL ? &options.listen : NULL,
                         .slots_max = SLOTS,
                         .connections_max = options.connections_max > 0 ? options.connections_max : SLOTS,
                         .asks_peers = peer_is_wanted(&options) && ring_tells_peers(),
                         .has_proxy_header = options.proxy_protocol,
                         .serve = case_serve,
                         .refuse = case_refuse};
    make_shard();
    if (files != NULL) {
        case_shard->tls.plain = malloc(TLS_OPEN_BYTES_MAX);
        tls_files_hold(files);
        secure_offer_files(case_shard, files);
        cr_assert_eq(secure_take_files(case_shard, reason, sizeof reason), RC_OK, "%s", reason);
    }
    cr_assert_eq(pthread_create(&case_shard->thread.id, NULL, run, NULL), 0);
    case_run();
}

void case_begin(const char *const flags[])
{
    case_begin_secure(flags, NULL);
}

static struct fake_socket *sockets[SLOTS * 4];
static struct connection *connections[SLOTS * 4]; /* of each */
static uint32_t sockets_count;

/* Ends the thread, which looks whether it is to before each turn. */
static void stop_thread(void)
{
    is_stopping = true;
    shard_signal(case_shard);
    case_run();
    pthread_join(case_shard->thread.id, NULL);
    owner_take(&case_shard->owner);
    is_stopping = false;
}

static void free_shard(void)
{
    ring_free(case_shard->ring);
    for (uint32_t i = 0; i < door_addresses_count(&door); i++) {
        close(case_shard->accept.listeners[i]);
    }
    close(case_shard->signal_descriptor);
    free(case_shard->accept.listeners);
    free(case_shard->accept.is_accepting);
    flush_chunk_free(case_shard->flush.chunk);
    slot_list_fini(&case_shard->flush.dirty);
    slot_list_fini(&case_shard->flush.flushing);
    slot_list_fini(&case_shard->receive.starved);
    slot_list_fini(&case_shard->receive.paused);
    slot_queue_fini(&case_shard->crowd.queue);
    slot_queue_fini(&case_shard->answers.askers);
    slot_queue_fini(&case_shard->tls.shaking);
    slot_queue_fini(&case_shard->tls.hellos);
    secure_end(case_shard);
    free(case_shard->tls.plain);
    peers_fini(case_shard);
    tally_fini(case_shard);
    memory_release(case_shard->connections, SLOTS, sizeof case_shard->connections[0]);
    memory_release(case_shard->outboxes, SLOTS, sizeof case_shard->outboxes[0]);
    free(case_shard);
    case_shard = NULL;
}

void case_end(void)
{
    for (uint32_t i = 0; i < sockets_count; i++) {
        fake_reset(sockets[i]);
    }
    case_run();
    cr_expect_eq(case_counter(COUNTER_connections_open), 0);
    cr_expect_eq(case_counter(COUNTER_outbox_bytes), 0);
    cr_expect_eq(door.connections_open, 0);
    for (uint32_t i = 0; i < SLOTS; i++) {
        cr_expect_eq(case_shard->connections[i].state, CONNECTION_FREE, "slot %u", i);
    }
    stop_thread();
    free_shard();
    while (sockets_count > 0) {
        fake_socket_free(sockets[--sockets_count]);
    }
    options_fini(&options);
    expect_no_leaks();
}

/* ---- time ---- */

void case_run(void)
{
    for (int quiet = 0; quiet < 3; quiet++) {
        while (fake_kernel_step(fake_now_ms() + 1)) {
            quiet = 0;
        }
    }
}

void case_pass(uint64_t ms)
{
    uint64_t until_ms = fake_now_ms() + ms;
    while (fake_now_ms() < until_ms) {
        fake_kernel_step(until_ms);
    }
    case_run();
}

void case_act(void (*act)(void))
{
    due = act;
    shard_signal(case_shard);
    case_run();
}

uint64_t case_counter(enum counter counter)
{
    return counter_get(&case_shard->counters, counter);
}

/* ---- clients ---- */

static struct connection *connection_of_socket(const struct fake_socket *socket)
{
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        if (case_shard->ring->slots[slot].socket == socket) return &case_shard->connections[slot];
    }
    return NULL;
}

static struct fake_socket *begin_to_connect(uint32_t listener, size_t send_buffer)
{
    struct fake_socket *socket = fake_connect_to(case_shard->ring, listener, send_buffer);
    cr_assert_lt(sockets_count, sizeof sockets / sizeof sockets[0]);
    sockets[sockets_count++] = socket;
    return socket;
}

static struct fake_socket *connect_to(uint32_t listener, size_t send_buffer)
{
    struct fake_socket *socket = begin_to_connect(listener, send_buffer);
    case_run();
    connections[sockets_count - 1] = connection_of_socket(socket);
    return socket;
}

struct fake_socket *case_connect_from(const char *ip, uint16_t port, const char *said)
{
    struct fake_socket *socket = begin_to_connect(0, CASE_SEND_BUFFER);
    fake_come_from(socket, ip, port);
    case_write(socket, said);
    case_run();
    connections[sockets_count - 1] = connection_of_socket(socket);
    return socket;
}

struct fake_socket *case_connect(size_t send_buffer)
{
    return connect_to(0, send_buffer);
}

struct fake_socket *case_connect_secure(void)
{
    return connect_to(1, CASE_SEND_BUFFER);
}

struct connection *case_connection(uint32_t n)
{
    return connections[n];
}

struct fake_socket *case_open(size_t send_buffer)
{
    struct fake_socket *socket = case_connect(send_buffer);
    case_write(socket, CASE_UPGRADE("/ws"));
    case_run();
    const char *answer = case_read(socket);
    cr_assert(strncmp(answer, "HTTP/1.1 101 ", 13) == 0, "%s", answer);
    case_calls();
    return socket;
}

static void pause_first(void)
{
    reading_pause(case_shard, connections[0]);
}

void case_pause(void)
{
    case_act(pause_first);
}

static void resume_first(void)
{
    case_shard->receive.paused.count = 0;
    receive_resumed(case_shard, connections[0]);
}

void case_resume(void)
{
    case_act(resume_first);
}

void case_write(struct fake_socket *socket, const char *text)
{
    fake_write(socket, text, strlen(text));
}

void case_frame(struct fake_socket *socket, enum frame_opcode opcode, bool is_last, const void *payload, size_t count)
{
    static const uint8_t mask[4] = {1, 2, 3, 4};
    uint8_t header[FRAME_HEADER_BYTES_MAX], *masked = malloc(count + 1);
    size_t header_bytes = frame_header_write(header, opcode, count);
    if (!is_last) header[0] &= 0x7f;
    header[1] |= 0x80;
    for (size_t i = 0; i < count; i++) {
        masked[i] = ((const uint8_t *)payload)[i] ^ mask[i % 4];
    }
    fake_write(socket, header, header_bytes);
    fake_write(socket, mask, sizeof mask);
    fake_write(socket, masked, count);
    free(masked);
}

void case_text(struct fake_socket *socket, const char *text)
{
    case_frame(socket, FRAME_TEXT, true, text, strlen(text));
}

void case_say_long(struct fake_socket *socket, size_t count)
{
    char *text = malloc(count);
    memset(text, 'x', count);
    memcpy(text, "echo", 4);
    case_frame(socket, FRAME_TEXT, true, text, count);
    free(text);
}

void case_close(struct fake_socket *socket, uint16_t code)
{
    uint8_t payload[2] = {(uint8_t)(code >> 8), (uint8_t)code};
    case_frame(socket, FRAME_CLOSE, true, payload, code != 0 ? 2 : 0);
}

/* ---- what comes out ---- */

static char *new_text(void)
{
    static char texts[TEXTS_MAX][TEXT_MAX];
    static uint32_t turn;
    char *text = texts[turn++ % TEXTS_MAX];
    text[0] = '\0';
    return text;
}

const char *case_read(struct fake_socket *socket)
{
    char *text = new_text();
    size_t count = fake_read(socket, text, TEXT_MAX - 1);
    for (size_t i = 0; i < count; i++) {
        bool is_text = (text[i] >= ' ' && text[i] < 0x7f) || text[i] == '\r' || text[i] == '\n';
        if (!is_text) text[i] = '.';
    }
    text[count] = '\0';
    return text;
}
