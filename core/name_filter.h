/* core/name_filter.h - names that were seen: surely not, or perhaps (a Bloom filter, Bloom 1970, that grows by levels;
 * Almeida et al., Scalable Bloom Filters, 2007).
 *
 * A name that was added is always found. One that was not is taken for one of them with a chance of about one in a
 * thousand for each level; once bytes_max is reached, or memory is short, more and more often, up to always: whoever
 * asks can then do no harm by believing it. Nothing is ever taken out.
 * Threads: one.
 * Memory:  two bytes for each name, at most bytes_max; the first level has 16 KiB. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define NAME_FILTER_LEVELS_MAX 20

struct name_filter {
    uint64_t *levels[NAME_FILTER_LEVELS_MAX]; /* bits; each level has twice as many as the one before */
    uint32_t levels_count;
    uint64_t room; /* names that the last level still has room for */
    uint64_t bytes;
    uint64_t bytes_max;
    bool has_all; /* it could not be told what it has */
};

void name_filter_init(struct name_filter *filter, uint64_t bytes_max);
/* Accepts a zeroed struct and leaves one. */
void name_filter_fini(struct name_filter *filter);

/* By the name's hash, which is keyed. */
void name_filter_add(struct name_filter *filter, uint64_t hash);
bool name_filter_may_have(const struct name_filter *filter, uint64_t hash);
