/* server/cluster/script_call.h - calls of the scripts, as the words of an EVALSHA.
 *
 * What each argument means, and what is answered, stands at the head of the script (server/cluster/scripts); here they
 * have names and are put in order.
 * Ownership: a call is some 10 KB of the caller's, used again for the next one. Its words are views of what it was made
 *            of, which has to stay until they have been sent; numbers are written into the call itself.
 * Bounds:    SCRIPT_RECORDS_MAX records, SCRIPT_USERS_MAX users: more are our own bug.
 * Threads:   any, one at a time. */
#pragma once

#include "core/text.h"
#include "server/cluster/script.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCRIPT_WORDS_MAX   (3 + 5 + SCRIPT_USERS_MAX) /* LEAVE has most */
#define SCRIPT_NUMBERS_MAX 12

struct script_call {
    enum script script;
    uint32_t words_count;
    uint32_t keys_count;
    uint32_t numbers_count;
    struct text words[SCRIPT_WORDS_MAX];
    char numbers[SCRIPT_NUMBERS_MAX][21];
    char marks[SCRIPT_RECORDS_MAX];
};

/* For whom what a script pushes is. */
struct script_push {
    struct text channel; /* pub/sub */
    bool is_sharded;     /* in a cluster of Redis */
};

struct script_record {
    struct text bytes;
    struct text receipt; /* its key in Redis; at == NULL: none */
    bool is_last;        /* it is the last event of a cache channel */
};

struct script_publish {
    struct script_push push;
    uint64_t deadline_ms;
    struct text last; /* key of the last event, if a record is it or has a receipt */
    uint64_t receipt_ms;
    uint64_t last_ms;
    const struct script_record *records;
    uint32_t records_count;
    /* PUBLISH only: */
    struct text stream;
    uint64_t generation;
    uint64_t hint; /* 0: none */
    uint64_t entries_max;
    uint64_t expire_ms;    /* 0: as it was */
    struct text look_from; /* "": the first time; "-": anywhere; or an id */
    uint64_t look_max;     /* at least 1 */
};
void script_call_publish(struct script_call *call, const struct script_publish *args);
void script_call_plain(struct script_call *call, const struct script_publish *args);

void script_call_open(struct script_call *call, struct text stream, uint64_t generation, uint64_t expire_ms);
/* `known`: 0, none. */
void script_call_generation(struct script_call *call, struct text key, struct text replid, uint64_t known);

struct script_member {
    struct script_push push;
    uint64_t deadline_ms;
    struct text members; /* key */
    struct text node;
};
void script_call_join(struct script_call *call, const struct script_member *args, struct text user, struct text info);
void script_call_leave(struct script_call *call, const struct script_member *args, const struct text *users,
                       uint32_t users_count);

/* `members` is the key of the counts here. */
void script_call_count(struct script_call *call, const struct script_member *args, uint64_t count);

struct script_lease {
    struct text nodes; /* key */
    struct text about; /* key */
    struct text node;
};
/* `text`: what the node says of itself; "": as before. */
void script_call_renew(struct script_call *call, const struct script_lease *args, uint64_t lease_ms, struct text text,
                       uint64_t told_max);
void script_call_retire(struct script_call *call, const struct script_lease *args, bool is_itself);
