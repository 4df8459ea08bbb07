/* tests/support/home_case.c - a shard, its mailboxes, and what stands in for webhooks, store and clock. */
#include "tests/support/home_case.h"

#include "core/channel.h"
#include "core/mailbox.h"
#include "core/span.h"
#include "net/frame.h"
#include "server/config/options_read.h"
#include "server/home/channel_log_store.h"
#include "server/home/home.h"
#include "server/home/home_publish.h"
#include "server/home/home_query.h"
#include "server/protocol/event.h"
#include "server/shard/exchange.h"
#include "server/shard/sweep.h"
#include "server/store/store.h"
#include "server/webhook/webhook.h"
#include "tests/support/leaks.h"
#include "tests/support/own_clock.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define LETTERS   64 /* in a mailbox */
#define OWN_MAX   256
#define JOBS_MAX  256
#define TEXT_MAX  65536
#define TEXTS_MAX 8

struct shard *case_home;
bool case_store_is_full;
static struct exchange exchange;
static struct options options;
static struct letter own[OWN_MAX]; /* to itself, the oldest first */
static uint32_t own_count;
static char hooks[TEXT_MAX];
static struct store_job *asked[JOBS_MAX], *done[JOBS_MAX];
static uint32_t asked_count, done_count;
static struct name_filter stored;

/* ---- what the home stands on ---- */

bool webhooks_tell(struct webhooks *webhooks, uint32_t sender, const struct app *app,
                   const struct webhook_event *event)
{
    char number[24] = "", offset[24] = "";
    size_t used = strlen(hooks);
    (void)webhooks, (void)app;
    cr_assert_eq(sender, case_home->index);
    if (event->kind == WEBHOOK_subscription_count) snprintf(number, sizeof number, "=%u", event->count);
    if (event->offset > 0) snprintf(offset, sizeof offset, "@%llu", (unsigned long long)event->offset);
    int count = snprintf(hooks + used, sizeof hooks - used, "%s:%.*s%s%.*s%s%s%.*s%s ",
                         webhook_kind_name(event->kind), (int)event->channel.count, event->channel.at,
                         event->user_id.count > 0 ? "/" : "", (int)event->user_id.count, event->user_id.at, number,
                         event->data.count > 0 ? "=" : "", (int)event->data.count, event->data.at, offset);
    cr_assert_lt((size_t)count, sizeof hooks - used, "nobody has asked for them: case_hooks()");
    return true;
}

enum rc store_ask(struct store *store, uint32_t shard, struct store_job *job)
{
    (void)store;
    cr_assert_eq(shard, case_home->index);
    if (case_store_is_full) return RC_EFULL;
    cr_assert_lt(asked_count, JOBS_MAX);
    asked[asked_count++] = job;
    return RC_OK;
}

struct store_job *store_receive(struct store *store, uint32_t shard)
{
    (void)store, (void)shard;
    if (done_count == 0) return NULL;
    struct store_job *job = done[0];
    memmove(done, done + 1, --done_count * sizeof done[0]);
    return job;
}

const struct name_filter *store_seen(const struct store *store, uint32_t shard)
{
    (void)store, (void)shard;
    return &stored;
}

/* ---- letters ---- */

static enum rc take(struct shard *shard, uint32_t from, const struct letter *letter)
{
    switch ((enum letter_kind)letter->kind) {
    case LETTER_SUBSCRIBE:
        home_subscribe(shard, from, letter->join);
        return RC_OK;
    case LETTER_UNSUBSCRIBE:
        home_unsubscribe(shard, from, letter->join);
        return RC_OK;
    case LETTER_LEAVE:
        home_leave(shard, from, letter->roster, (enum form)letter->form);
        return RC_OK;
    case LETTER_PUBLISH:
        return home_publish(shard, letter->message, NULL);
    case LETTER_ASK:
        home_query_take(shard, letter->query);
        return RC_OK;
    default:
        cr_assert_lt(own_count, OWN_MAX);
        own[own_count++] = *letter;
        return RC_OK;
    }
}

void case_give(uint32_t from, struct letter letter)
{
    take(case_home, from, &letter);
}

struct letter case_next(uint32_t to)
{
    struct letter letter = {.kind = CASE_NONE};
    if (to != case_home->index) {
        mailbox_receive(exchange_mailbox(&exchange, LETTER_LANE_DELIVERIES, case_home->index, to), &letter, 1);
    } else if (own_count > 0) {
        letter = own[0];
        memmove(own, own + 1, --own_count * sizeof own[0]);
    }
    return letter;
}

/* ---- life ---- */

void case_begin(const char *const flags[])
{
    const char *argv[40] = {"ringcast"};
    char reason[OPTIONS_ERROR_BYTES];
    int argc = 1;
    while (flags[argc - 1] != NULL) {
        argv[argc] = flags[argc - 1];
        argc++;
    }
    cr_assert_eq(options_read(&options, argc, (char *const *)argv, NULL, reason, sizeof reason), RC_OK, "%s", reason);
    now_ms = OWN_CLOCK_NOW_MS;
    day_ms = OWN_CLOCK_DAY_MS;
    case_home = aligned_alloc(_Alignof(struct shard), CASE_SHARDS * sizeof *case_home);
    memset(case_home, 0, CASE_SHARDS * sizeof *case_home);
    cr_assert_eq(exchange_init(&exchange, case_home, CASE_SHARDS, LETTERS), RC_OK);
    case_home->exchange = &exchange;
    case_home->options = &options;
    shard_take_rules(case_home);
    case_home->take = take;
    case_home->now_ms = now_ms;
    case_home->webhooks = (struct webhooks *)&hooks;
    if (history_rule_durable(&options.history) != NULL) case_home->store = (struct store *)&asked;
    TAILQ_INIT(&case_home->sweeps);
    TAILQ_INIT(&case_home->home.kept);
    TAILQ_INIT(&case_home->home.logs);
    TAILQ_INIT(&case_home->home.empty_logs);
    TAILQ_INIT(&case_home->home.store_jobs);
    TAILQ_INIT(&case_home->home.cluster_jobs);
    TAILQ_INIT(&case_home->home.people_asked);
    TAILQ_INIT(&case_home->home.people_waiting);
    TAILQ_INIT(&case_home->home.leavers);
    name_filter_init(&case_home->home.seen, 4096);
    name_filter_init(&stored, 4096);
    timer_wheel_init(&case_home->home.timers, now_ms);
    cr_assert_eq(hub_init(&case_home->hub, 0, 1), RC_OK);
    owner_take(&case_home->owner);
}

void case_end(void)
{
    expect_silence();
    sweeps_end(case_home);
    home_end(case_home);
    hub_fini(&case_home->hub);
    name_filter_fini(&case_home->home.seen);
    name_filter_fini(&stored);
    cr_expect_eq(case_counter(COUNTER_messages_live), 0);
    cr_expect_eq(case_counter(COUNTER_cache_bytes), 0);
    cr_expect_eq(case_counter(COUNTER_store_waiting), 0);
    cr_expect_eq(case_counter(COUNTER_history_logs), 0);
    exchange_fini(&exchange, &case_home->counters);
    free(case_home->home.settling);
    free(case_home->channel.active);
    free(case_home);
    case_home = NULL;
    options_fini(&options);
    expect_no_leaks();
}

void case_settle(void)
{
    home_settle(case_home);
}

void case_pass(uint64_t ms)
{
    struct timer *timer;
    for (uint64_t until_ms = now_ms + ms; now_ms < until_ms;) {
        pass_ms(until_ms - now_ms < 100 ? until_ms - now_ms : 100);
        case_home->now_ms = now_ms;
        while ((timer = timer_wheel_expire(&case_home->home.timers, now_ms)) != NULL) {
            home_timer(case_home, (struct roster *)((char *)timer - offsetof(struct roster, timer)));
        }
        case_settle();
    }
}

uint64_t case_counter(enum counter counter)
{
    return counter_get(&case_home->counters, counter);
}

/* ---- who joins ---- */

static struct join *ask(uint32_t from, const char *channel, enum form form, const char *user_id,
                        const struct recover *recover)
{
    char info[300];
    struct join_wish wish = {
        .channel = name_of(0, text_of(channel)),
        .form = form,
        .recover = *recover,
    };
    if (user_id != NULL) {
        snprintf(info, sizeof info, "{\"name\":\"%s\"}", user_id);
        wish.user_id = text_of(user_id);
        wish.user_info = text_of(info);
    }
    struct join *join = join_new(&wish);
    case_give(from, (struct letter){.join = join, .kind = LETTER_SUBSCRIBE});
    return join;
}

struct join *case_ask(uint32_t from, const char *channel, enum form form, const char *user_id)
{
    return ask(from, channel, form, user_id, &(struct recover){0});
}

struct join *case_ask_since(uint32_t from, const char *channel, const char *user_id, const struct position *since)
{
    return ask(from, channel, FORM_EVENT, user_id, &(struct recover){.is_asked = true, .from = *since});
}

struct join *case_join(uint32_t from, const char *channel, enum form form, const char *user_id)
{
    struct letter letter;
    struct join *join = case_ask(from, channel, form, user_id);
    case_settle();
    while ((letter = case_next(from)).kind == LETTER_DELIVER) {
        message_drop(&case_home->counters, letter.message);
    }
    cr_assert(letter.kind == LETTER_SUBSCRIBED && letter.join == join && join->rc == RC_OK, "%s", channel);
    return join;
}

void case_leave(struct join *join)
{
    uint32_t from = join->from;
    if (join->greeting != NULL) message_drop(&case_home->counters, join->greeting);
    join->greeting = NULL;
    if (join->user_id.at != NULL) {
        case_give(from, (struct letter){.join = join, .kind = LETTER_UNSUBSCRIBE});
        return;
    }
    struct letter leave = {.roster = join->roster, .kind = LETTER_LEAVE, .form = (uint8_t)join->form};
    join_free(&case_home->counters, join);
    case_give(from, leave);
}

/* ---- what is published and asked ---- */

struct message *case_message(const char *channel, enum message_origin origin, const char *data)
{
    struct name name = name_of(0, text_of(channel));
    struct event event = {.name = text_of("ev"), .data = text_of(data)};
    struct message *message = origin == ORIGIN_ROOM ? event_message_raw(&case_home->counters, &name, &event)
                                                    : event_message(&case_home->counters, &name, &event);
    cr_assert_not_null(message);
    message->origin = origin;
    return message;
}

void case_publish(uint32_t from, struct message *message)
{
    case_give(from, (struct letter){.message = message, .kind = LETTER_PUBLISH});
}

struct query *case_query(uint32_t from, enum query_kind kind, const char *channel)
{
    struct name name = name_of(0, text_of(channel));
    struct query *query = query_new(kind, &name);
    query->shard = from;
    query->page.before = UINT64_MAX;
    query->page.limit = 100;
    return query;
}

void case_send(struct query *query)
{
    case_give(query->shard, (struct letter){.query = query, .kind = LETTER_ASK});
}

struct query *case_query_publish(uint32_t from, struct message *message, enum query_asker asker, const char *key)
{
    struct query *query = query_new(QUERY_PUBLISH, &message->channel);
    query->shard = from;
    query->message = message;
    query->asker = asker;
    if (key != NULL) query_set_key(query, asker, text_of(key));
    return query;
}

struct position case_publish_numbers(uint32_t from, const char *channel, uint32_t first, uint32_t end)
{
    struct position last = {0};
    for (uint32_t i = first; i <= end; i++) {
        char data[12];
        snprintf(data, sizeof data, "%u", i);
        struct query *query =
            case_query_publish(from, case_message(channel, ORIGIN_BACKEND, data), QUERY_OF_BACKEND, NULL);
        case_send(query);
        last = query->facts.position;
        case_answered(query, RC_OK);
    }
    return last;
}

/* ---- what comes out ---- */

static char *new_text(void)
{
    static char texts[TEXTS_MAX][TEXT_MAX];
    static uint32_t turn;
    char *text = texts[turn++ % TEXTS_MAX];
    text[0] = '\0';
    return text;
}

struct join *case_joined(uint32_t to)
{
    struct letter letter = case_next(to);
    cr_assert_eq(letter.kind, LETTER_SUBSCRIBED, "kind %u", letter.kind);
    return letter.join;
}

const char *case_answered(struct query *query, enum rc rc)
{
    char *text = new_text();
    struct letter letter = case_next(query->shard);
    cr_assert_eq(letter.kind, LETTER_ANSWER, "kind %u", letter.kind);
    cr_assert_eq(letter.query, query);
    cr_expect_eq(query->rc, rc, "%s", rc_text(query->rc));
    if (query->text != NULL) snprintf(text, TEXT_MAX, "%.*s", (int)query->text->count, query->text->bytes);
    query_free(&case_home->counters, query);
    return text;
}

/* A line for each frame. */
static void put_payloads(char *text, const uint8_t *frames, uint32_t count, const char *end)
{
    for (const uint8_t *at = frames; at < frames + count;) {
        size_t header = frame_header_bytes(at), bytes = at[1];
        if (at[1] == 126) bytes = (size_t)at[2] << 8 | at[3];
        cr_assert_leq(at[1], 126);
        size_t used = strlen(text);
        snprintf(text + used, TEXT_MAX - used, "%.*s%s", (int)bytes, (const char *)at + header, end);
        at += header + bytes;
    }
}

const char *case_heard_in(uint32_t to, enum form form)
{
    char *text = new_text();
    struct letter letter = case_next(to);
    if (letter.kind == CASE_NONE) return "-";
    cr_assert_eq(letter.kind, LETTER_DELIVER, "kind %u", letter.kind);
    put_payloads(text, message_frame(letter.message, form), letter.message->frame_bytes[form], "");
    message_drop(&case_home->counters, letter.message);
    return text;
}

const char *case_heard(uint32_t to)
{
    return case_heard_in(to, FORM_EVENT);
}

const char *case_greeting(const struct join *join)
{
    char *text = new_text();
    if (join->greeting == NULL) return text;
    put_payloads(text, message_frame(join->greeting, FORM_EVENT), join->greeting->frame_bytes[FORM_EVENT], "\n");
    return text;
}

void expect_silence(void)
{
    for (uint32_t to = 0; to < CASE_SHARDS; to++) {
        struct letter letter = case_next(to);
        cr_expect_eq(letter.kind, CASE_NONE, "kind %u to shard %u", letter.kind, to);
    }
}

const char *case_hooks(void)
{
    char *text = new_text();
    snprintf(text, TEXT_MAX, "%s", hooks);
    hooks[0] = '\0';
    return text;
}

/* ---- the store ---- */

void case_stored(const char *channel)
{
    name_filter_add(&stored, name_of(0, text_of(channel)).hash);
}

struct store_job *case_job(void)
{
    if (asked_count == 0) return NULL;
    struct store_job *job = asked[0];
    memmove(asked, asked + 1, --asked_count * sizeof asked[0]);
    return job;
}

void case_done(struct store_job *job, enum rc rc)
{
    job->rc = rc;
    done[done_count++] = job;
    channel_log_take_answers(case_home);
}
