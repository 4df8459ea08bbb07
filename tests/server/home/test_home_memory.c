/* tests/server/home/test_home_memory.c - a home alone that finds no memory now and then: whoever asks is answered once,
 * with what is true, nothing is lost, and as soon as there is memory all is well.
 *
 * Method: the same morning at a home again and again, in which the n-th allocation fails, for each n; then mornings in
 * which about one in a few does, by a seed. */
#include "core/channel.h"
#include "core/roster.h"
#include "tests/support/home_case.h"
#include "tests/support/scarce_turns.h"
#include "tests/support/sized.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOINS   12
#define QUERIES 16
#define FLAGS                                                                                       \
    CASE_FLAGS("webhook=http://x/ subscription_counts=yes cache_ms=5s", "--history", "presence-h*", \
               "--repeat-keys-max", "100")

/* Lets the home find less memory, or all. */
static void be_scarce(bool is_scarce)
{
    scarce_chance = chance;
    scarce_one_in = is_scarce ? 10 : 0;
}

static struct join *joins[JOINS]; /* asked; NULL: not, or gone again */
static bool is_in[JOINS];
static struct query *queries[QUERIES];
static uint32_t heard;

static void take_answers(void)
{
    for (uint32_t to = 0; to < CASE_SHARDS; to++) {
        for (struct letter letter; (letter = case_next(to)).kind != CASE_NONE;) {
            uint32_t i = 0;
            switch (letter.kind) {
            case LETTER_SUBSCRIBED:
                while (i < JOINS && joins[i] != letter.join) {
                    i++;
                }
                cr_assert(i < JOINS && !is_in[i], "an answer to a question, once");
                cr_assert(letter.join->rc == RC_OK || letter.join->rc == RC_ENOMEM, "%s", rc_text(letter.join->rc));
                is_in[i] = letter.join->rc == RC_OK;
                if (!is_in[i]) join_free(&case_home->counters, joins[i]);
                if (!is_in[i]) joins[i] = NULL;
                break;
            case LETTER_ANSWER:
                while (i < QUERIES && queries[i] != letter.query) {
                    i++;
                }
                cr_assert(i < QUERIES, "an answer to a question, once");
                cr_assert(letter.query->rc == RC_OK || letter.query->rc == RC_ENOMEM || letter.query->rc == RC_EFULL,
                          "%s", rc_text(letter.query->rc));
                query_free(&case_home->counters, letter.query);
                queries[i] = NULL;
                break;
            default:
                cr_assert_eq(letter.kind, LETTER_DELIVER);
                message_drop(&case_home->counters, letter.message);
                heard++;
            }
        }
    }
}

/* The home's part of a letter. */
static void give(uint32_t from, struct letter letter)
{
    be_scarce(true);
    case_give(from, letter);
    be_scarce(false);
}

static void ask_to_join(uint32_t i, const char *channel, const char *user_id, bool recovers)
{
    struct join_wish wish = {.channel = name_of(0, text_of(channel)), .form = FORM_EVENT};
    if (user_id != NULL) wish.user_id = text_of(user_id);
    wish.recover.is_asked = recovers;
    joins[i] = join_new(&wish);
    is_in[i] = false;
    give(i % CASE_SHARDS, (struct letter){.join = joins[i], .kind = LETTER_SUBSCRIBE});
}

static void ask(uint32_t i, struct query *query)
{
    queries[i] = query;
    give(query->shard, (struct letter){.query = query, .kind = LETTER_ASK});
}

static void publish(uint32_t i, const char *channel, const char *key)
{
    struct message *message = case_message(channel, ORIGIN_BACKEND, "x");
    message->is_kept = strncmp(channel, "cache-", 6) == 0;
    ask(i, case_query_publish(i % CASE_SHARDS, message, QUERY_OF_BACKEND, key));
}

static void leave(uint32_t i)
{
    if (joins[i] == NULL || !is_in[i]) return;
    struct join *join = joins[i];
    joins[i] = NULL;
    be_scarce(true);
    case_leave(join);
    be_scarce(false);
}

static void end_turn(void)
{
    be_scarce(true);
    case_settle();
    be_scarce(false);
    take_answers();
}

static void morning(void)
{
    static const char *const users[] = {"ann", "ben", "cat", "dot"};
    static const enum query_kind kinds[] = {QUERY_CHANNEL, QUERY_USERS, QUERY_CHANNELS, QUERY_HISTORY};
    case_begin(FLAGS);
    for (uint32_t i = 0; i < 4; i++) {
        ask_to_join(i, "presence-h", users[i], i % 2 == 0);
    }
    ask_to_join(4, "room", NULL, false);
    ask_to_join(5, "cache-a", NULL, false);
    end_turn();
    publish(0, "presence-h", "key-1");
    publish(1, "presence-h", "key-1");
    publish(2, "cache-a", NULL);
    publish(3, "room", "key-2");
    take_answers();
    leave(1);
    leave(2);
    ask_to_join(6, "presence-h", "ben", true);
    ask_to_join(7, "cache-a", NULL, false);
    end_turn();
    for (uint32_t i = 0; i < 4; i++) {
        ask(8 + i, case_query(i % CASE_SHARDS, kinds[i], i == 2 ? "" : "presence-h"));
    }
    publish(12, "presence-h-new", NULL);
    end_turn();
    for (uint32_t i = 0; i < JOINS; i++) {
        leave(i);
    }
    end_turn();
}

/* All is answered, and nobody is left: with memory it is a home like any other. */
static void evening(void)
{
    for (uint32_t i = 0; i < JOINS; i++) {
        cr_assert_null(joins[i], "%u was not answered, allocation %u, seed %lu", i, fails_at, seed);
    }
    for (uint32_t i = 0; i < QUERIES; i++) {
        cr_assert_null(queries[i], "%u was not answered, allocation %u, seed %lu", i, fails_at, seed);
    }
    struct join *ann = case_join(1, "presence-h", FORM_EVENT, "ann");
    cr_assert_not_null(strstr(case_greeting(ann), "\\\"count\\\":1"), "%u: %s", fails_at, case_greeting(ann));
    case_leave(ann);
    case_settle();
    case_pass(6000); /* what the cache kept */
    cr_assert_eq(case_counter(COUNTER_cache_bytes), 0);
    case_end();
}

static void day(void)
{
    morning();
    evening();
    case_hooks(); /* of this day */
}

Test(home_memory, any_allocation_may_fail, .timeout = 120)
{
    uint32_t failures = play_each(day);
    cr_expect_gt(failures, 60, "%u", failures);
}

Test(home_memory, many_may_fail, .timeout = 300)
{
    for (uint64_t i = 1; i <= sized(30, 1000); i++) {
        seed = i;
        day();
    }
    cr_expect_gt(scarce_failures, 100);
}

/* Order and delivery could not be kept. */
Test(home_memory, without_memory_for_a_letter_that_waits_the_process_ends, .timeout = 30, .signal = SIGABRT)
{
    case_begin(FLAGS);
    case_join(1, "room", FORM_EVENT, NULL);
    seed = 0;
    scarce_chance = chance;
    for (uint32_t i = 0; i < 1000; i++) {
        struct message *message = case_message("room", ORIGIN_BACKEND, "x");
        allocations = 0;
        fails_at = 1; /* the mailbox is full when there is one */
        scarce_one_in = 2;
        case_publish(2, message);
        scarce_one_in = 0;
    }
}
