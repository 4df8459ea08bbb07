/* server/shard/post.h - letters between shards: sending and waking. They are taken in server/run/letters.h.
 *
 * A letter goes into its mailbox at once; the doorbell of a sleeping receiver is rung once a turn. When a mailbox is
 * full, letters wait in a spill list and the sender stops taking in what would cause more: it pauses the publishing
 * connections, and while deliveries wait it leaves requests of other shards in their mailboxes. Deliveries are always
 * taken, because they cause no letters; so those that wait go on, then requests are taken again, whoever is full. */
#pragma once

#include "core/form.h"
#include "core/letter.h"
#include "core/query.h"
#include "core/rc.h"

#include <stdbool.h>
#include <stdint.h>

struct shard;

/* Sends a letter; takes over its body, which is what the kind says (core/letter.def). One to this shard itself is taken
 * at once, before this returns. RC_PENDING: it, or one that it caused, waits in the spill list, so the caller should
 * pause what caused it. Never refuses: without memory for a spilled letter the process ends, since a promise of order
 * and delivery could not be kept. */
enum rc post_send(struct shard *shard, uint32_t to, enum letter_kind kind, void *body);
/* Like post_send(), for a LEAVE, which needs no body of its own. */
enum rc post_leave(struct shard *shard, uint32_t to, struct roster *roster, enum form form);
/* Asks a channel's home, from a connection in this life of its slot. Takes over the query. RC_PENDING: mailboxes are
 * full, or crowds are late: pause the connection. */
enum rc post_ask(struct shard *shard, uint32_t slot, uint32_t life, enum query_asker asker, struct query *query);

/* Do deliveries of ours wait? Then nothing is done that would cause more. */
bool post_deliveries_wait(const struct shard *shard);
/* Moves waiting letters on, as far as mailboxes have room. */
void post_retry(struct shard *shard);

/* Wakes the shards that got letters and sleep. */
void post_ring_doorbells(struct shard *shard);

/* May this shard sleep? Says first, visibly to all, that it does; call post_awake() afterwards. */
bool post_may_sleep(struct shard *shard);
void post_awake(struct shard *shard);
/* Before post_awake(), when the shard has slept its time out: does a letter lie there that nobody has rung for? */
bool post_is_late(const struct shard *shard);
