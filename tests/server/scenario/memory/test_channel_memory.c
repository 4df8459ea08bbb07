/* tests/server/scenario/memory/test_channel_memory.c - clients of channels on a whole server with a fake kernel while
 * allocations fail: nothing is left behind, and who is still connected knows the members that there are.
 *
 * Method: that of tests/support/scarce.h, and log_write() wrapped too: what the server says it could not tell may be
 * missing, and nothing else. So are json_read() and digest_hmac_hex(), whose libraries' memory is not. */
#include "net/digest.h"
#include "net/json.h"
#include "tests/support/api_client.h"
#include "tests/support/scarce_steps.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define SHARDS      3
#define SEND_BUFFER 20000
#define CROWD       120
#define USERS       12

static struct scenario scenario;

/* ---- the log ---- */

static uint32_t untold; /* lines of the log: somebody was not told something */

void __wrap_log_write(enum log_level level, const char *format, ...);
void __wrap_log_write(enum log_level level, const char *format, ...)
{
    (void)level; /* its errors are what we cause */
    if (strstr(format, "not told") != NULL) untold++;
}

/* ---- libraries ---- */

enum rc __real_json_read(struct text text, yyjson_doc **doc_r, const char **reason_r);
enum rc __wrap_json_read(struct text text, yyjson_doc **doc_r, const char **reason_r);
enum rc __wrap_json_read(struct text text, yyjson_doc **doc_r, const char **reason_r)
{
    if (!scarce_fails()) return __real_json_read(text, doc_r, reason_r);
    *doc_r = NULL;
    if (reason_r != NULL) *reason_r = "out of memory";
    return RC_ENOMEM;
}

enum rc __real_digest_hmac_hex(struct text key, const struct text pieces[], size_t pieces_count,
                               char hex_r[DIGEST_HMAC_HEX_BYTES + 1]);
enum rc __wrap_digest_hmac_hex(struct text key, const struct text pieces[], size_t pieces_count,
                               char hex_r[DIGEST_HMAC_HEX_BYTES + 1]);
enum rc __wrap_digest_hmac_hex(struct text key, const struct text pieces[], size_t pieces_count,
                               char hex_r[DIGEST_HMAC_HEX_BYTES + 1])
{
    return scarce_fails() ? RC_ENOMEM : __real_digest_hmac_hex(key, pieces, pieces_count, hex_r);
}

/* ---- busy times ---- */

static const char *const channels[] = {"presence-a",      "presence-b", "presence-cache-c", "private-d",
                                       "private-cache-e", "room-f",     "cache-g"};
#define CHANNELS (sizeof channels / sizeof channels[0])

static struct channel_client *crowd[CROWD];
static uint32_t crowd_count;
static char user_of[CROWD][8];
static struct api_client *backend;

static bool is_presence(const char *channel)
{
    return strncmp(channel, "presence-", 9) == 0;
}

static void subscribe(struct channel_client *client, uint32_t index, const char *channel)
{
    if (is_presence(channel)) {
        channel_client_subscribe_as(client, channel, user_of[index]);
    } else {
        channel_client_subscribe(client, channel);
    }
}

static void come(void)
{
    uint32_t index = crowd_count++;
    snprintf(user_of[index], sizeof user_of[index], "u%u", fake_random(USERS));
    crowd[index] = channel_client_join(&scenario, fake_random(SHARDS), CHANNEL_APP_KEY, SEND_BUFFER);
    crowd[index]->is_lenient = true;
}

static void act(uint32_t index)
{
    char data[200];
    struct channel_client *client = crowd[index];
    const char *channel = channels[fake_random(CHANNELS)];
    const struct place *place = channel_client_place(client, channel);
    switch (fake_random(8)) {
    case 0:
        if (fake_random(3) > 0) break;
        if (fake_random(2)) fake_reset(client->client->socket);
        client_close(client->client, 1000);
        break;
    case 1:
        if (place != NULL && place->state != PLACE_LEFT) channel_client_unsubscribe(client, channel);
        break;
    case 2:
        snprintf(data, sizeof data, "{\"n\":[1,2,3],\"x\":\"%0*d\"}", (int)fake_random(100), 0);
        channel_client_send(client, channel, "client-x", data);
        break;
    case 3:
        channel_client_sign_in(client, user_of[index], fake_random(2) ? "[\"u0\",\"u1\",\"u2\",\"u3\"]" : NULL);
        break;
    default:
        if (place == NULL || place->state == PLACE_LEFT) subscribe(client, index, channel);
    }
}

static void call_backend(void)
{
    if (backend == NULL || fake_is_at_end(backend->client->socket)) {
        if (scenario.clients_count >= SCENARIO_CROWD_MAX - 10) return;
        backend = api_client_join(&scenario, fake_random(SHARDS), SEND_BUFFER);
    }
    switch (fake_random(6)) {
    case 0:
        api_client_get(backend, "/channels", "info=subscription_count");
        break;
    case 1:
        api_client_get(backend, "/channels/presence-a/users", "");
        break;
    case 2:
        if (fake_random(4) == 0) api_client_post(backend, "/users/u1/terminate_connections", "{}");
        break;
    case 3:
        api_client_post(backend, "/events",
                        "{\"name\":\"x\",\"data\":\"x\",\"info\":\"user_count\",\"channels\":["
                        "\"presence-a\",\"private-d\",\"cache-g\",\"#server-to-user-u2\"]}");
        break;
    default:
        api_client_publish(backend, channels[fake_random(CHANNELS)], "x", "y");
    }
}

static void busy_times(uint32_t one_in)
{
    for (uint32_t action = 0; action < 600; action++) {
        if (crowd_count < CROWD && fake_random(4) == 0) come();
        uint32_t index = crowd_count > 0 ? fake_random(crowd_count) : 0;
        if (crowd_count > 0 && channel_client_is_here(crowd[index])) act(index);
        if (fake_random(5) == 0) call_backend();
        if (scenario.clients_count > 0) scarce_steps(&scenario, fake_random(8), one_in);
    }
}

/* ---- afterwards ---- */

static bool is_there(const char *id, const char *channel)
{
    for (uint32_t i = 0; i < crowd_count; i++) {
        bool is_here = channel_client_is_here(crowd[i]) && strcmp(user_of[i], id) == 0;
        if (is_here && channel_client_is_in(crowd[i], channel)) return true;
    }
    return false;
}

/* How many of those who are in have another list than the members that there are. */
static uint32_t wrong_lists(const char *channel)
{
    char expected[2000] = "";
    uint32_t wrong = 0;
    static const char *const ids[USERS] = {"u0", "u1", "u10", "u11", "u2", "u3", "u4", "u5", "u6", "u7", "u8", "u9"};
    for (uint32_t user = 0; user < USERS; user++) {
        size_t used = strlen(expected);
        if (!is_there(ids[user], channel)) continue;
        snprintf(expected + used, sizeof expected - used, "%s={\"name\":\"%s\"} ", ids[user], ids[user]);
    }
    for (uint32_t i = 0; i < crowd_count; i++) {
        if (!channel_client_is_here(crowd[i]) || !channel_client_is_in(crowd[i], channel)) continue;
        wrong += strcmp(channel_client_members(crowd[i], channel), expected) != 0;
    }
    return wrong;
}

/* They do everything right: nobody is told that it did not, least of all by a code that keeps it away for good. */
static void check_nobody_is_blamed(uint64_t seed)
{
    static const enum close_reason blames[] = {CLOSE_UNAUTHORIZED, CLOSE_BAD_VERSION};
    for (size_t i = 0; i < sizeof blames / sizeof blames[0]; i++) {
        cr_expect_eq(scenario_counter(&scenario, counter_of_close(blames[i])), 0, "%zu, seed %lu", i, seed);
    }
    for (uint32_t i = 0; i < crowd_count; i++) {
        for (uint32_t k = 0; k < crowd[i]->heard_count; k++) {
            const struct heard_event *heard = &crowd[i]->heard[k];
            if (strcmp(heard->event, "pusher:error") == 0) {
                cr_expect_null(strstr(heard->data, "Invalid"), "%s, seed %lu", heard->data, seed);
            }
            if (strcmp(heard->event, "pusher:subscription_error") == 0) {
                cr_expect_null(strstr(heard->data, "AuthError"), "%s, seed %lu", heard->data, seed);
            }
        }
    }
}

Test(channel_memory, while_it_is_short_nothing_is_left_behind_and_lists_are_right, .timeout = 240)
{
    uint64_t closed = 0;
    for (uint64_t seed = 1; seed <= 24; seed++) {
        crowd_count = untold = 0;
        backend = NULL;
        scenario_start(&scenario, seed,
                       (const char *const[]){"--app",
                                             CHANNEL_APP " watchlist=yes subscription_counts=yes cache_ms=5s "
                                                         "client_events_per_second=1000",
                                             "--shards", "3", "--mailbox-letters", "16384", NULL});
        busy_times(20 + 40 * (uint32_t)seed);
        scenario_settle(&scenario);
        scenario_pass(&scenario, 20000);
        uint32_t wrong = 0;
        for (uint32_t i = 0; i < CHANNELS; i++) {
            if (is_presence(channels[i])) wrong += wrong_lists(channels[i]);
        }
        cr_expect(wrong == 0 || untold > 0, "%u lists are wrong, seed %lu", wrong, seed);

        /* Enough again: everyone who is still here can do what it likes. */
        for (uint32_t i = 0; i < crowd_count; i++) {
            if (channel_client_is_here(crowd[i])) subscribe(crowd[i], i, "private-at-last");
        }
        scenario_settle(&scenario);
        for (uint32_t i = 0; i < crowd_count; i++) {
            if (!channel_client_is_here(crowd[i])) continue;
            cr_expect(channel_client_is_in(crowd[i], "private-at-last"), "client %u, seed %lu", i, seed);
        }
        check_nobody_is_blamed(seed);
        closed += scenario_counter(&scenario, counter_of_close(CLOSE_NO_MEMORY));
        scenario_stop(&scenario);
    }
    cr_expect_gt(closed, 0);
    cr_expect_gt(scarce_failures, 100);
}
