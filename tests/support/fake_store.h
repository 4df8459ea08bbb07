/* tests/support/fake_store.h - server/store/store.h again, in memory: linked in place of server/store/store.c.
 *
 * It runs on the fake kernel besides the shards: the seed chooses when it takes jobs, how many of each shard make a
 * transaction, and which of them fail. Like the real one it sleeps until a shard wakes it, and wakes shards by their
 * signal descriptors. What it has stored outlives scenario_stop(), so that the next start is a restart.
 * What a home may not do is asserted: store two messages at one place, or one that is before the last.
 * Threads: the test's, between two steps; shards ask and receive in their own turns.
 * Memory:  by reallocarray(), which does not fail (tests/support/scarce.h); messages of answers may. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A message that was stored once, though it may have left the store since. */
struct fake_stored {
    uint64_t offset;
    uint64_t time_ms;
    char key[65]; /* "": none */
    uint8_t *frame;
    uint32_t frame_bytes;
    uint32_t name_at, name_bytes, data_at, data_bytes, user_id_at, user_id_bytes; /* as in struct message */
};

/* Forgets everything, and all settings below. */
void fake_store_forget(void);

/* Changed between two steps. */
struct fake_store_settings {
    bool is_stuck;        /* no transaction ends */
    bool is_failing;      /* every one fails, and about half of the reads in it, */
    bool is_unreadable;   /* or all of them */
    uint32_t fail_one_in; /* about one in so many does; 0: none */
    uint32_t jobs_max;    /* of a shard under way, if that is less than the option says; 0: as the option says */
};
extern struct fake_store_settings fake_store_settings;

/* What was ever stored: the first message of that channel and epoch behind that offset; NULL: there is none. */
const struct fake_stored *fake_store_next(const char *channel, const char *epoch, uint64_t offset);
/* Jobs that were taken and not answered yet. */
uint32_t fake_store_jobs(void);
