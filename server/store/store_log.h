/* server/store/store_log.h - the durable log as tables: appending, reading and forgetting, in transactions.
 *
 * Threads:   one at a time: whoever opened it, then the store's.
 * Failure:   RC_ESTORE: SQLite could not; the transaction is to be rolled back, and store_log_trouble() says why.
 *            What concerns one job alone is told in job->rc, and the transaction goes on.
 * Bounds:    a log exceeds its rule's size and bytes by at most a sixteenth, until a rule that has become smaller
 *            has been seen by enough appends. The newest message stays, however large it is, until its time is over.
 * Time:      now_ms is the time of day. A message is expired, and no longer read, when the rule's ttl has passed
 *            since its time_ms; a sweep goes by the ttl of the rule under which the channel was last appended to. */
#pragma once

#include "core/rc.h"
#include "core/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct counters;
struct history_rule_list;
struct store_job;
struct store_log;

/* RC_OK, RC_EINVAL or RC_ENOMEM; reason_r says what and the cure. The counters become the log's owner's. */
enum rc store_log_open(struct store_log **log_r, struct counters *counters, const char *data_dir, bool is_synced,
                       char *reason_r, size_t reason_size);
/* What is done at a start is done: until then the service manager hears of what takes long, that it gets on. */
void store_log_has_started(struct store_log *log);
/* Closes the log, of which no transaction is open. Accepts NULL. */
void store_log_close(struct store_log *log);

/* Channels that are not durable under these rules begin a new epoch: what is published to them now is not here, and who
 * comes back when they are durable again must not think that it was all. RC_OK, or RC_ESTORE: nothing has changed. */
enum rc store_log_apply_rules(struct store_log *log, const struct history_rule_list *rules);

/* Names every channel that is in the log. RC_OK or RC_ESTORE. */
typedef void store_channel_fn(void *owner, const char *app_id, struct text channel);
enum rc store_log_each_channel(struct store_log *log, store_channel_fn *tell, void *owner);

/* RC_OK, or RC_ESTORE: nothing has begun. Only one that writes may append and sweep. */
enum rc store_log_begin(struct store_log *log, bool writes);
/* RC_OK, or RC_ESTORE: to be rolled back. */
enum rc store_log_commit(struct store_log *log);
void store_log_rollback(struct store_log *log);

/* Stores a message; job->rc is RC_OK. RC_ENOMEM. RC_ESTORE: the offset is not above those that are stored, an error of
 * ours that the log tells. An epoch that is not the stored one replaces what was stored under the other. */
enum rc store_log_append(struct store_log *log, struct store_job *job, uint64_t now_ms);
/* Notes the job's whole_from: who was not so far missed something that is not kept. job->rc is RC_OK. */
enum rc store_log_lose(struct store_log *log, struct store_job *job);
/* Answers from what is stored; job->rc is RC_OK, RC_ENOENT or RC_ENOMEM; only with RC_OK there is an answer. */
enum rc store_log_read(struct store_log *log, struct store_job *job, uint64_t now_ms);
/* Deletes what has expired, in about rows_max rows; has_more_r: not all of it. */
enum rc store_log_sweep(struct store_log *log, uint64_t now_ms, uint32_t rows_max, bool *has_more_r);

/* What waits for another program that is writing waits a while, as after opening, or not at all. */
void store_log_set_patience(struct store_log *log, bool is_patient);
/* Are the files still those that were opened? RC_OK or RC_ESTORE: until they are again, nothing that writes begins. */
enum rc store_log_look(struct store_log *log);
/* Bounds what the database takes: its pages in use, with SQLite's log beside it. One that is larger when it is opened
 * with a bound for the first time is kept as it is, does not grow, and is warned of. 0: no bound. RC_OK or
 * RC_ESTORE. */
enum rc store_log_set_bound(struct store_log *log, uint64_t bytes_max);
/* Outside of transactions: has it come near the bound, so that it should evict? */
bool store_log_is_full(struct store_log *log);
/* Deletes the oldest messages of rooms, then those of the largest channels, in about rows_max rows, until it is well
 * below the bound; has_more_r: it is not yet, and there may be more to delete. */
enum rc store_log_evict(struct store_log *log, uint32_t rows_max, bool *has_more_r);

/* Outside of transactions: can anything be written? RC_OK or RC_ESTORE. */
enum rc store_log_probe(struct store_log *log);
/* Of the last RC_ESTORE: why, in few words, static; and a whole sentence with the cure, until the next one. */
const char *store_log_trouble(const struct store_log *log);
const char *store_log_reason(const struct store_log *log);
