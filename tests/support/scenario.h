/* tests/support/scenario.h - a whole server on the fake kernel, and clients that talk to it.
 *
 * Clients send numbers: a message is eight hexadecimal digits, perhaps with padding behind them, and what a client
 * hears is kept as a list of numbers. Everything a client does lands in the fake sockets at once; the server sees it
 * when the seed lets a shard run. */
#pragma once

#include "server/server.h"
#include "tests/support/fake_kernel.h"

#define SCENARIO_CLIENTS_MAX 256

struct client {
    struct fake_socket *socket;
    bool is_reading; /* takes what comes; clear it for a stuck one */
    bool is_mute;    /* answers neither pings nor close frames */
    unsigned status; /* of the HTTP answer; 101: open; 0: none yet */
    uint16_t code;   /* of the server's close frame; 0: none came */
    uint32_t pings;
    uint32_t *heard; /* numbers, in the order they came */
    uint32_t heard_count, heard_capacity;
    uint8_t *in; /* not yet understood */
    size_t in_count, in_capacity;
};

struct scenario {
    struct options options;
    struct server server;
    struct client clients[SCENARIO_CLIENTS_MAX];
    uint32_t clients_count;
    uint64_t steps;
};

/* Starts a server with these flags (NULL-terminated, without --listen). */
void scenario_start(struct scenario *scenario, uint64_t seed, const char *const flags[]);
/* One step of the kernel, then some clients read. False: nobody has anything to do for ms. */
bool scenario_step(struct scenario *scenario, uint64_t ms);
/* Until nothing has happened for 50 ms of fake time. */
void scenario_settle(struct scenario *scenario);
/* Lets that much fake time go by. */
void scenario_pass(struct scenario *scenario, uint64_t ms);
/* Ends all connections that are left, and checks that the server has given back all it held. Then frees it. */
void scenario_stop(struct scenario *scenario);

uint64_t scenario_counter(const struct scenario *scenario, enum counter counter);
/* The path of a room that lives on that shard. `which` tells several apart. */
const char *scenario_room(const struct scenario *scenario, uint32_t home, uint32_t which, char path_r[64]);

/* Connects to a shard and asks for a WebSocket. */
struct client *client_join(struct scenario *scenario, uint32_t shard, const char *path, size_t send_buffer);
void client_say(struct client *client, uint32_t number, uint32_t padding);
void client_frame(struct client *client, uint8_t opcode, const void *payload, size_t count);
/* A close frame; the socket ends when the server's has come. */
void client_close(struct client *client, uint16_t code);
/* Takes what has come and answers pings and closes. */
void client_read(struct client *client);
