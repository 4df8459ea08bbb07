/* server/home/home_publish.h - a message at its channel's home: once only, kept if its channel keeps it,
 * into order, out.
 *
 * Threads: the home shard. */
#pragma once

#include "core/rc.h"

#include <stdbool.h>

struct channel;
struct message;
struct query;
struct shard;

/* What somebody published. Takes over a reference, and the query of whoever waits to hear of it (NULL: nobody does),
 * which is answered now or later. RC_PENDING: it is on its way, but mailboxes are full. */
enum rc home_publish(struct shard *shard, struct message *message, struct query *query);

/* Is this an invitation, and one too many for the guest whose channel it is? Then it is counted and goes no further:
 * the guest still finds the channel in its list. NULL: it is not signed in, and nobody hears. */
bool home_is_too_much(struct shard *shard, struct channel *channel, const struct message *message);
