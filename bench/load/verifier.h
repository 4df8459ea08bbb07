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

#include "bench/load/verifier_state.h"
#include "core/rc.h"

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
