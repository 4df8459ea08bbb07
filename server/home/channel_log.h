/* server/home/channel_log.h - a channel's log at its home: it gives offsets, holds the window, asks the store.
 *
 * A message of a durable channel goes to the store first and to the readers when it is committed: nobody sees what a
 * restart would take back, and no offset is given twice. What the store has of a channel comes back when somebody
 * first wants something of it; until then whatever concerns its history waits here, in order.
 * When the store fails, who can be told is told (RC_ESTORE, RC_EFULL) and nothing goes out; what nobody waits for goes
 * out without an offset, and readers who were not further than that are told recovered:false when they come back, also
 * after a restart if the store has worked for a second before it.
 * Where there are other nodes the order, offsets and epochs are the cluster's (server/home/broker.h): the log has only
 * a window, no store, and is there while the channel is read.
 * Threads:   the home shard.
 * Ownership: the roster's; freed here, when nobody needs it any more. Jobs at the store are the shard's.
 * Strangers choose names: a log of which nothing was ever to be kept asks the store nothing, and goes with its last
 * subscriber; the next one begins in the same epoch.
 * Bounds:    the channel's history rule; history_bytes_max over all channels of a shard, empty ones too, which go
 *            first; of what waits for the store or is on its way to it store_jobs_max messages and store_bytes_max
 *            bytes, and as much again of what is not kept and waits behind that: more goes out at once. */
#pragma once

#include "core/rc.h"
#include "server/home/channel_log_window.h"

#include <stdbool.h>
#include <stdint.h>

struct letter;
struct message;
struct position;
struct query;
struct receipt;
struct roster;
struct shard;

/* The channel's log, ready to be used. RC_ENOENT: it has none. RC_PENDING: it is being read, wait in it. RC_ESTORE,
 * RC_EFULL: it cannot be read now. RC_ENOMEM. *log_r is NULL if there is none. */
enum rc channel_log_open(struct shard *shard, struct roster *roster, struct channel_log **log_r);
/* A SUBSCRIBE, PUBLISH or ASK waits until the log is read; then it is taken anew. Takes over its body. RC_ENOMEM or
 * RC_EFULL: not taken. */
enum rc channel_log_wait(struct shard *shard, struct channel_log *log, const struct letter *letter);

/* Gives the message its offset, keeps it, sends it to the readers and answers whoever waits for that, now or later.
 * Takes over everything; query and receipt may be NULL. RC_PENDING: mailboxes are full. */
enum rc channel_log_keep(struct shard *shard, struct channel_log *log, struct message *message, struct query *query,
                         struct receipt *receipt);
/* Can a reader who came so far get everything since? It may be the store that has it. */
bool channel_log_is_whole(const struct channel_log *log, const struct position *from);

/* The time has come that the log told its roster: forgets what is too old, and the log when nobody needs it: false, it
 * is gone. Otherwise the roster is told the next time. */
bool channel_log_run(struct shard *shard, struct channel_log *log);
/* Like channel_log_run(), when the last subscriber has left. */
bool channel_log_left(struct shard *shard, struct channel_log *log);

/* The shard ends, channel_log_end() has been called: gives up the log. */
void channel_log_free(struct shard *shard, struct channel_log *log);
