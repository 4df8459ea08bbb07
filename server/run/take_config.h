/* server/run/take_config.h - a shard goes by the newest configuration, and closes the clients of apps that are served
 * no more.
 *
 * Threads: the shard, between two letters or turns: nothing on its stack points into the one before. */
#pragma once

#include <stdbool.h>

struct shard;

/* Takes the newest, if there is a newer one than its own. */
void take_config(struct shard *shard);

/* Once a turn: closes some of those clients, 4100 if their app is gone, 4003 if it is not enabled; so that others have
 * their turn, and those who come back do not come all at once. */
void shut_apps(struct shard *shard);
