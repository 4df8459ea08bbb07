/* server/run/stop.c - when which stage of a stop begins. */
#include "server/run/stop.h"

#include "server/config/config.h"
#include "server/run/server.h"
#include "server/system/log.h"

/* What no option bounds: the shards' last turns, and the store that is closed. */
#define ENDING_MS 30000

#define AGAIN "signal again to stop at once"

static void enter(struct stop *stop, struct server *server, enum server_stage stage)
{
    stop->stage = stage;
    server_set_stage(server, stage);
}

static void clear(struct stop *stop, struct server *server)
{
    uint64_t drain_ms = server->config->options->drain_ms;
    if (drain_ms > 0) {
        log_info("draining: clients are told goodbye one after the other, over %llu ms; " AGAIN,
                 (unsigned long long)drain_ms);
        enter(stop, server, SERVER_CLEARING);
    } else {
        log_info("draining: every client is told goodbye; " AGAIN);
        enter(stop, server, SERVER_STOPPING);
    }
}

void stop_begin(struct stop *stop, struct server *server, uint64_t now_ms)
{
    const struct options *options = server->config->options;
    uint64_t delay_ms = options->drain_delay_ms;
    stop->ends_ms =
        now_ms + delay_ms + options->drain_ms + options->drain_ms_max + options->webhook_stop_ms_max + ENDING_MS;
    if (delay_ms == 0) {
        clear(stop, server);
        return;
    }
    log_info("draining: not ready for clients any more, who are served for another %llu ms; " AGAIN,
             (unsigned long long)delay_ms);
    stop->leaves_ms = now_ms + delay_ms;
    enter(stop, server, SERVER_LEAVING);
}

bool stop_go_on(struct stop *stop, struct server *server, uint64_t now_ms)
{
    if (stop->stage == SERVER_LEAVING && now_ms >= stop->leaves_ms) clear(stop, server);
    if (stop->stage == SERVER_CLEARING && server_has_cleared(server)) {
        log_info("draining: all clients were told goodbye");
        enter(stop, server, SERVER_STOPPING);
    }
    return !server_has_ended(server);
}

bool stop_is_in_time(const struct stop *stop, uint64_t now_ms)
{
    return now_ms < stop->ends_ms;
}

void stop_now(struct stop *stop, struct server *server)
{
    log_warn("stopping at once: a second signal came");
    enter(stop, server, SERVER_STOPPED);
}
