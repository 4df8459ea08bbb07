/* server/run/letters.h - what each letter makes happen, and when letters are taken.
 *
 * Deliveries are always taken, because they cause no letters; requests of other shards are left in their mailboxes
 * while deliveries of ours wait (server/shard/post.h). */
#pragma once

#include "core/rc.h"

#include <stdint.h>

struct letter;
struct shard;

/* Does what the letter says, and takes over its body; shard->take. RC_PENDING: mailboxes are full, pause what caused
 * it. */
enum rc letters_take_one(struct shard *shard, uint32_t from, const struct letter *letter);

/* Takes letters from all mailboxes, a bounded number from each, and does what they say. While none of ours wait, paused
 * connections are read again. */
void letters_take(struct shard *shard);
