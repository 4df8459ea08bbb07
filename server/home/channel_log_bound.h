/* server/home/channel_log_bound.h - what the logs of a shard take together, and which names were never seen.
 *
 * Threads: the home shard. */
#pragma once

#include <stdbool.h>

struct channel_log;
struct name;
struct roster;
struct shard;

/* A new log, and one whose window has changed: the shard counts what it takes, and lists it. */
void channel_log_begin(struct shard *shard, struct channel_log *log);
void channel_log_count(struct shard *shard, struct channel_log *log);
/* The log is used: others go before it. */
void channel_log_touch(struct shard *shard, struct channel_log *log);
void channel_log_forget(struct shard *shard, struct channel_log *log);
/* Makes room, should too much be taken; `newest` has just been used, and stays, with its last message at least. */
void channel_log_bound(struct shard *shard, const struct channel_log *newest);
/* Something went out that is not kept, which the store does not know and has to. */
bool channel_log_knows_of_loss(const struct channel_log *log);
/* May anything of the channel ever have been meant to be kept? channel_log_note_seen(): something is. */
bool channel_log_is_seen(const struct shard *shard, const struct roster *roster);
void channel_log_note_seen(struct shard *shard, const struct name *channel);
