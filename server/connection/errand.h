/* server/connection/errand.h - what an ANSWERING connection waits for; whoever answers has put it there.
 *
 * Ownership: connection->errand, which its kind takes back: when it answers, and in both of these calls. */
#pragma once

struct connection;
struct shard;

struct errand_kind {
    /* The connection's time is over: says so in an answer. */
    void (*late)(struct shard *shard, struct connection *connection);
    /* The connection ends: what is still done for it will find nobody. */
    void (*abandoned)(struct shard *shard, struct connection *connection);
};

/* What waits begins with this; its kind knows the rest. */
struct errand {
    const struct errand_kind *kind;
};
