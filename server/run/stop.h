/* server/run/stop.h - the way of a server from the first signal to its end, stage by stage (server/shard/stage.h):
 * LEAVING for --drain-delay-ms, CLEARING until all clients are closed, which takes --drain-ms, then STOPPING. A stage
 * without time is left out.
 *
 * Threads:   the main thread. */
#pragma once

#include "server/shard/stage.h"

#include <stdbool.h>
#include <stdint.h>

#define STOP_LOOK_MS 20 /* how often stop_go_on() wants to be called */

struct server;

/* All zero: the server runs. */
struct stop {
    enum server_stage stage;
    uint64_t leaves_ms; /* LEAVING: until then */
    uint64_t ends_ms;   /* until then all stages together may take, as the options have it */
};

void stop_begin(struct stop *stop, struct server *server, uint64_t now_ms);
/* Goes on to the next stage if it is time. False: all shards have left their loops. */
bool stop_go_on(struct stop *stop, struct server *server, uint64_t now_ms);
/* Does it still take no longer than the options allow? One that does hangs. */
bool stop_is_in_time(const struct stop *stop, uint64_t now_ms);
/* Ends at once. */
void stop_now(struct stop *stop, struct server *server);

static inline bool stop_has_begun(const struct stop *stop)
{
    return stop->stage != SERVER_RUNNING;
}
