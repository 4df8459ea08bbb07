/* tests/support/people_redis.h - nodes of server/cluster/people.h on a Redis in memory, which does what the scripts in
 * server/cluster/scripts say, in C. Commands of each node wait until the test has them done, one by one, and so do
 * pushes; the clock goes when the test says so. */
#pragma once

#include "server/cluster/people.h"
#include "server/cluster/people_event.h"
#include "server/cluster/people_way.h"

#include <stdbool.h>
#include <stdint.h>

#define PEOPLE_NODES    4
#define PEOPLE_LEASE_MS 15000

struct people_command;
struct people_pushed;

struct people_node {
    struct people *people; /* NULL: it has none, or died */
    bool is_linked;
    struct people_command *commands; /* the oldest first */
    struct people_pushed *pushes;
    char events[1 << 16]; /* what was told since they were looked at */
};

extern struct people_node people_nodes[PEOPLE_NODES];
extern uint64_t people_now_ms;
extern uint32_t people_users_max; /* of the largest LEAVE */

/* Empties Redis, and ends all nodes. */
void people_redis_begin(void);
void people_redis_end(void);
/* Redis loses all that it has; connections are not cut. */
void people_redis_forget(void);
/* How many fields, members and leases it has in all. */
uint32_t people_redis_count(void);
/* Has it a key that contains this? */
bool people_redis_has(const char *part);
/* The value of a field, "" for none; `part` is of the key. */
const char *people_redis_get(const char *part, const char *field);

/* A node begins, connected. */
struct people *people_node_begin(uint32_t node);
/* It dies: what it had sent is not done any more. */
void people_node_kill(uint32_t node);
void people_node_cut(uint32_t node);
void people_node_link(uint32_t node, bool is_other_generation);

/* Does one command, with its answer, and hands out one push. False: there was neither. */
bool people_node_step(uint32_t node);
bool people_node_answer(uint32_t node);
bool people_node_push(uint32_t node);
/* Lets all nodes but those that are said to stand still run until nothing is to be done now. */
void people_settle(void);
/* That much time later, in steps, with all that was due. */
void people_pass(uint64_t ms);
extern bool people_stands_still[PEOPLE_NODES];

/* What the node told since: "+ann:INFO -ben sum=2 added:presence-a/ann ". Static of the node. */
const char *people_told(uint32_t node);
