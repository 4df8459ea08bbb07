/* tests/support/scenario.c - starting, stepping and stopping; what clients write and understand. */
#include "tests/support/scenario.h"

#include "server/config/options_read.h"

#include "core/bytes.h"
#include "net/frame.h"
#include "server/cluster/cluster.h"
#include "server/store/store.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define STEPS_MAX 300000 /* a server that does not come to rest is a bug */

/* ---- the server ---- */

void scenario_start(struct scenario *scenario, uint64_t seed, const char *const flags[])
{
    char reason[600];
    const char *argv[64] = {"ringcast", "--listen", "127.0.0.1:0", "--connections-max", "280"};
    int argc = 5;
    for (; *flags != NULL; flags++) {
        argv[argc++] = *flags;
    }
    *scenario = (struct scenario){0};
    fake_kernel_init(seed);
    cr_assert_eq(options_read(&scenario->options, argc, (char *const *)argv, NULL, reason, sizeof reason), RC_OK,
                 "%s", reason);
    uint32_t slots_max = (uint32_t)scenario->options.connections_max + 20; /* of each shard: all may come to one */
    cr_assert_eq(server_init(&scenario->server, &scenario->options, slots_max, reason, sizeof reason), RC_OK, "%s",
                 reason);
    cr_assert_eq(server_start(&scenario->server, reason, sizeof reason), RC_OK);
}

static void note_open(const struct scenario *scenario, struct client *client)
{
    if (client->is_open || client->status != 101) return;
    client->is_open = true;
    for (uint32_t i = 0; i < scenario->clients_count; i++) {
        client->said_at_open[i] = scenario->clients[i].said;
    }
}

bool scenario_step(struct scenario *scenario, uint64_t ms)
{
    cr_assert_lt(scenario->steps++, STEPS_MAX, "the server does not come to rest");
    bool has_run = fake_kernel_step(fake_now_ms() + ms);
    for (uint32_t i = 0; i < scenario->clients_count; i++) {
        if (!has_run || fake_random(8) == 0) client_read(&scenario->clients[i]);
        note_open(scenario, &scenario->clients[i]);
    }
    return has_run;
}

void scenario_settle(struct scenario *scenario)
{
    for (int quiet = 0; quiet < 2; quiet++) {
        while (scenario_step(scenario, 50)) {
            quiet = 0;
        }
    }
}

void scenario_pass(struct scenario *scenario, uint64_t ms)
{
    uint64_t until_ms = fake_now_ms() + ms;
    while (fake_now_ms() < until_ms) {
        scenario_step(scenario, until_ms - fake_now_ms());
    }
    scenario_settle(scenario);
}

uint64_t scenario_counter(const struct scenario *scenario, enum counter counter)
{
    const struct counters *sets[SHARDS_MAX + 2];
    uint32_t count = 0;
    for (; count < scenario->server.shards_count; count++) {
        sets[count] = &scenario->server.shards[count].counters;
    }
    if (scenario->server.store != NULL) sets[count++] = store_counters(scenario->server.store);
    if (scenario->server.cluster != NULL) sets[count++] = cluster_counters(scenario->server.cluster);
    return counters_sum(sets, count, counter);
}

const char *scenario_room(const struct scenario *scenario, uint32_t home, uint32_t which, char path_r[64])
{
    for (uint32_t n = 0;; n++) {
        int length = snprintf(path_r, 64, "/room/%u", n);
        struct name name = name_of(0, (struct text){path_r + 6, (size_t)length - 6});
        if (hub_home(&scenario->server.shards[0].hub, &name) == home && which-- == 0) return path_r;
    }
}

static void check_all_is_given_back(const struct scenario *scenario)
{
    static const enum counter gauges[] = {COUNTER_connections_open, COUNTER_messages_live, COUNTER_outbox_bytes,
                                          COUNTER_channels,         COUNTER_subscriptions, COUNTER_letters_waiting,
                                          COUNTER_stale_completions};
    for (size_t i = 0; i < sizeof gauges / sizeof gauges[0]; i++) {
        cr_expect_eq(scenario_counter(scenario, gauges[i]), 0, "%s is %lu", counter_name(gauges[i]),
                     scenario_counter(scenario, gauges[i]));
    }
    for (uint32_t i = 0; i < scenario->server.shards_count; i++) {
        const struct shard *shard = &scenario->server.shards[i];
        cr_expect_eq(counter_get(&shard->counters, COUNTER_connections_open), 0);
        cr_expect_eq(shard->hub.count, 0);
        cr_expect_eq(pool_in_use(&shard->channel.subscriptions), 0);
        cr_expect_eq(shard->post.waiting, 0);
    }
}

void scenario_stop(struct scenario *scenario)
{
    for (uint32_t i = 0; i < scenario->clients_count; i++) {
        if (fake_random(2)) fake_reset(scenario->clients[i].socket);
        fake_shutdown(scenario->clients[i].socket);
    }
    scenario_settle(scenario);
    check_all_is_given_back(scenario);
    server_set_stage(&scenario->server, SERVER_STOPPED);
    while (!server_has_ended(&scenario->server)) {
        scenario_step(scenario, 1);
    }
    scenario_free(scenario);
}

void scenario_free(struct scenario *scenario)
{
    server_join(&scenario->server);
    server_fini(&scenario->server);
    options_fini(&scenario->options);
    for (uint32_t i = 0; i < scenario->clients_count; i++) {
        fake_socket_free(scenario->clients[i].socket);
        if (scenario->clients[i].free_owner != NULL) scenario->clients[i].free_owner(scenario->clients[i].owner);
        free(scenario->clients[i].heard);
        free(scenario->clients[i].in);
    }
}

/* ---- what clients say ---- */

struct client *client_connect(struct scenario *scenario, uint32_t shard, size_t send_buffer)
{
    cr_assert_lt(scenario->clients_count, SCENARIO_CLIENTS_MAX);
    struct client *client = &scenario->clients[scenario->clients_count];
    *client = (struct client){.index = scenario->clients_count++, .is_reading = true};
    client->socket = fake_connect(scenario->server.shards[shard].ring, send_buffer);
    return client;
}

struct client *client_join(struct scenario *scenario, uint32_t shard, const char *path, size_t send_buffer)
{
    struct client *client = client_connect(scenario, shard, send_buffer);
    char request[512];
    int count = snprintf(request, sizeof request,
                         "GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                         path);
    fake_write(client->socket, request, (size_t)count);
    return client;
}

void client_frame(struct client *client, uint8_t opcode, const void *payload, size_t count)
{
    uint8_t header[FRAME_CLIENT_HEADER_BYTES_MAX];
    size_t header_bytes = frame_header_write(header, opcode, count);
    uint32_t mask = fake_random(UINT32_MAX);
    uint8_t *masked = malloc(count + 1);
    header[1] |= 0x80;
    memcpy(header + header_bytes, &mask, sizeof mask);
    if (count > 0) memcpy(masked, payload, count);
    frame_unmask(masked, count, mask, 0);
    fake_write(client->socket, header, header_bytes + sizeof mask);
    fake_write(client->socket, masked, count);
    free(masked);
}

void client_say(struct client *client, uint32_t padding)
{
    uint32_t number = client->index << SCENARIO_SERIAL_BITS | client->said++;
    char digits[9];
    char *text = malloc(8 + padding);
    snprintf(digits, sizeof digits, "%08x", number);
    memcpy(text, digits, 8);
    memset(text + 8, 'x', padding);
    client_frame(client, FRAME_TEXT, text, 8 + padding);
    free(text);
}

void client_flood(struct client *client, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        client_say(client, 0);
    }
}

void client_close(struct client *client, uint16_t code)
{
    uint8_t payload[2] = {(uint8_t)(code >> 8), (uint8_t)code};
    client_frame(client, FRAME_CLOSE, payload, sizeof payload);
}

/* ---- what clients hear ---- */

static void hear(struct client *client, const uint8_t *payload, size_t count)
{
    char digits[9] = {0};
    cr_assert_geq(count, 8);
    memcpy(digits, payload, 8);
    if (client->heard_count == client->heard_capacity) {
        client->heard_capacity = 2 * client->heard_capacity + 64;
        client->heard = realloc(client->heard, client->heard_capacity * sizeof client->heard[0]);
    }
    client->heard[client->heard_count++] = (uint32_t)strtoul(digits, NULL, 16);
}

static void take_frame(struct client *client, uint8_t opcode, const uint8_t *payload, size_t count)
{
    cr_assert_eq(client->code, 0, "something came behind the close frame");
    switch (opcode) {
    case FRAME_TEXT:
    case FRAME_BINARY:
        if (client->take != NULL) {
            client->take(client, opcode, payload, count);
        } else {
            hear(client, payload, count);
        }
        break;
    case FRAME_PING:
        client->pings++;
        if (!client->is_mute) client_frame(client, FRAME_PONG, payload, count);
        break;
    case FRAME_CLOSE:
        client->code = count >= 2 ? (uint16_t)(payload[0] << 8 | payload[1]) : 1005;
        if (!client->is_mute) client_close(client, client->code);
        break;
    case FRAME_PONG:
        break;
    default:
        cr_assert_fail("a frame of opcode %u", opcode);
    }
}

/* Takes one HTTP answer or frame off the front; false: it is not whole yet. */
static bool understand(struct client *client, struct bytes *in)
{
    struct bytes at = *in;
    if (client->status == 0) {
        uint8_t *end = memmem(at.at, at.count, "\r\n\r\n", 4);
        if (end == NULL) return false;
        cr_assert(memcmp(at.at, "HTTP/1.1 ", 9) == 0);
        client->status = (unsigned)strtoul((char *)at.at + 9, NULL, 10);
        bytes_take(in, (size_t)(end + 4 - at.at));
        return true;
    }
    if (client->status != 101) return false; /* the refusal's text */
    uint8_t first = bytes_u8(&at);
    uint64_t length = bytes_u8(&at);
    if (length == 126) {
        length = bytes_u16(&at);
    } else if (length == 127) {
        length = bytes_u64(&at);
    }
    uint8_t *payload = bytes_take(&at, length);
    if (at.ran_short) return false;
    cr_assert(first & 0x80, "the server sends whole messages");
    take_frame(client, first & 0x0f, payload, length);
    *in = at;
    return true;
}

void client_read(struct client *client)
{
    if (!client->is_reading) return;
    for (size_t got = 1; got > 0; client->in_count += got) {
        if (client->in_capacity - client->in_count < 4096) {
            client->in_capacity = 2 * client->in_capacity + 8192;
            client->in = realloc(client->in, client->in_capacity);
        }
        got = fake_read(client->socket, client->in + client->in_count, client->in_capacity - client->in_count);
    }
    struct bytes in = bytes_of(client->in, client->in_count);
    while (client->understand != NULL ? client->understand(client, &in) : understand(client, &in)) {
    }
    memmove(client->in, in.at, in.count);
    client->in_count = in.count;
}

/* ---- what they should have heard ---- */

void client_check_heard_all(const struct client *reader, struct client *const speakers[], uint32_t count)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t serial = 0;
        for (uint32_t k = 0; k < reader->heard_count; k++) {
            if (reader->heard[k] >> SCENARIO_SERIAL_BITS != speakers[i]->index) continue;
            cr_assert_eq(reader->heard[k], speakers[i]->index << SCENARIO_SERIAL_BITS | serial,
                         "a gap or a repetition");
            serial++;
        }
        cr_assert_eq(serial, speakers[i]->said, "%u of %u were heard", serial, speakers[i]->said);
        total += serial;
    }
    cr_assert_eq(reader->heard_count, total, "nothing else was heard");
}

void client_check_order(const struct client *reader, const struct client *witness, bool has_stayed, bool has_echo)
{
    uint32_t next = 0, own = reader->index;
    bool has_begun = false;
    for (uint32_t i = 0; i < witness->heard_count && (has_stayed || next < reader->heard_count); i++) {
        uint32_t number = witness->heard[i], speaker = number >> SCENARIO_SERIAL_BITS;
        if (!has_echo && speaker == own) continue;
        has_begun = has_begun || (reader->heard_count > 0 && number == reader->heard[0]);
        if (has_begun) {
            cr_assert_lt(next, reader->heard_count, "client %u missed %08x at its end", own, number);
            cr_assert_eq(reader->heard[next], number, "client %u heard %08x instead of %08x", own,
                         reader->heard[next], number);
            next++;
        } else {
            uint32_t serial = number & ((1u << SCENARIO_SERIAL_BITS) - 1);
            cr_assert_lt(serial, reader->said_at_open[speaker], "client %u missed %08x after its 101", own, number);
        }
    }
    cr_assert_eq(next, reader->heard_count, "client %u heard what nobody else did", own);
}
