/* server/home/home_people_state.h - what a home knows of the people of a channel, where there are other nodes. What
 * is done with it stands in server/home/home_people.h.
 *
 * Threads: the home shard. */
#pragma once

#include "core/presence.h"
#include "core/roster.h"

#include <stdbool.h>
#include <stdint.h>

struct home_people {
    struct presence *own; /* members on this node; NULL: there were none */
    struct join *waiting; /* the latest first */
    uint64_t waiting_until_ms;
    uint64_t sum;   /* subscribers on all nodes */
    uint64_t told;  /* of this node's, what the cluster was told */
    bool is_unsure; /* it was not told of one who left */
    bool has_sum;
    bool has_members; /* all that there are were told */
};

/* When those who wait have waited too long; UINT64_MAX: nobody waits. */
static inline uint64_t home_people_due_ms(const struct roster *roster)
{
    const struct home_people *people = roster->people;
    return people != NULL && people->waiting != NULL ? people->waiting_until_ms : UINT64_MAX;
}

/* Subscribers on all nodes, as far as they are known. */
static inline uint64_t home_subscribers(const struct roster *roster)
{
    return roster->people != NULL ? roster->people->sum : roster_subscribers(roster);
}

/* Is a query about the channel answered from what is known here? */
static inline bool home_people_is_known(const struct roster *roster)
{
    const struct home_people *people = roster->people;
    return people != NULL && people->has_sum && (people->has_members || !roster->type.is_presence);
}

/* The channel is left: what was told of it is forgotten. */
static inline void home_people_forget(struct roster *roster)
{
    struct home_people *people = roster->people;
    presence_free(roster->presence);
    roster->presence = NULL;
    if (people == NULL) return;
    people->has_members = people->has_sum = false;
    people->sum = 0;
}
