/* bench/verifier.h - did every member of a room get every message exactly once, and all members in one order?
 *
 * Method: each member counts each publisher's messages, which shows loss and repetition at the message that comes
 * instead; each member also hashes its whole sequence. Members that see everything are compared while it happens,
 * through the room's last few positions, and all once more at the end. A publisher without echo sees all but its own:
 * its hash is compared with that of what the room's witness saw (bench/layout.h), its messages left out.
 * The first offence is kept as a sentence and ends the examination. One thread.
 * Memory: 4 bytes for each member and publisher of its room, 24 for each member, some MiB for the positions. */
#pragma once

#include "bench/layout.h"
#include "core/rc.h"

#define VERIFIER_COUNTS_MAX (UINT64_C(1) << 26) /* members times publishers of a room: 256 MiB */

struct verifier {
    struct layout layout;
    uint32_t publishers_per_room; /* at most, rounded up */
    uint32_t *next;               /* of each member, for each publisher of its room: the number that is due */
    struct verifier_member *members;
    struct verifier_position *positions; /* of each room, the last positions_per_room */
    uint32_t positions_per_room;         /* power of two */
    char offence[320];                   /* empty: none yet */
};

/* RC_ETOOBIG: more than VERIFIER_COUNTS_MAX. Without echo every room's witness must be no publisher. */
enum rc verifier_init(struct verifier *verifier, const struct layout *layout);
void verifier_fini(struct verifier *verifier);

/* A member got a publisher's message. False: an offence, now or earlier. */
bool verifier_take(struct verifier *verifier, uint32_t member, uint32_t publisher, uint32_t sequence);

/* Nothing more will come; `sent` says how many messages each publisher sent. False: an offence, now or earlier. */
bool verifier_finish(struct verifier *verifier, const uint32_t *sent);
