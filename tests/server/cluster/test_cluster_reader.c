/* tests/server/cluster/test_cluster_reader.c - the commands with which channels are read, and what becomes of the
 * replies: answers, events, and pages of what was kept. */
#include "server/cluster/cluster_reader.h"

#include "core/message.h"
#include "server/cluster/cluster_job.h"
#include "server/cluster/record.h"
#include "server/cluster/script.h"
#include "server/config/history_rule.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define NODE     7
#define EPOCH    "1700000000000"
#define REDIS_MS UINT64_C(1700000005000)

static struct counters counters;
static struct cluster_reader *reader;
static struct name room, cached;
static const struct history_rule rule = {.size = 500, .ttl = 30000};
static struct cluster_job *done[8];
static struct cluster_event *events[8];
static uint32_t done_count, events_count, entered_count, others_count;
static uint64_t came_back;

static void note_done(void *self, struct cluster_job *job)
{
    (void)self;
    done[done_count++] = job;
}

static void note_event(void *self, struct cluster_event *event)
{
    (void)self;
    events[events_count++] = event;
}

static void note_came_back(void *self, const struct name *name, uint64_t number)
{
    (void)self;
    cr_expect(name_equals(name, &room));
    came_back = number;
}

static void note_entered(void *self, const struct name *name, struct text app, uint32_t shard, uint32_t serial)
{
    (void)self, (void)name;
    cr_expect(text_is(app, "app"));
    cr_expect_eq(shard, 3);
    cr_expect_eq(serial, 42);
    entered_count++;
}

static void note_other(void *self, const struct name *name, struct text push)
{
    (void)self, (void)name;
    cr_expect(text_has_prefix(push, "="));
    others_count++;
}

static void start(void)
{
    cr_assert_eq(scripts_init(), RC_OK);
    const struct cluster_reader_settings settings = {
        .prefix = text_of("rc"),
        .node = NODE,
        .limits = {.kept_bytes_max = 1 << 20,
                   .kept_bytes_each_max = 1 << 20,
                   .gap_bytes_max = 1 << 20,
                   .grace_ms = 10000,
                   .grace_max = 100},
        .patience_ms = 2000,
        .counters = &counters,
        .done = note_done,
        .event = note_event,
        .came_back = note_came_back,
        .entered = note_entered,
        .other = note_other,
    };
    reader = cluster_reader_new(&settings);
    cr_assert_not_null(reader);
    cluster_reader_set_generation(reader, 1600000000000, 1);
    cluster_reader_tick(reader, 1, REDIS_MS);
    room = name_of(4, text_of("room"));
    cached = name_of(4, text_of("cache-{1}"));
    done_count = events_count = entered_count = others_count = 0;
    came_back = 0;
}

static void drop_events(void)
{
    while (events_count > 0)
        cluster_event_free(&counters, events[--events_count]);
}

static void stop(void)
{
    drop_events();
    cluster_reader_give_up(reader);
    cluster_reader_free(reader);
    cr_expect_eq(counter_get(&counters, COUNTER_messages_live), 0);
}

/* ---- what Redis says ---- */

struct bytes {
    char at[4000];
    size_t count;
};

__attribute__((format(printf, 2, 3))) static void say(struct bytes *to, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    to->count += (size_t)vsnprintf(to->at + to->count, sizeof to->at - to->count, format, arguments);
    va_end(arguments);
}

static void say_text(struct bytes *to, const void *at, size_t count)
{
    say(to, "$%zu\r\n", count);
    memcpy(to->at + to->count, at, count);
    to->count += count;
    say(to, "\r\n");
}

/* A message of one letter, by this node. */
static size_t write_record(char *to, char letter, uint64_t node, uint64_t number)
{
    struct message *message = message_new_of(&counters, &room, FORM_RAW, 3);
    memcpy(message_frame(message, FORM_RAW), (uint8_t[3]){0x81, 1, (uint8_t)letter}, 3);
    size_t bytes = record_bytes(message);
    record_write(to, message, RECORD_MESSAGE, (struct record_token){node, number});
    message_drop(&counters, message);
    return bytes;
}

static redisReply *reply_of(const struct bytes *said)
{
    redisReader *wire = redisReaderCreate();
    void *reply = NULL;
    cr_assert_eq(redisReaderFeed(wire, said->at, said->count), REDIS_OK);
    cr_assert_eq(redisReaderGetReply(wire, &reply), REDIS_OK);
    cr_assert_not_null(reply);
    redisReaderFree(wire);
    return reply;
}

/* Over the connection with subscriptions. */
static enum rc hear(const char *kind, const char *key, const void *at, size_t count)
{
    struct bytes said = {.count = 0};
    say(&said, "*3\r\n");
    say_text(&said, kind, strlen(kind));
    say_text(&said, key, strlen(key));
    if (at != NULL)
        say_text(&said, at, count);
    else
        say(&said, ":1\r\n");
    redisReply *reply = reply_of(&said);
    enum rc rc = cluster_reader_pushed(reader, reply, 1);
    freeReplyObject(reply);
    return rc;
}

/* Messages of these letters, the first at this offset; 0: they have no places. */
static enum rc hear_messages(const char *key, uint32_t offset, const char *letters, uint64_t node)
{
    char push[2000];
    size_t at = (size_t)snprintf(push, sizeof push, "%s-%u 1700000000500 %zu ", offset > 0 ? EPOCH : "0", offset,
                                 strlen(letters));
    for (const char *letter = letters; *letter != '\0'; letter++)
        at += write_record(push + at, *letter, node, (uint64_t)(1000 + *letter));
    return hear("message", key, push, at);
}

/* Entries of these letters, one behind the other from this offset on; '-' begins the epoch, '?' cannot be read. */
static void say_entries(struct bytes *to, uint32_t offset, const char *letters, int step, uint64_t time_ms)
{
    say(to, "*%zu\r\n", strlen(letters));
    for (const char *letter = letters; *letter != '\0'; letter++, offset = (uint32_t)((int)offset + step)) {
        char id[40], time[24], record[100];
        int id_bytes = snprintf(id, sizeof id, "%s-%u", EPOCH, offset);
        int time_bytes = snprintf(time, sizeof time, "%llu", (unsigned long long)time_ms);
        say(to, "*2\r\n");
        say_text(to, id, (size_t)id_bytes);
        say(to, "*4\r\n");
        say_text(to, "t", 1);
        say_text(to, time, (size_t)time_bytes);
        say_text(to, "d", 1);
        size_t bytes = write_record(record, *letter, 9, (uint64_t)(1000 + *letter));
        say_text(to, record, *letter == '?' ? 10 : bytes);
    }
}

static void expect_words(const struct cluster_reader_call *call, const char *expected)
{
    char words[1000];
    size_t at = 0;
    for (size_t i = 0; i < call->words_count; i++)
        at += (size_t)snprintf(words + at, sizeof words - at, "%s%.*s", i > 0 ? " " : "", (int)call->words[i].count,
                               call->words[i].at);
    cr_expect_str_eq(words, expected);
}

static void expect_names(const char *expected)
{
    struct cluster_reader_call call;
    cr_assert(cluster_reader_next_names(reader, 1, &call));
    expect_words(&call, expected);
}

/* The next command is this one, and is answered so; NULL: it is not. */
static void answer(const char *expected, const struct bytes *said)
{
    struct cluster_reader_call call;
    cr_assert(cluster_reader_next(reader, 1, &call), "%s", expected);
    expect_words(&call, expected);
    redisReply *reply = said != NULL ? reply_of(said) : NULL;
    cluster_reader_answered(reader, &call, reply, 1);
    if (reply != NULL) freeReplyObject(reply);
}

static void answer_entries(const char *expected, uint32_t offset, const char *letters, int step)
{
    struct bytes said = {.count = 0};
    say_entries(&said, offset, letters, step, REDIS_MS);
    answer(expected, &said);
}

static void expect_letters(struct message *const *messages, uint32_t count, const char *letters)
{
    cr_expect_eq(count, strlen(letters), "%s", letters);
    for (uint32_t i = 0; i < count; i++)
        cr_expect_eq(message_frame(messages[i], FORM_RAW)[2], (uint8_t)letters[i], "%u of %s", i, letters);
}

static void expect_place(const struct position *position, uint64_t offset)
{
    struct stream_id id;
    cr_assert(stream_id_of_position(position, &id));
    cr_expect_eq(id.epoch, UINT64_C(1700000000000));
    cr_expect_eq(id.offset, offset);
}

/* ---- channels ---- */

static struct cluster_job enter_job(const struct name *name, const struct history_rule *kept)
{
    return (struct cluster_job){
        .item = {.kind = CLUSTER_ENTER, .shard = 3}, .app = "app", .channel = name, .rule = kept, .serial = 42};
}

static void enter_room(struct cluster_job *job)
{
    *job = enter_job(&room, &rule);
    cluster_reader_ask(reader, job, 1);
    expect_names("SUBSCRIBE rc:m:{app:room}");
    cr_expect_eq(hear("subscribe", "rc:m:{app:room}", NULL, 0), RC_OK);
    answer_entries("XREVRANGE rc:s:{app:room} + - COUNT 1", 3, "c", 1);
}

Test(cluster_reader, a_channel_is_entered_and_what_comes_are_events, .timeout = 5)
{
    start();
    struct cluster_job job;
    enter_room(&job);
    cr_assert_eq(done_count, 1);
    cr_expect_eq(done[0], &job);
    cr_expect_eq(job.rc, RC_OK);
    expect_place(&job.position, 3);
    cr_expect_eq(entered_count, 1);

    cr_expect_eq(hear_messages("rc:m:{app:room}", 4, "de", NODE), RC_OK);
    cr_assert_eq(events_count, 1);
    cr_expect_eq(events[0]->item.kind, CLUSTER_MESSAGES);
    cr_expect_eq(events[0]->item.shard, 3);
    cr_expect_eq(events[0]->serial, 42);
    cr_expect(name_equals(events[0]->channel, &room));
    expect_letters(events[0]->messages, events[0]->messages_count, "de");
    cr_expect_eq(events[0]->messages[1]->offset, 5);
    expect_place(&events[0]->position, 5);
    cr_expect_eq(came_back, 1000 + 'e');

    cr_expect_eq(hear("message", "rc:m:{app:room}", "= 12 ", 5), RC_OK);
    cr_expect_eq(others_count, 1);
    stop();
}

Test(cluster_reader, what_is_of_no_channel_is_somebody_elses, .timeout = 5)
{
    start();
    struct cluster_job job;
    enter_room(&job);
    cr_expect_eq(hear("message", "rc:ctl", "x", 1), RC_ENOENT);
    cr_expect_eq(hear("subscribe", "rc:n:00", NULL, 0), RC_ENOENT);
    cr_expect_eq(hear("message", "rc:m:{other:room}", "x", 1), RC_ENOENT);
    cr_expect_eq(hear("subscribe", "rc:m:{app:room}", NULL, 0), RC_EPROTO, "nobody asked");
    cr_expect_eq(hear("message", "rc:m:{app:room}", "rubbish", 7), RC_OK);
    cr_expect_eq(counter_get(&counters, COUNTER_cluster_records_unread), 1);
    cr_expect_eq(events_count, 0);
    stop();
}

Test(cluster_reader, a_gap_is_read_and_a_loss_is_told, .timeout = 5)
{
    start();
    struct cluster_job job;
    enter_room(&job);
    cr_expect_eq(hear_messages("rc:m:{app:room}", 6, "f", 9), RC_OK);
    answer_entries("XRANGE rc:s:{app:room} " EPOCH "-3 + COUNT 256", 3, "cd?f", 1);
    cr_assert_eq(events_count, 1);
    expect_letters(events[0]->messages, events[0]->messages_count, "df");
    expect_place(&events[0]->position, 6);
    cr_expect_eq(counter_get(&counters, COUNTER_cluster_records_unread), 1, "one is passed over, and has its place");
    drop_events();

    cluster_reader_ended(reader, 1);
    expect_names("SUBSCRIBE rc:m:{app:room}");
    cr_expect_eq(hear("subscribe", "rc:m:{app:room}", NULL, 0), RC_OK);
    cr_expect_eq(entered_count, 2, "pushes come again");
    answer("XRANGE rc:s:{app:room} " EPOCH "-6 + COUNT 256", NULL); /* its answer was lost: it is asked again */
    answer_entries("XRANGE rc:s:{app:room} " EPOCH "-6 + COUNT 256", 9, "ij", 1);
    cr_assert_eq(events_count, 1);
    cr_expect_eq(events[0]->item.kind, CLUSTER_LOST);
    expect_place(&events[0]->position, 10);
    stop();
}

Test(cluster_reader, errors_are_asked_again_but_not_at_once, .timeout = 5)
{
    start();
    struct cluster_job job = enter_job(&room, &rule);
    cluster_reader_ask(reader, &job, 1);
    expect_names("SUBSCRIBE rc:m:{app:room}");
    hear("subscribe", "rc:m:{app:room}", NULL, 0);
    struct bytes error = {.count = 0};
    say(&error, "-LOADING Redis is loading the dataset in memory\r\n");
    answer("XREVRANGE rc:s:{app:room} + - COUNT 1", &error);
    struct cluster_reader_call call;
    cr_expect_not(cluster_reader_next(reader, 50, &call));
    cr_expect(cluster_reader_next(reader, 200, &call));
    expect_words(&call, "XREVRANGE rc:s:{app:room} + - COUNT 1");
    cluster_reader_answered(reader, &call, NULL, 200);
    stop();
    cr_expect_eq(done_count, 1);
    cr_expect_eq(job.rc, RC_ECLUSTER);
}

Test(cluster_reader, who_enters_a_cache_channel_gets_its_last_event, .timeout = 5)
{
    start();
    struct cluster_job job = enter_job(&cached, NULL);
    cluster_reader_ask(reader, &job, 1);
    expect_names("SUBSCRIBE rc:m:{app:cache-%7b1%7d}");
    hear("subscribe", "rc:m:{app:cache-%7b1%7d}", NULL, 0);
    char push[200];
    size_t at = (size_t)snprintf(push, sizeof push, "0-0 0 1 ");
    at += write_record(push + at, 'x', 9, 1);
    struct bytes last = {.count = 0}, left = {.count = 0};
    say_text(&last, push, at);
    say(&left, ":1234\r\n");
    answer("GET rc:l:{app:cache-%7b1%7d}", &last);
    cr_expect_eq(done_count, 0);
    answer("PTTL rc:l:{app:cache-%7b1%7d}", &left);
    cr_assert_eq(done_count, 1);
    cr_assert_not_null(job.kept);
    expect_letters(&job.kept, 1, "x");
    cr_expect_eq(job.cache_ms, 1234);
    cluster_job_fini(&counters, &job);
    stop();
}

Test(cluster_reader, who_leaves_gets_its_job_back_and_the_channel_is_left_later, .timeout = 5)
{
    start();
    struct cluster_job job, leave = {.item.kind = CLUSTER_LEAVE, .app = "app", .channel = &room};
    enter_room(&job);
    cluster_reader_ask(reader, &leave, 1);
    cr_expect_eq(done_count, 2);
    cluster_reader_tick(reader, 11000, REDIS_MS);
    expect_names("UNSUBSCRIBE rc:m:{app:room}");
    cr_expect_eq(hear("unsubscribe", "rc:m:{app:room}", NULL, 0), RC_OK);
    cr_expect_eq(cluster_channels_count(cluster_reader_channels(reader)), 0);
    stop();
}

/* ---- what was kept ---- */

#define NEWEST "XREVRANGE rc:s:{app:room} + - COUNT 1"
#define OLDEST "XRANGE rc:s:{app:room} " EPOCH "-1 " EPOCH "-18446744073709551615 COUNT 1"
#define END    EPOCH "-18446744073709551614"

static struct cluster_job read_job(uint32_t count_max)
{
    return (struct cluster_job){.item.kind = CLUSTER_READ,
                                .app = "app",
                                .channel = &room,
                                .rule = &rule,
                                .before = UINT64_MAX,
                                .count_max = count_max,
                                .bytes_max = 1000};
}

static void set_from(struct cluster_job *job, uint64_t offset)
{
    job->from = stream_id_position(&(struct stream_id){UINT64_C(1700000000000), offset});
}

static void expect_answer(struct cluster_job *job, const char *letters, uint64_t newest, uint64_t first)
{
    cr_assert_eq(done_count, 1);
    cr_expect_eq(done[0], job);
    cr_expect_eq(job->rc, RC_OK);
    expect_place(&job->position, newest);
    cr_expect_eq(job->first, first);
    expect_letters(job->messages, job->messages_count, letters);
    cluster_job_fini(&counters, job);
    done_count = 0;
}

Test(cluster_reader, what_a_client_missed_is_read_if_all_of_it_is_there, .timeout = 5)
{
    static const struct {
        uint32_t from, oldest;
        const char *page; /* NULL: it is not asked for */
        const char *letters;
    } cases[] = {
        {5, 3, "fgh", "fgh"},       /* all of it */
        {8, 3, "", ""},             /* nothing was missed */
        {2, 3, "cdefgh", "cdefgh"}, /* its own has just gone */
        {1, 3, NULL, ""},           /* something has gone */
        {9, 3, NULL, ""},           /* it knows more than there is */
        {5, 3, "fxxxxxx", ""},      /* more than it may be told */
        {5, 3, "f?h", ""},          /* something cannot be read */
    };
    for (uint32_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        start();
        struct cluster_job job = read_job(6);
        set_from(&job, cases[i].from);
        job.is_all_or_nothing = true;
        cluster_reader_ask(reader, &job, 1);
        answer_entries(NEWEST, 8, "h", 1);
        answer_entries(OLDEST, cases[i].oldest, "c", 1);
        char words[200];
        snprintf(words, sizeof words, "XRANGE rc:s:{app:room} " EPOCH "-%u " END " COUNT 7", cases[i].from + 1);
        if (cases[i].page != NULL) answer_entries(words, cases[i].from + 1, cases[i].page, 1);
        expect_answer(&job, cases[i].letters, cases[i].page != NULL && strlen(cases[i].page) > 6 ? 11 : 8, 3);
        stop();
    }
}

Test(cluster_reader, a_page_of_history_has_the_newest_or_the_oldest_of_what_is_there, .timeout = 5)
{
    start();
    struct cluster_job job = read_job(3);
    job.is_from_end = true;
    job.before = 7;
    cluster_reader_ask(reader, &job, 1);
    answer_entries(NEWEST, 8, "h", 1);
    answer_entries(OLDEST, 1, "a", 1);
    answer_entries("XREVRANGE rc:s:{app:room} " EPOCH "-6 " EPOCH "-1 COUNT 3", 6, "fed", -1);
    expect_answer(&job, "def", 8, 1);

    job = read_job(3);
    cluster_reader_ask(reader, &job, 1);
    answer_entries(NEWEST, 8, "h", 1);
    answer_entries(OLDEST, 1, "a", 1);
    answer_entries("XRANGE rc:s:{app:room} " EPOCH "-1 " END " COUNT 3", 1, "a?c", 1);
    answer_entries("XRANGE rc:s:{app:room} " EPOCH "-4 " END " COUNT 1", 4, "d", 1);
    expect_answer(&job, "acd", 8, 1);
    stop();
}

Test(cluster_reader, what_is_too_old_or_of_another_life_is_not_there, .timeout = 5)
{
    start();
    struct cluster_job job = read_job(5);
    cluster_reader_ask(reader, &job, 1);
    answer_entries(NEWEST, 2, "b", 1);
    answer_entries(OLDEST, 1, "a", 1);
    struct bytes old = {.count = 0};
    say_entries(&old, 1, "ab", 1, REDIS_MS - 30000);
    answer("XRANGE rc:s:{app:room} " EPOCH "-1 " END " COUNT 5", &old);
    expect_answer(&job, "", 2, 1);

    cluster_reader_set_generation(reader, UINT64_C(1700000000001), 1);
    job = read_job(5);
    cluster_reader_ask(reader, &job, 1);
    answer_entries(NEWEST, 2, "b", 1);
    cr_assert_eq(done_count, 1);
    cr_expect_eq(job.rc, RC_OK);
    cr_expect_not(position_is_set(&job.position));
    stop();
}

Test(cluster_reader, a_reading_whose_answer_was_lost_begins_anew_and_is_given_up_in_the_end, .timeout = 5)
{
    start();
    struct cluster_job job = read_job(2);
    cluster_reader_ask(reader, &job, 1);
    answer_entries(NEWEST, 2, "b", 1);
    answer(OLDEST, NULL);
    answer_entries(NEWEST, 2, "b", 1);
    answer_entries(OLDEST, 1, "a", 1);
    answer("XRANGE rc:s:{app:room} " EPOCH "-1 " END " COUNT 2", NULL);
    cluster_reader_tick(reader, 1500, REDIS_MS);
    cr_expect_eq(done_count, 0);
    cluster_reader_tick(reader, 2100, REDIS_MS);
    cr_assert_eq(done_count, 1);
    cr_expect_eq(job.rc, RC_ECLUSTER);

    job = read_job(2);
    cluster_reader_ask(reader, &job, 3000);
    struct bytes error = {.count = 0};
    say(&error, "-NOPERM this user has no permissions\r\n");
    answer(NEWEST, &error);
    cr_assert_eq(done_count, 2);
    cr_expect_eq(job.rc, RC_ECLUSTER);
    stop();
}
