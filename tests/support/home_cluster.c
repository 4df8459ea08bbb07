/* tests/support/home_cluster.c - jobs in, answers and events out, as the test says. */
#include "tests/support/home_cluster.h"

#include "core/name.h"
#include "server/cluster/cluster.h"
#include "server/cluster/people_event.h"
#include "server/cluster/people_job.h"
#include "server/home/home_cluster.h"
#include "server/protocol/event.h"
#include "tests/support/home_case.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define JOBS_MAX 256

bool case_cluster_is_full;
static struct cluster_job *asked[JOBS_MAX];
static struct cluster_item *told[JOBS_MAX];
static uint32_t asked_count, told_count;

/* ---- people ---- */

static char people[4096];
static struct people_job *people_query;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
    size_t at = strlen(people);
    va_list list;
    va_start(list, format);
    vsnprintf(people + at, sizeof people - at, format, list);
    va_end(list);
}

/* Those that only tell are never answered, which the home does not wait for. */
static void note_people(struct people_job *job)
{
    static const char *const words[] = {"join", "part", "count", "query"};
    cr_assert(text_is(job->app, "1001"));
    say("%s:%.*s", words[job->wish], (int)job->name.length, job->name.text);
    if (job->wish == PEOPLE_COUNT) say("=%llu", (unsigned long long)job->count);
    if (job->user_id.at != NULL) say("/%.*s", (int)job->user_id.count, job->user_id.at);
    say(" ");
    if (job->wish == PEOPLE_QUERY) people_query = job;
}

const char *case_people(void)
{
    static char text[sizeof people];
    memcpy(text, people, sizeof text);
    people[0] = '\0';
    return text;
}

/* ---- what the home asks ---- */

enum rc cluster_ask(struct cluster *cluster, uint32_t shard, struct cluster_job *job)
{
    (void)cluster;
    cr_assert_eq(shard, case_home->index);
    cr_assert_eq(job->item.shard, shard);
    if (case_cluster_is_full) return RC_EFULL;
    if (job->item.kind == CLUSTER_PEOPLE) {
        note_people((struct people_job *)job);
        return RC_OK;
    }
    cr_assert_lt(asked_count, JOBS_MAX);
    asked[asked_count++] = job;
    return RC_OK;
}

struct cluster_item *cluster_receive(struct cluster *cluster, uint32_t shard)
{
    (void)cluster, (void)shard;
    if (told_count == 0) return NULL;
    struct cluster_item *item = told[0];
    memmove(told, told + 1, --told_count * sizeof told[0]);
    return item;
}

struct cluster_job *case_asked(enum cluster_kind kind, const char *channel)
{
    cr_assert_gt(asked_count, 0, "nothing was asked");
    struct cluster_job *job = asked[0];
    memmove(asked, asked + 1, --asked_count * sizeof asked[0]);
    cr_assert_eq(job->item.kind, kind, "kind %d", job->item.kind);
    cr_assert(text_is(name_text(job->channel), channel), "%s", channel);
    cr_assert_str_eq(job->app, "1001");
    return job;
}

void expect_nothing_asked(void)
{
    cr_assert_eq(asked_count, 0, "kind %d", asked[0]->item.kind);
}

/* ---- what it is told ---- */

static void tell(struct cluster_item *item)
{
    told[told_count++] = item;
    home_take_cluster(case_home);
}

void case_reply(struct cluster_job *job, enum rc rc)
{
    job->rc = rc;
    tell(&job->item);
}

void case_reply_at(struct cluster_job *job, uint64_t offset, const char *epoch)
{
    job->position.offset = offset;
    snprintf(job->position.epoch, sizeof job->position.epoch, "%s", epoch);
    case_reply(job, RC_OK);
}

struct message *case_from_cluster(const char *channel, enum message_origin origin, const char *data, uint64_t offset,
                                  const char *epoch)
{
    struct message *message = case_message(channel, origin, data);
    struct position position = {.offset = offset};
    snprintf(position.epoch, sizeof position.epoch, "%s", epoch);
    uint64_t time_ms = day_clock_ms(&case_home->day_clock, case_home->now_ms);
    return offset > 0 ? event_at(&case_home->counters, message, &position, time_ms) : message;
}

void case_give_messages(struct cluster_job *job, struct message *const messages[], uint32_t count)
{
    job->messages = calloc(count + 1, sizeof job->messages[0]);
    memcpy(job->messages, messages, count * sizeof messages[0]);
    job->messages_count = count;
}

static struct cluster_event *new_event(enum cluster_kind kind, uint32_t serial, const struct name *channel,
                                       const char *epoch, uint32_t count)
{
    struct cluster_event *event = cluster_event_new(kind, channel, serial);
    event->item.shard = case_home->index;
    snprintf(event->position.epoch, sizeof event->position.epoch, "%s", epoch);
    event->messages = calloc(count + 1, sizeof event->messages[0]);
    return event;
}

void case_tell(uint32_t serial, struct message *message, const char *epoch)
{
    struct cluster_event *event = new_event(CLUSTER_MESSAGES, serial, &message->channel, epoch, 1);
    event->position.offset = message->offset;
    event->messages[event->messages_count++] = message;
    tell(&event->item);
}

void case_tell_numbers(uint32_t serial, const char *channel, uint64_t first, uint64_t end, const char *epoch)
{
    struct name name = name_of(0, text_of(channel));
    struct cluster_event *event =
        new_event(CLUSTER_MESSAGES, serial, &name, epoch, end >= first ? (uint32_t)(end - first + 1) : 0);
    for (uint64_t offset = first; offset <= end; offset++) {
        char data[24];
        snprintf(data, sizeof data, "%llu", (unsigned long long)offset);
        event->messages[event->messages_count++] = case_from_cluster(channel, ORIGIN_BACKEND, data, offset, epoch);
    }
    event->position.offset = end;
    tell(&event->item);
}

void case_tell_lost(uint32_t serial, const char *channel, uint64_t offset, const char *epoch)
{
    struct name name = name_of(0, text_of(channel));
    struct cluster_event *event = new_event(CLUSTER_LOST, serial, &name, epoch, 0);
    event->position.offset = offset;
    tell(&event->item);
}

void case_people_reply(enum rc rc, uint32_t subscribers, uint32_t users)
{
    struct people_job *job = people_query;
    cr_assert_not_null(job);
    people_query = NULL;
    job->query->facts.subscription_count = subscribers;
    job->query->facts.user_count = users;
    case_reply(&job->job, rc);
}

static void tell_people(uint32_t serial, const char *channel, struct people_event *as)
{
    as->item = (struct cluster_item){.kind = CLUSTER_PEOPLE_TOLD, .shard = case_home->index};
    as->channel = name_of(0, text_of(channel));
    as->serial = serial;
    tell(&people_event_new(as)->item);
}

void case_people_tell(uint32_t serial, const char *channel, const char *changes, bool is_last)
{
    struct people_change list[32];
    char infos[32][64];
    struct people_event event = {.kind = PEOPLE_MEMBERS, .is_last = is_last, .changes = list};
    for (const char *at = changes; *at != '\0'; at = strchr(at, ' ') + 1) {
        struct text user_id = text_between(at + 1, strchr(at, ' '));
        char *info = infos[event.changes_count];
        snprintf(info, 64, "{\"name\":\"%.*s\"}", (int)user_id.count, user_id.at);
        list[event.changes_count++] = (struct people_change){*at == '-', *at == '+', user_id, text_of(info)};
    }
    tell_people(serial, channel, &event);
}

void case_people_sum(uint32_t serial, const char *channel, uint64_t sum)
{
    tell_people(serial, channel, &(struct people_event){.kind = PEOPLE_SUM, .count = sum});
}

void case_people_terminate(uint32_t serial, const char *channel)
{
    tell_people(serial, channel, &(struct people_event){.kind = PEOPLE_TERMINATE});
}

void case_people_news(const char *app, enum webhook_kind kind, const char *channel, const char *user_id)
{
    tell_people(
        0, channel,
        &(struct people_event){.kind = PEOPLE_NEWS, .app = text_of(app), .news = kind, .user_id = text_of(user_id)});
}

/* ---- life ---- */

void case_begin_in_cluster(const char *const flags[])
{
    case_begin(flags);
    case_home->cluster = (struct cluster *)&asked;
    shard_take_rules(case_home);
}

void case_end_in_cluster(void)
{
    asked_count = 0;
    people[0] = '\0';
    people_query = NULL;
    cr_expect_eq(told_count, 0);
    case_end();
    case_cluster_is_full = false;
}

struct join *case_enter(uint32_t from, const char *channel, enum form form, uint64_t offset, const char *epoch,
                        uint32_t *serial_r)
{
    struct join *join = case_ask(from, channel, form, NULL);
    struct cluster_job *enter = case_asked(CLUSTER_ENTER, channel);
    *serial_r = enter->serial;
    case_reply_at(enter, offset, epoch);
    cr_assert_eq(case_joined(from), join);
    cr_assert_eq(join->rc, RC_OK);
    return join;
}
