/* server/channel/fan_out.h - from a channel to the outboxes of its subscribers on this shard. */
#pragma once

struct channel;
struct message;
struct shard;

/* Keeps a message for the end of the turn, which has a form that this shard reads. Takes over a reference. */
void fan_out_later(struct shard *shard, struct channel *channel, struct message *message);

/* Puts what has arrived in this channel into its subscribers' outboxes. To be called before anyone joins or leaves. */
void fan_out_settle(struct shard *shard, struct channel *channel);
/* Once a turn: does so for all channels. */
void fan_out_settle_all(struct shard *shard);
