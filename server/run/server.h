/* server/run/server.h - the shards, what they share, start and stop.
 *
 * Threads:   the main thread makes, starts, stops and frees; shards read what does not change and the atomics. */
#pragma once

#include "server/config/options.h"
#include "server/connection/door.h"
#include "server/control/orders.h"
#include "server/shard/exchange.h"
#include "server/shard/shard.h"
#include "server/shard/stage.h"

#include <stdint.h>
#include <stdio.h>

struct config;

struct server {
    struct options *options;      /* of the start, which stay: what a reload does not change is read here */
    struct config *config;        /* atomic: the newest, and the one before */
    struct config *former_config; /* while somebody still goes by it; NULL: nobody does */
    uint32_t homes_count;         /* shards that have clients; channels live there */
    uint32_t shards_count;        /* these, and the one for backends if there are control addresses */
    struct shard *shards;
    struct exchange exchange;
    struct webhooks *webhooks;          /* NULL: no app has one */
    struct store *store;                /* NULL: no channel is durable */
    struct cluster *cluster;            /* NULL: there are no other nodes */
    struct certificates *certificates;  /* NULL: no TLS */
    struct counters counters;           /* the main thread's */
    struct counter_sets counted;        /* by all threads */
    uint32_t stage;                     /* atomic: enum server_stage */
    struct watchdog *watchdog;          /* NULL: none */
    struct crowds_behind crowds_behind; /* atomic: shards that are */
    int ring_error;                     /* atomic: errno that a shard's ring gave up with, 0: none has */
    uint64_t *app_connections;          /* atomic: APP_INDEXES_MAX of them (server/shard/shard.h) */
    struct doors doors;
    struct orders orders; /* of operators, to the main thread */
};

/* What the shards' buffers and the mailboxes between them take, however little the server does; options->shards is
 * settled. The rest grows with use, within the bounds of the options. */
uint64_t server_buffers_bytes(const struct options *options);

/* Why there is no start where the kernel does not tell what peer_is_needed() wants. */
#define SERVER_IS_BLIND                                                                                          \
    "this kernel does not tell where clients come from, which --trusted-proxies needs, and limits of addresses " \
    "without "                                                                                                   \
    "--proxy-protocol: run Linux 6.7 or newer, or leave them out"

/* Takes options->shards and options->connections_max as settled by server/run/limits.h. Every error has a sentence. */
enum rc server_init(struct server *server, struct options *options, uint32_t slots_max, char *reason_r,
                    size_t reason_size);
enum rc server_start(struct server *server, char *reason_r, size_t reason_size);
/* Begins to watch the shards, which have been started; on error they are stopped. */
enum rc server_watch(struct server *server, char *reason_r, size_t reason_size);
/* Asks the shards to drain or stop; returns at once. */
void server_set_stage(struct server *server, enum server_stage stage);
/* The errno with which a shard's io_uring_enter fails for good, so that all are to stop; 0: none has failed. */
int server_ring_error(const struct server *server);
/* SERVER_CLEARING: has every shard closed its clients? */
bool server_has_cleared(const struct server *server);
/* Have all shards left their loops? */
bool server_has_ended(const struct server *server);
/* Waits for the threads; set a stage before. */
void server_join(struct server *server);
void server_fini(struct server *server);

/* Puts these in place of those of server->config; they are made for that by options_follow(), allocated, and the
 * server's from then on. server_config_settled() comes before the next. RC_ENOMEM, RC_EKERNEL: all is as it was. */
enum rc server_take_options(struct server *server, struct options *options, bool has_other_patterns, bool shuts_apps,
                            char *reason_r, size_t reason_size);
/* Do all go by the newest? Then the one before is given back. */
bool server_config_settled(struct server *server);

/* Logs every counter that is not 0, one line in all. */
void server_log_counters(const struct server *server);
