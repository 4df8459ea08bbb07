/* server/shard/post.c - the sending side of all mailboxes of one shard, and who is woken.
 *
 * Not obvious: a sender may look at a sleep flag just before the receiver sets it. Both sides therefore fence between
 * their own store and their look at the other's (store-load, which no store or load of its own gives): the sender
 * between letter and flag, the receiver between flag and mailboxes. One of the two always sees the other. */
#include "server/shard/post.h"

#include "core/mailbox.h"
#include "core/query.h"
#include "net/ring.h"
#include "server/shard/crowd.h"
#include "server/shard/exchange.h"
#include "server/shard/shard.h"
#include "server/system/log.h"

#include <assert.h>
#include <ck_pr.h>
#include <stdlib.h>

static enum rc send_letter(struct shard *shard, uint32_t to, const struct letter *letter)
{
    assert(to < shard->exchange->shards_count);
    if (to == shard->index) return shard->take(shard, to, letter);
    enum letter_lane lane = letter_lane((enum letter_kind)letter->kind);
    enum rc rc = mailbox_send(exchange_mailbox(shard->exchange, lane, shard->index, to), letter);
    if (rc == RC_ENOMEM) {
        log_error("out of memory: a letter between shards would be lost; give the machine more memory or lower the "
                  "limits");
        abort();
    }
    shard->post.to_wake[to / 64] |= UINT64_C(1) << to % 64;
    counter_add(&shard->counters, COUNTER_letters_sent, 1);
    if (rc == RC_PENDING) {
        shard->post.waiting++;
        if (lane == LETTER_LANE_DELIVERIES) shard->post.deliveries_waiting++;
        counter_add(&shard->counters, COUNTER_letters_spilled, 1);
        counter_set(&shard->counters, COUNTER_letters_waiting, shard->post.waiting);
    }
    return rc;
}

enum rc post_send(struct shard *shard, uint32_t to, enum letter_kind kind, void *body)
{
    assert(owner_is_me(&shard->owner));
    return send_letter(shard, to, &(struct letter){.body = body, .kind = (uint8_t)kind});
}

enum rc post_leave(struct shard *shard, uint32_t to, struct roster *roster, enum form form)
{
    assert(owner_is_me(&shard->owner));
    return send_letter(shard, to, &(struct letter){.roster = roster, .kind = LETTER_LEAVE, .form = (uint8_t)form});
}

enum rc post_ask(struct shard *shard, uint32_t slot, uint32_t life, enum query_asker asker, struct query *query)
{
    assert(owner_is_me(&shard->owner));
    uint32_t home = hub_home(&shard->hub, &query->name);
    query->asker = asker;
    query->shard = shard->index;
    query->slot = slot;
    query->serial = life;
    bool must_wait = query->message != NULL && crowd_must_wait(shard, query->message);
    enum rc rc = post_send(shard, home, LETTER_ASK, query);
    return must_wait ? RC_PENDING : rc;
}

bool post_deliveries_wait(const struct shard *shard)
{
    return shard->post.deliveries_waiting > 0;
}

void post_retry(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    uint32_t shards = shard->exchange->shards_count;
    for (uint32_t to = 0; shard->post.waiting > 0 && to < shards; to++) {
        if (to == shard->index) continue;
        for (enum letter_lane lane = 0; lane < LETTER_LANES_MAX; lane++) {
            uint32_t moved = mailbox_unspill(exchange_mailbox(shard->exchange, lane, shard->index, to));
            if (moved == 0) continue;
            assert(moved <= shard->post.waiting);
            shard->post.waiting -= moved;
            if (lane == LETTER_LANE_DELIVERIES) shard->post.deliveries_waiting -= moved;
            counter_set(&shard->counters, COUNTER_letters_waiting, shard->post.waiting);
            shard->post.to_wake[to / 64] |= UINT64_C(1) << to % 64;
        }
    }
}

void post_ring_doorbells(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    bool is_fenced = false;
    for (uint32_t word = 0; word < SHARDS_MAX / 64; word++) {
        while (shard->post.to_wake[word] != 0) {
            uint32_t to = word * 64 + (uint32_t)__builtin_ctzll(shard->post.to_wake[word]);
            shard->post.to_wake[word] &= shard->post.to_wake[word] - 1;
            if (!is_fenced) ck_pr_fence_memory(); /* our letters, then their flags; see the top of this file */
            is_fenced = true;
            struct shard *other = &shard->exchange->shards[to];
            if (!ck_pr_load_uint(&other->is_sleeping) || !ck_pr_fas_uint(&other->is_sleeping, 0)) continue;
            ring_doorbell(shard->ring, ring_descriptor(other->ring));
            counter_add(&shard->counters, COUNTER_doorbells_rung, 1);
        }
    }
}

static bool has_letters(const struct shard *shard)
{
    uint32_t shards = shard->exchange->shards_count;
    for (uint32_t from = 0; from < shards; from++) {
        if (from == shard->index) continue;
        if (!mailbox_is_empty(exchange_mailbox(shard->exchange, LETTER_LANE_DELIVERIES, from, shard->index)))
            return true;
        if (shard->post.deliveries_waiting > 0) continue; /* requests are left where they are */
        if (!mailbox_is_empty(exchange_mailbox(shard->exchange, LETTER_LANE_REQUESTS, from, shard->index)))
            return true;
    }
    return false;
}

bool post_may_sleep(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    if (shard->exchange->shards_count == 1) return true;
    ck_pr_store_uint(&shard->is_sleeping, 1);
    ck_pr_fence_memory(); /* our flag, then their letters */
    if (!has_letters(shard)) return true;
    post_awake(shard);
    return false;
}

bool post_is_late(const struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    return ck_pr_load_uint(&shard->is_sleeping) && has_letters(shard);
}

void post_awake(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    ck_pr_store_uint(&shard->is_sleeping, 0);
}
