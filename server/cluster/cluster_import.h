/* server/cluster/cluster_import.h - brings what a server alone has kept into Redis, while no node runs there.
 *
 *     cluster_import_open(&import, options, reason, sizeof reason);
 *     for each channel: cluster_import_begin(), cluster_import_message() oldest first, cluster_import_end()
 *     cluster_import_close(import);
 *
 * Offsets stay; the epoch is one that begins now, so clients who come back are told that they cannot resume. A channel
 * that Redis has already is left as it is.
 * Threads: one, which waits for Redis, for each answer at most redis_silent_ms_max.
 * Errors:  RC_EINVAL and a reason that names cause and cure; what was written of the channel that was begun is taken
 *          out again if Redis still answers. Nothing else goes on after one but cluster_import_close(). */
#pragma once

#include "core/rc.h"
#include "core/text.h"
#include "server/config/options.h"

#include <stddef.h>
#include <stdint.h>

struct cluster_import;
struct history_rule;
struct message;

/* Connects to the one Redis of the options. RC_EINVAL too: there is no --redis or more than one server, or a node runs
 * there. RC_ENOMEM. Whatever comes, *import_r is to be closed. */
enum rc cluster_import_open(struct cluster_import **import_r, const struct options *options, char *reason_r,
                            size_t reason_size);
/* Accepts NULL. */
void cluster_import_close(struct cluster_import *import);

/* The app and the channel's name stay until its end. RC_ENOENT: Redis has it already, it is not begun. */
enum rc cluster_import_begin(struct cluster_import *import, struct text app, struct text channel,
                             const struct history_rule *rule);
/* It has its offset, larger than those before, its time and FORM_EVENT. */
enum rc cluster_import_message(struct cluster_import *import, const struct message *message);
/* `last`: the offset given last, also if that message is not kept any more. */
enum rc cluster_import_end(struct cluster_import *import, uint64_t last);
