/* server/home/channel_log_window.h - the window of a channel's log: what is in it, how that comes in, and who goes on
 * when it is known. Its life is in server/home/channel_log.h, which says what holds for all of it.
 *
 * Threads: the home shard. */
#pragma once

#include "core/rc.h"
#include "server/home/channel_log_state.h"

#include <stdbool.h>
#include <stdint.h>

struct letter;
struct message;
struct name;
struct position;
struct query;
struct receipt;
struct roster;
struct shard;
struct store_job;

/* A new epoch. */
void channel_log_choose_epoch(char epoch[EPOCH_BYTES + 1]);
/* While nothing of a channel was ever to be kept its epoch is always the same one, so that who comes back to it has
 * missed nothing, though nobody remembers it; and nobody but us can tell which. */
void channel_log_choose_epoch_unseen(const struct shard *shard, const struct name *channel,
                                     char epoch[EPOCH_BYTES + 1]);
/* Something of the channel was to be kept: from here on only the store knows what it has. */
void channel_log_mark_seen(struct shard *shard, struct channel_log *log);

/* Is it time, and possible, to tell the store of a loss? */
bool channel_log_may_save_loss(const struct channel_log *log);
/* May the log go? Nobody loses by it but who comes back later than channel_log_idle_ms(). */
bool channel_log_may_go(const struct channel_log *log);
/* How long a log stays when nobody subscribes to its channel and nothing is left in its window. */
uint64_t channel_log_idle_ms(const struct channel_log *log);
/* Tells the roster when the log has something to do (roster->log_due_ms); and has its timer set. */
void channel_log_note_due(struct shard *shard, struct channel_log *log);
void channel_log_set_timer(struct shard *shard, struct channel_log *log);

/* Forgets what is too old, or too much for its rule. */
void channel_log_trim(struct shard *shard, struct channel_log *log);
/* The message with the next offset; NULL: out of memory. Leaves *message the caller's, which may be another one. */
struct message *channel_log_place(struct shard *shard, struct channel_log *log, struct message **message);
/* The bounds of the window, which are others where it is only the end of what is kept. */
struct history_bounds channel_log_bounds(const struct shard *shard, const struct channel_log *log);
/* A message, which has its offset, is kept for good: it goes into the window and to the readers, and whoever waits is
 * answered. Takes over everything. */
enum rc channel_log_kept(struct shard *shard, struct channel_log *log, struct message *placed, struct query *query,
                         struct receipt *receipt);
/* Where there are other nodes: what is in the window is over, and the channel goes on from this position, which may be
 * none. */
void channel_log_move(struct shard *shard, struct channel_log *log, const struct position *position);
/* There: the next message, which has its place in this epoch, comes into the window. Borrows it. */
void channel_log_take_placed(struct shard *shard, struct channel_log *log, struct message *placed, const char *epoch);
/* There: all up to this position has come; what has no message there was no new one. */
void channel_log_reach(struct channel_log *log, const struct position *position);
/* What a reader has missed, as one run of event frames, whose offset is the last one's; `since`: there is none. NULL:
 * out of memory. */
struct message *channel_log_run_of(struct shard *shard, const struct name *channel, uint64_t since,
                                   struct message *const messages[], uint32_t count);
/* What the store knows of the channel, or that it knows nothing: the log is READY. */
void channel_log_fill(struct shard *shard, struct channel_log *log, struct store_job *job);
/* Sends a message that nobody waits for to the readers, unkept. Takes over a reference; log may be NULL. */
void channel_log_send_unkept(struct shard *shard, struct channel_log *log, struct message *message);
/* A message that could not be kept, when all before it have gone: whoever waits is told, or it goes out unkept. Takes
 * over everything; log may be NULL. */
void channel_log_refuse_now(struct shard *shard, struct channel_log *log, enum rc rc, struct message *message,
                            struct query *query, struct receipt *receipt);
/* What waited for the log is taken as if it came now. */
void channel_log_take_again(struct shard *shard, const struct letter *letter);
/* Goes on with what waited, which finds the log in this state. */
void channel_log_go_on(struct shard *shard, struct channel_log *log, enum channel_log_state state);

/* The message that a letter brings; NULL: none. */
struct message *channel_log_message_of(const struct letter *letter);
/* A message begins to wait for the store, or has done so. */
void channel_log_count_waiting(struct shard *shard, const struct message *message, bool is_more);
/* May this message wait for the store too? */
bool channel_log_has_room(const struct shard *shard, const struct message *message);
