/* bench/load/verifier_finish.c - when nothing more will come: has everybody all, and all in one order? */
#include "bench/load/verifier.h"

#include <stdlib.h>

#define OFFEND VERIFIER_OFFEND

/* The verifiers of one layout, and where each message stands in its room's sequence. */
struct finish {
    struct verifier *verifiers;
    uint32_t count;
    const uint32_t *sent;
    size_t *first_of; /* of each publisher: in `places`; NULL: nobody is apart */
    uint32_t *places;
};

static struct verifier *verifier_of(const struct finish *finish, uint32_t member)
{
    for (uint32_t i = 0; i < finish->count; i++) {
        struct verifier *verifier = &finish->verifiers[i];
        if (member - verifier->first < verifier->count) return verifier;
    }
    return NULL; /* not reached: they have all members */
}

/* The verifier whose member saw a room's whole sequence. */
static struct verifier *witness_of(const struct finish *finish, uint32_t room, uint32_t *member_r)
{
    *member_r = layout_witness(&finish->verifiers->layout, room);
    return verifier_of(finish, *member_r);
}

/* ---- counts ---- */

static bool guest_has(const struct verifier *verifier, uint32_t member, uint32_t publisher, const uint32_t *sent)
{
    const struct verifier_guest *guest = &verifier->guests[member - verifier->first];
    uint32_t next = *verifier_next(verifier, member, publisher);
    if (guest->is_away) return true;
    if (next == VERIFIER_NOTHING) return verifier_due(verifier, guest->joined, publisher) >= sent[publisher];
    return next == sent[publisher];
}

bool verifier_is_complete(const struct verifier *verifier, const uint32_t *sent)
{
    const struct layout *layout = &verifier->layout;
    for (uint32_t i = 0; verifier->guests != NULL && i < verifier->count; i++) {
        const struct verifier_member *state = &verifier->members[i];
        if ((state->marks & (VERIFIER_IS_APART | VERIFIER_IS_SLOW)) != VERIFIER_IS_APART) continue;
        for (uint32_t p = state->room; p < layout->publishers; p += layout->rooms) {
            if (!guest_has(verifier, verifier->first + i, p, sent)) return false;
        }
    }
    return true;
}

static bool finish_counts(struct verifier *verifier, uint32_t member, const uint32_t *sent)
{
    const struct layout *layout = &verifier->layout;
    const struct verifier_member *state = &verifier->members[member - verifier->first];
    if (state->marks & VERIFIER_IS_SLOW) return true; /* however little it has */
    for (uint32_t i = state->room; i < layout->publishers; i += layout->rooms) {
        uint32_t next = *verifier_next(verifier, member, i);
        if (state->marks & VERIFIER_IS_APART) {
            if (guest_has(verifier, member, i, sent)) continue;
            return OFFEND(verifier,
                          "connection %u, which had joined again, got no message of connection %u from %u on",
                          verifier_number(verifier, member), verifier_number(verifier, i),
                          next == VERIFIER_NOTHING
                              ? verifier_due(verifier, verifier->guests[member - verifier->first].joined, i)
                              : next);
        }
        if (next == sent[i] || (i == member && !layout->has_echo)) continue;
        return OFFEND(verifier, "connection %u got %u of the %u messages of connection %u%s",
                      verifier_number(verifier, member), next, sent[i], verifier_number(verifier, i),
                      verifier_echo_hint(verifier, member));
    }
    return true;
}

/* ---- order ---- */

static uint64_t power(uint64_t exponent)
{
    uint64_t result = 1;
    for (uint64_t base = VERIFIER_BASE; exponent > 0; exponent >>= 1) {
        if (exponent & 1) result *= base;
        base *= base;
    }
    return result;
}

/* The witness has counted each publisher's messages from 0 on, so that a place is known by publisher and number. */
static bool index_logs(struct finish *finish)
{
    const struct layout *layout = &finish->verifiers->layout;
    size_t total = 0;
    if (finish->verifiers->guests == NULL) return true;
    finish->first_of = calloc(layout->publishers + 1, sizeof finish->first_of[0]);
    if (finish->first_of == NULL) return false;
    for (uint32_t i = 0; i < layout->publishers; i++) {
        finish->first_of[i] = total;
        total += finish->sent[i];
    }
    finish->places = calloc(total + 1, sizeof finish->places[0]);
    if (finish->places == NULL) return false;
    for (uint32_t room = 0; room < layout->rooms; room++) {
        uint32_t member;
        const struct verifier_log *log = &witness_of(finish, room, &member)->logs[room];
        for (uint32_t i = 0; i < log->count; i++) {
            finish->places[finish->first_of[log->entries[i].publisher] + log->entries[i].sequence] = i;
        }
    }
    return true;
}

static bool finish_piece(const struct finish *finish, struct verifier *verifier, const struct verifier_piece *piece)
{
    uint32_t room = layout_room(&verifier->layout, piece->member), member;
    if (piece->count == 0) return true;
    const struct verifier *seen_by = witness_of(finish, room, &member);
    const struct verifier_log *log = &seen_by->logs[room];
    uint64_t at = finish->places[finish->first_of[piece->publisher] + piece->sequence], end = at + piece->count;
    if (end <= log->count) {
        uint64_t last = end < log->count ? log->entries[end].hash : seen_by->members[member - seen_by->first].hash;
        if (piece->hash == last - log->entries[at].hash * power(piece->count)) return true;
    }
    return OFFEND(verifier,
                  "no common order in room %u, or a loss: the %llu messages of connection %u from message %u of "
                  "connection %u on are not those of connection %u",
                  layout_room_number(&verifier->layout, room), (unsigned long long)piece->count,
                  verifier_number(verifier, piece->member), piece->sequence,
                  verifier_number(verifier, piece->publisher), verifier_number(verifier, member));
}

static bool finish_order(const struct finish *finish, struct verifier *verifier, uint32_t member)
{
    const struct verifier_member *state = &verifier->members[member - verifier->first];
    if (state->marks & VERIFIER_IS_APART) {
        const struct verifier_guest *guest = &verifier->guests[member - verifier->first];
        struct verifier_piece piece = {state->count, state->hash, member, guest->first_publisher,
                                       guest->first_sequence};
        return finish_piece(finish, verifier, &piece);
    }
    uint32_t witness;
    const struct verifier *seen_by = witness_of(finish, state->room, &witness);
    uint64_t wanted = state->marks & VERIFIER_SEES_ALL ? seen_by->members[witness - seen_by->first].hash
                                                       : seen_by->left_out[member];
    if (state->hash == wanted) return true;
    return OFFEND(verifier,
                  "no common order in room %u: connection %u got other messages in between than connection %u",
                  layout_room_number(&verifier->layout, state->room), verifier_number(verifier, member),
                  verifier_number(verifier, witness));
}

/* ---- all ---- */

static bool finish_all(struct finish *finish)
{
    for (uint32_t v = 0; v < finish->count; v++) {
        struct verifier *verifier = &finish->verifiers[v];
        for (uint32_t i = 0; i < verifier->count; i++) {
            if (!finish_counts(verifier, verifier->first + i, finish->sent)) return false;
        }
    }
    if (!index_logs(finish)) return OFFEND(finish->verifiers, "out of memory to verify");
    for (uint32_t v = 0; v < finish->count; v++) {
        struct verifier *verifier = &finish->verifiers[v];
        for (uint32_t i = 0; i < verifier->count; i++) {
            if (!finish_order(finish, verifier, verifier->first + i)) return false;
        }
        for (size_t i = 0; i < verifier->pieces_count; i++) {
            if (!finish_piece(finish, verifier, &verifier->pieces[i])) return false;
        }
    }
    return true;
}

static const char *offence_of(const struct finish *finish)
{
    for (uint32_t i = 0; i < finish->count; i++) {
        if (finish->verifiers[i].offence[0] != '\0') return finish->verifiers[i].offence;
    }
    return NULL;
}

const char *verifier_finish(struct verifier *verifiers, uint32_t count, const uint32_t *sent)
{
    struct finish finish = {.verifiers = verifiers, .count = count, .sent = sent};
    if (offence_of(&finish) == NULL) finish_all(&finish);
    free(finish.first_of);
    free(finish.places);
    return offence_of(&finish);
}
