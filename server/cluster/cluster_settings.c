/* server/cluster/cluster_settings.c - from options to settings. */
#include "server/cluster/cluster_settings.h"

#include "server/cluster/cluster_key.h"
#include "server/config/node_name.h"
#include "server/config/options.h"
#include "server/config/redis_url.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* The name for CLIENT LIST. */
static void write_name(const struct options *options, char *to, size_t size)
{
    char node[NODE_NAME_BYTES];
    node_name_write(options, node);
    snprintf(to, size, "ringcast-%s", node);
}

static enum rc refuse(char *reason_r, size_t reason_size, const char *reason)
{
    snprintf(reason_r, reason_size, "%s", reason);
    return RC_EINVAL;
}

static enum rc read_url(const struct options *options, struct redis_url *url, char *reason_r, size_t reason_size)
{
    assert(options->redis.count > 0);
    enum rc rc = redis_url_read(options->redis.items[0], url, reason_r, reason_size);
    if (rc != RC_OK) return rc;
    if (options->redis.count > 1)
        return refuse(reason_r, reason_size, "--redis: several independent Redis are not supported yet; give one");
    if (url->kind == REDIS_CLUSTER)
        return refuse(reason_r, reason_size,
                      "--redis: Redis Cluster is not supported yet; give redis:// or redis+sentinel://");
    if (!cluster_prefix_is_valid(text_of(options->redis_prefix)))
        return refuse(reason_r, reason_size, "--redis-prefix: has other characters than A-Z a-z 0-9 _ - . : /");
    return RC_OK;
}

enum rc cluster_settings_of(const struct options *options, struct cluster_settings *settings_r,
                            struct redis_access **access_r, char *reason_r, size_t reason_size)
{
    struct redis_url *url = &settings_r->url;
    enum rc rc = read_url(options, url, reason_r, reason_size);
    if (rc != RC_OK) return rc;
    rc = redis_access_new(access_r, options, reason_r, reason_size);
    if (rc != RC_OK) return rc;
    write_name(options, settings_r->name, sizeof settings_r->name);
    settings_r->work = (struct cluster_work_settings){
        .url = url,
        .target = {.place = url->places[0],
                   .is_tls = url->is_tls,
                   .database = url->database,
                   .user = url->user,
                   .name = settings_r->name,
                   .access = *access_r},
        .prefix = options->redis_prefix,
        .queue_bytes_max = options->redis_queue_bytes_max,
        .publish_ms_max = options->redis_publish_ms_max,
        .silent_ms_max = options->redis_silent_ms_max,
        .gap_bytes_max = options->replay_bytes_max,
        .lease_ms = options->redis_lease,
        .is_durable = history_rule_durable(&options->history) != NULL,
        .replicas = (uint32_t)options->redis_replicas,
    };
    return RC_OK;
}
