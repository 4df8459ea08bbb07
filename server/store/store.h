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
#include "core/position.h"
#include "core/rc.h"
#include "core/receipts.h"
#include "server/config/options.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct history_rule;
struct message;
struct name;
struct name_filter;
struct store;

enum store_job_kind {
    STORE_APPEND, /* keep this message */
    STORE_LOSS,   /* something is not kept: see whole_from */
    STORE_READ,   /* which messages are there? */
};

/* What was published with a key, and where it went. */
struct store_key {
    char text[RECEIPT_KEY_BYTES_MAX + 1]; /* terminated */
    uint64_t offset;
    uint64_t time_ms;
};

struct store_job {
    enum store_job_kind kind;
    const char *app;                 /* its id; the channel is that app's */
    const struct name *channel;      /* lives until the job is back */
    const struct history_rule *rule; /* of the channel */
    TAILQ_ENTRY(store_job) entry;    /* the asker's */
    uint64_t whole_from;             /* who was not so far missed something that is not kept; READ: an answer */

    /* APPEND: a first message makes the channel. An epoch that is not the one stored replaces it: what was stored
     * under the other one is deleted. Offsets only grow, with or without gaps (an append that failed leaves one).
     * LOSS has the epoch too, and makes nothing: who comes back to a channel that is not stored is told so anyway. */
    struct message *message;             /* has its offset, time and FORM_EVENT; the reference stays the asker's */
    char epoch[EPOCH_BYTES + 1];         /* READ: an answer */
    char key[RECEIPT_KEY_BYTES_MAX + 1]; /* "": none. The same again is one more row: it is the asker's to refuse */

    /* READ: of the messages with since < offset < before, the newest or the oldest that fit; always at least one, if
     * there is one. */
    uint64_t since;
    uint64_t before; /* UINT64_MAX: up to the end */
    uint32_t count_max;
    uint64_t bytes_max;     /* of frames */
    bool is_from_end;       /* the newest, not the oldest */
    bool is_all_or_nothing; /* no messages at all unless all behind `since` are kept */
    uint32_t keys_max;      /* of backends and of clients each, of the last RECEIPT_MS, the newest */

    /* The answer, zeroed by the asker. RC_OK, RC_ENOENT (READ: nothing was ever stored of this channel, or all of it
     * was forgotten, which is when the rule's ttl and RECEIPT_MS have passed since its last message), RC_ESTORE,
     * RC_ENOMEM. The rest is READ's, with RC_OK: */
    enum rc rc;
    uint64_t last;             /* offset of the channel's last message, also when it is not kept any more, */
    uint64_t last_ms;          /* and its time */
    uint64_t first;            /* of the oldest that is kept; last + 1: none is */
    struct message **messages; /* ascending, with the gaps that they were stored with: FORM_EVENT with its position,
                                * offset, time; a reference to each. Which connections published them is not kept */
    uint32_t messages_count;
    struct store_key *keys; /* those of backends, then of clients, in the order of their offsets */
    uint32_t keys_count;

    struct store_job *next; /* this and the rest are the store's */
    uint32_t shard;
};

/* How long a channel is remembered after its last message: as long as its keys at least. */
static inline uint64_t store_remembers_ms(uint64_t ttl_ms)
{
    return ttl_ms > RECEIPT_MS ? ttl_ms : RECEIPT_MS;
}

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
/* Gives back the answer's messages and keys; what the job was made of stays the caller's. */
void store_job_fini(struct counters *counters, struct store_job *job);

/* Any thread. NULL: all is well, or why the last transaction failed; static. */
const char *store_trouble(const struct store *store);
const struct counters *store_counters(const struct store *store);
