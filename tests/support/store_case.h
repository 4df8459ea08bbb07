/* tests/support/store_case.h - what tests of the durable log share: a directory, jobs, and what to expect of them. */
#pragma once

#include "core/counters.h"
#include "server/config/history_rule.h"
#include "server/store/store.h"

#define CASE_MS UINT64_C(1700000000000) /* "now", unless a test says another time */

/* A directory of its own; cr_assert()s. */
void case_begin(void);
/* With all that is in it. Nothing of messages is left alive, or the test fails. */
void case_end(void);

extern char case_dir[64];
extern struct counters case_counters;
extern struct history_rule case_rule; /* of every job; case_begin() fills it: 1000 messages, 24h, 8MiB */

/* An append to a channel of app "1001" in epoch "epoch001". Data and name are copied. */
struct store_job *case_append(const char *channel, uint64_t offset, const char *data);
struct store_job *case_append_text(const char *channel, uint64_t offset, struct text name, struct text data,
                                   struct text user_id, uint64_t time_ms);
/* A read of all, the oldest first. */
struct store_job *case_read(const char *channel);
/* The job is the first of its kind among those that are not NULL yet; it becomes NULL there. */
void case_expect_next(struct store_job **jobs, const struct store_job *job);
/* The job, its message, its answer. */
void case_free(struct store_job *job);

/* "3 4 5": offsets of the answer; static. */
const char *case_offsets(const struct store_job *job);
/* Does the message hold this, at its position? */
void case_expect_message(const struct message *message, const struct store_job *append);
/* One value of the database file, read as another program would; it must be open or have been closed properly. */
uint64_t case_query(const char *sql);
uint64_t case_query_file(const char *name, const char *sql);

/* The path of a file in the directory; static, for two at a time. */
const char *case_path(const char *name);
/* All of a file in the directory, or of one whose path begins with a slash; the caller's to free(). */
char *case_read_file(const char *name, size_t *count_r);
void case_write_file(const char *name, const void *bytes, size_t count);
/* What a child does before it dies, as by SIGKILL. */
void case_in_child(void (*act)(void));
