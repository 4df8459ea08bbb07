/* server/control/orders.c - a hand-over in two steps, there and back, through one atomic word. */
#include "server/control/orders.h"

#include "core/text.h"
#include "core/tsan.h"
#include "server/connection/connection.h"
#include "server/control/command.h"
#include "server/http/answer.h"
#include "server/shard/shard.h"

#include <assert.h>
#include <ck_pr.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define TOLD_MS_MAX  500
#define TOLD_LOOK_MS 2
#define NO_STORE     "Cache-Control: no-store\r\n"

enum order_state {
    ORDERS_FREE,  /* the shard's: nothing is ordered */
    ORDERS_GIVEN, /* the main thread's */
    ORDERS_DONE,  /* the shard's: it is to be answered */
};

static enum order_state state_of(const struct orders *orders)
{
    enum order_state state = (enum order_state)ck_pr_load_uint(&orders->state);
    ck_pr_fence_load(); /* what was written before the state is there */
    TSAN_ACQUIRE(&orders->state);
    return state;
}

static void set_state(struct orders *orders, enum order_state state)
{
    ck_pr_fence_release(); /* and what was read is read */
    TSAN_RELEASE(&orders->state);
    ck_pr_store_uint(&orders->state, state);
}

/* ---- the control shard ---- */

static struct orders *orders_of(const struct connection *connection)
{
    return (struct orders *)connection->errand;
}

static void abandon(struct shard *shard, struct connection *connection)
{
    (void)shard;
    orders_of(connection)->is_abandoned = true;
    connection->errand = NULL;
}

static void be_late(struct shard *shard, struct connection *connection)
{
    abandon(shard, connection);
    command_refuse(shard, connection, 503, "The server's main thread is busy: what was ordered may still be done.");
}

static const struct errand_kind errand_order = {.late = be_late, .abandoned = abandon};

void orders_ask(struct shard *shard, struct connection *connection, enum order order)
{
    assert(owner_is_me(&shard->owner));
    struct orders *orders = shard->control.orders;
    if (state_of(orders) != ORDERS_FREE) {
        command_refuse(shard, connection, 503, "Another order is being carried out: ask again in a moment.");
        return;
    }
    orders->errand.kind = &errand_order;
    orders->order = order;
    orders->slot = shard_slot(shard, connection);
    orders->is_abandoned = false;
    connection->errand = &orders->errand;
    connection_ask(shard, connection);
    set_state(orders, ORDERS_GIVEN);
    kill(getpid(), ORDER_SIGNAL);
}

void orders_look(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    struct orders *orders = shard->control.orders;
    if (orders == NULL || state_of(orders) != ORDERS_DONE) return;
    struct connection *connection = &shard->connections[orders->slot];
    char *answer = orders->answer;
    orders->answer = NULL;
    if (!orders->is_abandoned) {
        assert(orders_of(connection) == orders);
        connection->errand = NULL;
        if (answer != NULL && orders->status != 200) {
            command_refuse(shard, connection, orders->status, "%s", answer);
        } else if (answer != NULL) {
            http_answer(shard, connection, 200, ANSWER_JSON, text_of(answer), NO_STORE);
        } else {
            command_refuse(shard, connection, 503, "The server is out of memory: try again later.");
        }
    }
    free(answer);
    set_state(orders, ORDERS_FREE);
}

/* ---- the main thread ---- */

enum order orders_take(struct orders *orders)
{
    return state_of(orders) == ORDERS_GIVEN ? orders->order : ORDER_NONE;
}

static void hand_back(struct orders *orders, unsigned status, char *answer)
{
    assert(state_of(orders) == ORDERS_GIVEN);
    orders->status = status;
    orders->answer = answer;
    set_state(orders, ORDERS_DONE);
    shard_signal(orders->shard);
}

void orders_done(struct orders *orders, char *answer)
{
    hand_back(orders, 200, answer);
}

void orders_refuse(struct orders *orders, char *sentence)
{
    hand_back(orders, 422, sentence);
}

void orders_await_told(struct orders *orders)
{
    const struct timespec pause = {.tv_nsec = TOLD_LOOK_MS * 1000000};
    for (uint32_t ms = 0; state_of(orders) == ORDERS_DONE && ms < TOLD_MS_MAX; ms += TOLD_LOOK_MS)
        nanosleep(&pause, NULL);
}

void orders_fini(struct orders *orders)
{
    free(orders->answer);
    orders->answer = NULL;
}
