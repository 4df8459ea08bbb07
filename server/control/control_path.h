/* server/control/control_path.h - the one table of what the control door serves besides the HTTP API, and whom.
 *
 * A further path is a row of control_path.def and a function that answers it, on the control shard's thread. Operators'
 * commands have rows in server/ctl/command.def instead, and are for who has opened the unix socket. */
#pragma once

#include "core/text.h"
#include "net/http_request.h"
#include "server/control/control_answer.h"

/* Who may ask. */
enum control_access {
    CONTROL_ANYBODY, /* whoever reaches the address: load balancers do */
    CONTROL_LOCAL,   /* on the unix socket, or with --control-token; if there is none, on this machine, by no proxy
                      * and under no name but localhost */
    CONTROL_SOCKET,  /* who has opened the unix socket: its mode says who can */
};

struct control_path {
    enum http_method method; /* GET: HEAD too */
    const char *path;
    enum control_access access;
    control_answer *answer;
};

/* NULL: nothing is there. */
const struct control_path *control_path_of(struct text path);
