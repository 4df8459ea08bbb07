/* tests/server/home/test_channel_log.c - what waits for a log: taken again as the letters that came, in their order. */
#include "server/home/channel_log.h"

#include "core/channel.h"
#include "core/join.h"
#include "core/letter.h"
#include "core/message.h"
#include "core/query.h"
#include "core/roster.h"
#include "server/config/history_rule.h"
#include "server/home/channel_log_bound.h"
#include "server/shard/shard.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define ASKER 3 /* the shard from which a join comes */

static const struct name name = {.text = "private-a", .length = 9};
static const struct history_rule rule = {.size = 10};
static struct options options = {.store_jobs_max = 2, .store_bytes_max = 1 << 20};
static struct shard *shard;
static struct channel channel;
static struct roster roster;
static struct channel_log *channel_log;

/* What was taken. */
static struct letter letters[8];
static uint32_t senders[8];
static uint32_t letters_count;

static enum rc take(struct shard *taker, uint32_t from, const struct letter *letter)
{
    cr_assert_eq(taker, shard);
    cr_expect_eq(channel_log->state, LOG_READY);
    letters[letters_count] = *letter;
    senders[letters_count++] = from;
    return RC_OK;
}

static void begin(void)
{
    shard = aligned_alloc(_Alignof(struct shard), sizeof *shard);
    memset(shard, 0, sizeof *shard);
    owner_take(&shard->owner);
    shard->options = &options;
    shard->take = take;
    timer_wheel_init(&shard->home.timers, 0);
    TAILQ_INIT(&shard->home.logs);
    TAILQ_INIT(&shard->home.empty_logs);
    channel = (struct channel){.name = name, .roster = &roster};
    channel_log = calloc(1, sizeof *channel_log);
    roster = (struct roster){.channel = &channel, .log = channel_log};
    *channel_log = (struct channel_log){.roster = &roster, .rule = &rule, .state = LOG_READING, .is_unseen = true};
    channel_log->waiting_end = &channel_log->waiting;
    channel_log_begin(shard, channel_log);
}

static void end(void)
{
    channel_log_free(shard, channel_log);
    cr_expect_null(roster.log);
    cr_expect_eq(counter_get(&shard->counters, COUNTER_store_waiting), 0);
    cr_expect_eq(counter_get(&shard->counters, COUNTER_store_bytes_waiting), 0);
    free(shard);
}

static struct message *new_message(void)
{
    return message_new_of(&shard->counters, &name, FORM_EVENT, 10);
}

static struct letter a_publish(void)
{
    return (struct letter){.message = new_message(), .kind = LETTER_PUBLISH};
}

static struct letter an_ask(struct message *message)
{
    struct letter letter = {.query = query_new(message != NULL ? QUERY_PUBLISH : QUERY_HISTORY, &name),
                            .kind = LETTER_ASK};
    letter.query->message = message;
    return letter;
}

static enum rc wait_for_it(struct letter letter)
{
    return channel_log_wait(shard, channel_log, &letter);
}

Test(channel_log, what_waited_is_taken_again_in_order, .timeout = 5, .init = begin, .fini = end)
{
    struct join join = {.from = ASKER};
    struct letter came[] = {
        {.join = &join, .kind = LETTER_SUBSCRIBE}, a_publish(), an_ask(new_message()), an_ask(NULL)};
    for (uint32_t i = 0; i < 4; i++) {
        cr_expect_eq(wait_for_it(came[i]), RC_OK);
    }
    cr_expect_eq(letters_count, 0);
    cr_expect_eq(counter_get(&shard->counters, COUNTER_store_waiting), 2, "what is published counts");
    channel_log_go_on(shard, channel_log, LOG_READY);
    cr_assert_eq(letters_count, 4);
    for (uint32_t i = 0; i < 4; i++) {
        cr_expect_eq(letters[i].kind, came[i].kind);
        cr_expect_eq(letters[i].body, came[i].body);
        cr_expect_eq(senders[i], i == 0 ? ASKER : shard->index);
    }
    message_drop(&shard->counters, came[1].message);
    query_free(&shard->counters, came[2].query);
    query_free(&shard->counters, came[3].query);
}

Test(channel_log, what_is_published_waits_only_while_there_is_room, .timeout = 5, .init = begin, .fini = end)
{
    struct letter last = an_ask(new_message());
    cr_expect_eq(wait_for_it(a_publish()), RC_OK);
    cr_expect_eq(wait_for_it(an_ask(new_message())), RC_OK);
    cr_expect_eq(wait_for_it(last), RC_EFULL);
    cr_expect_eq(wait_for_it(an_ask(NULL)), RC_OK, "who only asks needs none");
    query_free(&shard->counters, last.query); /* not taken; what still waits is dropped at the end */
}
