/* server/home/home_answer.c - what is told of a channel, and to whoever published or repeated. */
#include "server/home/home_answer.h"

#include "core/channel.h"
#include "core/message.h"
#include "core/presence.h"
#include "core/query.h"
#include "core/receipts.h"
#include "core/roster.h"
#include "core/span.h"
#include "server/home/home_people_job.h"
#include "server/home/home_people_state.h"
#include "server/shard/post.h"
#include "server/shard/shard.h"

#include <assert.h>
#include <stdio.h>

/* ---- facts ---- */

uint32_t home_users_of(const struct roster *roster)
{
    return roster->presence != NULL ? presence_count(roster->presence) : 0;
}

/* {"data":"...","ttl":60} */
static enum rc append_kept(const struct shard *shard, struct query *query, const struct roster *roster)
{
    const struct message *kept = roster->kept;
    char ttl[40];
    uint64_t left_ms = roster->kept_until_ms > shard->now_ms ? roster->kept_until_ms - shard->now_ms : 0;
    snprintf(ttl, sizeof ttl, ",\"ttl\":%llu}", (unsigned long long)((left_ms + 999) / 1000));
    enum rc rc = span_append_text(&query->text, text_of("{\"data\":"));
    if (rc == RC_OK) {
        struct text data = message_part_text(kept, kept->data);
        rc = span_append_text(&query->text, data);
    }
    return rc == RC_OK ? span_append_text(&query->text, text_of(ttl)) : rc;
}

/* Is it for the cluster to say? A publish is asked for facts only if it wants them. */
static bool is_elsewhere(const struct shard *shard, const struct channel *channel, const struct query *query)
{
    if (shard->cluster == NULL || (channel != NULL && home_people_is_known(channel->roster))) return false;
    unsigned people = QUERY_INFO_USER_COUNT | QUERY_INFO_SUBSCRIPTION_COUNT;
    return query->kind == QUERY_CHANNEL || (query->info & people) != 0;
}

enum rc home_answer_channel(struct shard *shard, struct query *query)
{
    assert(owner_is_me(&shard->owner));
    const struct channel *channel = hub_find(&shard->hub, &query->name);
    if (is_elsewhere(shard, channel, query)) return home_people_ask(shard, query);
    if (channel == NULL) return RC_OK;
    const struct roster *roster = channel->roster;
    query->facts.subscription_count = (uint32_t)home_subscribers(roster);
    query->facts.user_count = home_users_of(roster);
    bool wants_kept = (query->info & QUERY_INFO_CACHE) && roster->kept != NULL;
    return wants_kept ? append_kept(shard, query, roster) : RC_OK;
}

/* ---- answers ---- */

void home_query_published(struct shard *shard, struct query *query, enum rc rc)
{
    assert(owner_is_me(&shard->owner));
    if (rc == RC_OK) rc = home_answer_channel(shard, query);
    if (rc != RC_PENDING) home_query_done(shard, query, rc);
}

void home_query_done(struct shard *shard, struct query *query, enum rc rc)
{
    assert(owner_is_me(&shard->owner));
    query->rc = rc;
    post_send(shard, query->shard, LETTER_ANSWER, query);
}

/* ---- receipts ---- */

struct receipts *home_receipts(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    if (shard->home.receipts == NULL) shard->home.receipts = receipts_new(shard->options->repeat_keys_max);
    return shard->home.receipts;
}

void home_count_keys(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    uint64_t counted = counter_get(&shard->counters, COUNTER_repeat_keys);
    uint64_t count = shard->home.receipts != NULL ? receipts_count(shard->home.receipts) : 0;
    counter_add(&shard->counters, COUNTER_repeat_keys, count - counted);
}

static void answer(struct shard *shard, struct query *query, enum rc rc, const struct position *position)
{
    query->facts.position = *position;
    home_query_published(shard, query, rc);
}

void home_answer_publish(struct shard *shard, struct query *query, struct receipt *receipt, enum rc rc,
                         const struct position *position)
{
    assert(owner_is_me(&shard->owner));
    struct query *waiting = NULL;
    if (receipt != NULL) { /* closed first: whoever is answered may publish at once, and receipts come and go */
        waiting = receipt->waiting;
        receipt->waiting = NULL;
        if (rc == RC_OK) {
            receipt_close(receipt, position);
        } else {
            receipts_forget(shard->home.receipts, receipt);
        }
        home_count_keys(shard);
    }
    if (query != NULL) answer(shard, query, rc, position);
    while (waiting != NULL) {
        struct query *next = waiting->next;
        answer(shard, waiting, rc, position);
        waiting = next;
    }
}
