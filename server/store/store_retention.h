/* server/store/store_retention.h - what a channel may keep, and what of it goes. */
#pragma once

#include "server/store/store_statement.h"

struct history_rule;

/* What a channel may keep. */
struct store_bounds {
    uint64_t count;
    uint64_t bytes;
    uint64_t least;      /* messages that these two leave */
    uint64_t expired_ms; /* and published then or earlier: gone */
    uint64_t ahead_ms;   /* what was published later than that is ahead of the clock */
};

/* The front of a log that is to go. */
struct store_front {
    uint64_t rows;
    uint64_t bytes;
    uint64_t offset;  /* of its last message, */
    uint64_t time_ms; /* and its time */
    uint64_t next_ms; /* time of the first that stays; STORE_NUMBER_MAX: it is not known to be there */
};

/* The bounds of time alone. */
struct store_bounds store_bounds_of_time(uint64_t now_ms, uint64_t ttl_ms);

/* Measures the messages at the channel's front that are not within the bounds; no further than that many. */
enum rc store_measure_front(struct store_log *log, const struct store_channel *channel,
                            const struct store_bounds *bounds, uint32_t rows_max, struct store_front *front);
/* Deletes the messages at the channel's front that are not within the bounds, at most so many. */
enum rc store_cut_front(struct store_log *log, struct store_channel *channel, const struct store_bounds *bounds,
                        uint32_t rows_max, struct store_front *front);
enum rc store_delete_channel(struct store_log *log, const struct store_channel *channel);

/* What was published then or earlier is expired. */
static inline uint64_t store_expired_ms(uint64_t now_ms, uint64_t ttl_ms)
{
    return now_ms > ttl_ms ? now_ms - ttl_ms : 0;
}

/* When a channel of which nothing is left is forgotten: its epoch lives as long as its keys. */
uint64_t store_forget_at_ms(uint64_t last_ms, uint64_t ttl_ms);

/* After an append to the channel: brings its log within the rule, if it is beyond by more than a sixteenth. */
enum rc store_trim(struct store_log *log, struct store_channel *channel, const struct history_rule *rule,
                   uint64_t now_ms);
