/* server/connection/address_limits.c - a hash table of addresses under one lock; those without connections in a list,
 * the longest without them first, until their rates are at rest. */
#include "server/connection/address_limits.h"

#include "core/name.h"
#include "server/config/options.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>

#define SECOND_US   UINT64_C(1000000)
#define US_A_MS     1000
#define BUCKETS_MIN 64
#define V6_BITS     64

struct known {
    struct known *next; /* in its bucket */
    TAILQ_ENTRY(known) link;
    struct ip key;
    uint32_t connections; /* 0: it is idle, in the list */
    uint64_t connects_us; /* when its connects will have been permitted, */
    uint64_t failures_us; /* and its failures */
};

TAILQ_HEAD(known_list, known);

struct address_limits {
    pthread_mutex_t lock;
    struct known **buckets;
    uint64_t buckets_count; /* a power of two */
    struct known_list idle;
    uint64_t idle_count, idle_max;
    uint32_t count;
};

bool address_limits_are_on(const struct options *options)
{
    return options->address_connections_max > 0 || options->address_connects_per_second > 0 ||
           options->address_failures_per_second > 0;
}

enum rc address_limits_new(struct address_limits **limits_r, uint64_t connections_max)
{
    struct address_limits *limits = calloc(1, sizeof *limits);
    if (limits == NULL) return RC_ENOMEM;
    limits->buckets_count = BUCKETS_MIN;
    while (limits->buckets_count < connections_max) {
        limits->buckets_count *= 2;
    }
    limits->buckets = calloc(limits->buckets_count, sizeof limits->buckets[0]);
    if (limits->buckets == NULL) {
        free(limits);
        return RC_ENOMEM;
    }
    limits->idle_max = connections_max;
    TAILQ_INIT(&limits->idle);
    pthread_mutex_init(&limits->lock, NULL);
    *limits_r = limits;
    return RC_OK;
}

void address_limits_free(struct address_limits *limits)
{
    if (limits == NULL) return;
    for (uint64_t i = 0; i < limits->buckets_count; i++) {
        while (limits->buckets[i] != NULL) {
            struct known *known = limits->buckets[i];
            limits->buckets[i] = known->next;
            free(known);
        }
    }
    pthread_mutex_destroy(&limits->lock);
    free(limits->buckets);
    free(limits);
}

/* ---- the table ---- */

static struct ip key_of(const struct ip *ip)
{
    return ip_is_v4(ip) ? *ip : ip_cut(ip, V6_BITS);
}

/* Where the address is named, or would be: NULL stands there. The hash is keyed, for clients choose addresses. */
static struct known **place_of(struct address_limits *limits, const struct ip *key)
{
    struct name name = name_of(0, (struct text){(const char *)key->bytes, sizeof key->bytes});
    struct known **place = &limits->buckets[name.hash & (limits->buckets_count - 1)];
    while (*place != NULL && memcmp(&(*place)->key, key, sizeof *key) != 0) {
        place = &(*place)->next;
    }
    return place;
}

static void leave_idle(struct address_limits *limits, struct known *known)
{
    TAILQ_REMOVE(&limits->idle, known, link);
    limits->idle_count--;
}

static void forget(struct address_limits *limits, struct known *known)
{
    struct known **place = place_of(limits, &known->key);
    assert(*place == known && known->connections == 0);
    leave_idle(limits, known);
    *place = known->next;
    limits->count--;
    free(known);
}

/* Forgets idle ones that are at rest; of more than there may be also others. */
static void forget_rested(struct address_limits *limits, uint64_t now_us)
{
    struct known *first;
    while ((first = TAILQ_FIRST(&limits->idle)) != NULL) {
        bool is_at_rest = first->connects_us <= now_us && first->failures_us <= now_us;
        if (!is_at_rest && limits->idle_count <= limits->idle_max) return;
        forget(limits, first);
    }
}

static void become_idle(struct address_limits *limits, struct known *known, uint64_t now_us)
{
    TAILQ_INSERT_TAIL(&limits->idle, known, link);
    limits->idle_count++;
    forget_rested(limits, now_us);
}

/* NULL: out of memory. A new one is idle. */
static struct known *known_of(struct address_limits *limits, const struct ip *ip)
{
    struct ip key = key_of(ip);
    struct known **place = place_of(limits, &key);
    if (*place != NULL) return *place;
    struct known *known = calloc(1, sizeof *known);
    if (known == NULL) return NULL;
    known->key = key;
    *place = known;
    limits->count++;
    TAILQ_INSERT_TAIL(&limits->idle, known, link);
    limits->idle_count++;
    return known;
}

/* ---- rates ---- */

static bool may_one_more(uint64_t due_us, uint64_t now_us, uint64_t a_second)
{
    return a_second == 0 || due_us + SECOND_US / a_second <= now_us + SECOND_US;
}

/* One more falls due behind what fell due before, but never in the past, nor later than what is permitted. */
static void add_one(uint64_t *due_us, uint64_t now_us, uint64_t a_second)
{
    if (a_second == 0) return;
    if (*due_us < now_us) *due_us = now_us;
    *due_us += SECOND_US / a_second;
    if (*due_us > now_us + SECOND_US) *due_us = now_us + SECOND_US;
}

static enum close_reason judge(const struct known *known, const struct options *options, uint64_t now_us)
{
    if (!may_one_more(known->failures_us, now_us, options->address_failures_per_second)) return CLOSE_ADDRESS_FAILS;
    if (!may_one_more(known->connects_us, now_us, options->address_connects_per_second)) return CLOSE_ADDRESS_FAST;
    bool is_full = options->address_connections_max > 0 && known->connections >= options->address_connections_max;
    return is_full ? CLOSE_ADDRESS_FULL : CLOSE_NONE;
}

/* ---- coming and going ---- */

enum close_reason address_limits_enter(struct address_limits *limits, const struct options *options,
                                       const struct ip *ip, uint64_t now_ms)
{
    uint64_t now_us = now_ms * US_A_MS;
    enum close_reason reason = CLOSE_NO_MEMORY;
    pthread_mutex_lock(&limits->lock);
    forget_rested(limits, now_us);
    struct known *known = known_of(limits, ip);
    if (known != NULL) reason = judge(known, options, now_us);
    if (reason == CLOSE_NONE) {
        if (known->connections++ == 0) leave_idle(limits, known);
        add_one(&known->connects_us, now_us, options->address_connects_per_second);
    }
    pthread_mutex_unlock(&limits->lock);
    return reason;
}

void address_limits_leave(struct address_limits *limits, const struct ip *ip, uint64_t now_ms)
{
    struct ip key = key_of(ip);
    pthread_mutex_lock(&limits->lock);
    struct known *known = *place_of(limits, &key);
    assert(known != NULL && known->connections > 0);
    if (--known->connections == 0) become_idle(limits, known, now_ms * US_A_MS);
    pthread_mutex_unlock(&limits->lock);
}

void address_limits_fail(struct address_limits *limits, const struct options *options, const struct ip *ip,
                         uint64_t now_ms)
{
    uint64_t now_us = now_ms * US_A_MS;
    if (options->address_failures_per_second == 0) return;
    pthread_mutex_lock(&limits->lock);
    forget_rested(limits, now_us);
    struct known *known = known_of(limits, ip);
    if (known != NULL) add_one(&known->failures_us, now_us, options->address_failures_per_second);
    pthread_mutex_unlock(&limits->lock);
}

uint32_t address_limits_count(struct address_limits *limits)
{
    pthread_mutex_lock(&limits->lock);
    uint32_t count = limits->count;
    pthread_mutex_unlock(&limits->lock);
    return count;
}
