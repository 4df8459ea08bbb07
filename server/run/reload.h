/* server/run/reload.h - the configuration read again while the server runs: SIGHUP.
 *
 * It is read as at a start, from files, environment and flags. If anything is wrong with it, an unreadable secret or
 * certificate too, nothing of it is applied. Else all of it is at once, but for what needs a restart (the column in
 * server/config/options.def, the first app, and which channels are durable), which is named. Each shard takes it
 * between two turns (server/run/take_config.h), the webhook thread between two passes.
 *
 * What was decided of a connection when it came stays with it: how large its messages may be, whether its origin might
 * connect, its time to sign in. All else holds for it too. Clients of an app that is gone are closed.
 * Threads: the main thread.
 * Bounds:  one configuration beside the one before it, until all go by the newer one; a request meanwhile waits, and
 *          several that wait are one. */
#pragma once

#include "core/rc.h"

#include <stdbool.h>
#include <stdint.h>

struct options;
struct reload;
struct server;

/* `options` are those read at the start, which nobody has settled yet; argv and envp, of which they were read, stay.
 * NULL: out of memory. */
struct reload *reload_new(const struct options *options, int argc, char *const argv[], char *const envp[]);
/* Accepts NULL. */
void reload_free(struct reload *reload);

/* SIGHUP has come: begins a reload, or another one when the one under way is over. The log tells how it goes. */
void reload_begin(struct reload *reload, struct server *server, bool is_draining);
bool reload_is_under_way(const struct reload *reload);
/* Goes on with the one under way. False: there is none. */
bool reload_go_on(struct reload *reload, struct server *server, bool is_draining);

struct reload_result {
    enum rc rc;                 /* RC_OK, or refused */
    uint32_t applied, restarts; /* changes that are, and that need a restart */
    const char *text;           /* what the log was told, a line for each change or mistake */
};

/* Of the last reload that is over; until there is another one. */
struct reload_result reload_result(const struct reload *reload);
