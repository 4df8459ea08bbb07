/* server/cluster/cluster_channel_take.h - what one channel does with what comes for it: a push, the answer to what
 * was asked for it, the news that Redis has forgotten.
 *
 * The rules, with `at` the place of the last message that was handed out:
 *   a push that is next            is handed out
 *   one that was there             is dropped
 *   the first of another epoch     is told as a loss, and handed out: Redis has begun anew
 *   any other                      is kept, and what is missing read from `at` on. If `at`, or the one right behind
 *   it,
 *                                  is still there, the rest is exactly what was missed; if the new epoch is there
 *                                  from its beginning on, that is what there is; else a loss is told
 * A gap that a stream does not fill, although it was asked after the push behind the gap had come, is told as a loss.
 * Threads: one. */
#pragma once

#include "server/cluster/cluster_channel.h"

/* Entries of a push: one after the other in one epoch, or all without a place. */
void cluster_channel_push(struct cluster_channel_context *context, struct cluster_channel *channel,
                          const struct cluster_entry *entries, uint32_t count);
/* Its pushes come from here on. */
void cluster_channel_begin(struct cluster_channel_context *context, struct cluster_channel *channel);
/* They do not any more: what was known stays. */
void cluster_channel_end(struct cluster_channel_context *context, struct cluster_channel *channel);
/* The home has entered, once more or for the first time. */
void cluster_channel_enter(struct cluster_channel_context *context, struct cluster_channel *channel);
/* The answer to a question that counts, but for that of an audit. */
void cluster_channel_answer(struct cluster_channel_context *context, struct cluster_channel *channel,
                            const struct cluster_question *question, const struct cluster_entry *entries,
                            uint32_t count);
/* Something is missing, or may be: read from where it is. */
void cluster_channel_catch_up(struct cluster_channel_context *context, struct cluster_channel *channel);
/* Places before this generation are over. */
void cluster_channel_forget(struct cluster_channel_context *context, struct cluster_channel *channel);
