/* tests/support/store_log_case.h - the durable log as tables, in the directory of tests/support/store_case.h:
 * no thread, and time is passed in. */
#pragma once

#include "server/store/store_log.h"
#include "tests/support/store_case.h"

extern struct store_log *case_log;
extern struct counters case_log_counters;

/* An empty one. */
void case_log_begin(void);
/* What is in the directory. */
void case_log_open(void);
/* Closed and opened again. */
void case_log_reopen(void);
void case_log_end(void);

/* Runs the job in a transaction of its own. */
void case_log_run(struct store_job *job, uint64_t now_ms);
enum rc case_log_run_and_free(struct store_job *job, uint64_t now_ms);
/* Messages with these offsets, at CASE_MS. */
void case_log_append(const char *channel, uint64_t first, uint64_t last);
void case_log_append_at(const char *channel, uint64_t offset, uint64_t time_ms, const char *key);
/* Reads all, and what it expects of it. */
void case_log_expect(const char *channel, uint64_t now_ms, uint64_t first, uint64_t last, uint32_t count);
enum rc case_log_read_rc(const char *channel, uint64_t now_ms);
/* Sweeps in passes of so many rows; returns how many passes it took. */
uint32_t case_log_sweep(uint64_t now_ms, uint32_t rows_max);
