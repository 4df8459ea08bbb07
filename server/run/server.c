/* server/run/server.c - the shards together: start, stop. */
#include "server/run/server.h"

#include "core/memory.h"
#include "net/listener.h"
#include "net/ring.h"
#include "server/cluster/cluster.h"
#include "server/config/address.h"
#include "server/config/config.h"
#include "server/config/history_rule.h"
#include "server/config/options_read.h"
#include "server/connection/address_limits.h"
#include "server/connection/peer.h"
#include "server/control/control.h"
#include "server/http/guest.h"
#include "server/http/request.h"
#include "server/http/router.h"
#include "server/run/certificates.h"
#include "server/run/letters.h"
#include "server/run/shard_thread.h"
#include "server/run/watchdog.h"
#include "server/store/store.h"
#include "server/system/clock.h"
#include "server/system/log.h"
#include "server/web/web.h"
#include "server/webhook/webhook.h"

#include <assert.h>
#include <ck_pr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ADDRESS_RETRY_MS 20
#define ADDRESS_RETRIES  15
#define CONTROL_SLOTS    1024 /* connections of backends: each keeps a few */

/* ---- life ---- */

uint64_t server_buffers_bytes(const struct options *options)
{
    uint64_t shards = options->shards + (options->control.count > 0 ? 1 : 0);
    return shards * shard_thread_buffers_bytes(options) + exchange_bytes(shards, options->mailbox_letters);
}

/* A port that a ringcast just killed still holds comes free within milliseconds: worth a moment's patience. */
static enum rc claim_address(struct address *address, int *claim_r, char *reason_r, size_t reason_size)
{
    const struct timespec pause = {.tv_nsec = ADDRESS_RETRY_MS * 1000000};
    if (address->passed > 0) {
        *claim_r = address->passed;
        return RC_OK;
    }
    enum rc rc = listener_claim(&address->storage, claim_r, reason_r, reason_size);
    for (uint32_t retries = 0; rc == RC_EBUSY && retries < ADDRESS_RETRIES; retries++) {
        nanosleep(&pause, NULL);
        rc = listener_claim(&address->storage, claim_r, reason_r, reason_size);
    }
    return rc;
}

static enum rc claim_addresses(struct address_list *addresses, int *claims, char *reason_r, size_t reason_size)
{
    char reason[512], text[ADDRESS_TEXT_MAX];
    for (uint32_t i = 0; i < addresses->count; i++) {
        struct address *address = &addresses->items[i];
        enum rc rc = claim_address(address, &claims[i], reason, sizeof reason);
        if (rc == RC_OK) continue;
        snprintf(reason_r, reason_size, "cannot listen on %s: %s", address_format(address, text), reason);
        return rc;
    }
    return RC_OK;
}

/* Claims all addresses, before anything else is made, so that a port that is taken is the first to be told; a port that
 * the kernel is to choose is one for all shards from here on. */
static enum rc claim_doors(struct server *server, char *reason_r, size_t reason_size)
{
    struct options *options = server->options;
    struct door *doors[] = {&server->doors.public, &server->doors.control};
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t count = door_addresses_count(doors[i]);
        doors[i]->claims = malloc((count + 1) * sizeof(int));
        if (doors[i]->claims == NULL) {
            snprintf(reason_r, reason_size, "out of memory");
            return RC_ENOMEM;
        }
        memset(doors[i]->claims, -1, (count + 1) * sizeof(int));
    }
    int *claims = server->doors.public.claims;
    enum rc rc = claim_addresses(&options->listen, claims, reason_r, reason_size);
    if (rc != RC_OK) return rc;
    rc = claim_addresses(&options->tls_listen, claims + options->listen.count, reason_r, reason_size);
    if (rc != RC_OK) return rc;
    return claim_addresses(&options->control, server->doors.control.claims, reason_r, reason_size);
}

/* Gives back the claims that no shard has taken. */
static void drop_claims(struct door *door)
{
    for (uint32_t i = 0; door->claims != NULL && i < door_addresses_count(door); i++) {
        if (door->claims[i] >= 0) close(door->claims[i]);
    }
    free(door->claims);
    door->claims = NULL;
}

/* Files that listeners of ours have left. */
static void clear_addresses(const struct address_list *addresses)
{
    for (uint32_t i = 0; i < addresses->count; i++) {
        if (addresses->items[i].passed == 0) listener_clear(&addresses->items[i].storage);
    }
}

/* Gives a shard what it needs, but for store and webhooks, which start later. */
static void give(struct server *server, uint32_t index)
{
    server->shards[index] = (struct shard){
        .index = index,
        .exchange = &server->exchange,
        .take = letters_take_one,
        .options = server->options,
        .newest = &server->config,
        .config = server->config,
        .door = index < server->homes_count ? &server->doors.public : &server->doors.control,
        .stage = &server->stage,
        .ring_error = &server->ring_error,
        .doors = &server->doors,
        .counted = &server->counted,
        .app_connections = server->app_connections,
        .ticket_keys = certificates_ticket_keys(server->certificates),
        .http.has_guests = server->config->has_guests,
        .http.chat = server->config->chat,
        .crowd.behind = &server->crowds_behind,
        .control.began_ms = monotonic_ms(),
    };
    if (index < server->homes_count) return;
    server->shards[index].control.orders = &server->orders;
    server->orders.shard = &server->shards[index];
}

static enum rc make_shards(struct server *server, char *reason_r, size_t reason_size)
{
    const struct options *options = server->options;
    snprintf(reason_r, reason_size, "out of memory: start fewer --shards or lower --mailbox-letters");
    server->app_connections = memory_reserve(APP_INDEXES_MAX, sizeof server->app_connections[0]);
    if (server->app_connections == NULL) return RC_ENOMEM;
    size_t bytes = server->shards_count * sizeof(struct shard);
    server->shards = aligned_alloc(_Alignof(struct shard), bytes);
    if (server->shards == NULL) return RC_ENOMEM;
    memset(server->shards, 0, bytes);
    enum rc rc = exchange_init(&server->exchange, server->shards, server->shards_count, options->mailbox_letters);
    for (uint32_t i = 0; rc == RC_OK && i < server->shards_count; i++) {
        give(server, i);
        counter_sets_add(&server->counted, &server->shards[i].counters);
        rc = shard_thread_init(&server->shards[i], server->homes_count, certificates_files(server->certificates),
                               reason_r, reason_size);
    }
    return rc;
}

/* Of the clients' addresses; backends have none. */
static enum rc make_limits(struct server *server, char *reason_r, size_t reason_size)
{
    struct door *door = &server->doors.public;
    if (!address_limits_are_on(server->options)) return RC_OK;
    snprintf(reason_r, reason_size, "out of memory: lower --connections-max");
    return address_limits_new(&door->limits, door->connections_max);
}

static enum rc refuse_blind(char *reason_r, size_t reason_size)
{
    snprintf(reason_r, reason_size, "%s", SERVER_IS_BLIND);
    return RC_EKERNEL;
}

/* The page is told what it must know of the options. */
static enum rc make_config(struct config **config_r, const struct options *options, uint32_t number, char *reason_r,
                           size_t reason_size)
{
    struct config *config = calloc(1, sizeof *config);
    *config_r = config;
    snprintf(reason_r, reason_size, "the page could not be made ready: out of memory");
    if (config == NULL) return RC_ENOMEM;
    *config = (struct config){.options = options, .number = number, .has_guests = guest_policy(options, NULL)};
    return web_chat_new(&config->chat, options, config->has_guests);
}

/* The options of the start are the caller's; of those only what later ones replace is given back. Accepts NULL. */
static void free_config(const struct server *server, struct config *config)
{
    if (config == NULL) return;
    struct options *options = (struct options *)config->options;
    if (options == server->options) {
        option_type_app_list.fini(&options->app);
        option_type_history_rule_list.fini(&options->history);
    } else {
        options_fini(options);
        free(options);
    }
    web_chat_free(config->chat);
    free(config);
}

enum rc server_init(struct server *server, struct options *options, uint32_t slots_max, char *reason_r,
                    size_t reason_size)
{
    bool has_control = options->control.count > 0, asks_peers = peer_is_wanted(options) && ring_tells_peers();
    *server = (struct server){
        .options = options,
        .homes_count = options->shards,
        .shards_count = options->shards + (has_control ? 1 : 0),
        .counted = {.shards_count = options->shards + (has_control ? 1 : 0), .begun_ms = realtime_ms()},
        .doors.public = {.addresses = &options->listen,
                         .tls_addresses = &options->tls_listen,
                         .slots_max = slots_max,
                         .connections_max = options->connections_max,
                         .asks_peers = asks_peers,
                         .has_proxy_header = options->proxy_protocol,
                         .serve = router_receive,
                         .refuse = request_refuse},
        .doors.control = {.addresses = &options->control,
                          .wants_peers = true,
                          .slots_max = CONTROL_SLOTS,
                          .connections_max = CONTROL_SLOTS - CONTROL_SLOTS / 16,
                          .serve = control_receive,
                          .refuse = request_refuse},
    };
    if (peer_is_needed(options) && !asks_peers) return refuse_blind(reason_r, reason_size);
    enum rc rc = claim_doors(server, reason_r, reason_size);
    if (rc == RC_OK) rc = make_limits(server, reason_r, reason_size);
    if (rc == RC_OK) rc = certificates_new(&server->certificates, options, &server->counters, reason_r, reason_size);
    if (rc == RC_OK) rc = make_config(&server->config, options, 1, reason_r, reason_size);
    if (rc == RC_OK) server->config->holders = server->shards_count;
    if (rc == RC_OK) rc = make_shards(server, reason_r, reason_size);
    if (rc == RC_OK) counter_sets_add(&server->counted, &server->counters);
    if (rc != RC_OK) server_fini(server);
    return rc;
}

void server_fini(struct server *server)
{
    watchdog_free(server->watchdog);
    webhooks_free(server->webhooks);
    store_free(server->store);
    cluster_free(server->cluster);
    if (server->shards != NULL) exchange_fini(&server->exchange, &server->shards[0].counters);
    for (uint32_t i = 0; server->shards != NULL && i < server->shards_count; i++) {
        shard_thread_fini(&server->shards[i]);
    }
    free(server->shards);
    orders_fini(&server->orders);
    address_limits_free(server->doors.public.limits);
    memory_release(server->app_connections, APP_INDEXES_MAX, sizeof server->app_connections[0]);
    drop_claims(&server->doors.public);
    drop_claims(&server->doors.control);
    if (server->options != NULL) clear_addresses(&server->options->control);
    certificates_free(server->certificates);
    free_config(server, server->former_config);
    free_config(server, server->config);
    *server = (struct server){0};
}

/* ---- start and stop ---- */

/* Starts the thread of webhooks, if some app wants it and it does not run; and counts it among those who go by this
 * configuration. */
static enum rc start_webhooks(struct server *server, struct config *config, char *reason_r, size_t reason_size)
{
    const struct app_list *apps = &config->options->app;
    bool is_wanted = server->webhooks != NULL;
    enum rc rc = RC_OK;
    for (uint32_t i = 0; i < apps->count; i++)
        is_wanted = is_wanted || apps->items[i].webhook[0] != '\0';
    if (!is_wanted) return RC_OK;
    config->holders++;
    if (server->webhooks == NULL) {
        rc = webhooks_start(&server->webhooks, config, server->shards_count, reason_r, reason_size);
        if (rc == RC_OK) counter_sets_add(&server->counted, webhooks_counters(server->webhooks));
    }
    config->webhooks = server->webhooks;
    return rc;
}

static enum rc start_store(struct server *server, const int *wake, char *reason_r, size_t reason_size)
{
    if (history_rule_durable(&server->options->history) == NULL) return RC_OK;
    enum rc rc = store_start(&server->store, server->options, wake, server->shards_count, reason_r, reason_size);
    if (rc == RC_OK) counter_sets_add(&server->counted, store_counters(server->store));
    return rc;
}

static enum rc start_cluster(struct server *server, const int *wake, char *reason_r, size_t reason_size)
{
    const struct options *options = server->options;
    enum rc rc = cluster_start(&server->cluster, options, wake, server->shards_count, reason_r, reason_size);
    if (rc != RC_OK) return rc;
    counter_sets_add(&server->counted, cluster_counters(server->cluster));
    if (options->redis_wait) return RC_OK;
    return cluster_await(server->cluster, options->redis_silent_ms_max, reason_r, reason_size);
}

/* Where what is published is kept: with other nodes in Redis, of which this one's store would know only a part. */
static enum rc start_keeper(struct server *server, char *reason_r, size_t reason_size)
{
    int wake[SHARDS_MAX];
    for (uint32_t i = 0; i < server->shards_count; i++)
        wake[i] = server->shards[i].signal_descriptor;
    if (server->options->redis.count > 0) return start_cluster(server, wake, reason_r, reason_size);
    return start_store(server, wake, reason_r, reason_size);
}

enum rc server_start(struct server *server, char *reason_r, size_t reason_size)
{
    enum rc started = start_webhooks(server, server->config, reason_r, reason_size);
    if (started == RC_OK) started = start_keeper(server, reason_r, reason_size);
    if (started != RC_OK) {
        webhooks_stop(server->webhooks);
        cluster_stop(server->cluster);
        return started;
    }
    for (uint32_t i = 0; i < server->shards_count; i++) {
        server->shards[i].webhooks = server->webhooks;
        server->shards[i].store = server->store;
        server->shards[i].cluster = server->cluster;
        if (server->cluster != NULL) shard_take_rules(&server->shards[i]); /* none is of the store */
        enum rc rc = shard_thread_start(&server->shards[i], reason_r, reason_size);
        if (rc == RC_OK) continue;
        server_set_stage(server, SERVER_STOPPED);
        server_join(server);
        return rc;
    }
    return RC_OK;
}

enum rc server_watch(struct server *server, char *reason_r, size_t reason_size)
{
    enum rc rc = watchdog_start(&server->watchdog, server->shards, server->shards_count, server->options->watchdog_ms,
                                reason_r, reason_size);
    if (rc != RC_OK) {
        server_set_stage(server, SERVER_STOPPED);
        server_join(server);
        return rc;
    }
    if (server->watchdog != NULL) counter_sets_add(&server->counted, watchdog_counters(server->watchdog));
    return RC_OK;
}

void server_set_stage(struct server *server, enum server_stage stage)
{
    ck_pr_store_uint(&server->stage, stage);
    for (uint32_t i = 0; i < server->shards_count; i++) {
        if (server->shards[i].thread.is_there) shard_signal(&server->shards[i]);
    }
}

int server_ring_error(const struct server *server)
{
    return ck_pr_load_int(&server->ring_error);
}

bool server_has_cleared(const struct server *server)
{
    for (uint32_t i = 0; i < server->shards_count; i++) {
        if (!ck_pr_load_uint(&server->shards[i].has_cleared)) return false;
    }
    return true;
}

bool server_has_ended(const struct server *server)
{
    for (uint32_t i = 0; i < server->shards_count; i++) {
        if (server->shards[i].thread.is_there && !ck_pr_load_uint(&server->shards[i].has_ended)) return false;
    }
    return true;
}

void server_join(struct server *server)
{
    for (uint32_t i = 0; i < server->shards_count; i++) {
        if (server->shards[i].thread.is_there) pthread_join(server->shards[i].thread.id, NULL);
        server->shards[i].thread.is_there = false;
    }
    watchdog_stop(server->watchdog);
    webhooks_stop(server->webhooks); /* their counters stay until server_fini() */
    store_stop(server->store);
    cluster_stop(server->cluster);
}

/* ---- other options ---- */

enum rc server_take_options(struct server *server, struct options *options, bool has_other_patterns, bool shuts_apps,
                            char *reason_r, size_t reason_size)
{
    struct config *config;
    assert(server->former_config == NULL);
    enum rc rc = make_config(&config, options, server->config->number + 1, reason_r, reason_size);
    if (rc == RC_OK) config->holders = server->shards_count;
    if (rc == RC_OK) rc = start_webhooks(server, config, reason_r, reason_size);
    if (rc != RC_OK) {
        if (config != NULL) web_chat_free(config->chat);
        free(config);
        return rc;
    }
    config->has_other_patterns = has_other_patterns;
    config->shuts_apps = shuts_apps;
    server->former_config = server->config;
    if (server->webhooks != NULL) webhooks_offer(server->webhooks, config); /* first: shards tell it of new apps */
    config_publish(&server->config, config);
    for (uint32_t i = 0; i < server->shards_count; i++)
        shard_signal(&server->shards[i]);
    return RC_OK;
}

bool server_config_settled(struct server *server)
{
    if (server->former_config == NULL) return true;
    if (config_is_held(server->former_config)) return false;
    free_config(server, server->former_config);
    server->former_config = NULL;
    return true;
}

/* ---- counters ---- */

void server_log_counters(const struct server *server)
{
    /* A line holds about ten; names and values stay together. */
    char line[400] = "counters:";
    size_t used = strlen(line);
    for (enum counter counter = 0; counter < COUNTERS_MAX; counter++) {
        char item[80];
        uint64_t value = counter_sets_sum(&server->counted, counter);
        if (value == 0) continue;
        int count = snprintf(item, sizeof item, " %s=%llu", counter_name(counter), (unsigned long long)value);
        if (used + (size_t)count >= sizeof line) {
            log_info("%s", line);
            used = strlen("counters:");
        }
        memcpy(line + used, item, (size_t)count + 1);
        used += (size_t)count;
    }
    log_info("%s", line);
}
