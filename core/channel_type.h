/* core/channel_type.h - what a channel's name says of it: the prefixes of the Pusher protocol.
 *
 * A prefix counts only at the front, the longest first; a name of no prefix is a public channel. */
#pragma once

#include "core/text.h"

#include <stdbool.h>

#define CHANNEL_USER_PREFIX   "#server-to-user-" /* the channel of one user: what backends tell it */
#define CHANNEL_DIRECT_PREFIX "private-direct-"  /* between two guests: server/http/guest.h */

struct channel_type {
    bool needs_auth;        /* a signature of the app */
    bool is_presence;       /* it has members */
    bool is_encrypted;      /* data is for the clients' eyes alone */
    bool is_cache;          /* the last event is told to whoever comes */
    bool is_user;           /* hidden: backends neither list it nor hear of it */
    bool has_client_events; /* subscribers may send */
};

struct channel_type channel_type_of(struct text name);

/* Of no prefix: open to everyone, also as a raw room. */
static inline bool channel_type_is_public(struct channel_type type)
{
    return !type.needs_auth && !type.is_cache && !type.is_user;
}
