/* server/store/store.h - the durable log: what channels have kept, in SQLite, on a thread of its own.
 *
 * A home asks by jobs and goes on; the store takes all appends and losses that wait as one transaction (group commit),
 * and each job comes back once that is committed. While one transaction is being written the next one gathers, so
 * nothing waits for company: unless more wait than one transaction takes (4096 jobs or 8 MiB of frames), a job waits
 * for one commit before its own. Live messages wait for theirs, so reads come behind: after each of these
 * transactions one with about a mebibyte of what is to be read. Jobs come back in the order in which they were done:
 * appends and losses as asked, reads as asked, a read with all that has come back before it.
 * Threads:   the store's thread owns the database. Each shard asks and receives through two lock-free queues of its
 *            own (CK ring, SPSC); the store wakes it by its signal descriptor, it wakes the store by store_wake().
 * Ownership: a job is its asker's all the time, and the store's to read and write from store_ask() until
 *            store_receive() has returned it, or store_stop() has returned. What an answer brings along is the
 *            asker's: store_job_fini().
 * Bounds:    a shard has at most store_jobs_max reads and as many other jobs under way, else RC_EFULL; a job's
 *            messages by its count_max and bytes_max; a channel's log by its history rule (ttl exactly; size and bytes
 *            exceeded by a sixteenth at most, and one message is kept however large it is); all of them by
 *            store_disk_bytes_max, which the last transaction may exceed:
 *            server/store/store_evict.c says who loses what.
 * Failure:   when a transaction cannot be written (disk full, I/O error, corruption), all of its appends come back
 *            with RC_ESTORE and nothing of them is stored; reads are answered all the same if they can be. The next
 *            one tries again, and so does the store by itself once a second while nobody asks. store_trouble()
 *            says why meanwhile. While another program writes, a transaction waits two seconds for it; then it is
 *            trouble, and the next ones come back at once.
 * Files:     once a second it looks whether the directory and its files are still those that it opened; if not, nothing
 *            is taken, as when a transaction fails.
 * Power:     with store_sync a message that was answered RC_OK is on the disk. Without, a power cut or a crash of the
 *            kernel may cost the last ones, never the database; the end of this process costs nothing.
 * Source:    SQLite 3.40, WAL; https://www.sqlite.org/wal.html and pragma synchronous for what is safe when. */
#pragma once

#include "core/counters.h"
#include "core/rc.h"
#include "server/config/options.h"
#include "server/store/store_job.h"

#include <stdint.h>

struct name_filter;
struct store;

/* Opens or makes the database in options->data_dir, makes the thread. wake[i] is shard i's signal descriptor, an
 * eventfd; the array is copied. RC_EINVAL: another server uses it, it is no database of ringcast, of a newer version,
 * corrupt, or cannot be written; RC_ENOMEM, RC_EKERNEL. reason_r (512 bytes are enough) says what and the cure. */
enum rc store_start(struct store **store_r, const struct options *options, const int *wake, uint32_t shards,
                    char *reason_r, size_t reason_size);
/* Shards have stopped. Writes what was asked for, leaves unread what was to be read (RC_ESTORE), ends the thread and
 * closes the database; the answers can still be received. Accepts NULL. */
void store_stop(struct store *store);
/* After store_stop(). Accepts NULL. */
void store_free(struct store *store);

/* Shard. RC_OK, or RC_EFULL: not taken. */
enum rc store_ask(struct store *store, uint32_t shard, struct store_job *job);
/* Shard, once a turn: wakes the store if this shard has asked it something since. */
void store_wake(struct store *store, uint32_t shard);
/* Shard: the next job that is done; NULL: none. */
struct store_job *store_receive(struct store *store, uint32_t shard);
/* Shard: names of its channels that the log had when it was opened, as far as they are of an app of the options. */
const struct name_filter *store_seen(const struct store *store, uint32_t shard);

/* Any thread. NULL: all is well, or why the last transaction failed; static. */
const char *store_trouble(const struct store *store);
const struct counters *store_counters(const struct store *store);
/* The version of SQLite, "3.40.1"; static. */
const char *store_library(void);
