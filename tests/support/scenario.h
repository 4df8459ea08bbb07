/* tests/support/scenario.h - a whole server on the fake kernel, and clients that talk to it.
 *
 * Clients send numbers: a message is eight hexadecimal digits, perhaps with padding behind them, and what a client
 * hears is kept as a list of numbers. A number is its speaker's index and a serial, so that it is said once only.
 * Everything a client does lands in the fake sockets at once; the server sees it when the seed lets a shard run.
 * Clients of other protocols (channel_client.h, api_client.h) stand on these and bring their own ears. */
#pragma once

#include "server/run/server.h"
#include "tests/support/fake_kernel.h"

#define SCENARIO_CLIENTS_MAX 1024
#define SCENARIO_CROWD_MAX   256 /* of clients who come and go at random */
#define SCENARIO_SERIAL_BITS 20

struct bytes;

struct client {
    uint32_t index; /* in scenario->clients */
    struct fake_socket *socket;
    bool is_reading; /* takes what comes; clear it for a stuck one */
    bool is_mute;    /* answers neither pings nor close frames */
    unsigned status; /* of the HTTP answer; 101: open; 0: none yet */
    uint16_t code;   /* of the server's close frame; 0: none came */
    uint32_t pings;
    uint32_t said;                               /* how many numbers; the next serial */
    bool is_open;                                /* its 101 was seen by scenario_step() */
    uint32_t said_at_open[SCENARIO_CLIENTS_MAX]; /* how much each client had said then */
    uint32_t *heard;                             /* numbers, in the order they came */
    uint32_t heard_count, heard_capacity;
    uint8_t *in; /* not yet understood */
    size_t in_count, in_capacity;

    void *owner; /* of a client of another protocol; and its ears, NULL where those above will do: */
    bool (*understand)(struct client *client, struct bytes *in); /* takes one answer or frame off; false: more */
    void (*take)(struct client *client, uint8_t opcode, const uint8_t *payload, size_t count); /* a message */
    void (*free_owner)(void *owner);
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
/* The shards have ended. */
void scenario_free(struct scenario *scenario);

uint64_t scenario_counter(const struct scenario *scenario, enum counter counter);
/* The path of a room that lives on that shard. `which` tells several apart. */
const char *scenario_room(const struct scenario *scenario, uint32_t home, uint32_t which, char path_r[64]);

/* Connects to a shard, and says nothing. */
struct client *client_connect(struct scenario *scenario, uint32_t shard, size_t send_buffer);
/* Connects to a shard and asks for a WebSocket. */
struct client *client_join(struct scenario *scenario, uint32_t shard, const char *path, size_t send_buffer);
/* Says its next number. */
void client_say(struct client *client, uint32_t padding);
/* Says that many numbers at once. */
void client_flood(struct client *client, uint32_t count);
void client_frame(struct client *client, uint8_t opcode, const void *payload, size_t count);
/* A close frame; the socket ends when the server's has come. */
void client_close(struct client *client, uint16_t code);
/* Takes what has come and answers pings and closes. */
void client_read(struct client *client);

/* Asserts that the reader heard all that these have said, each in order, and nothing else. */
void client_check_heard_all(const struct client *reader, struct client *const speakers[], uint32_t count);
/* Asserts that what the reader heard is what the witness heard from some point on (without the reader's own words):
 * no other order, no gap; up to the end if the reader has stayed. Nothing that was said after the reader's 101 came
 * before that point. The witness has been there from the beginning, and hears everything. */
void client_check_order(const struct client *reader, const struct client *witness, bool has_stayed, bool has_echo);
