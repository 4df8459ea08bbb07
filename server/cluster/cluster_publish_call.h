/* server/cluster/cluster_publish_call.h - one call of a channel's messages. For server/cluster/cluster_publish.c, which
 * says when. */
#pragma once

#include "core/rc.h"
#include "server/cluster/cluster_publish_settings.h"

struct cluster_publish;

/* How a message goes. What goes together is of one kind. */
enum publish_kind {
    PUBLISH_NOTHING, /* it has no frames */
    PUBLISH_PLAIN,   /* PUBLISH: it is not kept, */
    PUBLISH_MARKED,  /* script PLAIN: but it has a key, or is the last event */
    PUBLISH_KEPT,    /* script PUBLISH */
};

enum publish_kind publish_kind_of(const struct cluster_job *job);
/* Makes the call of the queue's first jobs. RC_OK, RC_ENOMEM. */
enum rc publish_make_call(struct cluster_publish *publish, struct cluster_queue *queue,
                          const struct cluster_time *time, struct cluster_publish_call *call_r);
