/* server/home/channel_log_store.h - what a channel's log asks of the store (server/store/store.h), what becomes of the
 * answers, and what goes out behind them.
 *
 * Threads: the home shard. */
#pragma once

#include "core/rc.h"

#include <stdbool.h>
#include <stdint.h>

struct channel_log;
struct join;
struct message;
struct query;
struct receipt;
struct shard;
struct store_job;

/* Lets the message, which could not be kept, go out once the append is done that was asked last. False: there is none,
 * or no room; it is not taken. */
bool channel_log_lose_behind(struct shard *shard, struct channel_log *log, struct message *message);
/* Asks for the window. RC_OK: the log is READING. */
enum rc channel_log_ask_window(struct shard *shard, struct channel_log *log);
/* Asks to note whole_from, if it can be asked; then the log is saving. */
void channel_log_ask_loss(struct shard *shard, struct channel_log *log);
/* Asks to store the message, of which `placed` is the form with its offset. Takes over everything, whatever comes. */
void channel_log_ask_append(struct shard *shard, struct channel_log *log, struct message *message,
                            struct message *placed, struct query *query, struct receipt *receipt);

/* What was to be kept cannot be, for this reason: whoever waits is told, or it goes out unkept, behind what is still at
 * the store. Takes over everything; log may be NULL. */
void channel_log_refuse(struct shard *shard, struct channel_log *log, enum rc rc, struct message *message,
                        struct query *query, struct receipt *receipt);

/* What is not to be kept goes out behind what is still at the store, so that a publisher's messages stay in order.
 * False: nothing is, or there is no room; it is not taken. */
bool channel_log_pass_behind(struct shard *shard, struct channel_log *log, struct message *message,
                             struct query *query, struct receipt *receipt);

/* Asks the store for all behind the position from which the join resumes; the answer goes on with it. Takes over the
 * join. RC_ESTORE, RC_EFULL or RC_ENOMEM: not taken. */
enum rc channel_log_resume(struct shard *shard, struct channel_log *log, struct join *join);

/* Fills in the query's answer from what the store has answered, which it only borrows. */
typedef enum rc channel_log_page_reader(const struct channel_log *log, struct query *query,
                                        const struct store_job *job);
/* Asks the store for the query's page; when it has answered, `page` is called, and the query is answered. Takes over
 * the query. RC_ESTORE, RC_EFULL or RC_ENOMEM: not taken. */
enum rc channel_log_read(struct shard *shard, struct channel_log *log, struct query *query,
                         channel_log_page_reader *page);

/* Once a turn: takes what the store has answered; wakes it. */
void channel_log_take_answers(struct shard *shard);

/* The shard ends, the store has stopped: gives up what it was asked. */
void channel_log_end(struct shard *shard);
