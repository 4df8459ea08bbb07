/* tests/support/fake_kernel.c - time, chance, and whose turn it is; listeners that are no sockets. */
#include "net/listener.h"
#include "server/system/clock.h"
#include "tests/support/fake_ring.h"

#include <arpa/inet.h>
#include <assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK_US 700

#define RINGS_MAX 64
#define BEGIN_MS  1000000

static struct ring *rings[RINGS_MAX];
static uint32_t rings_count;
static uint64_t now_ms, random_state, random_ids;
static uint64_t busy_ns, sent_byte_ns;
static int64_t day_off_ms;
static uint64_t begin_ms = BEGIN_MS;

/* What runs besides the shards. */
static bool (*other_has_work)(void);
static void (*other_work)(void);

static pthread_mutex_t baton = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t passed = PTHREAD_COND_INITIALIZER;
static pthread_key_t thread_ring;
static bool has_key;

static bool hides_peers;

/* ---- time, chance ---- */

uint64_t monotonic_ms(void)
{
    return now_ms + busy_ns / 1000000;
}

/* Each look at it takes a while, so that what stops after some time does. */
uint64_t monotonic_us(void)
{
    static uint64_t looks;
    return now_ms * 1000 + busy_ns / 1000 + LOOK_US * looks++;
}

void fake_sends_take(uint64_t byte_ns)
{
    sent_byte_ns = byte_ns;
}

void fake_has_sent(size_t bytes)
{
    busy_ns += bytes * sent_byte_ns;
}

uint64_t realtime_ms(void)
{
    return FAKE_REALTIME_MS + now_ms + (uint64_t)day_off_ms;
}

void fake_set_day(int64_t off_ms)
{
    day_off_ms = off_ms;
}

uint64_t fake_now_ms(void)
{
    return now_ms;
}

uint32_t fake_random(uint32_t below)
{
    /* xorshift64* (Vigna 2016) */
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (uint32_t)((random_state * UINT64_C(2685821657736338717)) >> 33) % below;
}

/* The C library's, so that socket ids are the seed's too. A stream of its own: not every shard asks. */
uint32_t arc4random(void)
{
    random_ids = random_ids * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(random_ids >> 32);
}

/* ---- whose turn it is ---- */

static void set_state(struct ring *ring, enum thread_state state)
{
    pthread_mutex_lock(&baton);
    ring->state = state;
    pthread_cond_broadcast(&passed);
    while (state == THREAD_WAITS && ring->state != THREAD_RUNS) {
        pthread_cond_wait(&passed, &baton);
    }
    pthread_mutex_unlock(&baton);
}

static void thread_ended(void *ring)
{
    set_state(ring, THREAD_ENDED);
}

void fake_kernel_add(struct ring *ring)
{
    assert(rings_count < RINGS_MAX);
    rings[rings_count++] = ring;
}

struct ring *fake_kernel_ring(int descriptor)
{
    return rings[descriptor - FAKE_DESCRIPTOR];
}

int fake_kernel_descriptor(const struct ring *ring)
{
    uint32_t index = 0;
    while (rings[index] != ring) {
        index++;
    }
    return FAKE_DESCRIPTOR + (int)index;
}

void fake_kernel_wait(struct ring *ring)
{
    pthread_setspecific(thread_ring, ring);
    set_state(ring, THREAD_WAITS);
}

void fake_kernel_begin_at(uint64_t ms)
{
    begin_ms = ms;
}

void fake_kernel_run_also(bool (*has_work)(void), void (*work)(void))
{
    other_has_work = has_work;
    other_work = work;
}

void fake_kernel_init(uint64_t seed)
{
    day_off_ms = 0;
    if (!has_key) pthread_key_create(&thread_ring, thread_ended);
    has_key = true;
    rings_count = 0;
    now_ms = begin_ms;
    busy_ns = sent_byte_ns = 0;
    begin_ms = BEGIN_MS;
    fake_kernel_run_also(NULL, NULL);
    random_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    random_ids = seed;
}

static bool is_signalled(struct ring *ring)
{
    uint64_t count;
    return ring->watched >= 0 && read(ring->watched, &count, sizeof count) == sizeof count;
}

/* A ring whose thread can go on now, chosen by the seed, or *is_other_r: what runs besides. NULL and false: nothing. */
static struct ring *choose(bool *is_other_r)
{
    struct ring *ready[RINGS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < rings_count; i++) {
        struct ring *ring = rings[i];
        if (ring->state == THREAD_ENDED) continue;
        if (is_signalled(ring))
            fake_ring_complete(ring, (struct completion){.kind = OP_SIGNAL, .more = fake_random(2)});
        if (ring->wake_at_ms <= now_ms || fake_ring_has_events(ring)) ready[count++] = ring;
    }
    uint32_t others = other_has_work != NULL && other_has_work() ? 1 : 0;
    if (count + others == 0) return NULL;
    uint32_t chosen = fake_random(count + others);
    *is_other_r = chosen == count;
    return chosen < count ? ready[chosen] : NULL;
}

static uint64_t next_wake_ms(void)
{
    uint64_t at_ms = FAKE_FOREVER;
    for (uint32_t i = 0; i < rings_count; i++) {
        if (rings[i]->state != THREAD_ENDED && rings[i]->wake_at_ms < at_ms) at_ms = rings[i]->wake_at_ms;
    }
    return at_ms;
}

static void await_threads(void)
{
    for (uint32_t i = 0; i < rings_count; i++) {
        while (rings[i]->state == THREAD_UNBORN || rings[i]->state == THREAD_RUNS) {
            pthread_cond_wait(&passed, &baton);
        }
    }
}

void fake_kernel_stall(uint64_t ms)
{
    pthread_mutex_lock(&baton);
    await_threads();
    now_ms += ms;
    pthread_mutex_unlock(&baton);
}

bool fake_kernel_step(uint64_t until_ms)
{
    pthread_mutex_lock(&baton);
    await_threads();
    bool is_other = false;
    struct ring *ring = choose(&is_other);
    if (ring == NULL && !is_other) {
        uint64_t at_ms = next_wake_ms();
        if (at_ms <= until_ms && at_ms != FAKE_FOREVER) {
            now_ms = at_ms;
            ring = choose(&is_other);
        } else if (until_ms != FAKE_FOREVER) {
            now_ms = until_ms;
        }
    }
    if (ring != NULL) {
        ring->state = THREAD_RUNS;
        pthread_cond_broadcast(&passed);
        await_threads();
    }
    pthread_mutex_unlock(&baton);
    if (is_other) other_work();
    return ring != NULL || is_other;
}

/* ---- connections ---- */

void fake_come_from(struct fake_socket *socket, const char *ip, uint16_t port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    bool is_v4 = inet_pton(AF_INET, ip, &v4.sin_addr) == 1;
    assert(is_v4 || inet_pton(AF_INET6, ip, &v6.sin6_addr) == 1);
    memcpy(&socket->address, is_v4 ? (void *)&v4 : (void *)&v6, is_v4 ? sizeof v4 : sizeof v6);
}

struct fake_socket *fake_connect(struct ring *ring, size_t send_buffer)
{
    return fake_connect_to(ring, 0, send_buffer);
}

struct fake_socket *fake_connect_to(struct ring *ring, uint32_t listener, size_t send_buffer)
{
    struct fake_socket *socket = calloc(1, sizeof *socket);
    assert(socket != NULL && ring->backlog_count < sizeof ring->backlog / sizeof ring->backlog[0]);
    socket->send_buffer = send_buffer;
    socket->listener = listener;
    fake_come_from(socket, "127.0.0.1", (uint16_t)(1024 + ring->backlog_count));
    ring->backlog[ring->backlog_count++] = socket;
    return socket;
}

static bool are_peers_local;

void fake_peers_are_local(bool are_local)
{
    are_peers_local = are_local;
}

void fake_peer(struct sockaddr_storage *address_r)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)address_r;
    *v4 = (struct sockaddr_in){.sin_family = AF_INET};
    v4->sin_addr.s_addr = htonl(are_peers_local ? INADDR_LOOPBACK : 0xc0000201);
}

void fake_kernel_hides_peers(void)
{
    hides_peers = true;
}

bool ring_tells_peers(void)
{
    return !hides_peers;
}

/* Something that can be closed. */
static enum rc open_something(int *descriptor_r)
{
    *descriptor_r = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return *descriptor_r >= 0 ? RC_OK : RC_EKERNEL;
}

enum rc listener_claim(struct sockaddr_storage *address, int *descriptor_r, char *reason_r, size_t reason_size)
{
    (void)address, (void)reason_r, (void)reason_size;
    return open_something(descriptor_r);
}

enum rc listener_join(const struct sockaddr_storage *address, int *descriptor_r, char *reason_r, size_t reason_size)
{
    (void)address, (void)reason_r, (void)reason_size;
    return open_something(descriptor_r);
}

void listener_clear(const struct sockaddr_storage *address)
{
    (void)address;
}

enum rc listener_share(int descriptor, int *descriptor_r, char *reason_r, size_t reason_size)
{
    (void)descriptor, (void)reason_r, (void)reason_size;
    return open_something(descriptor_r);
}

void listener_refuse_new(int descriptor)
{
    (void)descriptor; /* tests connect before, or do not mind */
}
