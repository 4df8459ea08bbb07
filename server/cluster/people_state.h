/* server/cluster/people_state.h - what the files behind server/cluster/people.h share.
 *
 * Not obvious: nothing is sent where something happens. A channel for which something is to be done stands in the
 * list of the active ones, and people_run() serves them, so that what comes together goes out together. */
#pragma once

#include "server/cluster/cluster_lease.h"
#include "server/cluster/people_channel.h"
#include "server/cluster/people_event.h"
#include "server/cluster/people_way.h"
#include "server/cluster/script_call.h"

#include <hiredis/hiredis.h>

#define PEOPLE_DEADLINE_MS 2000 /* a command that Redis gets to later is not done */
#define PEOPLE_RETRY_MS    1000
#define PEOPLE_COUNT_MS    1000 /* a number is told again after so long */

/* What a scan has found, each with its length before it. */
struct people_list {
    char **items;
    size_t count;
    size_t next;
};

#define PEOPLE_CURSOR_BYTES 24

/* The node that is being swept. */
struct people_sweep {
    char node[LEASE_NODE_BYTES + 1]; /* "": none */
    uint32_t round;                  /* answers of another are for one that was given up */
    char cursor[PEOPLE_CURSOR_BYTES];
    char members_cursor[PEOPLE_CURSOR_BYTES];
    struct people_list tags;  /* channels; `next` is being swept */
    struct people_list users; /* of that one, some */
};

struct people {
    struct people_way way;
    struct text prefix;
    const char *about; /* what this node says of itself */
    struct cluster_lease *lease;
    struct people_table table;
    struct people_channel_list active;
    struct timer_wheel timers;
    struct script_call call;
    uint64_t now_ms;
    uint64_t clock_ms;    /* Redis's clock minus ours */
    uint64_t check_ms;    /* all is to be looked at once more then; UINT64_MAX: no need */
    uint64_t patience_ms; /* Redis was lost: other nodes tell it of theirs till then; 0: no need */
    uint64_t retry_ms;    /* nothing is sent before: it could not be */
    uint32_t names;       /* how many the node has had */
    bool is_open;         /* there are connections, */
    bool has_lease;       /* and the lease was renewed over them */
    bool is_stopping;
    bool is_retiring;
    bool has_retired;
    struct people_sweep sweep;
};

struct people_request;

/* Takes an answer, which is neither lost nor an error; NULL: it is. */
typedef void people_request_answer(struct people_request *request, const redisReply *reply);

/* A question on its way. */
struct people_request {
    struct people *people;
    struct people_channel *channel; /* NULL: it is about none */
    people_request_answer *answer;
    uint32_t sum_reads; /* of the channel, when it was sent */
    uint32_t names;     /* of the node, when it was sent */
    uint32_t round;     /* of the sweep that it is for */
    uint32_t asks_count;
    struct cluster_members_ask asks[];
};
