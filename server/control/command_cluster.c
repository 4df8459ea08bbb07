/* server/control/command_cluster.c - the Redis that connects this node with others, and how it goes there. */
#include "core/counters.h"
#include "server/cluster/cluster.h"
#include "server/cluster/cluster_status.h"
#include "server/config/node_name.h"
#include "server/control/command.h"
#include "server/control/commands.h"
#include "server/shard/shard.h"
#include "server/system/clock.h"

#include <assert.h>

static uint64_t since_ms(uint64_t ms)
{
    uint64_t now_ms = monotonic_ms();
    return now_ms > ms ? now_ms - ms : 0;
}

static void add_redis(yyjson_mut_doc *document, yyjson_mut_val *root, const struct cluster_status *status)
{
    yyjson_mut_val *redis = yyjson_mut_obj_add_obj(document, root, "redis");
    yyjson_mut_obj_add_strcpy(document, redis, "address", status->address);
    yyjson_mut_obj_add_strcpy(document, redis, "version", status->version);
    yyjson_mut_obj_add_uint(document, redis, "generation", status->generation);
    if (status->connected_ms > 0) {
        yyjson_mut_obj_add_uint(document, redis, "connected_seconds", since_ms(status->connected_ms) / 1000);
    } else {
        yyjson_mut_obj_add_null(document, redis, "connected_seconds");
    }
}

static void add_nodes(yyjson_mut_doc *document, yyjson_mut_val *root, const struct shard *shard,
                      const struct cluster_status *status)
{
    char name[NODE_NAME_BYTES];
    node_name_write(shard->options, name);
    yyjson_mut_obj_add_strcpy(document, root, "node", name);
    yyjson_mut_obj_add_strcpy(document, root, "lease", status->lease);
    yyjson_mut_obj_add_uint(document, root, "nodes", status->nodes);
}

static void add_queue(yyjson_mut_doc *document, yyjson_mut_val *root, const struct counters *counters,
                      const struct cluster_status *status)
{
    yyjson_mut_val *queue = yyjson_mut_obj_add_obj(document, root, "queue");
    yyjson_mut_obj_add_uint(document, queue, "messages", counter_get(counters, COUNTER_cluster_waiting));
    yyjson_mut_obj_add_uint(document, queue, "bytes", counter_get(counters, COUNTER_cluster_bytes_waiting));
    yyjson_mut_obj_add_uint(document, queue, "oldest_ms", status->oldest_ms > 0 ? since_ms(status->oldest_ms) : 0);
}

static void add_counts(yyjson_mut_doc *document, yyjson_mut_val *root, const struct counters *counters)
{
    static const struct {
        const char *name;
        enum counter counter;
    } counts[] = {
        {"channels", COUNTER_cluster_channels},
        {"connects", COUNTER_cluster_connects},
        {"refused", COUNTER_cluster_refused},
        {"gaps", COUNTER_cluster_gaps},
        {"pauses", COUNTER_cluster_pauses},
        {"streams_gone", COUNTER_cluster_streams_gone},
        {"audits_failed", COUNTER_cluster_audits_failed},
    };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        yyjson_mut_obj_add_uint(document, root, counts[i].name, counter_get(counters, counts[i].counter));
}

void command_cluster(struct shard *shard, struct connection *connection, const struct http_request *request)
{
    assert(owner_is_me(&shard->owner));
    (void)request;
    if (shard->cluster == NULL) {
        command_refuse(shard, connection, 404,
                       "This node is alone: --redis connects it with others, from the next start on.");
        return;
    }
    struct cluster_status status;
    const char *trouble = cluster_trouble(shard->cluster);
    const struct counters *counters = cluster_counters(shard->cluster);
    cluster_look(shard->cluster, &status);
    yyjson_mut_doc *document = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(document);
    yyjson_mut_doc_set_root(document, root);
    yyjson_mut_obj_add_str(document, root, "state", trouble == NULL ? "ok" : trouble);
    add_nodes(document, root, shard, &status);
    add_redis(document, root, &status);
    add_queue(document, root, counters, &status);
    add_counts(document, root, counters);
    command_say(shard, connection, document);
}
