/* core/receipts.c - a table by channel and key, and a list by age for each kind of owner. */
#include "core/receipts.h"

#include <assert.h>
#include <stdlib.h>

#define BUCKETS_MIN 64

/* The receipts of one kind of owner. */
struct owned {
    TAILQ_HEAD(, receipt) by_age;
    uint32_t count;
};

struct receipts {
    struct owned owned[RECEIPT_OWNERS_MAX];
    struct receipt **table;
    uint32_t buckets;   /* power of two */
    uint32_t count_max; /* of each kind */
};

struct receipts *receipts_new(uint32_t receipts_max)
{
    struct receipts *receipts = malloc(sizeof *receipts);
    if (receipts == NULL) return NULL;
    *receipts = (struct receipts){.buckets = BUCKETS_MIN, .count_max = receipts_share(receipts_max)};
    for (enum receipt_owner owner = 0; owner < RECEIPT_OWNERS_MAX; owner++) {
        TAILQ_INIT(&receipts->owned[owner].by_age);
    }
    receipts->table = calloc(BUCKETS_MIN, sizeof(struct receipt *));
    if (receipts->table != NULL) return receipts;
    free(receipts);
    return NULL;
}

void receipts_free(struct receipts *receipts)
{
    if (receipts == NULL) return;
    for (enum receipt_owner owner = 0; owner < RECEIPT_OWNERS_MAX; owner++) {
        struct owned *owned = &receipts->owned[owner];
        while (!TAILQ_EMPTY(&owned->by_age)) {
            receipts_forget(receipts, TAILQ_FIRST(&owned->by_age));
        }
    }
    free(receipts->table);
    free(receipts);
}

uint32_t receipts_count(const struct receipts *receipts)
{
    uint32_t count = 0;
    for (enum receipt_owner owner = 0; owner < RECEIPT_OWNERS_MAX; owner++) {
        count += receipts->owned[owner].count;
    }
    return count;
}

static struct owned *owned_of(struct receipts *receipts, struct text key)
{
    return &receipts->owned[receipt_owner_of(key)];
}

/* Of channel and key. Both hashes are keyed, so nobody can choose collisions. */
static uint64_t hash_of(const struct name *channel, struct text key)
{
    return channel->hash ^ name_of(channel->app, key).hash << 1;
}

static struct receipt **place_of(const struct receipts *receipts, uint64_t hash)
{
    return &receipts->table[hash & (receipts->buckets - 1)];
}

static bool is_of(const struct receipt *receipt, uint64_t hash, const struct name *channel, struct text key)
{
    return receipt->hash == hash && receipt->app == channel->app && receipt->channel_bytes == channel->length &&
           receipt->key_bytes == key.count && memcmp(receipt->texts, channel->text, channel->length) == 0 &&
           memcmp(receipt->texts + channel->length, key.at, key.count) == 0;
}

void receipts_forget(struct receipts *receipts, struct receipt *receipt)
{
    struct receipt **place = place_of(receipts, receipt->hash);
    while (*place != receipt) {
        place = &(*place)->next;
    }
    *place = receipt->next;
    struct owned *owned = &receipts->owned[receipt->owner];
    assert(owned->count > 0);
    TAILQ_REMOVE(&owned->by_age, receipt, entry);
    owned->count--;
    free(receipt);
}

/* Forgets those that are too old, or too many for one more. */
static void make_room(struct receipts *receipts, struct owned *owned, uint64_t now_ms, uint32_t count_max)
{
    for (struct receipt *receipt = TAILQ_FIRST(&owned->by_age), *next; receipt != NULL; receipt = next) {
        next = TAILQ_NEXT(receipt, entry);
        if (owned->count <= count_max && receipt->opened_ms + RECEIPT_MS > now_ms) return;
        if (!receipt->is_open) receipts_forget(receipts, receipt);
    }
}

struct receipt *receipts_find(struct receipts *receipts, const struct name *channel, struct text key, uint64_t now_ms)
{
    uint64_t hash = hash_of(channel, key);
    make_room(receipts, owned_of(receipts, key), now_ms, receipts->count_max);
    struct receipt *receipt = *place_of(receipts, hash);
    while (receipt != NULL && !is_of(receipt, hash, channel, key)) {
        receipt = receipt->next;
    }
    return receipt;
}

static void put_into_table(struct receipts *receipts, struct receipt *receipt)
{
    struct receipt **place = place_of(receipts, receipt->hash);
    receipt->next = *place;
    *place = receipt;
}

static void grow(struct receipts *receipts)
{
    uint32_t buckets = 2 * receipts->buckets;
    struct receipt **table = calloc(buckets, sizeof(struct receipt *)), *receipt;
    if (table == NULL) return; /* slower, not wrong */
    free(receipts->table);
    receipts->table = table;
    receipts->buckets = buckets;
    for (enum receipt_owner owner = 0; owner < RECEIPT_OWNERS_MAX; owner++) {
        TAILQ_FOREACH(receipt, &receipts->owned[owner].by_age, entry)
        {
            put_into_table(receipts, receipt);
        }
    }
}

/* In the table, and not yet in the list. NULL: out of memory. */
static struct receipt *add(struct receipts *receipts, const struct name *channel, struct text key, uint64_t opened_ms)
{
    assert(channel->length <= UINT16_MAX && key.count <= UINT16_MAX);
    struct receipt *receipt = malloc(sizeof *receipt + channel->length + key.count);
    if (receipt == NULL) return NULL;
    if (receipts_count(receipts) >= receipts->buckets) grow(receipts);
    *receipt = (struct receipt){
        .hash = hash_of(channel, key),
        .opened_ms = opened_ms,
        .is_open = true,
        .owner = receipt_owner_of(key),
        .app = channel->app,
        .channel_bytes = (uint16_t)channel->length,
        .key_bytes = (uint16_t)key.count,
    };
    memcpy(receipt->texts, channel->text, channel->length);
    memcpy(receipt->texts + channel->length, key.at, key.count);
    put_into_table(receipts, receipt);
    receipts->owned[receipt->owner].count++;
    return receipt;
}

struct receipt *receipts_open(struct receipts *receipts, const struct name *channel, struct text key, uint64_t now_ms)
{
    struct owned *owned = owned_of(receipts, key);
    if (receipts->count_max == 0) return NULL;
    make_room(receipts, owned, now_ms, receipts->count_max - 1);
    if (owned->count >= receipts->count_max) return NULL;
    struct receipt *receipt = add(receipts, channel, key, now_ms);
    if (receipt != NULL) TAILQ_INSERT_TAIL(&owned->by_age, receipt, entry);
    return receipt;
}

/* Into the list by age, of which *cursor is the one that was put there last. */
static void put_by_age(struct owned *owned, struct receipt *receipt, struct receipt **cursor)
{
    struct receipt *before = *cursor;
    struct receipt *next = before != NULL ? TAILQ_NEXT(before, entry) : TAILQ_FIRST(&owned->by_age);
    for (; next != NULL && next->opened_ms <= receipt->opened_ms; next = TAILQ_NEXT(next, entry)) {
        before = next;
    }
    if (before != NULL) {
        TAILQ_INSERT_AFTER(&owned->by_age, before, receipt, entry);
    } else {
        TAILQ_INSERT_HEAD(&owned->by_age, receipt, entry);
    }
    *cursor = receipt;
}

void receipts_restore(struct receipts *receipts, const struct name *channel, struct text key, uint64_t opened_ms,
                      const struct position *position, struct receipt *cursors[RECEIPT_OWNERS_MAX])
{
    struct owned *owned = owned_of(receipts, key);
    struct receipt **cursor = &cursors[receipt_owner_of(key)];
    if (owned->count >= receipts->count_max) {
        struct receipt *oldest = TAILQ_FIRST(&owned->by_age);
        if (oldest == NULL || oldest->is_open || oldest->opened_ms > opened_ms) return;
        if (*cursor == oldest) *cursor = NULL;
        receipts_forget(receipts, oldest);
    }
    struct receipt *receipt = add(receipts, channel, key, opened_ms);
    if (receipt == NULL) return;
    receipt_close(receipt, position);
    put_by_age(owned, receipt, cursor);
}

void receipt_close(struct receipt *receipt, const struct position *position)
{
    assert(receipt->is_open);
    receipt->is_open = false;
    receipt->position = *position;
}
