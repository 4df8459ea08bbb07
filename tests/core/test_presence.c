/* tests/core/test_presence.c - members of a presence channel: counted once, told to others, gone with the last
 * connection. Changes that are taken must lead from what was told before to who is here. Snapshots are compared with
 * texts written by hand and with those of a naive model. */
#include "core/presence.h"

#include "core/name.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* free() it. Written into a block of exactly the size promised. */
static struct text snapshot_of(const struct presence *presence)
{
    size_t bytes = presence_snapshot_bytes(presence);
    char *at = malloc(bytes);
    cr_assert_eq(presence_snapshot_write(presence, at), at + bytes, "as many bytes as promised");
    return (struct text){at, bytes};
}

static bool snapshot_is(const struct presence *presence, const char *wanted)
{
    struct text snapshot = snapshot_of(presence);
    bool is_equal = text_is(snapshot, wanted);
    if (!is_equal) cr_log_warn("%.*s", (int)snapshot.count, snapshot.at);
    free((char *)snapshot.at);
    return is_equal;
}

static enum rc join(struct presence *presence, const char *user_id, const char *info)
{
    return presence_join(presence, text_of(user_id), info != NULL ? text_of(info) : (struct text){0});
}

static bool leave(struct presence *presence, const char *user_id)
{
    return presence_leave(presence, text_of(user_id));
}

Test(presence, nobody_is_here_at_first, .timeout = 5)
{
    struct presence *presence = presence_new();
    struct text user_id;
    uint32_t index = 0;
    cr_expect_eq(presence_count(presence), 0);
    cr_expect_eq(presence_connections(presence), 0);
    cr_expect_not(presence_has(presence, text_of("42")));
    cr_expect_not(presence_next(presence, &index, &user_id));
    cr_expect(snapshot_is(presence, "{\\\"presence\\\":{\\\"ids\\\":[],\\\"hash\\\":{},\\\"count\\\":0}}"));
    presence_free(presence);
    presence_free(NULL);
}

Test(presence, a_user_counts_once_and_leaves_with_the_last_connection, .timeout = 5)
{
    struct presence *presence = presence_new();
    cr_expect_eq(join(presence, "42", NULL), RC_OK);
    cr_expect_eq(join(presence, "42", NULL), RC_PENDING);
    cr_expect_eq(join(presence, "7", NULL), RC_OK);
    cr_expect_eq(join(presence, "42", NULL), RC_PENDING);
    cr_expect_eq(presence_count(presence), 2);
    cr_expect_eq(presence_connections(presence), 4);
    cr_expect_not(leave(presence, "42"));
    cr_expect_not(leave(presence, "42"));
    cr_expect(presence_has(presence, text_of("42")));
    cr_expect(leave(presence, "42"));
    cr_expect_not(presence_has(presence, text_of("42")));
    cr_expect(presence_has(presence, text_of("7")));
    cr_expect_eq(presence_count(presence), 1);
    cr_expect_eq(presence_connections(presence), 1);
    cr_expect(leave(presence, "7"));
    cr_expect(snapshot_is(presence, "{\\\"presence\\\":{\\\"ids\\\":[],\\\"hash\\\":{},\\\"count\\\":0}}"));
    presence_free(presence);
}

Test(presence, the_snapshot_is_an_escaped_text, .timeout = 5)
{
    static const struct {
        struct text user_id;
        const char *info, *id_part, *info_part;
    } rows[] = {
        {{"42", 2}, "{\"name\":\"Ann\"}", "\\\"42\\\"", "{\\\"name\\\":\\\"Ann\\\"}"},
        {{"7", 1}, NULL, "\\\"7\\\"", "null"},
        {{"7", 1}, "null", "\\\"7\\\"", "null"},
        {{"", 0}, "[true,1]", "\\\"\\\"", "[true,1]"},
        {{"a\"b", 3}, "\"a\\\"b\"", "\\\"a\\\\\\\"b\\\"", "\\\"a\\\\\\\"b\\\""},
        {{"a\\b", 3}, "{}", "\\\"a\\\\\\\\b\\\"", "{}"},
        {{"\n\x01\0z", 4}, "{ }", "\\\"\\\\n\\\\u0001\\\\u0000z\\\"", "{ }"},
        {{"\xc3\xa4\xf0\x9f\x98\x80", 6},
         "\"\xe2\x82\xac\"",
         "\\\"\xc3\xa4\xf0\x9f\x98\x80\\\"",
         "\\\"\xe2\x82\xac\\\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct presence *presence = presence_new();
        struct text info = rows[i].info != NULL ? text_of(rows[i].info) : (struct text){0};
        cr_assert_eq(presence_join(presence, rows[i].user_id, info), RC_OK);
        char wanted[200];
        snprintf(wanted, sizeof wanted, "{\\\"presence\\\":{\\\"ids\\\":[%s],\\\"hash\\\":{%s:%s},\\\"count\\\":1}}",
                 rows[i].id_part, rows[i].id_part, rows[i].info_part);
        cr_expect(snapshot_is(presence, wanted), "row %zu", i);
        presence_free(presence);
    }
}

Test(presence, ids_differ_by_their_bytes_alone, .timeout = 5)
{
    static const struct text ids[] = {{"", 0},    {"a", 1},  {"A", 1}, {"a\0", 2},
                                      {"\0a", 2}, {"a ", 2}, {"1", 1}, {"01", 2}};
    struct presence *presence = presence_new();
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        cr_expect_not(presence_has(presence, ids[i]));
        cr_expect_eq(presence_join(presence, ids[i], (struct text){0}), RC_OK, "id %zu", i);
        cr_expect(presence_has(presence, ids[i]));
    }
    presence_free(presence);
}

Test(presence, the_first_info_holds_while_the_user_is_here, .timeout = 5)
{
    struct presence *presence = presence_new();
    cr_expect_eq(join(presence, "1", "[1]"), RC_OK);
    cr_expect_eq(join(presence, "1", "[2]"), RC_PENDING);
    cr_expect_not(leave(presence, "1"));
    cr_expect(snapshot_is(presence, "{\\\"presence\\\":{\\\"ids\\\":[\\\"1\\\"],\\\"hash\\\":{\\\"1\\\":[1]},"
                                    "\\\"count\\\":1}}"));
    cr_expect(leave(presence, "1"));
    cr_expect_eq(join(presence, "1", "[3]"), RC_OK);
    cr_expect(snapshot_is(presence, "{\\\"presence\\\":{\\\"ids\\\":[\\\"1\\\"],\\\"hash\\\":{\\\"1\\\":[3]},"
                                    "\\\"count\\\":1}}"));
    presence_free(presence);
}

Test(presence, the_texts_are_copied, .timeout = 5)
{
    char user_id[] = "42", info[] = "[1]";
    struct presence *presence = presence_new();
    cr_expect_eq(join(presence, user_id, info), RC_OK);
    user_id[0] = info[1] = '9';
    cr_expect(presence_has(presence, text_of("42")));
    cr_expect(snapshot_is(presence, "{\\\"presence\\\":{\\\"ids\\\":[\\\"42\\\"],\\\"hash\\\":{\\\"42\\\":[1]},"
                                    "\\\"count\\\":1}}"));
    presence_free(presence);
}

/* "-42" left, "+42[1]" joined, each user's behind the other's: what all changes taken now say. */
static const char *changes_of(struct presence *presence)
{
    static char text[200];
    struct presence_change change;
    text[0] = '\0';
    while (presence_take_change(presence, &change)) {
        size_t at = strlen(text);
        int id = (int)change.user_id.count;
        if (change.has_left) at += (size_t)snprintf(text + at, sizeof text - at, "-%.*s ", id, change.user_id.at);
        if (!change.has_joined) continue;
        snprintf(text + at, sizeof text - at, "+%.*s%.*s ", id, change.user_id.at, (int)change.info_part.count,
                 change.info_part.at);
    }
    return text;
}

Test(presence, a_change_is_what_became_of_a_user_since_the_last_was_taken, .timeout = 5)
{
    /* What happens, by a letter for each: "a1" joins a with info 1, "a-" leaves, "|" takes what is there. */
    static const struct {
        const char *acts, *changes;
    } rows[] = {
        {"", ""},
        {"a1", "+a[1] "},
        {"a1|", ""},
        {"a1b2", "+a[1] +b[2] "},
        {"a1a2", "+a[1] "},
        {"a1a-", ""},
        {"a1a-a2", "+a[2] "},
        {"a1a-b1", "+b[1] "},
        {"a1|a-", "-a "},
        {"a1|a-|", ""},
        {"a1|a-|a1", "+a[1] "},
        {"a1|a-a1", ""},
        {"a1|a-a2", "-a +a[2] "},
        {"a1|a-a2a-", "-a "},
        {"a1|a-a2|", ""},
        {"a1|a-a2|a-a2", ""},
        {"a1|a2a-", ""},
        {"a1b1c1|a-c-b-", "-a -c -b "},
        {"a1b1c1|b-d1a-", "-b +d[1] -a "},
        {"a1b1c1|c-a-c1", "-a "},
        {"a1b1c1d1|a-d-b-a1", "-d -b "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct presence *presence = presence_new();
        for (const char *at = rows[i].acts; *at != '\0'; at += *at == '|' ? 1 : 2) {
            char id[] = {at[0], '\0'}, info[] = {'[', at[1], ']', '\0'};
            if (*at == '|') {
                changes_of(presence);
            } else if (at[1] == '-') {
                leave(presence, id);
            } else {
                join(presence, id, info);
            }
        }
        if (rows[i].changes[0] != '\0') cr_expect(presence_has_changes(presence));
        cr_expect_str_eq(changes_of(presence), rows[i].changes, "row %zu: %s", i, rows[i].acts);
        cr_expect_not(presence_has_changes(presence));
        presence_free(presence);
    }
}

Test(presence, who_has_left_is_in_no_snapshot_though_it_was_not_taken, .timeout = 5)
{
    struct presence *presence = presence_new();
    uint32_t index = 0;
    struct text user_id;
    join(presence, "1", "[1]");
    join(presence, "2", "[2]");
    changes_of(presence);
    cr_expect(leave(presence, "1"));
    cr_expect_not(presence_has(presence, text_of("1")));
    cr_expect(snapshot_is(presence, "{\\\"presence\\\":{\\\"ids\\\":[\\\"2\\\"],\\\"hash\\\":{\\\"2\\\":[2]},"
                                    "\\\"count\\\":1}}"));
    cr_expect(presence_next(presence, &index, &user_id));
    cr_expect(text_is(user_id, "2"));
    cr_expect_not(presence_next(presence, &index, &user_id));
    presence_free(presence);
}

Test(presence, leaving_without_being_here_is_our_bug, .timeout = 5, .signal = SIGABRT)
{
    struct presence *presence = presence_new();
    cr_assert_eq(join(presence, "42", NULL), RC_OK);
    leave(presence, "7");
}

Test(presence, leaving_where_nobody_ever_was_is_our_bug, .timeout = 5, .signal = SIGABRT)
{
    leave(presence_new(), "7");
}

/* ---- against a model: an array of users, each with its connections ---- */

enum { USERS = 300 };

struct model {
    struct {
        struct text id;
        struct text info; /* of this stay */
        uint32_t connections;
        bool is_seen;
        bool is_told; /* as one who is here, by the changes taken */
    } users[USERS];
    uint32_t count;
    uint64_t connections;
};

/* A text that begins with the number, which makes it unlike all others, and goes on with anything. */
static struct text any_text(size_t number)
{
    static const char *const pieces[] = {"\"", "\\",       "\n",   "\x1f",    "a",
                                         "{}", "\xc3\xa4", "\x7f", "\\u0041", "12345678"};
    char *at;
    size_t count;
    FILE *file = open_memstream(&at, &count);
    fprintf(file, "%zu.", number);
    for (long i = random() % 12; i > 0; i--)
        fputs(pieces[(size_t)random() % (sizeof pieces / sizeof pieces[0])], file);
    fclose(file);
    return (struct text){at, count};
}

static void model_init(struct model *model)
{
    *model = (struct model){0};
    for (size_t i = 0; i < USERS; i++)
        model->users[i].id = any_text(i);
}

static void model_fini(struct model *model)
{
    for (size_t i = 0; i < USERS; i++) {
        free((char *)model->users[i].id.at);
        free((char *)model->users[i].info.at);
    }
}

static void model_join(struct model *model, struct presence *presence, size_t user)
{
    struct text info = random() % 4 > 0 ? any_text(user) : (struct text){0};
    bool is_new = model->users[user].connections++ == 0;
    enum rc rc = presence_join(presence, model->users[user].id, info);
    cr_assert_eq(rc, is_new ? RC_OK : RC_PENDING);
    model->count += is_new;
    model->connections++;
    if (is_new) {
        free((char *)model->users[user].info.at);
        model->users[user].info = info;
    } else {
        free((char *)info.at);
    }
}

static void model_leave(struct model *model, struct presence *presence, size_t user)
{
    bool is_gone = --model->users[user].connections == 0;
    cr_assert_eq(presence_leave(presence, model->users[user].id), is_gone);
    model->count -= is_gone;
    model->connections--;
}

/* As it would stand outside of any string. */
static void put_json_string(FILE *file, struct text text)
{
    fputc('"', file);
    for (size_t i = 0; i < text.count; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c == '\n')
            fputs("\\n", file);
        else if (c < 0x20)
            fprintf(file, "\\u%04x", c);
        else if (c == '"' || c == '\\')
            fprintf(file, "\\%c", c);
        else
            fputc(c, file);
    }
    fputc('"', file);
}

/* The same once more, without quotes. */
static struct text escape_again(struct text json)
{
    char *at;
    size_t count;
    FILE *file = open_memstream(&at, &count);
    put_json_string(file, json);
    fclose(file);
    memmove(at, at + 1, count - 2);
    return (struct text){at, count - 2};
}

/* Finds the users in the order of presence_next(), each once. */
static void list_users(struct model *model, const struct presence *presence, size_t order[USERS])
{
    uint32_t index = 0, listed = 0;
    struct text id;
    for (size_t i = 0; i < USERS; i++)
        model->users[i].is_seen = false;
    while (presence_next(presence, &index, &id)) {
        size_t user = strtoul(id.at, NULL, 10);
        cr_assert(user < USERS && text_equals(id, model->users[user].id));
        cr_assert(model->users[user].connections > 0 && !model->users[user].is_seen);
        model->users[user].is_seen = true;
        order[listed++] = user;
    }
    cr_assert_eq(listed, model->count, "whoever is here is listed");
}

static struct text model_snapshot(const struct model *model, const size_t order[])
{
    char *at;
    size_t count;
    FILE *file = open_memstream(&at, &count);
    fputs("{\"presence\":{\"ids\":[", file);
    for (uint32_t i = 0; i < model->count; i++) {
        if (i > 0) fputc(',', file);
        put_json_string(file, model->users[order[i]].id);
    }
    fputs("],\"hash\":{", file);
    for (uint32_t i = 0; i < model->count; i++) {
        struct text info = model->users[order[i]].info;
        if (i > 0) fputc(',', file);
        put_json_string(file, model->users[order[i]].id);
        fputc(':', file);
        if (info.at != NULL)
            fwrite(info.at, 1, info.count, file); /* no JSON, but what it is does not matter here */
        else
            fputs("null", file);
    }
    fprintf(file, "},\"count\":%u}}", model->count);
    fclose(file);
    struct text escaped = escape_again((struct text){at, count});
    free(at);
    return escaped;
}

static void compare_with_model(struct model *model, const struct presence *presence)
{
    size_t order[USERS];
    cr_assert_eq(presence_count(presence), model->count);
    cr_assert_eq(presence_connections(presence), model->connections);
    list_users(model, presence, order);
    for (size_t i = 0; i < USERS; i++)
        cr_assert_eq(presence_has(presence, model->users[i].id), model->users[i].connections > 0);
    struct text snapshot = snapshot_of(presence), wanted = model_snapshot(model, order);
    cr_assert(text_equals(snapshot, wanted), "%.*s\n%.*s", (int)snapshot.count, snapshot.at, (int)wanted.count,
              wanted.at);
    free((char *)snapshot.at);
    free((char *)wanted.at);
}

/* Each change is one for who was told otherwise; after them all is told as it is. */
static void model_take_changes(struct model *model, struct presence *presence)
{
    struct presence_change change;
    while (presence_take_change(presence, &change)) {
        size_t user = strtoul(change.user_id.at, NULL, 10);
        cr_assert(user < USERS && text_equals(change.user_id, model->users[user].id));
        cr_assert(change.has_left || change.has_joined);
        cr_assert_eq(change.has_left, model->users[user].is_told);
        cr_assert_eq(change.has_joined, model->users[user].connections > 0);
        model->users[user].is_told = change.has_joined;
    }
    for (size_t i = 0; i < USERS; i++)
        cr_assert_eq(model->users[i].is_told, model->users[i].connections > 0);
}

/* The crowd grows and shrinks in waves, so that the array is full, nearly empty and all between. */
Test(presence, any_joins_and_leaves_are_as_in_the_model, .timeout = 60)
{
    struct model model;
    struct presence *presence = presence_new();
    srandom(2);
    name_set_key(3, 4);
    model_init(&model);
    for (int step = 0; step < 60000; step++) {
        size_t user = (size_t)random() % USERS;
        bool joins = random() % 10 < (step / 6000 % 2 == 0 ? 7 : 2);
        if (joins)
            model_join(&model, presence, user);
        else if (model.users[user].connections > 0)
            model_leave(&model, presence, user);
        if (step % 200 == 0) compare_with_model(&model, presence);
        if (random() % 100 == 0) model_take_changes(&model, presence);
    }
    model_take_changes(&model, presence);
    compare_with_model(&model, presence);
    presence_free(presence);
    model_fini(&model);
}

Test(presence, ten_thousand_come_and_go, .timeout = 30)
{
    enum { MEMBERS = 10000 };
    struct presence *presence = presence_new();
    size_t bytes = presence_snapshot_bytes(presence) - 1; /* without the count's digit */
    char id[16];
    for (int i = 0; i < MEMBERS; i++) {
        snprintf(id, sizeof id, "user-%05d", i);
        cr_assert_eq(join(presence, id, "{}"), RC_OK);
    }
    cr_expect_eq(presence_count(presence), MEMBERS);
    /* Each: the id of 10 bytes with its escaped quotes twice, the info, a colon; and commas between. */
    cr_expect_eq(presence_snapshot_bytes(presence), bytes + 5 + MEMBERS * (2 * 14 + 2 + 1) + 2 * (MEMBERS - 1));
    free((char *)snapshot_of(presence).at);
    for (int i = 0; i < MEMBERS; i++) {
        snprintf(id, sizeof id, "user-%05d", i * 7919 % MEMBERS);
        cr_assert(leave(presence, id), "%s", id);
    }
    cr_expect_eq(presence_snapshot_bytes(presence), bytes + 1);
    presence_free(presence);
}
