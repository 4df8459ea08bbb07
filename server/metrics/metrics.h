/* server/metrics/metrics.h - all that is told of a server to Prometheus, from the tables: core/counters.def,
 * core/close_reason.def, core/histograms.def, server/metrics/metrics.def.
 *
 * Threads: any shard's, in practice that of the control door. What others count is read where they count it
 *          (core/counters.h), so a scrape costs them nothing: no letter, no lock, no wait, also for a shard that stands
 *          still. Nothing depends on the number of connections or channels; what is read is some 4 KB of each shard
 *          and the heads of its mailboxes.
 * Labels:  shard ("control" is the one for backends), app and reason, of which the operator knows how many there are.
 *          Never a channel or a user. Every family is there from the start. */
#pragma once

#include "server/metrics/exposition.h"

struct shard;

/* Writes everything, as this shard can see it. */
void metrics_write(FILE *out, const struct shard *shard, enum exposition_format format);
/* Writes what there is to be told, in Markdown. */
void metrics_print(FILE *out);

/* How a shard is called in labels. */
#define METRICS_SHARD_BYTES 16
const char *metrics_shard_name(const struct shard *asker, uint32_t index, char name_r[METRICS_SHARD_BYTES]);
