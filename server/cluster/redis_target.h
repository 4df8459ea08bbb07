/* server/cluster/redis_target.h - which Redis server a connection is to, and as whom it is opened. */
#pragma once

#include "server/config/redis_url.h"

#include <stdbool.h>
#include <stdint.h>

struct redis_access;

/* Which server, as whom. */
struct redis_target {
    struct redis_place place;
    bool is_tls;
    bool is_sentinel;                  /* it may have no users, is of any version and has neither role nor database */
    bool takes_replica;                /* else what is no master ends the link (ROLE) */
    uint32_t database;                 /* 0: not asked for */
    const char *user;                  /* "": the one that Redis calls default */
    const char *name;                  /* for CLIENT LIST: no blanks; "": none */
    const struct redis_access *access; /* password and TLS; NULL: neither */
};
