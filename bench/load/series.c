/* bench/load/series.c - points, and neighbours joined when there are too many. */
#include "bench/load/series.h"

#include <stdlib.h>
#include <string.h>

#define POINTS_FIRST 16u

void series_fini(struct series *series)
{
    free(series->points);
    *series = (struct series){0};
}

static void point_add(struct series_point *point, const struct series_point *other)
{
    point->sent += other->sent;
    histogram_add(&point->latency, &other->latency);
}

static void join_neighbours(struct series *series)
{
    for (uint32_t i = 0; i < series->count; i++) {
        struct series_point *to = &series->points[i / 2], *from = &series->points[i];
        if (i % 2 == 0) {
            if (i > 0) *to = *from;
        } else {
            point_add(to, from);
        }
    }
    series->count = (series->count + 1) / 2;
    series->point_seconds *= 2;
}

/* Makes points up to and with this one. */
static enum rc reach(struct series *series, uint32_t index)
{
    if (index >= series->capacity) {
        uint32_t capacity = series->capacity > 0 ? series->capacity : POINTS_FIRST;
        while (capacity <= index) {
            capacity *= 2;
        }
        if (capacity > SERIES_POINTS_MAX) capacity = SERIES_POINTS_MAX;
        struct series_point *points = reallocarray(series->points, capacity, sizeof points[0]);
        if (points == NULL) return RC_ENOMEM;
        series->points = points;
        series->capacity = capacity;
    }
    if (index < series->count) return RC_OK;
    memset(&series->points[series->count], 0, (index + 1 - series->count) * sizeof series->points[0]);
    series->count = index + 1;
    return RC_OK;
}

enum rc series_add(struct series *series, uint32_t second, const struct series_point *point)
{
    if (series->point_seconds == 0) series->point_seconds = 1;
    while (second / series->point_seconds >= SERIES_POINTS_MAX) {
        join_neighbours(series);
    }
    enum rc rc = reach(series, second / series->point_seconds);
    if (rc == RC_OK) point_add(&series->points[second / series->point_seconds], point);
    return rc;
}

enum rc series_add_all(struct series *series, const struct series *other, uint32_t later)
{
    enum rc rc = RC_OK;
    /* The coarser of both decides, or else points of several seconds would lie in single ones. */
    while (series->point_seconds > 0 && series->point_seconds < other->point_seconds) {
        join_neighbours(series);
    }
    if (series->point_seconds == 0) series->point_seconds = other->point_seconds;
    for (uint32_t i = 0; i < other->count && rc == RC_OK; i++) {
        rc = series_add(series, later + i * other->point_seconds, &other->points[i]);
    }
    return rc;
}

void series_total(const struct series *series, struct histogram *total_r)
{
    *total_r = (struct histogram){0};
    for (uint32_t i = 0; i < series->count; i++) {
        histogram_add(total_r, &series->points[i].latency);
    }
}
