/* tests/support/people_redis.c - a Redis in memory, of which each hash, set and sorted set is a part of one list. */
#include "tests/support/people_redis.h"

#include "core/query.h"
#include "server/cluster/cluster_key.h"
#include "server/cluster/people_job.h"
#include "server/cluster/script.h"

#include <criterion/criterion.h>
#include <hiredis/hiredis.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX    "rc"
#define WORDS_MAX 600
#define VALUE_MAX 256

struct field {
    struct field *next;
    char *key;
    char *name;
    char *value;
};

struct people_command {
    struct people_command *next;
    char *words[WORDS_MAX];
    size_t count;
    people_answer *answer;
    void *context;
};

struct people_pushed {
    struct people_pushed *next;
    char *channel; /* of pub/sub */
    char *text;
};

struct people_node people_nodes[PEOPLE_NODES];
uint64_t people_now_ms;
uint32_t people_users_max;
bool people_stands_still[PEOPLE_NODES];
static struct field *fields;
static uint64_t numbers;

/* ---- what it has ---- */

static struct field **place_of(const char *key, const char *name)
{
    struct field **place = &fields;
    while (*place != NULL && (strcmp((*place)->key, key) != 0 || strcmp((*place)->name, name) != 0)) {
        place = &(*place)->next;
    }
    return place;
}

static const char *get(const char *key, const char *name)
{
    const struct field *field = *place_of(key, name);
    return field != NULL ? field->value : NULL;
}

static bool del(const char *key, const char *name)
{
    struct field **place = place_of(key, name), *field = *place;
    if (field == NULL) return false;
    *place = field->next;
    free(field->key);
    free(field->name);
    free(field->value);
    free(field);
    return true;
}

static bool set(const char *key, const char *name, const char *value)
{
    char *copy = strdup(value); /* before the field that it may be of goes */
    bool was_there = del(key, name);
    struct field *field = malloc(sizeof *field);
    *field = (struct field){fields, strdup(key), strdup(name), copy};
    fields = field;
    return !was_there;
}

static uint32_t count_of(const char *key)
{
    uint32_t count = 0;
    for (const struct field *field = fields; field != NULL; field = field->next)
        count += strcmp(field->key, key) == 0;
    return count;
}

void people_redis_forget(void)
{
    while (fields != NULL)
        del(fields->key, fields->name);
}

uint32_t people_redis_count(void)
{
    uint32_t count = 0;
    for (const struct field *field = fields; field != NULL; field = field->next)
        count++;
    return count;
}

bool people_redis_has(const char *part)
{
    const struct field *field = fields;
    while (field != NULL && strstr(field->key, part) == NULL)
        field = field->next;
    return field != NULL;
}

const char *people_redis_get(const char *part, const char *name)
{
    const struct field *field = fields;
    while (field != NULL && (strstr(field->key, part) == NULL || strcmp(field->name, name) != 0))
        field = field->next;
    return field != NULL ? field->value : "";
}

/* ---- replies ---- */

static redisReply *reply_of(int type)
{
    redisReply *reply = calloc(1, sizeof *reply);
    reply->type = type;
    return reply;
}

static redisReply *number(long long value)
{
    redisReply *reply = reply_of(REDIS_REPLY_INTEGER);
    reply->integer = value;
    return reply;
}

static redisReply *string_of(int type, const char *text)
{
    redisReply *reply = reply_of(type);
    reply->str = strdup(text);
    reply->len = strlen(text);
    return reply;
}

static redisReply *string(const char *text)
{
    return string_of(REDIS_REPLY_STRING, text);
}

static redisReply *list(void)
{
    return reply_of(REDIS_REPLY_ARRAY);
}

static void add(redisReply *array, redisReply *element)
{
    array->element = realloc(array->element, (array->elements + 1) * sizeof element);
    array->element[array->elements++] = element;
}

static void free_reply(redisReply *reply)
{
    for (size_t i = 0; i < reply->elements; i++)
        free_reply(reply->element[i]);
    free(reply->element);
    free(reply->str);
    free(reply);
}

/* ---- the scripts ---- */

static void push(const char *channel, const char *text)
{
    for (uint32_t i = 0; i < PEOPLE_NODES; i++) {
        if (people_nodes[i].people == NULL || !people_nodes[i].is_linked) continue;
        struct people_pushed **end = &people_nodes[i].pushes, *pushed = malloc(sizeof *pushed);
        while (*end != NULL)
            end = &(*end)->next;
        *pushed = (struct people_pushed){NULL, strdup(channel), strdup(text)};
        *end = pushed;
    }
}

static redisReply *late(char *const *args)
{
    bool is_late = strtoull(args[0], NULL, 10) < people_now_ms;
    return is_late ? string_of(REDIS_REPLY_ERROR, "LATE after its deadline, nothing is done") : NULL;
}

static uint64_t version_of(const char *key)
{
    const char *version = get(key, "");
    return version != NULL ? strtoull(version, NULL, 10) : people_now_ms * 1000;
}

static redisReply *run_join(const char *key, char *const *args)
{
    char word[VALUE_MAX], value[VALUE_MAX], text[2 * VALUE_MAX];
    const char *node = args[1], *user = args[2], *info = args[3], *row = get(key, user);
    snprintf(word, sizeof word, " %s ", node);
    if (row != NULL && strstr(row, word) != NULL) return number(0);
    snprintf(value, sizeof value, " %s%s%s", node, row != NULL ? row : " |", row != NULL ? "" : info);
    set(key, user, value);
    if (row != NULL) return number(1);
    snprintf(value, sizeof value, "%llu", (unsigned long long)version_of(key) + 1);
    set(key, "", value);
    snprintf(text, sizeof text, "+ %s 1 %zu %s %zu %s", value, strlen(user), user, strlen(info), info);
    push(args[4], text);
    return number(2);
}

static int leave_one(const char *key, const char *node, const char *user)
{
    char word[VALUE_MAX], value[VALUE_MAX];
    const char *row = get(key, user), *at;
    snprintf(word, sizeof word, " %s ", node);
    if (row == NULL || (at = strstr(row, word)) == NULL) return 0;
    snprintf(value, sizeof value, "%.*s%s", (int)(at - row), row, at + strlen(word) - 1);
    if (strncmp(value, " |", 2) != 0) {
        set(key, user, value);
        return 1;
    }
    del(key, user);
    return 2;
}

static redisReply *run_leave(const char *key, char *const *args, size_t count)
{
    redisReply *reply = list();
    size_t bytes = 64, gone = 0;
    char *text = calloc(1, 64 + count * VALUE_MAX), *users = calloc(1, 64 + count * VALUE_MAX);
    if (count - 4 > people_users_max) people_users_max = (uint32_t)(count - 4);
    for (size_t i = 4; i < count; i++) {
        int answer = leave_one(key, args[1], args[i]);
        add(reply, number(answer));
        if (answer != 2) continue;
        size_t at = strlen(users);
        snprintf(users + at, VALUE_MAX, "%zu %s ", strlen(args[i]), args[i]);
        gone++;
    }
    if (gone > 0) {
        uint64_t before = version_of(key);
        char version[24];
        snprintf(version, sizeof version, "%llu", (unsigned long long)(before + gone));
        if (count_of(key) <= 1)
            del(key, "");
        else
            set(key, "", version);
        snprintf(text, bytes + strlen(users), "- %llu %zu %s", (unsigned long long)before + 1, gone, users);
        push(args[2], text);
    }
    free(text);
    free(users);
    return reply;
}

static long long number_at(const char *key, const char *name)
{
    const char *value = get(key, name);
    return value != NULL ? strtoll(value, NULL, 10) : 0;
}

static redisReply *run_count(const char *key, char *const *args)
{
    char text[32];
    long long before = number_at(key, ""), count = strtoll(args[2], NULL, 10),
              after = before - number_at(key, args[1]) + count;
    del(key, args[1]);
    if (count > 0) set(key, args[1], args[2]);
    snprintf(text, sizeof text, "%lld", after);
    if (after > 0)
        set(key, "", text);
    else
        del(key, "");
    snprintf(text, sizeof text, "= %lld ", after);
    if (after != before) push(args[3], text);
    redisReply *reply = list();
    add(reply, number(before));
    add(reply, number(after));
    return reply;
}

static redisReply *run_renew(char *const *keys, char *const *args)
{
    char now[24], end[24];
    const char *score = get(keys[0], args[0]);
    bool was_there = score != NULL && strtoull(score, NULL, 10) >= people_now_ms;
    snprintf(now, sizeof now, "%llu", (unsigned long long)people_now_ms);
    snprintf(end, sizeof end, "%llu", (unsigned long long)people_now_ms + strtoull(args[1], NULL, 10));
    set(keys[0], args[0], end);
    if (args[2][0] != '\0') set(keys[1], args[0], args[2]);
    redisReply *reply = list(), *over = list(), *running = list();
    for (const struct field *field = fields; field != NULL; field = field->next) {
        if (strcmp(field->key, keys[0]) != 0) continue;
        add(strtoull(field->value, NULL, 10) < people_now_ms ? over : running, string(field->name));
    }
    add(reply, number(was_there));
    add(reply, string(now));
    add(reply, over);
    add(reply, running);
    return reply;
}

static redisReply *run_retire(char *const *keys, char *const *args)
{
    const char *score = get(keys[0], args[0]);
    bool is_itself = strcmp(args[1], "1") == 0;
    if (score == NULL || (!is_itself && strtoull(score, NULL, 10) >= people_now_ms)) return number(0);
    del(keys[0], args[0]);
    del(keys[1], args[0]);
    return number(1);
}

static bool is_script(const struct people_command *command, enum script script)
{
    return text_is(script_sha1(script), command->words[1]);
}

static redisReply *evaluate(const struct people_command *command)
{
    char *const *keys = command->words + 3;
    size_t keys_count = strtoull(command->words[2], NULL, 10);
    char *const *args = keys + keys_count;
    if (is_script(command, SCRIPT_RENEW)) return run_renew(keys, args);
    if (is_script(command, SCRIPT_RETIRE)) return run_retire(keys, args);
    redisReply *error = late(args);
    if (error != NULL) return error;
    if (is_script(command, SCRIPT_JOIN)) return run_join(keys[0], args);
    if (is_script(command, SCRIPT_LEAVE)) return run_leave(keys[0], args, command->count - 3 - keys_count);
    cr_assert(is_script(command, SCRIPT_COUNT));
    return run_count(keys[0], args);
}

/* Names, or names and values. */
static redisReply *fields_of(const char *key, bool has_values)
{
    redisReply *reply = list();
    for (const struct field *field = fields; field != NULL; field = field->next) {
        if (strcmp(field->key, key) != 0) continue;
        add(reply, string(field->name));
        if (has_values) add(reply, string(field->value));
    }
    return reply;
}

static redisReply *scan_of(const char *key, bool has_values)
{
    redisReply *reply = list();
    add(reply, string("0"));
    add(reply, fields_of(key, has_values));
    return reply;
}

static redisReply *delete_key(const char *key)
{
    long long count = 0;
    for (const struct field *field = fields; field != NULL;) {
        const struct field *next = field->next;
        if (strcmp(field->key, key) == 0) count += del(field->key, field->name);
        field = next;
    }
    return number(count > 0);
}

static redisReply *run(const struct people_command *command)
{
    char *const *words = command->words;
    if (strcmp(words[0], "EVALSHA") == 0) return evaluate(command);
    if (strcmp(words[0], "SADD") == 0) return number(set(words[1], words[2], ""));
    if (strcmp(words[0], "DEL") == 0) return delete_key(words[1]);
    if (strcmp(words[0], "SREM") == 0) return number(del(words[1], words[2]));
    if (strcmp(words[0], "HGETALL") == 0) return fields_of(words[1], true);
    if (strcmp(words[0], "HKEYS") == 0) return fields_of(words[1], false);
    if (strcmp(words[0], "ZRANGEBYSCORE") == 0) return fields_of(words[1], false);
    if (strcmp(words[0], "HLEN") == 0) return number(count_of(words[1]));
    if (strcmp(words[0], "PUBLISH") == 0) {
        push(words[1], words[2]);
        return number(0);
    }
    if (strcmp(words[0], "SSCAN") == 0) return scan_of(words[1], false);
    if (strcmp(words[0], "HSCAN") == 0) return scan_of(words[1], true);
    cr_assert_str_eq(words[0], "HGET");
    const char *value = get(words[1], words[2]);
    return value != NULL ? string(value) : reply_of(REDIS_REPLY_NIL);
}

/* ---- nodes ---- */

static enum rc send_command(void *self, const struct text *words, size_t count, people_answer *answer, void *context)
{
    struct people_node *node = self;
    if (!node->is_linked) return RC_EBUSY;
    struct people_command *command = calloc(1, sizeof *command), **end = &node->commands;
    cr_assert_leq(count, WORDS_MAX);
    for (size_t i = 0; i < count; i++)
        command->words[i] = strndup(words[i].at, words[i].count);
    command->count = count;
    command->answer = answer;
    command->context = context;
    while (*end != NULL)
        end = &(*end)->next;
    *end = command;
    return RC_OK;
}

static void say(struct people_node *node, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct people_node *node, const char *format, ...)
{
    size_t at = strlen(node->events);
    va_list list_of;
    va_start(list_of, format);
    vsnprintf(node->events + at, sizeof node->events - at, format, list_of);
    va_end(list_of);
}

static void tell(void *self, struct people_event *event)
{
    static const char *const words[] = {
#define WEBHOOK(name, ...) #name,
#include "server/config/webhook.def"
#undef WEBHOOK
    };
    struct people_node *node = self;
    for (uint32_t i = 0; i < event->changes_count; i++) {
        const struct people_change *change = &event->changes[i];
        if (change->has_left) say(node, "-%.*s ", (int)change->user_id.count, change->user_id.at);
        if (change->has_joined) {
            say(node, "+%.*s:%.*s ", (int)change->user_id.count, change->user_id.at, (int)change->info.count,
                change->info.at);
        }
    }
    if (event->kind == PEOPLE_SUM) say(node, "sum=%llu ", (unsigned long long)event->count);
    if (event->kind == PEOPLE_NEWS) {
        say(node, "%s:%.*s/%.*s", words[event->news], (int)event->channel.length, event->channel.text,
            (int)event->user_id.count, event->user_id.at != NULL ? event->user_id.at : "");
        say(node, event->news == WEBHOOK_subscription_count ? "%llu " : " ", (unsigned long long)event->count);
    }
    if (event->kind == PEOPLE_TERMINATE) say(node, "terminate ");
    free(event);
}

static void take_back(void *self, struct people_job *job)
{
    (void)self;
    if (job->query != NULL) job->query->rc = job->job.rc;
    free(job);
}

static void free_command(struct people_command *command)
{
    for (size_t i = 0; i < command->count; i++)
        free(command->words[i]);
    free(command);
}

static struct people_command *take_command(struct people_node *node)
{
    struct people_command *command = node->commands;
    if (command != NULL) node->commands = command->next;
    return command;
}

static void drop_pushes(struct people_node *node)
{
    for (struct people_pushed *pushed = node->pushes, *next; pushed != NULL; pushed = next) {
        next = pushed->next;
        free(pushed->channel);
        free(pushed->text);
        free(pushed);
    }
    node->pushes = NULL;
}

void people_node_cut(uint32_t i)
{
    struct people_node *node = &people_nodes[i];
    struct people_command *command;
    node->is_linked = false;
    while ((command = take_command(node)) != NULL) {
        command->answer(command->context, NULL);
        free_command(command);
    }
    drop_pushes(node);
    if (node->people != NULL) people_lost(node->people);
}

void people_node_link(uint32_t i, bool is_other_generation)
{
    people_nodes[i].is_linked = true;
    people_open(people_nodes[i].people, is_other_generation, people_now_ms);
}

struct people *people_node_begin(uint32_t i)
{
    struct people_node *node = &people_nodes[i];
    struct people_way way = {.send = send_command, .tell = tell, .answer = take_back, .self = node};
    node->people = people_new(&way, text_of(PREFIX), "about", PEOPLE_LEASE_MS, ++numbers, people_now_ms);
    people_stands_still[i] = false;
    people_node_link(i, false);
    return node->people;
}

void people_node_kill(uint32_t i)
{
    people_node_cut(i);
    people_free(people_nodes[i].people);
    people_nodes[i].people = NULL;
}

void people_redis_begin(void)
{
    static bool is_init;
    if (!is_init) cr_assert_eq(scripts_init(), RC_OK);
    is_init = true;
    people_now_ms = 1000000;
    people_users_max = 0;
    memset(people_nodes, 0, sizeof people_nodes);
}

void people_redis_end(void)
{
    for (uint32_t i = 0; i < PEOPLE_NODES; i++)
        people_node_kill(i);
    people_redis_forget();
}

bool people_node_answer(uint32_t i)
{
    struct people_command *command = take_command(&people_nodes[i]);
    if (command == NULL) return false;
    redisReply *reply = run(command);
    command->answer(command->context, reply);
    free_reply(reply);
    free_command(command);
    return true;
}

bool people_node_push(uint32_t i)
{
    struct people_pushed *pushed = people_nodes[i].pushes;
    char memory[NAME_BYTES_MAX];
    struct text app, channel;
    if (pushed == NULL) return false;
    people_nodes[i].pushes = pushed->next;
    cr_assert_eq(
        cluster_key_read(text_of(pushed->channel), text_of(PREFIX), CLUSTER_KEY_PUSHES, memory, &app, &channel),
        RC_OK);
    struct name name = name_of(0, channel);
    cr_expect(people_push(people_nodes[i].people, &name, text_of(pushed->text)), "%s", pushed->text);
    free(pushed->channel);
    free(pushed->text);
    free(pushed);
    return true;
}

bool people_node_step(uint32_t i)
{
    bool is_answered = people_node_answer(i);
    return people_node_push(i) || is_answered;
}

static bool run_node(uint32_t i)
{
    if (people_nodes[i].people == NULL || people_stands_still[i]) return false;
    people_run(people_nodes[i].people, people_now_ms);
    return people_node_step(i);
}

void people_settle(void)
{
    bool has_done = true;
    while (has_done) {
        has_done = false;
        for (uint32_t i = 0; i < PEOPLE_NODES; i++)
            has_done = run_node(i) || has_done;
    }
}

void people_pass(uint64_t ms)
{
    for (uint64_t end_ms = people_now_ms + ms; people_now_ms < end_ms;) {
        people_now_ms += end_ms - people_now_ms < 100 ? end_ms - people_now_ms : 100;
        people_settle();
    }
}

const char *people_told(uint32_t i)
{
    static char texts[PEOPLE_NODES][sizeof people_nodes[0].events];
    memcpy(texts[i], people_nodes[i].events, sizeof texts[i]);
    people_nodes[i].events[0] = '\0';
    return texts[i];
}
