/* tests/server/cluster/test_cluster_order.c - two nodes on a real Redis: both tell the same messages in the same
 * order, each once, also when connections with subscriptions end; and when Redis has forgotten, both are told so. */
#include "core/counters.h"
#include "core/message.h"
#include "server/cluster/cluster_job.h"
#include "server/cluster/cluster_work.h"
#include "server/cluster/script.h"
#include "server/config/history_rule.h"
#include "server/system/clock.h"
#include "tests/support/cluster_redis.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODES        2
#define MESSAGES_MAX 2000
#define WAIT_MS      20000 /* what has not come then does not */

struct told {
    struct position position;
    uint32_t number; /* 0: a loss */
};

struct node {
    struct counters counters;
    struct cluster_work *work;
    struct cluster_job enter;
    bool is_in;
    struct told told[MESSAGES_MAX];
    uint32_t told_count;
    uint32_t messages, losses;
    uint32_t published, refused;
};

static struct cluster_redis redis;
static struct node nodes[NODES];
static struct name room;
static uint32_t numbers; /* of messages that were published */
static const struct history_rule rule = {.size = 10000, .ttl = 3600000};

/* ---- homes ---- */

static void note_event(struct node *node, const struct cluster_event *event)
{
    if (event->item.kind == CLUSTER_LOST) {
        node->told[node->told_count++] = (struct told){.position = event->position};
        node->losses++;
    }
    for (uint32_t i = 0; i < event->messages_count; i++) {
        const struct message *message = event->messages[i];
        struct told *told = &node->told[node->told_count++];
        *told = (struct told){.position = event->position};
        told->position.offset = message->offset;
        memcpy(&told->number, message_frame(message, FORM_RAW) + 2, sizeof told->number);
        node->messages++;
    }
}

static void take(void *self, struct cluster_item *item)
{
    struct node *node = self;
    struct cluster_job *job = (struct cluster_job *)item;
    if (item->kind == CLUSTER_MESSAGES || item->kind == CLUSTER_LOST) {
        note_event(node, (struct cluster_event *)item);
        cluster_event_free(&node->counters, (struct cluster_event *)item);
    } else if (item->kind == CLUSTER_PEOPLE_TOLD) {
        free(item);
    } else if (item->kind == CLUSTER_ENTER) {
        node->is_in = job->rc == RC_OK;
    } else if (item->kind == CLUSTER_PUBLISH) {
        node->published++;
        node->refused += job->rc != RC_OK;
        message_drop(&node->counters, job->message);
        free(job);
    }
}

static void publish(struct node *node)
{
    struct cluster_job *job = calloc(1, sizeof *job);
    uint32_t number = ++numbers;
    *job = (struct cluster_job){
        .item.kind = CLUSTER_PUBLISH, .app = "app", .channel = &room, .rule = &rule, .is_for_history = true};
    job->message = message_new_of(&node->counters, &room, FORM_RAW, 2 + sizeof number);
    memcpy(message_frame(job->message, FORM_RAW), (uint8_t[2]){0x82, sizeof number}, 2);
    memcpy(message_frame(job->message, FORM_RAW) + 2, &number, sizeof number);
    cluster_work_take(node->work, job, monotonic_ms());
}

static void turn(struct node *node)
{
    struct pollfd fds[2];
    cluster_work_poll(node->work, fds);
    poll(fds, 2, 1);
    cluster_work_run(node->work, fds, monotonic_ms());
}

/* Both go on until `is_done`, which comes. */
static void go_on_until(bool (*is_done)(void))
{
    uint64_t end_ms = monotonic_ms() + WAIT_MS;
    while (!is_done()) {
        cr_assert_lt(monotonic_ms(), end_ms, "messages %u and %u of %u, losses %u and %u", nodes[0].messages,
                     nodes[1].messages, numbers, nodes[0].losses, nodes[1].losses);
        for (uint32_t i = 0; i < NODES; i++)
            turn(&nodes[i]);
    }
}

static bool are_in(void)
{
    return nodes[0].is_in && nodes[1].is_in;
}

static bool have_all(void)
{
    return nodes[0].messages >= numbers && nodes[1].messages >= numbers &&
           nodes[0].published + nodes[1].published == numbers;
}

static bool have_lost(void)
{
    return nodes[0].losses > 0 && nodes[1].losses > 0;
}

static void publish_many(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        publish(&nodes[i % NODES]);
        if (i % 3 == 0) turn(&nodes[(i / 3) % NODES]);
    }
}

/* Contiguous in each epoch, or told; nothing twice; and both the same. */
static void judge(void)
{
    static bool has_seen[NODES][MESSAGES_MAX];
    memset(has_seen, 0, sizeof has_seen);
    for (uint32_t n = 0; n < NODES; n++) {
        const struct node *node = &nodes[n];
        struct position at = node->enter.position;
        for (uint32_t i = 0; i < node->told_count; i++) {
            const struct told *told = &node->told[i];
            if (told->number > 0) {
                cr_expect_not(has_seen[n][told->number], "%u came twice", told->number);
                has_seen[n][told->number] = true;
                bool is_next = position_is_of(&told->position, at.epoch)
                                   ? told->position.offset == at.offset + 1
                                   : !position_is_set(&at) && told->position.offset == 1;
                cr_expect(is_next, "node %u: %s-%lu behind %s-%lu", n, told->position.epoch,
                          (unsigned long)told->position.offset, at.epoch, (unsigned long)at.offset);
            }
            at = told->position;
        }
    }
    cr_expect_eq(nodes[0].messages, nodes[1].messages);
    for (uint32_t number = 1; number <= numbers; number++)
        cr_expect(has_seen[0][number] && has_seen[1][number], "%u is missing", number);
    cr_expect_eq(nodes[0].refused + nodes[1].refused, 0);
}

/* ---- life ---- */

static void start_node(struct node *node)
{
    *node = (struct node){.told_count = 0};
    const struct redis_url url = {.places = {redis.place}, .places_count = 1};
    const struct cluster_work_settings settings = {
        .rules = "",
        .url = &url,
        .target = {.place = redis.place, .user = "", .name = "test"},
        .prefix = "rc",
        .queue_bytes_max = 1 << 24,
        .publish_ms_max = WAIT_MS,
        .silent_ms_max = WAIT_MS,
        .gap_bytes_max = 1 << 24,
        .lease_ms = 15000,
        .put = take,
        .self = node,
    };
    node->work = cluster_work_new(&settings, &node->counters);
    cr_assert_not_null(node->work);
    node->enter = (struct cluster_job){.item.kind = CLUSTER_ENTER,
                                       .app = "app",
                                       .channel = &room,
                                       .rule = &rule,
                                       .serial = 1,
                                       .needs_position = true};
    cluster_work_take(node->work, &node->enter, monotonic_ms());
}

static void start(void)
{
    cr_assert(cluster_redis_is_there(), "there is no redis-server: deploy/deps --test gets it");
    cr_assert_eq(scripts_init(), RC_OK);
    cluster_redis_start(&redis);
    room = name_of(0, text_of("room"));
    for (uint32_t i = 0; i < NODES; i++)
        start_node(&nodes[i]);
    go_on_until(are_in);
}

static void stop(void)
{
    for (uint32_t i = 0; i < NODES; i++) {
        cluster_work_end(nodes[i].work, monotonic_ms());
        cluster_work_free(nodes[i].work);
        cr_expect_eq(counter_get(&nodes[i].counters, COUNTER_messages_live), 0);
    }
    cluster_redis_stop(&redis);
}

/* ---- tests ---- */

Test(cluster_order, both_nodes_tell_the_same_in_the_same_order, .timeout = 60)
{
    start();
    publish_many(300);
    go_on_until(have_all);
    judge();
    cr_expect_eq(nodes[0].losses + nodes[1].losses, 0);
    stop();
}

Test(cluster_order, what_was_missed_while_subscriptions_were_cut_is_filled, .timeout = 60)
{
    start();
    for (uint32_t i = 0; i < 5; i++) {
        publish_many(60);
        cluster_redis_say(&redis, "CLIENT KILL TYPE pubsub");
        publish_many(60);
        go_on_until(have_all);
    }
    judge();
    cr_expect_eq(nodes[0].losses + nodes[1].losses, 0);
    cr_expect_gt(counter_get(&nodes[0].counters, COUNTER_cluster_overruns), 0);
    stop();
}

Test(cluster_order, a_flush_is_told_by_the_next_message, .timeout = 60)
{
    start();
    publish_many(20);
    go_on_until(have_all);
    cluster_redis_say(&redis, "FLUSHALL");
    publish_many(20);
    go_on_until(have_all);
    judge();
    cr_expect_eq(nodes[0].losses, 1);
    cr_expect_eq(nodes[1].losses, 1);
    stop();
}

Test(cluster_order, a_restart_that_forgot_all_is_told_once_and_the_channel_goes_on, .timeout = 60)
{
    start();
    publish_many(20);
    go_on_until(have_all);
    cluster_redis_kill(&redis);
    cluster_redis_start(&redis);
    go_on_until(have_lost);
    publish_many(20);
    go_on_until(have_all);
    judge();
    cr_expect_eq(nodes[0].losses, 1);
    cr_expect_eq(nodes[1].losses, 1);
    stop();
}
