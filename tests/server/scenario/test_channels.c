/* tests/server/scenario/test_channels.c - what subscribers of channels hear on a whole server with a fake kernel: all
 * of it, in one order, from their success on.
 *
 * Method: that of tests/server/scenario/test_scenario.c, with clients of tests/support/channel_client.h, which assert
 * by themselves what every client may rely on. */
#include "net/frame.h"
#include "tests/support/api_client.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define FLAGS(...)  CHANNEL_FLAGS("client_events_per_second=1000 cache_ms=5s", __VA_ARGS__)
#define SEND_BUFFER 65536

static struct scenario scenario;

static const char *const prefixes[] = {
    "room-",          "private-",        "presence-",          "cache-",
    "private-cache-", "presence-cache-", "private-encrypted-", "private-encrypted-cache-"};
#define PREFIXES (sizeof prefixes / sizeof prefixes[0])

/* Cache channels stay for their last event's sake. */
static void forget_and_stop(void)
{
    scenario_pass(&scenario, 6000);
    scenario_stop(&scenario);
}

static bool is_presence(const char *channel)
{
    return strncmp(channel, "presence-", 9) == 0;
}

static bool has_client_events(const char *channel)
{
    return strncmp(channel, "private-encrypted-", 18) != 0 &&
           (strncmp(channel, "private-", 8) == 0 || is_presence(channel));
}

static void subscribe(struct channel_client *client, const char *channel)
{
    char id[20];
    snprintf(id, sizeof id, "u%u", client->client->index);
    if (is_presence(channel)) {
        channel_client_subscribe_as(client, channel, id);
    } else {
        channel_client_subscribe(client, channel);
    }
}

/* ---- order ---- */

/* The next event of the channel that a client said or a backend published, from *at on; NULL: no more. */
static const struct heard_event *next_said(const struct channel_client *client, const char *channel, uint32_t *at)
{
    while (*at < client->heard_count) {
        const struct heard_event *heard = &client->heard[(*at)++];
        if (heard->channel == NULL || strcmp(heard->channel, channel) != 0) continue;
        if (strncmp(heard->event, "client-", 7) == 0 || strcmp(heard->event, "published") == 0) return heard;
    }
    return NULL;
}

/* Asserts that the reader heard what the witness did, but its own words; data begins with "INDEX-" of who said it. */
static void check_same_order(const struct channel_client *reader, const struct channel_client *witness,
                             const char *channel)
{
    char own[20];
    uint32_t reader_at = 0, witness_at = 0, count = 0;
    const struct heard_event *expected;
    snprintf(own, sizeof own, "%u-", reader->client->index);
    while ((expected = next_said(witness, channel, &witness_at)) != NULL) {
        if (strncmp(expected->data, own, strlen(own)) == 0) continue;
        const struct heard_event *heard = next_said(reader, channel, &reader_at);
        cr_assert_not_null(heard, "client %u, %s: %s is missing", reader->client->index, channel, expected->data);
        cr_assert_str_eq(heard->data, expected->data, "client %u, %s", reader->client->index, channel);
        cr_assert_str_eq(heard->event, expected->event);
        if (strncmp(heard->event, "client-", 7) == 0) {
            cr_assert_eq(heard->user_id != NULL, is_presence(channel), "only members have ids");
        }
        count++;
    }
    cr_assert_null(next_said(reader, channel, &reader_at), "and nothing else");
    cr_assert_gt(count, 0);
}

static void run_a_while(uint32_t most)
{
    for (uint32_t left = fake_random(most); left > 0; left--) {
        scenario_step(&scenario, 0);
    }
}

Test(channels, of_every_type_give_all_their_subscribers_one_order, .timeout = 240)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        uint32_t shards = 1 + (uint32_t)seed % 3;
        char count[8], channels[PREFIXES][64], data[40];
        struct channel_client *clients[6];
        snprintf(count, sizeof count, "%u", shards);
        scenario_start(&scenario, seed, FLAGS("--shards", count, "--mailbox-letters", seed % 2 ? "64" : "2048"));
        for (uint32_t i = 0; i < 6; i++) {
            clients[i] = channel_client_join(&scenario, i % shards, CHANNEL_APP_KEY, SEND_BUFFER);
        }
        struct api_client *backends[2] = {api_client_join(&scenario, 0, SEND_BUFFER),
                                          api_client_join(&scenario, fake_random(shards), SEND_BUFFER)};
        scenario_settle(&scenario);
        for (uint32_t i = 0; i < PREFIXES; i++) {
            channel_name(&scenario, prefixes[i], fake_random(shards), 0, channels[i]);
            for (uint32_t k = 0; k < 6; k++) {
                subscribe(clients[k], channels[i]);
            }
        }
        scenario_settle(&scenario);
        for (uint32_t serial = 0; serial < 300; serial++) {
            const char *channel = channels[fake_random(PREFIXES)];
            uint32_t speaker = 1 + fake_random(5); /* the first one is the witness */
            if (has_client_events(channel) && fake_random(2)) {
                snprintf(data, sizeof data, "\"%u-%u\"", clients[speaker]->client->index, serial);
                channel_client_send(clients[speaker], channel, "client-said", data);
            } else {
                snprintf(data, sizeof data, "backend-%u", serial);
                api_client_publish(backends[fake_random(2)], channel, "published", data);
            }
            run_a_while(6);
        }
        scenario_settle(&scenario);
        for (uint32_t i = 0; i < PREFIXES; i++) {
            for (uint32_t k = 0; k < 6; k++) {
                cr_assert(channel_client_is_in(clients[k], channels[i]), "client %u, %s, seed %lu", k, channels[i],
                          seed);
                check_same_order(clients[k], clients[0], channels[i]);
            }
        }
        forget_and_stop();
    }
}

/* ---- from the success on ---- */

#define LATE 30

static uint32_t published; /* by the one backend, to the one channel */

/* Asserts that the numbers it heard have no gap, begin not behind what was published when it had its success, and end
 * with the last one if it has stayed. */
static void check_from_success_on(const struct channel_client *client, const char *channel, uint32_t asked_at,
                                  bool has_stayed)
{
    uint32_t at = 0, first = 0, next = 0;
    bool has_begun = false;
    const struct heard_event *heard;
    const struct heard_event *success =
        channel_client_heard(client, "pusher_internal:subscription_succeeded", channel, 0);
    if (success == NULL) {
        cr_assert_not(has_stayed);
        return;
    }
    while ((heard = next_said(client, channel, &at)) != NULL) {
        uint32_t number = (uint32_t)strtoul(heard->data, NULL, 10);
        if (!has_begun) first = next = number;
        has_begun = true;
        cr_assert_eq(number, next, "client %u heard %u instead of %u", client->client->index, number, next);
        next++;
    }
    if (!has_begun) {
        cr_assert(!has_stayed || success->said_then == published, "client %u heard nothing", client->client->index);
        return;
    }
    cr_assert_leq(first, success->said_then, "nothing after its success was missed");
    bool has_cached = strstr(channel, "cache-") != NULL; /* the last one before it */
    cr_assert_geq(first + has_cached, asked_at, "it was not there yet");
    if (has_stayed) cr_assert_eq(next, published, "client %u missed the end", client->client->index);
}

Test(channels, are_heard_from_the_success_on_without_a_gap, .timeout = 240)
{
    for (uint64_t seed = 1; seed <= 30; seed++) {
        uint32_t shards = 1 + (uint32_t)seed % 3, late_count = 0, asked_at[LATE];
        char count[8], channel[64], data[40];
        struct channel_client *late[LATE];
        bool has_left[LATE] = {false};
        snprintf(count, sizeof count, "%u", shards);
        scenario_start(&scenario, seed, FLAGS("--shards", count, "--mailbox-letters", "64"));
        channel_name(&scenario, prefixes[seed % PREFIXES], (uint32_t)seed % shards, 0, channel);
        struct api_client *backend = api_client_join(&scenario, 0, SEND_BUFFER);
        published = 0;
        for (uint32_t i = 0; i < LATE; i++) {
            late[i] = channel_client_join(&scenario, fake_random(shards), CHANNEL_APP_KEY, 2000 + fake_random(9000));
            late[i]->now = &published;
        }
        scenario_settle(&scenario);
        while (published < 200) {
            for (uint32_t burst = 1 + fake_random(10); burst > 0 && published < 200; burst--) {
                snprintf(data, sizeof data, "%u", published++);
                api_client_publish(backend, channel, "published", data);
            }
            if (late_count < LATE && fake_random(3) > 0) {
                asked_at[late_count] = backend->answers_count;
                subscribe(late[late_count++], channel);
            }
            uint32_t leaving = fake_random(3 * LATE);
            if (leaving < late_count && !has_left[leaving]) {
                has_left[leaving] = true;
                if (fake_random(2)) channel_client_unsubscribe(late[leaving], channel);
                if (fake_random(2)) fake_reset(late[leaving]->client->socket);
            }
            run_a_while(10);
        }
        scenario_settle(&scenario);
        cr_assert_eq(backend->answers_count, 200, "seed %lu", seed);
        for (uint32_t i = 0; i < late_count; i++) {
            check_from_success_on(late[i], channel, asked_at[i], !has_left[i]);
        }
        forget_and_stop();
    }
}

/* ---- who is left out ---- */

Test(channels, a_backend_can_leave_out_one_socket, .timeout = 30)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        char channel[64], *body;
        struct channel_client *clients[6];
        scenario_start(&scenario, seed, FLAGS("--shards", "3"));
        channel_name(&scenario, "room-", seed % 3, 0, channel);
        for (uint32_t i = 0; i < 6; i++) {
            clients[i] = channel_client_join(&scenario, i % 3, CHANNEL_APP_KEY, SEND_BUFFER);
        }
        struct api_client *backend = api_client_join(&scenario, 1, SEND_BUFFER);
        scenario_settle(&scenario);
        for (uint32_t i = 0; i < 6; i++) {
            subscribe(clients[i], channel);
        }
        scenario_settle(&scenario);
        for (uint32_t i = 0; i < 6; i++) {
            cr_assert_geq(asprintf(&body,
                                   "{\"name\":\"published\",\"channel\":\"%s\",\"data\":\"%u\","
                                   "\"socket_id\":\"%s\"}",
                                   channel, i, clients[i]->socket_id),
                          0);
            api_client_post(backend, "/events", body);
            free(body);
        }
        scenario_settle(&scenario);
        cr_expect_str_eq(api_client_last(backend, 200), "{}");
        for (uint32_t i = 0; i < 6; i++) {
            uint32_t at = 0, expected = 0;
            const struct heard_event *heard;
            while ((heard = next_said(clients[i], channel, &at)) != NULL) {
                if (expected == i) expected++;
                cr_assert_eq(strtoul(heard->data, NULL, 10), expected);
                expected++;
            }
            cr_expect_eq(expected, i == 5 ? 5 : 6, "client %u, seed %lu", i, seed);
        }
        scenario_stop(&scenario);
    }
}

/* Goal: a socket id cannot be made up from what others look like: its first number is nobody's but by chance. */
Test(channels, a_socket_id_cannot_be_guessed, .timeout = 30)
{
    enum { CLIENTS = 60 };
    static unsigned long first[CLIENTS];
    struct channel_client *clients[CLIENTS];
    char guessed[64], *body;
    scenario_start(&scenario, 1, FLAGS("--shards", "2"));
    struct api_client *backend = api_client_join(&scenario, 0, SEND_BUFFER);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        clients[i] = channel_client_join(&scenario, i % 2, CHANNEL_APP_KEY, SEND_BUFFER);
    }
    scenario_settle(&scenario);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        first[i] = strtoul(clients[i]->socket_id, NULL, 10);
        cr_assert_gt(first[i], 0);
        for (uint32_t k = 0; k < i; k++) {
            cr_assert_neq(first[i], first[k], "%s and %s", clients[i]->socket_id, clients[k]->socket_id);
        }
    }
    unsigned long large = 0;
    for (uint32_t i = 0; i < CLIENTS; i++) {
        large += first[i] > UINT32_MAX / 2;
    }
    cr_expect(large > 5 && large < CLIENTS - 5, "%lu of %d are in the upper half", large, CLIENTS);
    subscribe(clients[0], "room");
    scenario_settle(&scenario);
    const char *second = strchr(clients[0]->socket_id, '.');
    snprintf(guessed, sizeof guessed, "%lu%s", first[0] + 1, second);
    const char *const left_out[] = {guessed, clients[0]->socket_id};
    for (uint32_t i = 0; i < 2; i++) {
        cr_assert_geq(asprintf(&body,
                               "{\"name\":\"published\",\"channel\":\"room\",\"data\":\"%u\",\"socket_id\":\"%s\"}",
                               i, left_out[i]),
                      0);
        api_client_post(backend, "/events", body);
        free(body);
        scenario_settle(&scenario);
        api_client_last(backend, 200);
    }
    cr_expect_eq(channel_client_count(clients[0], "published", "room"), 1, "a wrong guess leaves nobody out");
    scenario_stop(&scenario);
}

/* ---- rooms ---- */

/* Goal: a room and the channel of its name are one: text goes both ways in one order, binary only to the room.
 * Method: raw clients say numbers of eight digits, as text or binary; the backend publishes such numbers. */
Test(channels, and_rooms_hear_each_other, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        uint32_t shards = 1 + (uint32_t)seed % 3, binaries = 0;
        char count[8], room[64], digits[9];
        snprintf(count, sizeof count, "%u", shards);
        scenario_start(&scenario, seed, FLAGS("--shards", count, "--mailbox-letters", "64", "--lobby-echo"));
        const char *channel = scenario_room(&scenario, (uint32_t)seed % shards, 0, room) + strlen("/room/");
        struct client *raw[3];
        struct channel_client *clients[3];
        for (uint32_t i = 0; i < 3; i++) {
            raw[i] = client_join(&scenario, i % shards, room, SEND_BUFFER);
            clients[i] = channel_client_join(&scenario, fake_random(shards), CHANNEL_APP_KEY, SEND_BUFFER);
        }
        struct api_client *backend = api_client_join(&scenario, 0, SEND_BUFFER);
        scenario_settle(&scenario);
        for (uint32_t i = 0; i < 3; i++) {
            channel_client_subscribe(clients[i], channel);
        }
        scenario_settle(&scenario);
        for (uint32_t serial = 0; serial < 200; serial++) {
            uint32_t kind = fake_random(4);
            /* Numbers of the room's speakers are their own; the highest bit says binary, the next the backend. */
            snprintf(digits, sizeof digits, "%08x",
                     serial | (uint32_t)(kind == 0) << 31 | (uint32_t)(kind == 1) << 30);
            if (kind == 1) {
                api_client_publish(backend, channel, "message", digits);
            } else {
                client_frame(raw[fake_random(3)], kind == 0 ? FRAME_BINARY : FRAME_TEXT, digits, 8);
            }
            binaries += kind == 0;
            run_a_while(5);
        }
        scenario_settle(&scenario);
        for (uint32_t i = 0; i < 3; i++) {
            cr_assert_eq(raw[i]->heard_count, 200);
            cr_assert_arr_eq(raw[i]->heard, raw[0]->heard, 200 * sizeof raw[0]->heard[0]);
            cr_assert_eq(channel_client_count(clients[i], "message", channel), 200 - binaries);
            for (uint32_t k = 0, n = 0; k < 200; k++) {
                if (raw[0]->heard[k] >> 31) continue;
                const char *data = channel_client_heard(clients[i], "message", channel, n++)->data;
                cr_assert_eq(strtoul(data, NULL, 16), raw[0]->heard[k], "in the room's order");
            }
        }
        scenario_stop(&scenario);
    }
}
