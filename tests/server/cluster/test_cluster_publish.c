/* tests/server/cluster/test_cluster_publish.c - what is published goes once and in order, whatever Redis answers. */
#include "core/counters.h"
#include "core/message.h"
#include "server/cluster/cluster_job.h"
#include "server/cluster/cluster_publish.h"
#include "server/cluster/cluster_queue.h"
#include "server/cluster/script.h"
#include "server/config/history_rule.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define JOBS_MAX 200
#define NOW      1000
#define REDIS    1700000000000u
#define EPOCH    1699999999999u

/* Arguments of the script PUBLISH. */
enum {
    DEADLINE,
    GENERATION,
    HINT,
    ENTRIES,
    PUSHES,
    VERB,
    EXPIRE,
    RECEIPT_FOR,
    LAST_FOR,
    MARKS,
    LOOK_FROM,
    LOOK_FOR,
    RECORDS
};

static struct counters counters;
static struct cluster_publish *publish;
static struct cluster_time now;
static struct cluster_job jobs[JOBS_MAX];
static struct cluster_job *done[JOBS_MAX];
static uint32_t jobs_count, done_count;
static uint64_t hint;
static bool are_told;
static const struct history_rule rule = {.size = 500, .ttl = 30000};
static struct name room;

static void note_done(void *self, struct cluster_job *job)
{
    (void)self;
    done[done_count++] = job;
}

static uint64_t look_hint(void *self, const struct name *name)
{
    (void)self, (void)name;
    return hint;
}

static bool look_told(void *self, const struct name *name, const struct stream_id *place)
{
    (void)self, (void)name, (void)place;
    return are_told;
}

static void start(uint64_t bytes_max, bool is_confirmed)
{
    cr_assert_eq(scripts_init(), RC_OK);
    const struct cluster_publish_settings settings = {
        .prefix = text_of("rc"),
        .node = 7,
        .bytes_max = bytes_max,
        .patience_ms = 2000,
        .is_confirmed = is_confirmed,
        .done = note_done,
        .hint = look_hint,
        .is_told = look_told,
    };
    publish = cluster_publish_new(&settings, &counters);
    cr_assert_not_null(publish);
    cluster_publish_set_generation(publish, EPOCH - 1, true);
    now = (struct cluster_time){NOW, REDIS};
    room = name_of(0, text_of("room"));
    hint = 0;
    are_told = true;
    jobs_count = done_count = 0;
}

static void stop(void)
{
    cluster_publish_give_up(publish);
    cr_assert_eq(done_count, jobs_count, "%u of %u came back", done_count, jobs_count);
    cr_assert_eq(counter_get(&counters, COUNTER_cluster_waiting), 0);
    cr_assert_eq(counter_get(&counters, COUNTER_cluster_bytes_waiting), 0);
    for (uint32_t i = 0; i < jobs_count; i++)
        message_drop(&counters, jobs[i].message);
    cluster_publish_free(publish);
    cr_assert_eq(counter_get(&counters, COUNTER_messages_live), 0);
}

static void pass(uint64_t ms)
{
    now.now_ms += ms;
    now.redis_ms += ms;
    cluster_publish_tick(publish, now.now_ms);
}

static struct cluster_job *ask_in(const struct name *name, uint32_t bytes, bool is_kept)
{
    struct cluster_job *job = &jobs[jobs_count++];
    *job = (struct cluster_job){.item.kind = CLUSTER_PUBLISH, .app = "app", .channel = name, .rc = RC_PENDING};
    job->rule = is_kept ? &rule : NULL;
    job->is_for_history = is_kept;
    job->message = message_new_of(&counters, name, FORM_RAW, bytes + 2);
    if (bytes > 0) memcpy(message_frame(job->message, FORM_RAW), (uint8_t[2]){0x81, (uint8_t)bytes}, 2);
    if (bytes > 125) memset(message_frame(job->message, FORM_RAW), 0, 2);
    return job;
}

static struct cluster_job *ask(bool is_kept)
{
    struct cluster_job *job = ask_in(&room, 5, is_kept);
    cluster_publish_ask(publish, job, now.now_ms);
    return job;
}

static struct cluster_job *ask_with_key(const char *key, bool is_kept)
{
    struct cluster_job *job = ask_in(&room, 5, is_kept);
    snprintf(job->key, sizeof job->key, "%s", key);
    cluster_publish_ask(publish, job, now.now_ms);
    return job;
}

/* The next call, which is sent. */
static struct cluster_publish_call send_call(void)
{
    struct cluster_publish_call call;
    cr_assert(cluster_publish_next(publish, &now, &call), "there is a call");
    cluster_publish_sent(publish, &call);
    return call;
}

static bool has_call(void)
{
    struct cluster_publish_call call;
    return cluster_publish_next(publish, &now, &call);
}

static struct text argument(const struct cluster_publish_call *call, uint32_t index)
{
    uint64_t keys;
    cr_assert(text_is_number(call->words[2], &keys));
    cr_assert(3 + keys + index < call->words_count);
    return call->words[3 + keys + index];
}

static uint64_t number_at(const struct cluster_publish_call *call, uint32_t index)
{
    uint64_t number;
    cr_assert(text_is_number(argument(call, index), &number));
    return number;
}

/* Number of the message in the token of a record. */
static uint64_t token_of(const struct cluster_publish_call *call, uint32_t record)
{
    uint64_t number;
    memcpy(&number, argument(call, RECORDS + record).at + 8, sizeof number);
    return __builtin_bswap64(number);
}

/* Answers with EPOCH-offset and those behind it; `prefix` before each. */
static void answer_ids(const struct cluster_publish_call *call, uint64_t epoch, uint64_t offset, const char *prefix)
{
    char texts[64][48];
    redisReply elements[64], *pointers[64];
    for (uint32_t i = 0; i < call->messages; i++) {
        int length = snprintf(texts[i], sizeof texts[i], "%s%llu-%llu", prefix, (unsigned long long)epoch,
                              (unsigned long long)(offset + i));
        elements[i] = (redisReply){.type = REDIS_REPLY_STRING, .str = texts[i], .len = (size_t)length};
        pointers[i] = &elements[i];
    }
    redisReply reply = {.type = REDIS_REPLY_ARRAY, .elements = call->messages, .element = pointers};
    cr_assert_null(cluster_publish_answered(publish, call->queue, &reply, now.now_ms));
}

static void answer_number(const struct cluster_publish_call *call, long long number, bool is_list)
{
    redisReply one = {.type = REDIS_REPLY_INTEGER, .integer = number}, *pointer = &one;
    redisReply list = {.type = REDIS_REPLY_ARRAY, .elements = 1, .element = &pointer};
    cr_assert_null(cluster_publish_answered(publish, call->queue, is_list ? &list : &one, now.now_ms));
}

static enum redis_error_kind answer_error(const struct cluster_publish_call *call, const char *text)
{
    redisReply reply = {.type = REDIS_REPLY_ERROR, .str = (char *)text, .len = strlen(text)};
    const struct redis_error *error = cluster_publish_answered(publish, call->queue, &reply, now.now_ms);
    cr_assert_not_null(error);
    return error->kind;
}

Test(cluster_publish, what_comes_while_a_call_is_under_way_goes_with_the_next, .timeout = 10)
{
    start(1 << 20, false);
    struct cluster_job *first = ask(true), *second = ask(true);
    struct cluster_publish_call call = send_call();
    cr_assert_eq(call.messages, 2);
    cr_assert_eq(number_at(&call, DEADLINE), REDIS + PUBLISH_DEADLINE_MS);
    cr_assert_eq(number_at(&call, HINT), 0);
    cr_assert_eq(number_at(&call, ENTRIES), 500);
    cr_assert_gt(number_at(&call, EXPIRE), 30000, "a new stream is told how long to stay");
    cr_assert(text_is(argument(&call, LOOK_FROM), ""));
    cr_assert_lt(token_of(&call, 0), token_of(&call, 1));
    uint64_t token = token_of(&call, 1);

    ask(true), ask(true), ask(true);
    cr_assert_not(has_call(), "one call of a channel is under way");
    answer_ids(&call, EPOCH, 1, "");
    cr_assert_eq(done_count, 2);
    cr_assert(done[0] == first && done[1] == second);
    cr_assert_eq(second->rc, RC_OK);
    cr_assert_eq(second->position.offset, 2);
    cr_assert_not(second->is_repeat);

    call = send_call();
    cr_assert_eq(call.messages, 3);
    cr_assert_eq(number_at(&call, HINT), EPOCH, "the epoch is known now");
    cr_assert_eq(number_at(&call, EXPIRE), 0, "it was told");
    cr_assert_gt(token_of(&call, 0), token);
    answer_ids(&call, EPOCH, 3, "");
    cr_assert_not(has_call());
    stop();
}

Test(cluster_publish, a_call_has_at_most_so_many_messages_and_bytes, .timeout = 10)
{
    start(1 << 24, false);
    for (uint32_t i = 0; i < 70; i++)
        ask(true);
    struct cluster_publish_call call = send_call();
    cr_assert_eq(call.messages, SCRIPT_RECORDS_MAX);
    answer_ids(&call, EPOCH, 1, "");
    call = send_call();
    cr_assert_eq(call.messages, 6);
    answer_ids(&call, EPOCH, 65, "");

    static const uint32_t sizes[] = {40000, 20000, 30000, 200000, 10};
    static const uint32_t expected[] = {2, 1, 1, 1};
    for (uint32_t i = 0; i < 5; i++) {
        struct cluster_job *job = ask_in(&room, 5, true);
        message_drop(&counters, job->message);
        job->message = message_new_of(&counters, &room, FORM_RAW, sizes[i] + 10);
        uint8_t *frame = message_frame(job->message, FORM_RAW);
        uint64_t length = __builtin_bswap64(sizes[i]);
        memcpy(frame, (uint8_t[2]){0x81, 127}, 2);
        memcpy(frame + 2, &length, sizeof length);
        memset(frame + 10, 'x', sizes[i]);
        cluster_publish_ask(publish, job, now.now_ms);
    }
    for (uint32_t i = 0; i < 4; i++) {
        call = send_call();
        cr_assert_eq(call.messages, expected[i], "call %u has %u", i, call.messages);
        answer_ids(&call, EPOCH, 100 + i * 10, "");
    }
    stop();
}

Test(cluster_publish, what_is_not_kept_goes_plainly_and_keeps_its_place_between_the_others, .timeout = 10)
{
    start(1 << 20, false);
    ask(true), ask(false), ask(false), ask_with_key("k", false), ask(true);
    struct cluster_publish_call call = send_call();
    cr_assert_eq(call.messages, 1);
    answer_ids(&call, EPOCH, 1, "");
    call = send_call();
    cr_assert(text_is(call.words[0], "PUBLISH"));
    cr_assert(text_is(call.words[1], "rc:m:{app:room}"));
    cr_assert_eq(memcmp(call.words[2].at, "0-0 0 2 ", 8), 0);
    answer_number(&call, 0, false);
    cr_assert_not(position_is_set(&jobs[1].position));
    call = send_call();
    cr_assert(text_is(call.words[0], "EVALSHA"));
    cr_assert(text_equals(call.words[1], script_sha1(SCRIPT_PLAIN)));
    answer_number(&call, 1, true);
    cr_assert_not(jobs[3].is_repeat);
    call = send_call();
    answer_ids(&call, EPOCH, 2, "");
    cr_assert_eq(done_count, 5);
    for (uint32_t i = 0; i < 5; i++)
        cr_assert(done[i] == &jobs[i] && jobs[i].rc == RC_OK);
    stop();
}

Test(cluster_publish, a_key_that_was_there_is_a_repeat, .timeout = 10)
{
    start(1 << 20, false);
    struct cluster_job *kept = ask_with_key("a", true);
    struct cluster_publish_call call = send_call();
    cr_assert(text_is(call.words[5], "rc:k:{app:room}:a"));
    cr_assert(text_is(argument(&call, MARKS), "1"));
    answer_ids(&call, EPOCH, 9, "=");
    cr_assert(kept->is_repeat);
    cr_assert_eq(kept->position.offset, 9);
    struct cluster_job *plain = ask_with_key("a", false);
    call = send_call();
    answer_number(&call, 0, true);
    cr_assert(plain->is_repeat);
    stop();
}

Test(cluster_publish, a_lost_call_is_asked_again_behind_its_deadline_before_anything_newer, .timeout = 10)
{
    start(1 << 20, false);
    ask(true);
    struct cluster_publish_call call = send_call();
    answer_ids(&call, EPOCH, 1, "");
    ask(true), ask(true);
    call = send_call();
    uint64_t token = token_of(&call, 0);
    ask(true);
    pass(300);
    cluster_publish_lost(publish, &now);
    cr_assert_not(has_call(), "Redis may do it yet");
    pass(PUBLISH_DEADLINE_MS - 300);
    cr_assert_not(has_call(), "the deadline itself is not past");
    pass(1);
    call = send_call();
    cr_assert_eq(call.messages, 2, "the same, without what came later");
    cr_assert_eq(token_of(&call, 0), token);
    char from[64];
    snprintf(from, sizeof from, "%llu-1", (unsigned long long)EPOCH);
    cr_assert(text_is(argument(&call, LOOK_FROM), from), "it may be behind what was answered before");
    answer_ids(&call, EPOCH, 2, "");
    cr_assert_eq(done_count, 3);
    cr_assert_not(done[2]->is_repeat);
    call = send_call();
    cr_assert_eq(call.messages, 1);
    cr_assert(text_is(argument(&call, LOOK_FROM), ""));
    cr_assert_eq(counter_get(&counters, COUNTER_cluster_asked_again), 1);
    answer_ids(&call, EPOCH, 4, "");
    stop();
}

Test(cluster_publish, another_life_of_the_server_does_nothing_of_a_lost_call, .timeout = 10)
{
    start(1 << 20, false);
    hint = EPOCH;
    ask(true);
    struct cluster_publish_call call = send_call();
    cr_assert_eq(number_at(&call, HINT), EPOCH);
    cluster_publish_lost(publish, &now);
    cluster_publish_set_generation(publish, EPOCH + 50, true);
    call = send_call();
    cr_assert_eq(number_at(&call, GENERATION), EPOCH + 50);
    cr_assert_eq(number_at(&call, HINT), 0, "the hint is of another life");
    cr_assert(text_is(argument(&call, LOOK_FROM), "-"));
    answer_ids(&call, EPOCH + 60, 1, "");
    cr_assert_eq(jobs[0].rc, RC_OK);
    stop();
}

Test(cluster_publish, what_came_too_late_is_asked_again_and_stays_lost_if_it_was, .timeout = 10)
{
    start(1 << 20, false);
    ask(true);
    struct cluster_publish_call call = send_call();
    cr_assert_eq(answer_error(&call, "LATE after its deadline, nothing is done"), REDIS_ERROR_LATE);
    ask(true);
    pass(50);
    call = send_call();
    cr_assert_eq(call.messages, 2, "nothing was done, so what came later may go with it");
    cr_assert(text_is(argument(&call, LOOK_FROM), ""));
    cr_assert_eq(number_at(&call, DEADLINE), now.redis_ms + PUBLISH_DEADLINE_MS);
    cluster_publish_lost(publish, &now);
    pass(PUBLISH_DEADLINE_MS + 1);
    call = send_call();
    cr_assert_eq(answer_error(&call, "LATE"), REDIS_ERROR_LATE);
    ask(true);
    pass(50);
    call = send_call();
    cr_assert_eq(call.messages, 2, "the first time it may have been done");
    cr_assert(text_is(argument(&call, LOOK_FROM), "-"));
    cr_assert_eq(counter_get(&counters, COUNTER_cluster_late), 2);
    answer_ids(&call, EPOCH, 1, "");
    stop();
}

Test(cluster_publish, an_error_says_what_becomes_of_the_call, .timeout = 10)
{
    static const struct {
        const char *text;
        enum redis_error_kind kind;
        bool is_refused;
        bool is_at_once;
    } rows[] = {
        {"NOSCRIPT No matching script. Please use EVAL.", REDIS_ERROR_SCRIPTS, false, true},
        {"LOADING Redis is loading the dataset in memory", REDIS_ERROR_LATER, false, false},
        {"CLUSTERDOWN The cluster is down", REDIS_ERROR_LATER, false, false},
        {"READONLY You can't write against a read only replica.", REDIS_ERROR_MASTER, false, false},
        {"OOM command not allowed when used memory > 'maxmemory'.", REDIS_ERROR_REFUSED, true, false},
        {"MISCONF Redis is configured to save RDB snapshots", REDIS_ERROR_REFUSED, true, false},
        {"NOREPLICAS Not enough good replicas to write.", REDIS_ERROR_REFUSED, true, false},
        {"NOPERM this user has no permissions", REDIS_ERROR_REFUSED, true, false},
        {"FAR too many entries to look through", REDIS_ERROR_REFUSED, true, false},
        {"ERR something nobody knows", REDIS_ERROR_REFUSED, true, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start(1 << 20, false);
        ask(true);
        struct cluster_publish_call call = send_call();
        cr_assert_eq(answer_error(&call, rows[i].text), rows[i].kind, "%s", rows[i].text);
        cr_assert_eq(done_count, rows[i].is_refused ? 1 : 0, "%s", rows[i].text);
        if (rows[i].is_refused) cr_assert_eq(done[0]->rc, RC_ECLUSTER);
        cr_assert_eq(has_call(), rows[i].is_at_once, "%s", rows[i].text);
        pass(PUBLISH_AGAIN_MS);
        cr_assert_eq(has_call(), !rows[i].is_refused, "%s", rows[i].text);
        stop();
    }
}

Test(cluster_publish, who_waited_too_long_is_refused_in_order, .timeout = 10)
{
    start(1 << 20, false);
    ask(true);
    pass(1500);
    ask(true);
    pass(499);
    cr_assert_eq(done_count, 0);
    pass(1);
    cr_assert_eq(done_count, 1);
    cr_assert_eq(done[0]->rc, RC_ECLUSTER);
    struct cluster_publish_call call = send_call();
    cr_assert_eq(call.messages, 1, "what was refused is not published");

    pass(1400);
    cluster_publish_lost(publish, &now); /* asked 1900 ms ago, its deadline is past */
    cr_assert_eq(done_count, 1);
    pass(100);
    cr_assert_eq(done_count, 2);
    cr_assert_eq(counter_get(&counters, COUNTER_cluster_refused), 2);
    stop();
}

Test(cluster_publish, who_may_yet_be_published_is_not_refused, .timeout = 10)
{
    start(1 << 20, false);
    ask(true);
    pass(1900);
    send_call();
    cluster_publish_lost(publish, &now);
    pass(500);
    cr_assert_eq(done_count, 0, "Redis has 500 ms left to do it");
    pass(501);
    cr_assert_eq(done_count, 1);
    cr_assert_eq(done[0]->rc, RC_ECLUSTER);
    stop();
}

Test(cluster_publish, nothing_newer_goes_while_a_refused_one_may_yet_be_done, .timeout = 10)
{
    start(1 << 20, false);
    ask(true);
    pass(1999);
    send_call();
    cluster_publish_lost(publish, &now);
    pass(1000);
    ask(true);
    cr_assert_not(has_call());
    pass(1);
    struct cluster_publish_call call = send_call();
    cr_assert_eq(call.messages, 1);
    cr_assert_eq(done_count, 1);
    answer_ids(&call, EPOCH, 1, "");
    stop();
}

Test(cluster_publish, what_does_not_fit_into_the_queue_is_refused_at_once, .timeout = 10)
{
    start(200, false);
    for (uint32_t i = 0; i < 10; i++)
        ask(true);
    cr_assert_gt(done_count, 0);
    cr_assert_lt(done_count, 10);
    cr_assert_eq(done[0]->rc, RC_EFULL);
    struct cluster_publish_call call = send_call();
    cr_assert_eq(call.messages, 10 - done_count);
    answer_ids(&call, EPOCH, 1, "");
    ask(true);
    cr_assert(has_call(), "there is room again");
    stop();
}

Test(cluster_publish, an_answer_waits_for_replicas_if_it_has_to, .timeout = 10)
{
    start(1 << 20, true);
    ask(true);
    struct cluster_publish_call call = send_call();
    answer_ids(&call, EPOCH, 1, "");
    cr_assert_eq(done_count, 0);
    cluster_publish_confirmed(publish, true);
    cr_assert_eq(done_count, 1);
    cr_assert_eq(done[0]->rc, RC_OK);
    ask(true);
    call = send_call();
    answer_ids(&call, EPOCH, 2, "");
    cluster_publish_lost(publish, &now);
    cr_assert_eq(done[1]->rc, RC_ECLUSTER, "whether it would outlive the master nobody knows");
    stop();
}

Test(cluster_publish, one_without_frames_is_answered_behind_what_it_came_after, .timeout = 10)
{
    start(1 << 20, false);
    are_told = false;
    ask(true);
    struct cluster_job *behind = ask_in(&room, 0, true);
    message_drop(&counters, behind->message);
    behind->message = message_new(&counters, &room, (uint32_t[FORMS_MAX]){0});
    cluster_publish_ask(publish, behind, now.now_ms);
    ask(true);
    struct cluster_publish_call call = send_call();
    cr_assert_eq(call.messages, 1);
    answer_ids(&call, EPOCH, 5, "");
    call = send_call();
    cr_assert_eq(call.messages, 1, "it holds up nobody");
    cluster_publish_look(publish, now.now_ms);
    cr_assert_eq(done_count, 1, "its readers here have not been told");
    are_told = true;
    cluster_publish_look(publish, now.now_ms);
    cr_assert_eq(done_count, 2);
    cr_assert(done[1] == behind);
    cr_assert_eq(behind->rc, RC_OK);
    cr_assert_eq(behind->position.offset, 5);
    answer_ids(&call, EPOCH, 6, "");
    stop();
}

Test(cluster_publish, of_channels_that_are_idle_only_so_many_are_remembered, .timeout = 60)
{
    struct cluster_queues queues;
    cr_assert_eq(cluster_queues_init(&queues), RC_OK);
    struct cluster_job job = {0};
    char text[32];
    for (uint32_t i = 0; i < QUEUES_IDLE_MAX + 100; i++) {
        snprintf(text, sizeof text, "channel-%u", i);
        struct name name = name_of(0, text_of(text));
        struct cluster_queue *queue = cluster_queues_get(&queues, &name, text_of("app"));
        cluster_queue_put(&queues, queue, &job);
        cr_assert(cluster_queue_take(queue) == &job);
        cluster_queue_rest(&queues, queue, 1);
    }
    struct name first = name_of(0, text_of("channel-99")), second = name_of(0, text_of("channel-100"));
    cr_assert_eq(queues.count, QUEUES_IDLE_MAX);
    cr_assert_null(cluster_queues_find(&queues, &first));
    cr_assert_not_null(cluster_queues_find(&queues, &second));
    cluster_queues_fini(&queues);
}

Test(cluster_publish, it_tells_since_when_the_oldest_waits, .timeout = 10)
{
    start(1 << 20, false);
    struct name other = name_of(0, text_of("other"));
    cr_expect_eq(cluster_publish_oldest_ms(publish), 0, "nothing does");
    ask(true);
    pass(5);
    cluster_publish_ask(publish, ask_in(&other, 5, true), now.now_ms);
    cr_expect_eq(cluster_publish_oldest_ms(publish), NOW);
    struct cluster_publish_call call = send_call();
    cr_expect_eq(cluster_publish_oldest_ms(publish), NOW, "what was sent waits for its answer");
    answer_ids(&call, EPOCH, 1, "");
    cr_expect_eq(cluster_publish_oldest_ms(publish), NOW + 5);
    stop();
}
