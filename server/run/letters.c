/* server/run/letters.c - the taking side of all mailboxes of one shard: the one switch over all letters. */
#include "server/run/letters.h"

#include "core/letter.h"
#include "core/mailbox.h"
#include "core/message.h"
#include "core/query.h"
#include "core/trace.h"
#include "server/channel/publish.h"
#include "server/channel/subscribe.h"
#include "server/component/lobby.h"
#include "server/component/pusher.h"
#include "server/connection/connection_state.h"
#include "server/connection/receive.h"
#include "server/control/report.h"
#include "server/control/top.h"
#include "server/control/trail.h"
#include "server/home/home.h"
#include "server/home/home_publish.h"
#include "server/home/home_query.h"
#include "server/http/api_call.h"
#include "server/run/take_config.h"
#include "server/shard/exchange.h"
#include "server/shard/follow.h"
#include "server/shard/post.h"
#include "server/shard/shard.h"

#include <assert.h>
#include <string.h>

#define LETTERS_PER_BOX 512 /* in one turn: a busy sender does not keep the shard from its sockets */
#define LETTERS_AT_ONCE 64

/* Hands the answer to whoever asked. */
static void take_answer(struct shard *shard, struct query *query)
{
    switch (query->asker) {
    case QUERY_OF_BACKEND:
        api_answered(shard, query);
        break;
    case QUERY_OF_CLIENT:
        pusher_answered(shard, query);
        break;
    case QUERY_OF_ROOM:
        lobby_answered(shard, query);
        break;
    case QUERY_OF_OPERATOR:
        trail_take(shard, query);
        break;
    }
}

static void take_question(struct shard *shard, struct query *query)
{
    if (query->kind == QUERY_TOP) {
        top_take(shard, query);
    } else if (query->kind == QUERY_FOLLOW) {
        follow_take(shard, query);
    } else if (query->kind == QUERY_CONNECTION || query->kind == QUERY_CLOSE) {
        report_take(shard, query);
    } else {
        home_query_take(shard, query);
    }
}

enum rc letters_take_one(struct shard *shard, uint32_t from, const struct letter *letter)
{
    assert(owner_is_me(&shard->owner));
    trace_note(&shard->trace,
               (struct trace_event){.kind = TRACE_LETTER, .what = letter->kind, .from = (uint16_t)from});
    switch ((enum letter_kind)letter->kind) {
    case LETTER_SUBSCRIBE:
        home_subscribe(shard, from, letter->join);
        break;
    case LETTER_UNSUBSCRIBE:
        home_unsubscribe(shard, from, letter->join);
        break;
    case LETTER_LEAVE:
        home_leave(shard, from, letter->roster, (enum form)letter->form);
        break;
    case LETTER_PUBLISH:
        return home_publish(shard, letter->message, NULL);
    case LETTER_ASK:
        take_question(shard, letter->query);
        return post_deliveries_wait(shard) ? RC_PENDING : RC_OK;
    case LETTER_SUBSCRIBED:
        subscribe_answered(shard, letter->join);
        break;
    case LETTER_DELIVER:
        publish_deliver(shard, letter->message);
        break;
    case LETTER_TERMINATE:
        pusher_terminate(shard, &letter->message->channel);
        message_drop(&shard->counters, letter->message);
        break;
    case LETTER_UNPUBLISHED:
        pusher_unpublished(shard, letter->message);
        break;
    case LETTER_ANSWER:
        take_answer(shard, letter->query);
        break;
    }
    return RC_OK;
}

static void take_lane(struct shard *shard, enum letter_lane lane)
{
    struct letter letters[LETTERS_AT_ONCE];
    uint32_t others = shard->exchange->shards_count - 1;
    /* Requests may stop at a spill, so they begin behind the sender that was served last: each has its turn. */
    uint32_t first = lane == LETTER_LANE_REQUESTS ? shard->turn.requests_from : 0;
    for (uint32_t i = 0; i < others; i++) {
        uint32_t from = (shard->index + 1 + (first + i) % others) % (others + 1);
        struct mailbox *mailbox = exchange_mailbox(shard->exchange, lane, from, shard->index);
        for (uint32_t taken = 0; taken < LETTERS_PER_BOX;) {
            /* A home that cannot deliver takes no further request; the letter in hand may still spill a few. Requests
             * that wait do not count: two shards whose requests wait for each other must go on taking them. */
            if (lane == LETTER_LANE_REQUESTS && post_deliveries_wait(shard)) return;
            uint32_t count = mailbox_receive(mailbox, letters, LETTERS_AT_ONCE);
            if (count > 0) take_config(shard); /* they may be about an app that only a newer one has */
            if (count > 0 && lane == LETTER_LANE_REQUESTS) shard->turn.requests_from = (first + i + 1) % others;
            for (uint32_t k = 0; k < count; k++) {
                letters_take_one(shard, from, &letters[k]);
            }
            taken += count;
            if (count < LETTERS_AT_ONCE) break;
        }
    }
}

/* Reads on from paused connections, the longest paused first, until letters wait again; none while crowds wait. One
 * that is paused anew goes to the end of the list. */
static void resume_paused(struct shard *shard)
{
    struct slot_list *paused = &shard->receive.paused;
    uint32_t resumed = 0;
    if (shard->crowd.wait != CROWD_WAIT_NOBODY) return;
    for (uint32_t count = paused->count; shard->post.waiting == 0 && resumed < count; resumed++) {
        trace_hold(&shard->trace, paused->slots[resumed]);
        receive_resumed(shard, &shard->connections[paused->slots[resumed]]);
    }
    trace_let_go(&shard->trace);
    if (resumed == 0) return;
    paused->count -= resumed;
    memmove(paused->slots, paused->slots + resumed, paused->count * sizeof paused->slots[0]);
}

void letters_take(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    take_lane(shard, LETTER_LANE_DELIVERIES);
    if (post_deliveries_wait(shard)) return;
    /* Whoever comes first may fill the mailboxes: other shards' requests and our own publishers take turns. */
    shard->turn.requests_first = !shard->turn.requests_first;
    if (!shard->turn.requests_first) resume_paused(shard);
    take_lane(shard, LETTER_LANE_REQUESTS);
    if (shard->turn.requests_first) resume_paused(shard);
}
