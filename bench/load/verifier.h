/* bench/load/verifier.h - did every member of a room get every message exactly once, and all members in one order?
 *
 * Method: each member counts each publisher's messages, which shows loss and repetition at the message that comes
 * instead; each member also hashes its whole sequence. Members that see everything are compared while it happens,
 * through the room's last few positions, and all once more at the end. A publisher without echo sees all but its own:
 * its hash is compared with that of what the room's witness saw (bench/load/layout.h), its messages left out.
 *
 * Those apart, guests and slow readers, see a piece of the room's sequence for each time they are there: from the
 * first message sent after they had joined, at the latest, without a gap. Where the piece lies in the witness's
 * sequence is looked up at the end, when its hash must be that of the same piece there.
 *
 * Threads: members may be dealt out to several verifiers of one layout, one for each thread. Nothing is shared until
 * verifier_finish() compares them all.
 * The first offence is kept as a sentence and ends the examination.
 * Memory: 4 bytes for each member and publisher of its room, 24 for each member, some MiB for the positions; with
 * members apart 16 for each of a room's messages, at most VERIFIER_LOG_MAX of them. */
#pragma once

#include "bench/load/layout.h"
#include "core/rc.h"

#include <stddef.h>

#define VERIFIER_COUNTS_MAX (UINT64_C(1) << 26) /* members times publishers of a room: 256 MiB */
#define VERIFIER_LOG_MAX    (1u << 22)          /* messages that witnesses remember: 64 MiB */

struct verifier {
    struct layout layout;
    uint32_t first; /* its members of the layout: from this one on */
    uint32_t count;
    uint32_t publishers_per_room; /* at most, rounded up */
    uint32_t *next;               /* of each member, for each publisher of its room: the number that is due */
    struct verifier_member *members;
    struct verifier_position *positions; /* of each room, the last positions_per_room */
    uint32_t positions_per_room;         /* power of two */
    uint64_t *left_out; /* of each publisher, without echo: the witness's hash without its messages */

    struct verifier_guest *guests; /* of each member, this and the rest only if some are apart */
    struct verifier_log *logs;     /* of each room, by its witness */
    uint32_t logged;               /* in all of them */
    struct verifier_piece *pieces; /* of guests that have left */
    size_t pieces_count;
    size_t pieces_capacity;

    bool is_full;      /* the offence is our own: no more can be remembered */
    char offence[320]; /* empty: none yet */
};

/* For `count` members of the layout from `first` on. RC_ETOOBIG: more than VERIFIER_COUNTS_MAX. Without echo every
 * room's witness must be no publisher. */
enum rc verifier_init(struct verifier *verifier, const struct layout *layout, uint32_t first, uint32_t count);
void verifier_fini(struct verifier *verifier);

/* A member got a message; `publisher` is as in its stamp. False: an offence, now or earlier. */
bool verifier_take(struct verifier *verifier, uint32_t member, uint32_t publisher, uint32_t sequence);

/* A guest leaves, or has come back when `sent` messages had been sent in the layout: publishers take turns, so that
 * this tells which ones. Everybody is there at the beginning. RC_ENOMEM. */
enum rc verifier_leave(struct verifier *verifier, uint32_t member);
void verifier_join(struct verifier *verifier, uint32_t member, uint64_t sent);

/* Have the guests that are here all that was sent? `sent`: by each publisher of the layout. */
bool verifier_is_complete(const struct verifier *verifier, const uint32_t *sent);

/* Nothing more will come: compares the verifiers of a layout, which have all its members. Returns NULL, or the
 * offence. */
const char *verifier_finish(struct verifier *verifiers, uint32_t count, const uint32_t *sent);
