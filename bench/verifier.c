/* bench/verifier.c - counts, running hashes, and the last positions of each room. */
#include "bench/verifier.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define POSITIONS_TOTAL (1u << 18)
#define POSITIONS_MIN   64u
#define POSITIONS_MAX   65536u
#define OFFEND(v, ...)  (snprintf((v)->offence, sizeof(v)->offence, __VA_ARGS__), false)

struct verifier_member {
    uint64_t count;         /* messages so far */
    uint64_t hash;          /* of their sequence */
    uint64_t left_out_hash; /* publishers without echo: of the witness's sequence without this publisher's messages */
};

/* What the first member to come so far got there. */
struct verifier_position {
    uint64_t count; /* messages up to and with this one; 0: not used yet */
    uint64_t hash;
    uint32_t member;
    uint32_t publisher;
    uint32_t sequence;
};

static uint64_t mix(uint64_t hash, uint32_t publisher, uint32_t sequence)
{
    uint64_t x = hash ^ ((uint64_t)publisher << 32 | sequence);
    x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
    x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return (x ^ x >> 32) + UINT64_C(0x9e3779b97f4a7c15);
}

enum rc verifier_init(struct verifier *verifier, const struct layout *layout)
{
    *verifier = (struct verifier){.layout = *layout, .positions_per_room = POSITIONS_MIN};
    verifier->publishers_per_room = (layout->publishers + layout->rooms - 1) / layout->rooms;
    uint64_t counts = (uint64_t)layout->connections * verifier->publishers_per_room;
    if (counts > VERIFIER_COUNTS_MAX) return RC_ETOOBIG;
    while (verifier->positions_per_room < POSITIONS_MAX &&
           verifier->positions_per_room * 2 <= POSITIONS_TOTAL / layout->rooms) {
        verifier->positions_per_room *= 2;
    }
    verifier->next = calloc(counts, sizeof verifier->next[0]);
    verifier->members = calloc(layout->connections, sizeof verifier->members[0]);
    verifier->positions = calloc((size_t)layout->rooms * verifier->positions_per_room, sizeof verifier->positions[0]);
    if (verifier->next != NULL && verifier->members != NULL && verifier->positions != NULL) return RC_OK;
    verifier_fini(verifier);
    return RC_ENOMEM;
}

void verifier_fini(struct verifier *verifier)
{
    free(verifier->next);
    free(verifier->members);
    free(verifier->positions);
    *verifier = (struct verifier){0};
}

static uint32_t *next_of(struct verifier *verifier, uint32_t member, uint32_t publisher)
{
    size_t row = (size_t)member * verifier->publishers_per_room;
    return &verifier->next[row + publisher / verifier->layout.rooms];
}

/* ---- one message ---- */

static bool check_room(struct verifier *verifier, uint32_t member, uint32_t publisher)
{
    const struct layout *layout = &verifier->layout;
    if (publisher >= layout->publishers) {
        return OFFEND(verifier, "connection %u got a message of connection %u, which publishes nothing", member,
                      publisher);
    }
    if (layout_room(layout, publisher) != layout_room(layout, member)) {
        return OFFEND(verifier, "connection %u of room %u got a message of room %u, from connection %u", member,
                      layout_room(layout, member), layout_room(layout, publisher), publisher);
    }
    if (publisher == member && !layout->has_echo) {
        return OFFEND(verifier, "connection %u got its own message: if the server is meant to echo, say --echo yes",
                      member);
    }
    return true;
}

static bool check_count(struct verifier *verifier, uint32_t member, uint32_t publisher, uint32_t sequence)
{
    uint32_t *next = next_of(verifier, member, publisher);
    if (sequence == *next) {
        (*next)++;
        return true;
    }
    if (sequence < *next) {
        return OFFEND(verifier, "connection %u got message %u of connection %u again or too late: %u was due", member,
                      sequence, publisher, *next);
    }
    return OFFEND(verifier, "connection %u got message %u of connection %u when %u was due: lost, or out of order",
                  member, sequence, publisher, *next);
}

/* Words to add where a member that should hear itself never has. */
static const char *echo_hint(struct verifier *verifier, uint32_t member)
{
    const struct layout *layout = &verifier->layout;
    bool heard_itself = !layout->has_echo || member >= layout->publishers || *next_of(verifier, member, member) > 0;
    return heard_itself ? "" : ": if the server is not meant to echo, say --echo no";
}

/* Compares with whoever was first at this position; a position that has been used again meanwhile says nothing, and
 * the end of the run will. */
static bool check_order(struct verifier *verifier, uint32_t member, uint32_t publisher, uint32_t sequence)
{
    const struct verifier_member *state = &verifier->members[member];
    uint32_t room = layout_room(&verifier->layout, member);
    uint32_t index = (uint32_t)state->count & (verifier->positions_per_room - 1);
    struct verifier_position *position = &verifier->positions[(size_t)room * verifier->positions_per_room + index];
    if (position->count < state->count) {
        *position = (struct verifier_position){state->count, state->hash, member, publisher, sequence};
        return true;
    }
    if (position->count > state->count || position->hash == state->hash) return true;
    const char *hint = echo_hint(verifier, member);
    if (hint[0] == '\0') hint = echo_hint(verifier, position->member);
    return OFFEND(verifier,
                  "no common order in room %u, or a loss: its message number %llu was message %u of connection %u "
                  "for connection "
                  "%u, and message %u of connection %u for connection %u%s",
                  room, (unsigned long long)state->count, sequence, publisher, member, position->sequence,
                  position->publisher, position->member, hint);
}

/* The witness got a message: so should each publisher of the room have, but the message's own. */
static void witness(struct verifier *verifier, uint32_t room, uint32_t publisher, uint32_t sequence)
{
    for (uint32_t i = room; i < verifier->layout.publishers; i += verifier->layout.rooms) {
        struct verifier_member *state = &verifier->members[i];
        if (i != publisher) state->left_out_hash = mix(state->left_out_hash, publisher, sequence);
    }
}

bool verifier_take(struct verifier *verifier, uint32_t member, uint32_t publisher, uint32_t sequence)
{
    const struct layout *layout = &verifier->layout;
    assert(member < layout->connections);
    if (verifier->offence[0] != '\0' || !check_room(verifier, member, publisher) ||
        !check_count(verifier, member, publisher, sequence))
        return false;
    struct verifier_member *state = &verifier->members[member];
    state->count++;
    state->hash = mix(state->hash, publisher, sequence);
    if (!layout_sees_all(layout, member)) return true;
    uint32_t room = layout_room(layout, member);
    if (!layout->has_echo && member == layout_witness(layout, room)) witness(verifier, room, publisher, sequence);
    return check_order(verifier, member, publisher, sequence);
}

/* ---- the end ---- */

static bool finish_counts(struct verifier *verifier, uint32_t member, const uint32_t *sent)
{
    const struct layout *layout = &verifier->layout;
    for (uint32_t i = layout_room(layout, member); i < layout->publishers; i += layout->rooms) {
        uint32_t next = *next_of(verifier, member, i);
        if (next == sent[i] || (i == member && !layout->has_echo)) continue;
        return OFFEND(verifier, "connection %u got %u of the %u messages of connection %u%s", member, next, sent[i],
                      i, echo_hint(verifier, member));
    }
    return true;
}

static bool finish_order(struct verifier *verifier, uint32_t member)
{
    const struct layout *layout = &verifier->layout;
    const struct verifier_member *state = &verifier->members[member];
    uint32_t room = layout_room(layout, member), witness_member = layout_witness(layout, room);
    uint64_t wanted = layout_sees_all(layout, member) ? verifier->members[witness_member].hash : state->left_out_hash;
    if (state->hash == wanted) return true;
    return OFFEND(verifier,
                  "no common order in room %u: connection %u got other messages in between than connection "
                  "%u",
                  room, member, witness_member);
}

bool verifier_finish(struct verifier *verifier, const uint32_t *sent)
{
    if (verifier->offence[0] != '\0') return false;
    for (uint32_t i = 0; i < verifier->layout.connections; i++) {
        if (!finish_counts(verifier, i, sent)) return false;
    }
    for (uint32_t i = 0; i < verifier->layout.connections; i++) {
        if (!finish_order(verifier, i)) return false;
    }
    return true;
}
