/* server/store/store_channel.h - the channels' rows, of which those used lately stay in memory. A pointer is good until
 * another channel is asked for. */
#pragma once

#include "server/store/store_statement.h"

struct store_job;

/* The columns of a channel's row, as store_channel_load() reads them. */
#define STORE_CHANNEL_COLUMNS \
    "id, epoch, last, last_ms, ttl_ms, count, bytes, sweep_ms, whole_from, is_room, eviction"

/* Finds the row of a job's channel. RC_OK, RC_ENOENT or RC_ESTORE. */
enum rc store_channel_find(struct store_log *log, const struct store_job *job, struct store_channel **channel_r);
/* Makes the row of a job's channel, of which there is none yet; it has no epoch. RC_OK or RC_ESTORE. */
enum rc store_channel_make(struct store_log *log, const struct store_job *job, struct store_channel **channel_r);
/* Notes that a row from store_channel_find() or store_channel_make() was changed. */
void store_channel_changed(struct store_log *log, struct store_channel *channel);
/* Writes the rows that were changed; to be called before a commit. */
enum rc store_channels_save(struct store_log *log);
/* Forgets all rows in memory: after a rollback, and when the table was changed by other statements. */
void store_channels_forget(struct store_log *log);

void store_channel_load(const struct store_log *log, enum store_statement row, struct store_channel *channel_r);
enum rc store_channel_save(struct store_log *log, struct store_channel *channel);

/* Where the channel stands among those that lose messages when the database is full. */
uint64_t store_eviction(const struct store_channel *channel);
