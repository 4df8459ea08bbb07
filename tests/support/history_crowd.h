/* tests/support/history_crowd.h - a crowd that uses channels with history in every way, by the seed: it subscribes and
 * asks for what it missed, publishes with and without keys, repeats, turns pages, is cut off and comes back; and a
 * backend and raw clients of rooms do the same in theirs. What each is told goes into the book as it comes.
 *
 * Not obvious: who sits in a seat remembers how far it had come when its connection was cut, and what it had published
 * without hearing of it, also over a restart. */
#pragma once

#include "tests/support/history_book.h"

#define CROWD_REPLAY_BYTES "4KiB"

extern struct scenario crowd_scenario;

/* A server on an empty store, and nobody there yet. */
void crowd_begin(uint64_t seed, uint32_t shards, bool is_lenient);
/* The same on a node among others, which publish too and lose what they keep now and then. */
void crowd_begin_in_cluster(uint64_t seed, uint32_t shards, bool is_lenient);
/* That many things happen, each followed by a few steps. */
void crowd_act(uint32_t actions, void (*run)(uint32_t steps));
void crowd_run(uint32_t steps);
/* All comes to rest and is compared; no store fails meanwhile. */
void crowd_settle(void);
/* No store fails from now on, and it has heard of everything: it stops next. */
void crowd_rest(void);
/* Everybody is cut off at once, whatever is under way; when its time has come nothing is left of any channel. */
void crowd_leave(void);
/* The server, which was left, stops and is freed. */
void crowd_end(void);
/* The server stops at once, whatever is under way. */
void crowd_stop(void);
/* And starts again on the same store, some time later. */
void crowd_start_again(uint64_t seed, uint32_t shards);

/* What has been seen, so that a test can say that it was worth it. */
struct crowd_counts {
    uint32_t recovered, refused, unknown; /* answers to those who asked for what they missed */
    uint32_t replayed;                    /* messages */
    uint32_t acks, refusals, repeats, pages, pages_refused;
    uint64_t evictions, unkept, store_reads;
};
extern struct crowd_counts crowd_counts;
