/* tests/server/scenario/test_user_scenario.c - users who sign in, what backends tell them, and who watches whom, on a
 * whole server with a fake kernel.
 *
 * Method: that of tests/server/scenario/test_channels.c. */
#include "net/json.h"
#include "tests/support/api_client.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define FLAGS(...)  CHANNEL_FLAGS("watchlist=yes", __VA_ARGS__)
#define SEND_BUFFER 65536
#define WATCHLIST   "pusher_internal:watchlist_events"

static struct scenario scenario;

static struct channel_client *join(uint32_t shard)
{
    return channel_client_enter(&scenario, shard);
}

/* ---- signing in ---- */

/* One error with these words, and a close. */
static void check_failed(const struct channel_client *client, const char *words)
{
    const struct heard_event *error = channel_client_heard(client, "pusher:error", NULL, 0);
    cr_assert_not_null(error, "%s", words);
    cr_expect_eq(error->code, 4009);
    cr_expect(strncmp(error->data, "Sign-in failed: ", 16) == 0 && strstr(error->data, words) != NULL, "%s: %s",
              words, error->data);
    cr_expect_eq(channel_client_count(client, "pusher:error", NULL), 1, "%s", words);
    cr_expect_eq(client->client->code, 4009, "%s", words);
}

Test(user_scenario, who_signs_in_is_that_user_until_the_end, .timeout = 30)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        scenario_start(&scenario, seed, FLAGS("--shards", "3"));
        struct channel_client *client = join((uint32_t)seed % 3), *other = join(1);
        channel_client_sign_in(client, "ann", NULL);
        channel_client_sign_in(client, "ann", NULL); /* perhaps before the answer: one success at least */
        scenario_settle(&scenario);
        channel_client_sign_in(client, "ann", NULL);
        scenario_settle(&scenario);
        uint32_t count = channel_client_count(client, "pusher:signin_success", NULL);
        cr_expect(count == 2 || count == 3, "%u", count);
        cr_expect_str_eq(channel_client_heard(client, "pusher:signin_success", NULL, 0)->data,
                         "{\"user_data\":\"{\\\"id\\\":\\\"ann\\\"}\"}");
        cr_expect_null(channel_client_heard(client, "pusher:signin_success", NULL, 0)->channel);
        channel_client_subscribe(client, "#server-to-user-ann");
        channel_client_subscribe(other, "#server-to-user-ann");
        channel_client_subscribe(client, "presence-a"); /* without channel_data: as the user it is */
        scenario_settle(&scenario);
        cr_expect_eq(channel_client_count(client, "pusher_internal:subscription_succeeded", "#server-to-user-ann"),
                     1);
        cr_expect_eq(channel_client_count(other, "pusher_internal:subscription_succeeded", NULL), 0);
        cr_expect_eq(channel_client_heard(other, "pusher:error", NULL, 0)->code, CHANNEL_CODE_NULL);
        cr_expect_str_eq(channel_client_members(client, "presence-a"), "ann=null ");
        channel_client_sign_in(client, "bob", NULL);
        scenario_settle(&scenario);
        check_failed(client, "signed in as another user");
        scenario_stop(&scenario);
    }
}

Test(user_scenario, a_sign_in_that_is_wrong_ends_the_connection, .timeout = 30)
{
    static const struct {
        const char *data, *words;
    } rows[] = {
        {"{}", "data needs auth and user_data"},
        {"{\"auth\":\"rc-key:00\"}", "data needs auth and user_data"},
        {"{\"auth\":1,\"user_data\":\"{}\"}", "data needs auth and user_data"},
        {"{\"auth\":\"\",\"user_data\":\"{}\"}", "Auth info is required"},
        {"{\"auth\":\"00\",\"user_data\":\"{}\"}", "of format 'key:signature'"},
        {"{\"auth\":\"other:00\",\"user_data\":\"{}\"}", "Invalid key"},
        {"{\"auth\":\"rc-key:00\",\"user_data\":\"{\\\"id\\\":\\\"a\\\"}\"}",
         "sign socket_id, ::user:: and user_data"},
    };
    scenario_start(&scenario, 1, FLAGS("--shards", "2"));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct channel_client *client = join(0);
        channel_client_say(client, "{\"event\":\"pusher:signin\",\"data\":%s}", rows[i].data);
        scenario_settle(&scenario);
        check_failed(client, rows[i].words);
    }
    scenario_stop(&scenario);
}

/* Who has shown who it is stays: by signing in, or by what it was let into. Who has not, or was refused, is closed;
 * with a public channel alone, too. */
Test(user_scenario, a_stranger_has_its_time_to_sign_in, .timeout = 30)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        scenario_start(&scenario, seed, CHANNEL_FLAGS("sign_in_ms_max=5s", "--shards", "2"));
        struct channel_client *user = join(0), *reader = join(1), *member = join(0), *silent = join(1),
                              *stranger = join(0);
        scenario_pass(&scenario, 3000);
        channel_client_sign_in(user, "ann", NULL);
        channel_client_subscribe(reader, "private-a");
        channel_client_subscribe_as(member, "presence-a", "ben");
        channel_client_subscribe(stranger, "a");
        channel_client_say(stranger, "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"private-a\",\"auth\":"
                                     "\"" CHANNEL_APP_KEY ":00\"}}");
        scenario_pass(&scenario, 1000);
        cr_expect(channel_client_is_here(silent) && channel_client_is_here(stranger));
        scenario_pass(&scenario, 1500);
        const struct channel_client *strangers[] = {silent, stranger};
        for (size_t i = 0; i < 2; i++) {
            cr_expect_eq(strangers[i]->client->code, 4009);
            cr_expect_eq(channel_client_heard(strangers[i], "pusher:error", NULL, i)->code, 4009);
        }
        scenario_pass(&scenario, 10000);
        cr_expect(channel_client_is_here(user) && channel_client_is_here(reader) && channel_client_is_here(member));
        scenario_stop(&scenario);
    }
}

/* The signature is right, what it is of is not. */
Test(user_scenario, a_sign_in_says_what_is_wrong_with_its_user_data, .timeout = 30)
{
    static const char id[] = "id in user_data has to be";
    static const struct {
        const char *user_data, *words;
    } rows[] = {
        {"", "user_data is no JSON"},
        {"x", "user_data is no JSON"},
        {"{\"id\":\"a\"} x", "user_data is no JSON"},
        {"[]", "user_data is no JSON object"},
        {"null", "user_data is no JSON object"},
        {"{}", id},
        {"{\"id\":1}", id},
        {"{\"id\":null}", id},
        {"{\"id\":\"\"}", id},
        {"{\"id\":\"a\\u0000\"}", id},
        {"{\"id\":\"a\\nb\"}", id},
        {"{\"id\":\"\\u007f\"}", id},
        {"{\"id\":\"\\u0085\"}", id},
        {"{\"id\":\"a\",\"id\":\"a\"}", id},
        {"{\"id\":\"a\",\"user_info\":1,\"user_info\":2}", "two user_info"},
        {"{\"id\":\"a\",\"watchlist\":[],\"watchlist\":[]}", "two watchlist"},
    };
    scenario_start(&scenario, 1, FLAGS("--shards", "2"));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct channel_client *client = join(0);
        channel_client_sign_in_with(client, rows[i].user_data);
        scenario_settle(&scenario);
        check_failed(client, rows[i].words);
    }
    scenario_stop(&scenario);
}

/* ---- ids ---- */

#define QUOTES_16  "\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\""
#define QUOTES_128 QUOTES_16 QUOTES_16 QUOTES_16 QUOTES_16 QUOTES_16 QUOTES_16 QUOTES_16 QUOTES_16
#define PATH_16    "%22%22%22%22%22%22%22%22%22%22%22%22%22%22%22%22"
#define PATH_128   PATH_16 PATH_16 PATH_16 PATH_16 PATH_16 PATH_16 PATH_16 PATH_16

/* Goal: what presence channels take for an id, signing in takes too, and it comes out of everything as it went in. */
Test(user_scenario, ids_may_be_any_text_without_control_characters, .timeout = 60)
{
    static const struct {
        const char *id, *path; /* in JSON, in a URL */
    } rows[] = {
        {"auth0|5f7c", "auth0|5f7c"},
        {"a+b@example.com", "a+b@example.com"},
        {"\u00fc", "%C3%BC"},
        {"a b/c?d#e%", "a%20b%2Fc%3Fd%23e%25"},
        {"\\\\", "%5c"},
        {QUOTES_128, PATH_128},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char list[400], channel[400], text[700], path[500];
        scenario_start(&scenario, 1 + i, FLAGS("--shards", "3"));
        struct channel_client *client = join(0), *watcher = join(1), *member = join(2);
        struct api_client *backend = api_client_join(&scenario, 1, SEND_BUFFER);
        snprintf(list, sizeof list, "[\"%s\"]", rows[i].id);
        channel_client_sign_in(watcher, "ann", list);
        scenario_settle(&scenario);
        channel_client_sign_in(client, rows[i].id, NULL);
        channel_client_subscribe_as(member, "presence-a", rows[i].id);
        scenario_settle(&scenario);
        channel_client_subscribe(client, "presence-a"); /* a presence channel knows them for one */
        snprintf(channel, sizeof channel, "#server-to-user-%s", rows[i].id);
        channel_client_say(client, "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"%s\"}}", channel);
        api_client_publish(backend, channel, "hello", "x");
        scenario_settle(&scenario);
        cr_expect_eq(channel_client_count(client, "pusher:signin_success", NULL), 1, "%s", rows[i].id);
        cr_expect_eq(channel_client_count(client, "pusher_internal:subscription_succeeded", NULL), 2);
        cr_expect_eq(channel_client_count(client, "hello", NULL), 1, "%s", rows[i].id);
        cr_expect_eq(channel_client_count(member, "pusher_internal:member_added", NULL), 0, "%s", rows[i].id);
        snprintf(text, sizeof text, "{\"events\":[{\"name\":\"online\",\"user_ids\":[\"%s\"]}]}", rows[i].id);
        cr_expect_str_eq(channel_client_heard(watcher, WATCHLIST, NULL, 1)->data, text);
        snprintf(path, sizeof path, "/users/%s/terminate_connections", rows[i].path);
        api_client_post(backend, path, "{}");
        scenario_settle(&scenario);
        cr_expect_str_eq(api_client_last(backend, 200), "{}");
        cr_expect_eq(client->client->code, 4009, "%s", rows[i].id);
        cr_expect(channel_client_is_here(member));
        snprintf(text, sizeof text, "{\"events\":[{\"name\":\"offline\",\"user_ids\":[\"%s\"]}]}", rows[i].id);
        cr_expect_str_eq(channel_client_heard(watcher, WATCHLIST, NULL, 2)->data, text);
        scenario_stop(&scenario);
    }
}

Test(user_scenario, an_id_that_no_user_has_is_refused_to_backends_and_members, .timeout = 30)
{
    static const char *const paths[] = {"%00", "a%0ab", "%7F", "%C2%85", "%ff", "%C3", PATH_128 "x"};
    scenario_start(&scenario, 1, FLAGS("--shards", "2"));
    struct channel_client *client = join(0);
    struct api_client *backend = api_client_join(&scenario, 0, SEND_BUFFER);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        char path[500];
        snprintf(path, sizeof path, "/users/%s/terminate_connections", paths[i]);
        api_client_post(backend, path, "{}");
        scenario_settle(&scenario);
        cr_expect_str_eq(api_client_last(backend, 400),
                         "Invalid user id: use 1 to 128 bytes of UTF-8 without control characters\n", "%s", paths[i]);
    }
    static const char *const names[] = {"#server-to-user-", "#server-to-user-a\\u0001", "#server-to-user-\\u0085"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        api_client_publish(backend, names[i], "hello", "x");
        scenario_settle(&scenario);
        api_client_last(backend, 400);
    }
    channel_client_subscribe_with(client, "presence-a", "{\"user_id\":\"a\\nb\"}");
    scenario_settle(&scenario);
    const struct heard_event *refusal = channel_client_heard(client, "pusher:subscription_error", "presence-a", 0);
    cr_assert_not_null(refusal);
    cr_expect_not_null(strstr(refusal->data, "without control characters"), "%s", refusal->data);
    scenario_stop(&scenario);
}

/* ---- backends ---- */

Test(user_scenario, a_backend_tells_a_user_on_all_connections_and_ends_them_all, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 8; seed++) {
        scenario_start(&scenario, seed, FLAGS("--shards", "3", "--mailbox-letters", "64"));
        struct channel_client *ann[6], *bob = join(0), *member = join(1);
        struct api_client *backend = api_client_join(&scenario, (uint32_t)seed % 3, SEND_BUFFER);
        channel_client_sign_in(bob, "bob", "[\"ann\"]");
        channel_client_subscribe_as(member, "presence-a", "ann"); /* a member of that name is not the user */
        for (uint32_t i = 0; i < 6; i++) {
            ann[i] = join(i % 3);
            channel_client_sign_in(ann[i], "ann", NULL);
            channel_client_subscribe_as(ann[i], "presence-a", "ann");
        }
        scenario_settle(&scenario);
        for (uint32_t i = 0; i < 20; i++) {
            api_client_publish(backend, "#server-to-user-ann", "hello", "x");
        }
        api_client_post(backend, "/users/nobody/terminate_connections", "{}");
        scenario_settle(&scenario);
        cr_expect_eq(backend->answers_count, 21);
        for (uint32_t i = 0; i < 6; i++) {
            cr_expect_eq(channel_client_count(ann[i], "hello", "#server-to-user-ann"), 20);
        }
        cr_expect_eq(channel_client_count(bob, "hello", NULL) + channel_client_count(member, "hello", NULL), 0);
        api_client_post(backend, "/users/ann/terminate_connections", "{}");
        scenario_settle(&scenario);
        cr_expect_str_eq(api_client_last(backend, 200), "{}");
        for (uint32_t i = 0; i < 6; i++) {
            cr_expect_eq(ann[i]->client->code, 4009, "client %u, seed %lu", i, seed);
            cr_expect_eq(channel_client_heard(ann[i], "pusher:error", NULL, 0)->code, 4009);
        }
        cr_expect(channel_client_is_here(bob) && channel_client_is_here(member));
        cr_expect_str_eq(
            channel_client_heard(bob, WATCHLIST, NULL, channel_client_count(bob, WATCHLIST, NULL) - 1)->data,
            "{\"events\":[{\"name\":\"offline\",\"user_ids\":[\"ann\"]}]}");
        scenario_stop(&scenario);
    }
}

/* ---- watching ---- */

#define CROWD 50
#define USERS 8

static struct channel_client *crowd[CROWD];
static uint32_t crowd_count, user_of[CROWD], watched_by[CROWD]; /* a bit for each user watched */
static bool is_signed_in[CROWD], is_gone[CROWD];

/* Takes what one list says: those who are watched become online or offline. */
static void take_list(yyjson_val *list, uint32_t *online, uint32_t *known, bool must_change)
{
    yyjson_val *name, *ids, *id;
    size_t index, count;
    cr_assert_eq(json_member(list, "name", &name), RC_OK);
    cr_assert_eq(json_member(list, "user_ids", &ids), RC_OK);
    bool is_online = strcmp(yyjson_get_str(name), "online") == 0;
    yyjson_arr_foreach(ids, index, count, id)
    {
        uint32_t bit = 1u << (yyjson_get_str(id)[1] - '0');
        bool was_online = *online & bit;
        cr_assert(!must_change || was_online != is_online, "%s is %s already", yyjson_get_str(id),
                  yyjson_get_str(name));
        *online = is_online ? *online | bit : *online & ~bit;
        *known |= bit;
    }
}

/* Who the client takes for online at last. */
static uint32_t online_for(const struct channel_client *client, uint32_t watched)
{
    uint32_t online = 0, known = 0;
    bool has_overview = false, has_success = false;
    for (uint32_t i = 0; i < client->heard_count; i++) {
        yyjson_doc *document;
        yyjson_val *events, *list;
        size_t index, count;
        has_success = has_success || strcmp(client->heard[i].event, "pusher:signin_success") == 0;
        if (strcmp(client->heard[i].event, WATCHLIST) != 0) continue;
        cr_assert(has_success, "client %u heard of others before its own success", client->client->index);
        cr_assert_null(client->heard[i].channel);
        cr_assert_eq(json_read(text_of(client->heard[i].data), &document, NULL), RC_OK);
        cr_assert_eq(json_member(yyjson_doc_get_root(document), "events", &events), RC_OK);
        bool is_overview = yyjson_arr_size(events) == 2;
        cr_assert(!is_overview || !has_overview, "one overview");
        yyjson_arr_foreach(events, index, count, list)
        {
            take_list(list, &online, &known, has_overview);
        }
        has_overview = has_overview || is_overview;
        cr_assert(!has_overview || known == watched);
        yyjson_doc_free(document);
    }
    cr_assert_eq(has_overview, watched != 0);
    return online;
}

static void check_online(uint64_t seed)
{
    uint32_t online = 0;
    for (uint32_t i = 0; i < crowd_count; i++) {
        if (is_signed_in[i] && !is_gone[i]) online |= 1u << user_of[i];
    }
    for (uint32_t i = 0; i < crowd_count; i++) {
        if (!is_signed_in[i] || is_gone[i]) continue;
        uint32_t heard = online_for(crowd[i], watched_by[i]);
        cr_assert_eq(heard, online & watched_by[i], "client %u has heard %x of %x, but it is %x, seed %lu", i, heard,
                     watched_by[i], online & watched_by[i], seed);
    }
}

static void sign_in(uint32_t index)
{
    char id[8], list[200] = "[";
    watched_by[index] = fake_random(1u << USERS) & (fake_random(4) == 0 ? 0 : UINT32_MAX); /* perhaps also itself */
    for (uint32_t user = 0; user < USERS; user++) {
        size_t used = strlen(list);
        if (!(watched_by[index] >> user & 1)) continue;
        snprintf(list + used, sizeof list - used, "%s\"u%u\"", used > 1 ? "," : "", user);
        if (fake_random(8) == 0) snprintf(list + strlen(list), sizeof list - strlen(list), ",\"u%u\"", user);
    }
    snprintf(list + strlen(list), sizeof list - strlen(list), "]");
    snprintf(id, sizeof id, "u%u", user_of[index]);
    channel_client_sign_in(crowd[index], id, list);
    is_signed_in[index] = true;
}

static void act(uint32_t shards)
{
    uint32_t index = fake_random(CROWD);
    if (index >= crowd_count) {
        if (crowd_count == CROWD) return;
        index = crowd_count++;
        crowd[index] = channel_client_join(&scenario, fake_random(shards), CHANNEL_APP_KEY, SEND_BUFFER);
        user_of[index] = fake_random(USERS);
        is_signed_in[index] = is_gone[index] = false;
        return;
    }
    if (is_gone[index] || !channel_client_is_here(crowd[index])) return;
    if (!is_signed_in[index]) {
        sign_in(index);
        is_gone[index] = fake_random(6) == 0;
    } else {
        is_gone[index] = fake_random(5) == 0;
    }
    if (!is_gone[index]) return;
    if (fake_random(2)) fake_reset(crowd[index]->client->socket);
    client_close(crowd[index]->client, 1000);
}

/* Goal: whoever comes and goes while others sign in, the last that a watcher hears of a user is true. */
Test(user_scenario, who_watches_is_told_the_truth_in_the_end, .timeout = 280)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        uint32_t shards = 1 + (uint32_t)seed % 4;
        char count[8];
        snprintf(count, sizeof count, "%u", shards);
        scenario_start(&scenario, seed, FLAGS("--shards", count, "--mailbox-letters", "64"));
        crowd_count = 0;
        for (uint32_t action = 0; action < 300; action++) {
            act(shards);
            for (uint32_t left = fake_random(fake_random(4) == 0 ? 30 : 3); left > 0; left--) {
                scenario_step(&scenario, 0);
            }
            if (action % 100 != 99) continue;
            scenario_settle(&scenario);
            check_online(seed);
        }
        scenario_stop(&scenario);
    }
}

Test(user_scenario, a_watchlist_that_is_too_long_is_cut_and_said_so, .timeout = 30)
{
    char list[2000] = "[";
    scenario_start(&scenario, 3, FLAGS("--shards", "3"));
    for (uint32_t i = 0; i < 101; i++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s\"w%u\"", i > 0 ? "," : "", i);
    }
    snprintf(list + strlen(list), sizeof list - strlen(list), "]");
    struct channel_client *watcher = join(0), *watched = join(1);
    channel_client_sign_in(watcher, "ann", list);
    scenario_settle(&scenario);
    cr_expect_eq(channel_client_count(watcher, "pusher:signin_success", NULL), 1);
    cr_expect_eq(channel_client_heard(watcher, "pusher:error", NULL, 0)->code, 4302);
    cr_expect_eq(channel_client_count(watcher, WATCHLIST, NULL), 1);
    channel_client_sign_in(watched, "w99", NULL);
    scenario_settle(&scenario);
    cr_expect_eq(channel_client_count(watcher, WATCHLIST, NULL), 2, "the hundredth is watched");
    struct channel_client *more = join(2);
    channel_client_sign_in(more, "w100", NULL);
    scenario_settle(&scenario);
    cr_expect_eq(channel_client_count(watcher, WATCHLIST, NULL), 2, "the next is not");
    scenario_stop(&scenario);
}
