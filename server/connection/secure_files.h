/* server/connection/secure_files.h - the certificates of a shard, from the main thread.
 *
 * Threads: a shard's context (certificates, keys) is its own; the main thread hands new files over. */
#pragma once

#include "core/rc.h"

#include <stddef.h>

struct shard;
struct tls_files;

/* Main thread, before the shard runs, or any time later: the shard makes a context of these files when it comes to it.
 * Takes over a reference. */
void secure_offer_files(struct shard *shard, struct tls_files *files);
/* Once a turn, and before the shard's first: takes what was offered. An error, with a reason, when no context can be
 * made of it; the old one stays. */
enum rc secure_take_files(struct shard *shard, char *reason_r, size_t reason_size);
void secure_end(struct shard *shard);
