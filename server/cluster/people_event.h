/* server/cluster/people_event.h - what the cluster's thread tells about people: members, counts, and what backends
 * are to be told by this node alone.
 *
 * Ownership: the receiver's, one block. Threads: whoever has it. */
#pragma once

#include "core/name.h"
#include "core/rc.h"
#include "core/text.h"
#include "server/cluster/cluster_job.h"
#include "server/config/app.h"

#include <stdbool.h>
#include <stdint.h>

#define PEOPLE_CHANGES_MAX 256 /* of one event */

struct people_change {
    bool has_left;   /* who was told before; */
    bool has_joined; /* both: has another info now */
    struct text user_id;
    struct text info;
};

enum people_kind {
    PEOPLE_MEMBERS,   /* who came and who went */
    PEOPLE_SUM,       /* so many subscribers there are on all nodes */
    PEOPLE_TERMINATE, /* all who are signed in as the user of this channel are to be closed */
    PEOPLE_NEWS,      /* backends are to be told, and by this node alone */
};

struct people_event {
    struct cluster_item item; /* first */
    enum people_kind kind;
    struct name channel; /* NEWS: of an app that is known by its id alone */
    uint32_t serial;     /* of the ENTER since which it comes; not of NEWS */

    bool is_last; /* MEMBERS: nothing else is known now */
    uint32_t changes_count;
    struct people_change *changes;

    uint64_t count; /* COUNT: subscribers on all nodes; NEWS: likewise */

    enum webhook_kind news; /* NEWS */
    struct text app;
    struct text user_id;
};

/* A copy of what `as` has. NULL: out of memory. */
struct people_event *people_event_new(const struct people_event *as);
