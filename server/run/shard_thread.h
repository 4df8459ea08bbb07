/* server/run/shard_thread.h - making a shard, running its thread, taking it apart.
 *
 * Threads:   the main thread calls all of these. */
#pragma once

#include "core/rc.h"

#include <stddef.h>
#include <stdint.h>

struct options;
struct shard;
struct tls_files;

/* What one shard's buffers take of memory, however little it does. */
uint64_t shard_thread_buffers_bytes(const struct options *options);
/* Makes everything but the thread, of a shard that has been given its index, its options, its door and what is of all
 * shards together, and is zeros otherwise. Files: NULL: no TLS. On error nothing is left and reason_r says why. */
enum rc shard_thread_init(struct shard *shard, uint32_t homes_count, struct tls_files *files, char *reason_r,
                          size_t reason_size);
/* The thread has ended, or was never started. */
void shard_thread_fini(struct shard *shard);

/* Starts the thread, which runs turns until the server stops; returns when it accepts connections, or cannot. */
enum rc shard_thread_start(struct shard *shard, char *reason_r, size_t reason_size);
