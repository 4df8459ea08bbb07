/* server/control/command_status.c - what the server is, and how it is. */
#include "server/cluster/cluster.h"
#include "server/config/app.h"
#include "server/config/node_name.h"
#include "server/connection/door.h"
#include "server/control/command.h"
#include "server/control/commands.h"
#include "server/control/ready.h"
#include "server/shard/exchange.h"
#include "server/shard/shard.h"
#include "server/store/store.h"
#include "server/system/clock.h"
#include "server/system/log.h"

#include <assert.h>
#include <ck_pr.h>
#include <unistd.h>

static uint64_t sum(const struct shard *shard, enum counter counter)
{
    const struct counters *sets[SHARDS_MAX + 1];
    uint32_t count = 0;
    for (; count < shard->exchange->shards_count; count++)
        sets[count] = &shard->exchange->shards[count].counters;
    return counters_sum(sets, count, counter);
}

static void add_readiness(yyjson_mut_doc *document, yyjson_mut_val *root, struct shard *shard)
{
    struct ready_reason reasons[READY_REASONS_MAX];
    uint32_t count = ready_find_reasons(shard, reasons);
    yyjson_mut_obj_add_bool(document, root, "ready", count == 0);
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(document, root, "reasons");
    for (uint32_t i = 0; i < count; i++) {
        yyjson_mut_val *item = yyjson_mut_arr_add_obj(document, list);
        yyjson_mut_obj_add_str(document, item, "reason", reasons[i].name);
        yyjson_mut_obj_add_str(document, item, "text", reasons[i].text);
    }
}

static uint32_t count_apps(const struct shard *shard)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < shard->options->app.count; i++)
        count += !shard->options->app.items[i].is_gone;
    return count;
}

static void add_sizes(yyjson_mut_doc *document, yyjson_mut_val *root, const struct shard *shard)
{
    const struct doors *doors = shard->doors;
    yyjson_mut_val *connections = yyjson_mut_obj_add_obj(document, root, "connections");
    yyjson_mut_obj_add_uint(document, connections, "clients", ck_pr_load_64(&doors->public.connections_open));
    yyjson_mut_obj_add_uint(document, connections, "clients_max", doors->public.connections_max);
    yyjson_mut_obj_add_uint(document, connections, "control", ck_pr_load_64(&doors->control.connections_open));
    yyjson_mut_obj_add_uint(document, root, "apps", count_apps(shard));
    yyjson_mut_obj_add_uint(document, root, "subscriptions", sum(shard, COUNTER_subscriptions));
    yyjson_mut_val *messages = yyjson_mut_obj_add_obj(document, root, "messages");
    yyjson_mut_obj_add_uint(document, messages, "received", sum(shard, COUNTER_messages_received));
    yyjson_mut_obj_add_uint(document, messages, "published", sum(shard, COUNTER_messages_published));
    yyjson_mut_obj_add_uint(document, messages, "delivered", sum(shard, COUNTER_messages_delivered));
    yyjson_mut_val *bytes = yyjson_mut_obj_add_obj(document, root, "bytes");
    yyjson_mut_obj_add_uint(document, bytes, "received", sum(shard, COUNTER_bytes_received));
    yyjson_mut_obj_add_uint(document, bytes, "sent", sum(shard, COUNTER_bytes_sent));
    yyjson_mut_obj_add_uint(document, bytes, "waiting", sum(shard, COUNTER_outbox_bytes));
    yyjson_mut_obj_add_uint(document, bytes, "history", sum(shard, COUNTER_history_bytes));
}

static void add_node(yyjson_mut_doc *document, yyjson_mut_val *root, const struct shard *shard)
{
    char name[NODE_NAME_BYTES];
    const char *away = shard->cluster != NULL ? cluster_trouble(shard->cluster) : NULL;
    node_name_write(shard->options, name);
    yyjson_mut_obj_add_strcpy(document, root, "node", name);
    yyjson_mut_obj_add_str(document, root, "cluster", shard->cluster == NULL ? "none" : away == NULL ? "ok" : away);
}

void command_status(struct shard *shard, struct connection *connection, const struct http_request *request)
{
    assert(owner_is_me(&shard->owner));
    (void)request;
    yyjson_mut_doc *document = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(document);
    const char *trouble = shard->store != NULL ? store_trouble(shard->store) : NULL;
    yyjson_mut_doc_set_root(document, root);
    yyjson_mut_obj_add_str(document, root, "version", RINGCAST_VERSION);
    yyjson_mut_obj_add_int(document, root, "pid", getpid());
    yyjson_mut_obj_add_uint(document, root, "uptime_seconds", (monotonic_ms() - shard->control.began_ms) / 1000);
    yyjson_mut_obj_add_str(document, root, "state", shard_is_draining(shard) ? "draining" : "running");
    add_readiness(document, root, shard);
    yyjson_mut_obj_add_uint(document, root, "shards", shard->exchange->shards_count - 1); /* without this one */
    add_sizes(document, root, shard);
    yyjson_mut_obj_add_str(document, root, "store", shard->store == NULL ? "none" : trouble == NULL ? "ok" : trouble);
    add_node(document, root, shard);
    yyjson_mut_obj_add_str(document, root, "log_level", log_level_name(log_get_level()));
    command_say(shard, connection, document);
}
