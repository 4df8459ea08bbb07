/* server/run/black_box.h - what is told of shards when the program crashes, or when one of them stands still: what
 * happened to each last, and which connection it was serving.
 *
 * Nothing here locks, allocates or formats: it may all run in a signal handler, while the shards go on. No byte of what
 * anybody sent is told. */
#pragma once

#include "server/system/safe_line.h"

#include <stdint.h>

struct shard;

/* Takes the line, and empties it. */
typedef void black_box_say(struct safe_line *line);

/* Main thread: a crash tells of these shards from now on. */
void black_box_open(const struct shard *shards, uint32_t shards_count);
/* Main thread: a crash tells of no shard any more. */
void black_box_close(void);
/* The shard's thread, when it begins: a crash on it tells of this shard first, and of the connection at hand. */
void black_box_board(const struct shard *shard);

/* Any thread: that shard's last events, at most so many, the oldest first. */
void black_box_tell_events(const struct shard *shard, uint32_t events_max, black_box_say *say);
/* What crash_watch() is to call: tells of all shards. */
void black_box_tell_all(void);
