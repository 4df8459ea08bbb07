/* server/run/take_config.c - the shard's side of a reload. */
#include "server/run/take_config.h"

#include "server/component/pusher.h"
#include "server/config/config.h"
#include "server/connection/connection.h"
#include "server/home/home_rules.h"
#include "server/shard/shard.h"

#include <assert.h>

#define LOOKS_MAX  4096 /* at connections in a turn, */
#define CLOSES_MAX 64   /* of which so many are closed */

void take_config(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    struct config *newest = shard->newest != NULL ? config_newest(shard->newest) : NULL, *former = shard->config;
    if (newest == former) return;
    shard->config = newest;
    shard->options = newest->options;
    shard->webhooks = newest->webhooks;
    shard->http.has_guests = newest->has_guests;
    shard->http.chat = newest->chat;
    if (newest->shuts_apps) shard->shut.slot = 0;
    if (newest->shuts_apps) shard->shut.is_under_way = true;
    if (newest->has_other_patterns) {
        home_take_rules(shard, former);
    } else {
        shard_take_rules(shard);
        config_let_go(former);
    }
}

/* Why a client cannot stay; CLOSE_NONE: it can. */
static enum close_reason judge(const struct shard *shard, const struct connection *connection)
{
    uint16_t index = APP_OF_ROOMS;
    if (connection->component == &component_pusher && !pusher_has_app(connection, &index)) return CLOSE_NONE;
    const struct app *app = shard_app(shard, index);
    if (app->is_gone) return CLOSE_APP_GONE;
    return app->enabled ? CLOSE_NONE : CLOSE_APP_DISABLED;
}

static bool is_client(const struct connection *connection)
{
    bool is_in = connection->state == CONNECTION_OPEN || connection->state == CONNECTION_JOINING;
    return is_in && connection->component != NULL;
}

void shut_apps(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    uint32_t closed = 0;
    for (uint32_t looks = 0; shard->shut.is_under_way && looks < LOOKS_MAX && closed < CLOSES_MAX; looks++) {
        if (shard->shut.slot >= shard->slots_used) {
            shard->shut.is_under_way = false;
            return;
        }
        struct connection *connection = &shard->connections[shard->shut.slot++];
        if (!is_client(connection)) continue;
        enum close_reason reason = judge(shard, connection);
        if (reason == CLOSE_NONE) continue;
        connection_close(shard, connection, reason);
        closed++;
    }
}
