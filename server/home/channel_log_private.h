/* server/home/channel_log_private.h - what channel_log.c (windows, time) and channel_log_store.c (jobs) share; nobody
 * else includes it. */
#pragma once

#include "server/home/channel_log.h"

struct name;
struct store_job;

/* channel_log.c */
/* Of the window: a durable channel's is only the end of what the store has. */
struct history_bounds log_bounds(const struct shard *shard, const struct channel_log *log);
/* The message, which has its offset, is kept for good: into the window, to the readers, and whoever waits is answered.
 * Takes over everything. */
enum rc log_kept(struct shard *shard, struct channel_log *log, struct message *placed, struct query *query,
                 struct receipt *receipt);
/* What the store knows of the channel, or that it knows nothing: the log is READY. */
void log_fill(struct shard *shard, struct channel_log *log, struct store_job *job);
/* Sends a message that nobody waits for to the readers, unkept. Takes over a reference; log may be NULL. */
void log_send_unkept(struct shard *shard, struct channel_log *log, struct message *message);
/* A message that could not be kept, when all before it have gone: whoever waits is told, or it goes out unkept. Takes
 * over everything; log may be NULL. */
void log_refuse(struct shard *shard, struct channel_log *log, enum rc rc, struct message *message,
                struct query *query, struct receipt *receipt);
/* Goes on with what waited, which finds the log in this state. */
void log_go_on(struct shard *shard, struct channel_log *log, enum channel_log_state state);

/* A message begins to wait for the store, or has done so. */
void log_count_waiting(struct shard *shard, const struct message *message, bool is_more);
/* May so much more wait for the store? */
bool log_has_room(const struct shard *shard, const struct message *message);

/* channel_log_bound.c */
/* A new log, and one whose window has changed: the shard counts what it takes, and lists it. */
void log_begin(struct shard *shard, struct channel_log *log);
void log_count(struct shard *shard, struct channel_log *log);
/* It is used: others go before it. */
void log_touch(struct shard *shard, struct channel_log *log);
void log_free(struct shard *shard, struct channel_log *log);
/* Makes room, should too much be taken; `newest` has just been used, and stays, with its last message at least. */
void log_bound(struct shard *shard, const struct channel_log *newest);
/* Something went out that is not kept, which the store does not know and has to. */
bool log_knows_of_loss(const struct channel_log *log);
/* May anything of the channel ever have been meant to be kept? And: something is. */
bool log_is_seen(const struct shard *shard, const struct roster *roster);
void log_note_seen(struct shard *shard, const struct name *channel);

/* channel_log_store.c */
/* Lets the message, which could not be kept, go out once the append is done that was asked last. False: there is none,
 * or no room; it is not taken. */
bool log_lose_behind(struct shard *shard, struct channel_log *log, struct message *message);
/* Asks for the window. RC_OK: the log is READING. */
enum rc log_ask_window(struct shard *shard, struct channel_log *log);
/* Asks to note whole_from, if it can be asked; then the log is saving. */
void log_ask_loss(struct shard *shard, struct channel_log *log);
/* Asks to store the message, of which `placed` is the form with its offset. Takes over everything, whatever comes. */
void log_ask_append(struct shard *shard, struct channel_log *log, struct message *message, struct message *placed,
                    struct query *query, struct receipt *receipt);
