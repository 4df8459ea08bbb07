/* server/cluster/cluster_settings.h - what the options say of Redis, as the cluster's thread takes it. Main thread, at
 * start; waits for the disk. */
#pragma once

#include "core/rc.h"
#include "server/cluster/cluster_work.h"
#include "server/cluster/redis_access.h"
#include "server/config/redis_url.h"

#include <stddef.h>

struct options;

struct cluster_settings {
    struct cluster_work_settings work; /* looks at these two, and at the options */
    struct redis_url url;
    char name[96]; /* this node's, for CLIENT LIST */
};

/* Reads --redis and what belongs to it, and the files that it names; the options outlive them. *access_r is given
 * back by redis_access_free(), also after an error. RC_OK; RC_EINVAL, RC_ENOENT, RC_ENOMEM, RC_EKERNEL and a reason. */
enum rc cluster_settings_of(const struct options *options, struct cluster_settings *settings_r,
                            struct redis_access **access_r, char *reason_r, size_t reason_size);
