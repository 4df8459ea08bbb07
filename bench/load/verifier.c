/* bench/load/verifier.c - counts, running hashes, and the last positions of each room. */
#include "bench/load/verifier.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define POSITIONS_TOTAL (1u << 18)
#define POSITIONS_MIN   64u
#define POSITIONS_MAX   65536u
#define PIECES_FIRST    64u
#define ENTRIES_FIRST   256u
#define OFFEND          VERIFIER_OFFEND

static uint64_t append(uint64_t hash, uint32_t publisher, uint32_t sequence)
{
    uint64_t x = (uint64_t)publisher << 32 | sequence;
    x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
    x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return hash * VERIFIER_BASE + (x ^ x >> 32) + UINT64_C(0x9e3779b97f4a7c15);
}

/* ---- life ---- */

static uint32_t marks_of(const struct layout *layout, uint32_t member)
{
    return (layout_sees_all(layout, member) ? VERIFIER_SEES_ALL : 0) |
           (member == layout_witness(layout, layout_room(layout, member)) ? VERIFIER_IS_WITNESS : 0) |
           (layout_is_apart(layout, member) ? VERIFIER_IS_APART : 0) |
           (layout_is_slow(layout, member) ? VERIFIER_IS_SLOW : 0);
}

static void forget_next(struct verifier *verifier, uint32_t member)
{
    uint32_t *row = &verifier->next[(size_t)(member - verifier->first) * verifier->publishers_per_room];
    memset(row, 0xff, verifier->publishers_per_room * sizeof row[0]); /* VERIFIER_NOTHING */
}

static bool reserve(struct verifier *verifier)
{
    const struct layout *layout = &verifier->layout;
    verifier->next = calloc((size_t)verifier->count * verifier->publishers_per_room + 1, sizeof verifier->next[0]);
    verifier->members = calloc(verifier->count + 1, sizeof verifier->members[0]);
    verifier->positions = calloc((size_t)layout->rooms * verifier->positions_per_room, sizeof verifier->positions[0]);
    verifier->left_out = calloc(layout->publishers + 1, sizeof verifier->left_out[0]);
    if (layout->has_guests || layout->slow_share > 0) {
        verifier->guests = calloc(verifier->count + 1, sizeof verifier->guests[0]);
        verifier->logs = calloc(layout->rooms, sizeof verifier->logs[0]);
        if (verifier->guests == NULL || verifier->logs == NULL) return false;
    }
    return verifier->next != NULL && verifier->members != NULL && verifier->positions != NULL &&
           verifier->left_out != NULL;
}

enum rc verifier_init(struct verifier *verifier, const struct layout *layout, uint32_t first, uint32_t count)
{
    *verifier =
        (struct verifier){.layout = *layout, .first = first, .count = count, .positions_per_room = POSITIONS_MIN};
    verifier->publishers_per_room = (layout->publishers + layout->rooms - 1) / layout->rooms;
    if ((uint64_t)count * verifier->publishers_per_room > VERIFIER_COUNTS_MAX) return RC_ETOOBIG;
    while (verifier->positions_per_room < POSITIONS_MAX &&
           verifier->positions_per_room * 2 <= POSITIONS_TOTAL / layout->rooms) {
        verifier->positions_per_room *= 2;
    }
    if (!reserve(verifier)) {
        verifier_fini(verifier);
        return RC_ENOMEM;
    }
    for (uint32_t member = first; member < first + count; member++) {
        verifier->members[member - first].room = layout_room(layout, member);
        verifier->members[member - first].marks = marks_of(layout, member);
        if (layout_is_apart(layout, member)) forget_next(verifier, member);
    }
    return RC_OK;
}

void verifier_fini(struct verifier *verifier)
{
    for (uint32_t i = 0; verifier->logs != NULL && i < verifier->layout.rooms; i++) {
        free(verifier->logs[i].entries);
    }
    free(verifier->next);
    free(verifier->members);
    free(verifier->positions);
    free(verifier->left_out);
    free(verifier->guests);
    free(verifier->logs);
    free(verifier->pieces);
    *verifier = (struct verifier){0};
}

/* ---- one message ---- */

/* A message of another part of the load, which has other rooms. */
static bool refuse_part(struct verifier *verifier, uint32_t member, uint32_t publisher)
{
    struct layout other = verifier->layout;
    other.part = publisher >> LAYOUT_MEMBERS_BITS;
    if (other.parts <= 1 || other.part >= other.parts) {
        return OFFEND(verifier, "connection %u got a message of another load: is a second one running?",
                      verifier_number(verifier, member));
    }
    other.rooms = (other.rooms_all - other.part - 1) / other.parts + 1;
    publisher &= LAYOUT_MEMBERS_MAX - 1;
    return OFFEND(verifier, "connection %u of room %u got a message of room %u, from connection %u",
                  verifier_number(verifier, member),
                  layout_room_number(&verifier->layout, layout_room(&verifier->layout, member)),
                  layout_room_number(&other, layout_room(&other, publisher)), layout_number(&other, publisher));
}

static bool check_room(struct verifier *verifier, uint32_t member, uint32_t room, uint32_t publisher)
{
    const struct layout *layout = &verifier->layout;
    if (publisher >= layout->publishers) {
        return OFFEND(verifier, "connection %u got a message of connection %u, which publishes nothing",
                      verifier_number(verifier, member), verifier_number(verifier, publisher));
    }
    if (layout_room(layout, publisher) != room) {
        return OFFEND(verifier, "connection %u of room %u got a message of room %u, from connection %u",
                      verifier_number(verifier, member), layout_room_number(layout, room),
                      layout_room_number(layout, layout_room(layout, publisher)),
                      verifier_number(verifier, publisher));
    }
    if (publisher == member && !layout->has_echo) {
        return OFFEND(verifier, "connection %u got its own message: if the server is meant to echo, say --echo yes",
                      verifier_number(verifier, member));
    }
    return true;
}

/* The first message of a publisher to come to one that has joined: it may be one of before. */
static bool check_joined(struct verifier *verifier, uint32_t member, uint32_t publisher, uint32_t sequence)
{
    struct verifier_guest *guest = &verifier->guests[member - verifier->first];
    uint32_t due = verifier_due(verifier, guest->joined, publisher);
    if (verifier->members[member - verifier->first].count == 0) {
        guest->first_publisher = publisher;
        guest->first_sequence = sequence;
    }
    *verifier_next(verifier, member, publisher) = sequence + 1;
    if (sequence <= due) return true;
    return OFFEND(verifier,
                  "connection %u had joined before message %u of connection %u was sent, and got message %u first: "
                  "lost, or out of order",
                  verifier_number(verifier, member), due, verifier_number(verifier, publisher), sequence);
}

static bool check_count(struct verifier *verifier, uint32_t member, uint32_t publisher, uint32_t sequence)
{
    uint32_t *next = verifier_next(verifier, member, publisher);
    if (sequence == *next) {
        (*next)++;
        return true;
    }
    if (*next == VERIFIER_NOTHING) return check_joined(verifier, member, publisher, sequence);
    uint32_t number = verifier_number(verifier, member), by = verifier_number(verifier, publisher);
    if (sequence < *next) {
        return OFFEND(verifier, "connection %u got message %u of connection %u again or too late: %u was due", number,
                      sequence, by, *next);
    }
    return OFFEND(verifier, "connection %u got message %u of connection %u when %u was due: lost, or out of order",
                  number, sequence, by, *next);
}

const char *verifier_echo_hint(const struct verifier *verifier, uint32_t member)
{
    const struct layout *layout = &verifier->layout;
    bool heard_itself =
        !layout->has_echo || member >= layout->publishers || *verifier_next(verifier, member, member) > 0;
    return heard_itself ? "" : ": if the server is not meant to echo, say --echo no";
}

/* Compares with whoever was first at this position; a position that has been used again meanwhile says nothing, and
 * the end of the run will. */
static bool check_order(struct verifier *verifier, uint32_t member, uint32_t publisher, uint32_t sequence)
{
    const struct verifier_member *state = &verifier->members[member - verifier->first];
    uint32_t index = (uint32_t)state->count & (verifier->positions_per_room - 1);
    struct verifier_position *position =
        &verifier->positions[(size_t)state->room * verifier->positions_per_room + index];
    if (position->count < state->count) {
        *position = (struct verifier_position){state->count, state->hash, member, publisher, sequence};
        return true;
    }
    if (position->count > state->count || position->hash == state->hash) return true;
    const char *hint = verifier_echo_hint(verifier, member);
    if (hint[0] == '\0') hint = verifier_echo_hint(verifier, position->member);
    return OFFEND(verifier,
                  "no common order in room %u, or a loss: its message number %llu was message %u of connection %u "
                  "for connection "
                  "%u, and message %u of connection %u for connection %u%s",
                  layout_room_number(&verifier->layout, state->room), (unsigned long long)state->count, sequence,
                  verifier_number(verifier, publisher), verifier_number(verifier, member), position->sequence,
                  verifier_number(verifier, position->publisher), verifier_number(verifier, position->member), hint);
}

/* ---- what the witness remembers ---- */

/* Adds a message to what each publisher of the room should have got without echo: all but its own. */
static void leave_out(struct verifier *verifier, uint32_t room, uint32_t publisher, uint32_t sequence)
{
    for (uint32_t i = room; i < verifier->layout.publishers; i += verifier->layout.rooms) {
        if (i != publisher) verifier->left_out[i] = append(verifier->left_out[i], publisher, sequence);
    }
}

static bool remember(struct verifier *verifier, uint32_t room, const struct verifier_entry *entry)
{
    struct verifier_log *log = &verifier->logs[room];
    if (log->count == log->capacity) {
        uint32_t capacity = log->capacity > 0 ? 2 * log->capacity : ENTRIES_FIRST;
        struct verifier_entry *entries = reallocarray(log->entries, capacity, sizeof entries[0]);
        verifier->is_full = entries == NULL || verifier->logged >= VERIFIER_LOG_MAX;
        if (entries != NULL) log->entries = entries;
        if (verifier->is_full) {
            return OFFEND(
                verifier,
                "the order of more than %u messages cannot be remembered, against which those of --churn and "
                "--slow are verified: publish less, or give --no-verify",
                verifier->logged);
        }
        log->capacity = capacity;
    }
    log->entries[log->count++] = *entry;
    verifier->logged++;
    return true;
}

static bool witness(struct verifier *verifier, uint32_t room, const struct verifier_entry *entry)
{
    if (!verifier->layout.has_echo) leave_out(verifier, room, entry->publisher, entry->sequence);
    return verifier->logs == NULL || remember(verifier, room, entry);
}

bool verifier_take(struct verifier *verifier, uint32_t member, uint32_t publisher, uint32_t sequence)
{
    struct verifier_member *state = &verifier->members[member - verifier->first];
    assert(member - verifier->first < verifier->count);
    if (verifier->offence[0] != '\0') return false;
    if (publisher >> LAYOUT_MEMBERS_BITS != verifier->layout.part) return refuse_part(verifier, member, publisher);
    publisher &= LAYOUT_MEMBERS_MAX - 1;
    if (!check_room(verifier, member, state->room, publisher) || !check_count(verifier, member, publisher, sequence))
        return false;
    struct verifier_entry entry = {publisher, sequence, state->hash};
    state->count++;
    state->hash = append(state->hash, publisher, sequence);
    if ((state->marks & VERIFIER_IS_WITNESS) && !witness(verifier, state->room, &entry)) return false;
    bool is_compared = (state->marks & (VERIFIER_SEES_ALL | VERIFIER_IS_APART)) == VERIFIER_SEES_ALL;
    return !is_compared || check_order(verifier, member, publisher, sequence);
}

/* ---- guests ---- */

enum rc verifier_leave(struct verifier *verifier, uint32_t member)
{
    struct verifier_member *state = &verifier->members[member - verifier->first];
    struct verifier_guest *guest = &verifier->guests[member - verifier->first];
    assert(state->marks & VERIFIER_IS_APART);
    guest->is_away = true;
    if (state->count == 0) return RC_OK;
    if (verifier->pieces_count == verifier->pieces_capacity) {
        size_t capacity = verifier->pieces_capacity > 0 ? 2 * verifier->pieces_capacity : PIECES_FIRST;
        struct verifier_piece *pieces = reallocarray(verifier->pieces, capacity, sizeof pieces[0]);
        if (pieces == NULL) return RC_ENOMEM;
        verifier->pieces = pieces;
        verifier->pieces_capacity = capacity;
    }
    verifier->pieces[verifier->pieces_count++] =
        (struct verifier_piece){state->count, state->hash, member, guest->first_publisher, guest->first_sequence};
    state->count = 0;
    state->hash = 0;
    return RC_OK;
}

void verifier_join(struct verifier *verifier, uint32_t member, uint64_t sent)
{
    assert(verifier->members[member - verifier->first].marks & VERIFIER_IS_APART);
    verifier->guests[member - verifier->first] = (struct verifier_guest){.joined = sent};
    forget_next(verifier, member);
}
