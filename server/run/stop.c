/* server/run/stop.c - when which stage of a stop begins. */
#include "server/run/stop.h"

#include "server/run/server.h"
#include "server/system/log.h"

#define AGAIN "signal again to stop at once"

static void enter(struct stop *stop, struct server *server, enum server_stage stage)
{
    stop->stage = stage;
    server_set_stage(server, stage);
}

static void clear(struct stop *stop, struct server *server)
{
    uint64_t drain_ms = server->options->drain_ms;
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
    uint64_t delay_ms = server->options->drain_delay_ms;
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

void stop_now(struct stop *stop, struct server *server)
{
    log_warn("stopping at once: a second signal came");
    enter(stop, server, SERVER_STOPPED);
}
