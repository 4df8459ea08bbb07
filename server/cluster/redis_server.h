/* server/cluster/redis_server.h - what a Redis says of itself in INFO. Plain values, no memory to give back; any thread
 * may call. */
#pragma once

#include "core/rc.h"
#include "core/text.h"

#include <stdbool.h>
#include <stdint.h>

#define REDIS_REPLID_BYTES  40
#define REDIS_VERSION_BYTES 24

/* The oldest that will do: ids EPOCH-* in streams, sharded pub/sub. */
#define REDIS_VERSION_MIN 0x070000

/* What was not told is 0, false or "". */
struct redis_server {
    char version_text[REDIS_VERSION_BYTES]; /* "7.0.15"; of Valkey the version of Redis that it is compatible with */
    uint32_t version;                       /* 0x07000f */
    bool is_master;                         /* role:master */
    bool is_cluster;                        /* redis_mode:cluster */
    bool is_sentinel;                       /* redis_mode:sentinel */
    bool is_loading;                        /* reads its data in */
    bool has_aof;                           /* aof_enabled:1: what was written outlives a restart */
    char replid[REDIS_REPLID_BYTES + 1];    /* master_replid: another one in each life of a server */
    char policy[24];                        /* maxmemory_policy: noeviction, or what may vanish */
    uint64_t memory_max;                    /* maxmemory, in bytes; 0: no limit */
    uint32_t replicas;                      /* connected_slaves */
};

/* Reads the text of INFO, or of its sections. RC_OK, or RC_EPROTO: it is none, there is neither version nor role. */
enum rc redis_server_read(struct text info, struct redis_server *server_r);
