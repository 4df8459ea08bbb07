/* bench/load/series.h - what happened in each second of a run: messages sent, and the latencies of all deliveries.
 *
 * A point is one second. A long run has SERIES_POINTS_MAX points and fewer seconds too many: then neighbours are
 * joined and a point is two seconds, four, ..., so memory stays below some 12 MiB however long the run is.
 * One thread. A zeroed struct is empty. */
#pragma once

#include "bench/load/histogram.h"
#include "core/rc.h"

#define SERIES_POINTS_MAX 600u

struct series_point {
    uint64_t sent;
    struct histogram latency; /* ns; its count is the number of deliveries */
};

struct series {
    struct series_point *points;
    uint32_t count;
    uint32_t capacity;
    uint32_t point_seconds; /* length of a point, a power of two; 0: empty */
};

void series_fini(struct series *series);

/* Adds to the point in which this second of the run lies. RC_ENOMEM: not added. */
enum rc series_add(struct series *series, uint32_t second, const struct series_point *point);

/* Adds all points of another, whose run began `later` seconds after this one. RC_ENOMEM: some are missing. */
enum rc series_add_all(struct series *series, const struct series *other, uint32_t later);

/* All latencies of all points. */
void series_total(const struct series *series, struct histogram *total_r);
