/* server/home/history_page.h - a part of a channel's history, told on demand.
 *
 *     "epoch":"k3x9ab2m","offset":43,"more":false,"items":[
 *       {"offset":42,"name":"ev","data":"...","time_ms":1700000000123,"user_id":"42"},...]
 *
 * The items are in their order, the oldest first; `offset` is the channel's newest, `more` whether there are further
 * ones in the direction asked for. Who asks by `since` is told "complete" too: whether all that came since is there.
 * Threads: the home shard. */
#pragma once

#include "core/rc.h"

struct query;
struct shard;

/* Fills in the answer to a QUERY_HISTORY. RC_PENDING: it is answered later, and taken over. RC_ENOENT: the channel
 * keeps no history. RC_ESTORE, RC_ECLUSTER, RC_EFULL: the store, or the cluster, cannot say now.
 * RC_ENOMEM. */
enum rc history_page(struct shard *shard, struct query *query);
