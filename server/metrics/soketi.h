/* server/metrics/soketi.h - what ringcast has to tell, once more under the names that Soketi gives it.
 *
 * All have Soketi's label port, of the first address that is listened on; app_id has only soketi_connected, for the
 * rest is not counted by app. */
#pragma once

struct exposition;
struct shard;

void soketi_tell(struct exposition *exposition, const struct shard *shard);
