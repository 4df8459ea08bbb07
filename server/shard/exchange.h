/* server/shard/exchange.h - the mailboxes of all shards: one for each lane, sender and receiver.
 *
 * Threads:   the main thread makes and frees it; shards read it, it does not change while they run. */
#pragma once

#include "core/letter.h"
#include "core/rc.h"

#include <stdint.h>

struct counters;
struct mailbox;
struct shard;

struct exchange {
    struct shard *shards; /* by index: who sleeps, and whose doorbell is to be rung */
    uint32_t shards_count;
    struct mailbox **mailboxes; /* by lane, from and to; NULL on the diagonal */
};

/* Of so many letters each. RC_ENOMEM: exchange_fini() is to be called all the same. */
enum rc exchange_init(struct exchange *exchange, struct shard *shards, uint32_t shards_count, uint32_t letters);
/* Drops the letters that are left. Accepts one of zeros. */
void exchange_fini(struct exchange *exchange, struct counters *counters);

/* What the mailboxes between so many shards take, however little they do. */
uint64_t exchange_bytes(uint64_t shards_count, uint64_t letters);

/* Any thread: how many letters the mailboxes to a shard hold; those in spill lists do not count. */
uint64_t exchange_letters(const struct exchange *exchange, uint32_t to);

/* Drops a letter that nobody will take any more, with its body. */
void exchange_drop(struct counters *counters, const struct letter *letter);

static inline struct mailbox *exchange_mailbox(const struct exchange *exchange, enum letter_lane lane, uint32_t from,
                                               uint32_t to)
{
    return exchange->mailboxes[(lane * exchange->shards_count + from) * exchange->shards_count + to];
}
