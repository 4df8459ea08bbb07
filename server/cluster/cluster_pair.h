/* server/cluster/cluster_pair.h - this node's two connections to one Redis: A for scripts and reads, B for what Redis
 * pushes. Both come and go together, for what one of them reads is only whole if the other speaks to the same server.
 *
 *     cluster_pair_poll(pair, fds)            what to wait for, and for how long at most: cluster_pair_due_ms()
 *     cluster_pair_run(pair, fds, now)        connects, receives, tells; reconnects with a pause that grows
 *     cluster_pair_ask(), _subscribe()        while it is up; sent by cluster_pair_flush()
 *
 * Coming up it asks for the server's time, loads the scripts and agrees with the other nodes on a generation: a number
 * that all have for one life of the server, and a larger one for the next (scripts/generation.lua). Each second it
 * asks for time and role again, and publishes to a channel of its own over A what has to come back on B: a connection
 * that is there and deaf shows by nothing else. Where there are Sentinels, they say which server it is; when they name
 * another one, both connections are given up.
 * Threads:   one. Ownership: replies are its own; who is told looks at them.
 * Errors:    a connection that ends takes the other along. All questions are then answered with NULL, before `went`. */
#pragma once

#include "core/rc.h"
#include "core/text.h"
#include "server/cluster/redis_link.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#define PAIR_OUT_BYTES_MAX   (8 * 1024 * 1024)
#define PAIR_HEARTBEAT_MS    1000
#define PAIR_ANSWERS_AT_ONCE 512 /* of each connection in a round */

struct cluster_pair;
struct counters;

/* `reply` NULL: it may have been done, be done yet, or never. */
typedef void cluster_pair_answer(void *self, void *about, const redisReply *reply);

struct cluster_pair_settings {
    const struct redis_url *url; /* copied: which server, or who says so */
    struct redis_target target;  /* as whom; its place is that of the url, or the one that was named */
    struct text prefix;          /* outlives it, */
    const char *node;            /* as does this: the node's name */
    uint64_t silent_ms_max;
    size_t reply_bytes_max;
    void *self; /* the first argument of these: */
    /* It is up. `is_other_life`: the server was started anew, or is another one. */
    void (*came)(void *self, bool is_other_life);
    void (*went)(void *self);
    /* Something has come over B: a push, or an acknowledgement of what was said there. */
    void (*pushed)(void *self, const redisReply *reply);
};

/* NULL: out of memory. `counters` is the thread's. */
struct cluster_pair *cluster_pair_new(const struct cluster_pair_settings *settings, struct counters *counters);
/* Accepts NULL. Nobody is told: cluster_pair_end() first. */
void cluster_pair_free(struct cluster_pair *pair);
/* Both are of no use, for this reason: the next cluster_pair_run() ends them, and opens others later. */
void cluster_pair_give_up(struct cluster_pair *pair, enum redis_end end, const char *detail);
/* Ends both now, and tells it. */
void cluster_pair_end(struct cluster_pair *pair, uint64_t now_ms);

void cluster_pair_poll(const struct cluster_pair *pair, struct pollfd fds[2]);
/* When cluster_pair_run() has something to do without input; at most PAIR_HEARTBEAT_MS from now on. */
uint64_t cluster_pair_due_ms(const struct cluster_pair *pair, uint64_t now_ms);
void cluster_pair_run(struct cluster_pair *pair, const struct pollfd fds[2], uint64_t now_ms);
/* Pushes are not read until this is called with false. */
void cluster_pair_pause(struct cluster_pair *pair, bool is_paused);

bool cluster_pair_is_up(const struct cluster_pair *pair);
/* Asks over A. RC_OK: `answer` is called once. RC_EFULL, RC_EBUSY, RC_ENOMEM: not taken. */
enum rc cluster_pair_ask(struct cluster_pair *pair, const struct text *words, size_t count,
                         cluster_pair_answer *answer, void *self, void *about);
/* Says something over B, whose answers come by `pushed`. Errors as above. */
enum rc cluster_pair_say(struct cluster_pair *pair, const struct text *words, size_t count);
/* Sends at once what waits. */
void cluster_pair_flush(struct cluster_pair *pair, uint64_t now_ms);
/* The scripts are loaded before what is asked next. */
void cluster_pair_load_scripts(struct cluster_pair *pair);

/* 0: not known yet. */
uint64_t cluster_pair_generation(const struct cluster_pair *pair);
/* The server's clock, as far as it was told: never ahead of it. */
uint64_t cluster_pair_redis_ms(const struct cluster_pair *pair, uint64_t now_ms);
const struct redis_place *cluster_pair_place(const struct cluster_pair *pair);
const struct redis_server *cluster_pair_server(const struct cluster_pair *pair);
/* NULL: it is up, or why not and what helps; static. */
const char *cluster_pair_trouble(const struct cluster_pair *pair);
