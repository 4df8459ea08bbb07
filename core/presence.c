/* core/presence.c - members in a dense array, and a chained hash table of their places in it.
 *
 * Every member keeps its part of the snapshot ready escaped, and the sums of these parts are kept: so a snapshot's
 * length is known at once, and to write it is to copy. Who leaves stays in the array, with no connection, until that is
 * taken as a change; then the last of the array replaces it. */
#include "core/presence.h"

#include "core/json_text.h"
#include "core/name.h"

#include <assert.h>
#include <stdlib.h>

#define CAPACITY_MIN 4
#define PLACE_NONE   UINT32_MAX
#define TEXT_MAX     (UINT32_C(1) << 24) /* far above the callers' bounds; escaped, its length fits 32 bits */

/* The snapshot without its members. */
static const char snapshot_ids[] = "{\\\"presence\\\":{\\\"ids\\\":[";
static const char snapshot_hash[] = "],\\\"hash\\\":{";
static const char snapshot_count[] = "},\\\"count\\\":";
static const char snapshot_end[] = "}}";

#define SNAPSHOT_FIXED_BYTES \
    (sizeof snapshot_ids + sizeof snapshot_hash + sizeof snapshot_count + sizeof snapshot_end - 4)

struct member {
    uint64_t hash;
    char *texts; /* the id; the id as it stands in the snapshot, with its quotes; the info as it stands there */
    uint32_t id_bytes;
    uint32_t id_part_bytes;
    uint32_t info_part_bytes;
    uint32_t connections; /* none: has left, which is a change not taken yet */
    uint32_t next;        /* in its chain: a place or PLACE_NONE */
    uint32_t changed_before;
    uint32_t changed_after; /* in the list of changes: places or PLACE_NONE */
    bool is_changed : 1;    /* stands in it */
    bool was_here : 1;      /* when its last change was taken */
    bool is_other : 1;      /* than it was then: came back with another info */
};

struct presence {
    struct member *members;
    uint32_t *chains;  /* the first of each: a place or PLACE_NONE */
    uint32_t used;     /* of the members' array */
    uint32_t count;    /* of those who are here */
    uint32_t capacity; /* of both arrays; 0 or a power of two */
    uint64_t connections;
    uint64_t part_bytes; /* of all who are here: the id twice, the info once */
    uint32_t changed_first;
    uint32_t changed_last; /* places or PLACE_NONE */
    uint32_t gone;         /* the place of one who has left, whose change was taken last; or PLACE_NONE */
};

/* Users choose their ids: only a keyed hash keeps them from choosing long chains. */
static uint64_t hash_of(struct text user_id)
{
    return name_of(0, user_id).hash;
}

static char *copy(char *to, const char *from, size_t count)
{
    if (count > 0) memcpy(to, from, count);
    return to + count;
}

struct presence *presence_new(void)
{
    struct presence *presence = malloc(sizeof *presence);
    if (presence == NULL) return NULL;
    *presence = (struct presence){.changed_first = PLACE_NONE, .changed_last = PLACE_NONE, .gone = PLACE_NONE};
    return presence;
}

void presence_free(struct presence *presence)
{
    if (presence == NULL) return;
    for (uint32_t i = 0; i < presence->used; i++)
        free(presence->members[i].texts);
    free(presence->members);
    free(presence->chains);
    free(presence);
}

/* ---- members ---- */

static struct text member_id(const struct member *member)
{
    return (struct text){.at = member->texts, .count = member->id_bytes};
}

static uint64_t member_part_bytes(const struct member *member)
{
    return 2 * (uint64_t)member->id_part_bytes + member->info_part_bytes;
}

/* Makes the texts; false: out of memory. */
static bool member_init(struct member *member, struct text user_id, struct text info)
{
    bool has_info = info.at != NULL;
    *member = (struct member){
        .hash = hash_of(user_id),
        .id_bytes = (uint32_t)user_id.count,
        .id_part_bytes = (uint32_t)json_text_bytes_twice(user_id) + 4,
        .info_part_bytes = has_info ? (uint32_t)json_text_bytes(info) : 4,
    };
    size_t bytes = (size_t)member->id_bytes + member->id_part_bytes + member->info_part_bytes;
    char *at = member->texts = malloc(bytes);
    if (at == NULL) return false;
    at = copy(at, user_id.at, user_id.count);
    at = copy(at, "\\\"", 2);
    at = json_text_write_twice(at, user_id);
    at = copy(at, "\\\"", 2);
    at = has_info ? json_text_write(at, info) : copy(at, "null", 4);
    assert(at == member->texts + bytes);
    return true;
}

/* ---- the table ---- */

static uint32_t *chain_of(const struct presence *presence, uint64_t hash)
{
    return &presence->chains[hash & (presence->capacity - 1)];
}

static void link_member(struct presence *presence, uint32_t place)
{
    assert(place < presence->used);
    struct member *member = &presence->members[place];
    uint32_t *chain = chain_of(presence, member->hash);
    member->next = *chain;
    *chain = place;
}

/* Where a member's place is written: at the start of its hash's chain, or in the member before. */
static uint32_t *link_to(struct presence *presence, uint32_t place)
{
    uint32_t *link = chain_of(presence, presence->members[place].hash);
    while (*link != place)
        link = &presence->members[*link].next;
    return link;
}

static uint32_t find(const struct presence *presence, struct text user_id)
{
    if (presence->used == 0) return PLACE_NONE;
    uint64_t hash = hash_of(user_id);
    uint32_t place = *chain_of(presence, hash);
    while (place != PLACE_NONE) {
        const struct member *member = &presence->members[place];
        if (member->hash == hash && text_equals(member_id(member), user_id)) break;
        place = member->next;
    }
    return place;
}

/* Makes room for one more. On RC_ENOMEM all is as before. */
static enum rc grow(struct presence *presence)
{
    if (presence->used < presence->capacity) return RC_OK;
    uint32_t capacity = presence->capacity > 0 ? 2 * presence->capacity : CAPACITY_MIN;
    uint32_t *chains = malloc(capacity * sizeof *chains);
    if (chains == NULL) return RC_ENOMEM;
    struct member *members = realloc(presence->members, capacity * sizeof *members);
    if (members == NULL) {
        free(chains);
        return RC_ENOMEM;
    }
    free(presence->chains);
    memset(chains, 0xff, capacity * sizeof *chains); /* all of them PLACE_NONE */
    presence->members = members;
    presence->chains = chains;
    presence->capacity = capacity;
    for (uint32_t i = 0; i < presence->used; i++)
        link_member(presence, i);
    return RC_OK;
}

/* ---- changes ---- */

static struct text id_part(const struct member *member)
{
    return (struct text){member->texts + member->id_bytes, member->id_part_bytes};
}

static struct text info_part(const struct member *member)
{
    return (struct text){member->texts + member->id_bytes + member->id_part_bytes, member->info_part_bytes};
}

/* Where a member's place is written in the list of changes: from the one before, and from the one after. */
static uint32_t *changed_link_to(struct presence *presence, const struct member *member)
{
    uint32_t before = member->changed_before;
    return before != PLACE_NONE ? &presence->members[before].changed_after : &presence->changed_first;
}

static uint32_t *changed_link_back_to(struct presence *presence, const struct member *member)
{
    uint32_t after = member->changed_after;
    return after != PLACE_NONE ? &presence->members[after].changed_before : &presence->changed_last;
}

static void note_change(struct presence *presence, uint32_t place)
{
    assert(place < presence->used);
    struct member *member = &presence->members[place];
    if (member->is_changed) return;
    member->is_changed = true;
    member->changed_before = presence->changed_last;
    member->changed_after = PLACE_NONE;
    *changed_link_to(presence, member) = place;
    presence->changed_last = place;
}

static void forget_change(struct presence *presence, struct member *member)
{
    assert(member->is_changed);
    *changed_link_to(presence, member) = member->changed_after;
    *changed_link_back_to(presence, member) = member->changed_before;
    member->is_changed = false;
}

/* The last of the array comes to this place. */
static void move_last(struct presence *presence, uint32_t place)
{
    assert(place < presence->used);
    uint32_t last = --presence->used;
    if (place == last) return;
    struct member *member = &presence->members[place];
    *link_to(presence, last) = place;
    *member = presence->members[last];
    if (!member->is_changed) return;
    *changed_link_to(presence, member) = place;
    *changed_link_back_to(presence, member) = place;
}

static void drop(struct presence *presence, uint32_t place)
{
    struct member *member = &presence->members[place];
    assert(member->connections == 0 && !member->is_changed);
    *link_to(presence, place) = member->next;
    free(member->texts);
    move_last(presence, place);
}

/* Whose change was taken last, and seen meanwhile. */
static void drop_gone(struct presence *presence)
{
    if (presence->gone == PLACE_NONE) return;
    drop(presence, presence->gone);
    presence->gone = PLACE_NONE;
}

bool presence_take_change(struct presence *presence, struct presence_change *change_r)
{
    drop_gone(presence);
    while (presence->changed_first != PLACE_NONE) {
        uint32_t place = presence->changed_first;
        struct member *member = &presence->members[place];
        bool is_here = member->connections > 0, is_other = member->is_other;
        *change_r = (struct presence_change){
            .has_left = member->was_here && (!is_here || is_other),
            .has_joined = is_here && (!member->was_here || is_other),
            .user_id = member_id(member),
            .id_part = id_part(member),
            .info_part = info_part(member),
        };
        forget_change(presence, member);
        member->was_here = is_here;
        member->is_other = false;
        if (!is_here) presence->gone = place;
        if (change_r->has_left || change_r->has_joined) return true;
        drop_gone(presence);
    }
    return false;
}

bool presence_has_changes(const struct presence *presence)
{
    return presence->changed_first != PLACE_NONE;
}

/* ---- joining and leaving ---- */

static void count_in(struct presence *presence, struct member *member)
{
    assert(member->connections == 0);
    member->connections = 1;
    presence->count++;
    presence->connections++;
    presence->part_bytes += member_part_bytes(member);
}

static bool has_info(const struct member *member, const struct member *other)
{
    return text_equals(info_part(member), info_part(other));
}

/* A member who left is here again, before that was taken as a change. */
static enum rc come_back(struct presence *presence, struct member *member, struct text user_id, struct text info)
{
    assert(member->connections == 0 && member->is_changed);
    struct member again;
    if (!member_init(&again, user_id, info)) return RC_ENOMEM;
    if (has_info(member, &again)) {
        free(again.texts);
    } else {
        free(member->texts);
        member->texts = again.texts;
        member->info_part_bytes = again.info_part_bytes;
        member->is_other = true;
    }
    count_in(presence, member);
    return RC_OK;
}

enum rc presence_join(struct presence *presence, struct text user_id, struct text info)
{
    assert(presence->used <= presence->capacity);
    assert(user_id.count <= TEXT_MAX && info.count <= TEXT_MAX);
    drop_gone(presence);
    uint32_t place = find(presence, user_id);
    if (place != PLACE_NONE) {
        struct member *member = &presence->members[place];
        if (member->connections == 0) return come_back(presence, member, user_id, info);
        member->connections++;
        presence->connections++;
        return RC_PENDING;
    }
    struct member member;
    if (grow(presence) != RC_OK || !member_init(&member, user_id, info)) return RC_ENOMEM;
    place = presence->used++;
    presence->members[place] = member;
    link_member(presence, place);
    note_change(presence, place);
    count_in(presence, &presence->members[place]);
    return RC_OK;
}

bool presence_leave(struct presence *presence, struct text user_id)
{
    assert(presence->count > 0 && presence->connections > 0);
    drop_gone(presence);
    uint32_t place = find(presence, user_id);
    assert(place != PLACE_NONE && presence->members[place].connections > 0);
    struct member *member = &presence->members[place];
    presence->connections--;
    if (--member->connections > 0) return false;
    presence->count--;
    presence->part_bytes -= member_part_bytes(member);
    note_change(presence, place);
    return true;
}

bool presence_has(const struct presence *presence, struct text user_id)
{
    uint32_t place = find(presence, user_id);
    return place != PLACE_NONE && presence->members[place].connections > 0;
}

uint32_t presence_count(const struct presence *presence)
{
    return presence->count;
}

uint64_t presence_connections(const struct presence *presence)
{
    return presence->connections;
}

/* The next place from *index on of one who is here; NULL behind the last. */
static const struct member *next_here(const struct presence *presence, uint32_t *index)
{
    while (*index < presence->used) {
        const struct member *member = &presence->members[(*index)++];
        if (member->connections > 0) return member;
    }
    return NULL;
}

bool presence_next(const struct presence *presence, uint32_t *index, struct text *user_id_r)
{
    const struct member *member = next_here(presence, index);
    if (member != NULL) *user_id_r = member_id(member);
    return member != NULL;
}

/* ---- the snapshot ---- */

static size_t digits_count(uint32_t number)
{
    size_t count = 1;
    for (; number >= 10; number /= 10)
        count++;
    return count;
}

static char *write_number(char *to, uint32_t number)
{
    char *end = to + digits_count(number);
    for (char *at = end; at > to; number /= 10)
        *--at = (char)('0' + number % 10);
    return end;
}

static char *write_ids(const struct presence *presence, char *to)
{
    uint32_t index = 0;
    const struct member *member;
    for (uint32_t written = 0; (member = next_here(presence, &index)) != NULL; written++) {
        if (written > 0) *to++ = ',';
        to = text_put(to, id_part(member));
    }
    return to;
}

static char *write_hash(const struct presence *presence, char *to)
{
    uint32_t index = 0;
    const struct member *member;
    for (uint32_t written = 0; (member = next_here(presence, &index)) != NULL; written++) {
        if (written > 0) *to++ = ',';
        to = text_put(to, id_part(member));
        *to++ = ':';
        to = text_put(to, info_part(member));
    }
    return to;
}

size_t presence_snapshot_bytes(const struct presence *presence)
{
    size_t count = presence->count, commas = count > 0 ? 2 * (count - 1) : 0, colons = count;
    return SNAPSHOT_FIXED_BYTES + presence->part_bytes + commas + colons + digits_count(presence->count);
}

char *presence_snapshot_write(const struct presence *presence, char *to)
{
    to = copy(to, snapshot_ids, sizeof snapshot_ids - 1);
    to = write_ids(presence, to);
    to = copy(to, snapshot_hash, sizeof snapshot_hash - 1);
    to = write_hash(presence, to);
    to = copy(to, snapshot_count, sizeof snapshot_count - 1);
    to = write_number(to, presence->count);
    return copy(to, snapshot_end, sizeof snapshot_end - 1);
}
