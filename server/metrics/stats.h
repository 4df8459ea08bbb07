/* server/metrics/stats.h - the same as server/metrics/metrics.h tells, as one JSON object, with the names of the log:
 * for `curl | jq`, and for the page that shows it live.
 *
 *   version, draining, now_ms, begun_ms      since 1970
 *   node      its name
 *   cluster   "none", or the Redis that connects it with other nodes: "ok", or what is wrong
 *   process   resident_bytes, virtual_bytes, cpu_ms, descriptors, descriptors_max
 *   limits    shards, connections_max
 *   counters  of all shards and threads together, every one
 *   bounds_us the bounds of all histograms' buckets; the last bucket has none
 *   histograms  of all together: count, sum_us, p50_us, p90_us, p99_us since the start, and buckets
 *   shards    name, letters in its mailboxes, and those counters and histograms that are told of each
 *   apps      id, connections
 *   warnings  time_ms, level, thread, text: the last of the log, the oldest first */
#pragma once

#include <stdio.h>

struct shard;

void stats_write(FILE *out, const struct shard *shard);
