/* server/home/home_kept.h - the last event of cache channels, kept for whoever comes later.
 *
 * Threads: the home shard.
 * Bounds:  the app's cache_ms for each; cache_bytes_max over all of a shard: the oldest are forgotten. */
#pragma once

#include <stdint.h>

struct channel;
struct message;
struct roster;
struct shard;

/* Keeps the event in place of the one before it, as long as its app says. */
void home_keep_last(struct shard *shard, struct channel *channel, struct message *message);
/* The same, for so long. */
void home_keep_event(struct shard *shard, struct channel *channel, struct message *message, uint64_t ms);
/* Forgets a cache channel's last event; nothing, if there is none. */
void home_forget_kept(struct shard *shard, struct roster *roster);
