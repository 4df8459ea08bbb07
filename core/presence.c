/* core/presence.c - members in a dense array, and a chained hash table of their places in it.
 *
 * Every member keeps its part of the snapshot ready escaped, and the sums of these parts are kept: so a snapshot's
 * length is known at once, and to write it is to copy. Who leaves is replaced by the last of the array. */
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
    uint64_t connections;
    char *texts; /* the id; the id as it stands in the snapshot, with its quotes; the info as it stands there */
    uint32_t id_bytes;
    uint32_t id_part_bytes;
    uint32_t info_part_bytes;
    uint32_t next; /* in its chain: a place or PLACE_NONE */
};

struct presence {
    struct member *members;
    uint32_t *chains; /* the first of each: a place or PLACE_NONE */
    uint32_t count;
    uint32_t capacity; /* of both; 0 or a power of two */
    uint64_t connections;
    uint64_t part_bytes; /* of all members: the id twice, the info once */
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
    return calloc(1, sizeof(struct presence));
}

void presence_free(struct presence *presence)
{
    if (presence == NULL) return;
    for (uint32_t i = 0; i < presence->count; i++)
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
        .connections = 1,
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
    struct member *member = &presence->members[place];
    uint32_t *chain = chain_of(presence, member->hash);
    member->next = *chain;
    *chain = place;
}

/* Where it is written which place this is: at the start of the chain, or in the member before. */
static uint32_t *link_to(struct presence *presence, uint32_t place)
{
    uint32_t *link = chain_of(presence, presence->members[place].hash);
    while (*link != place)
        link = &presence->members[*link].next;
    return link;
}

static uint32_t find(const struct presence *presence, struct text user_id)
{
    if (presence->count == 0) return PLACE_NONE;
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
    if (presence->count < presence->capacity) return RC_OK;
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
    for (uint32_t i = 0; i < presence->count; i++)
        link_member(presence, i);
    return RC_OK;
}

enum rc presence_join(struct presence *presence, struct text user_id, struct text info)
{
    assert(user_id.count <= TEXT_MAX && info.count <= TEXT_MAX);
    uint32_t place = find(presence, user_id);
    if (place != PLACE_NONE) {
        presence->members[place].connections++;
        presence->connections++;
        return RC_PENDING;
    }
    struct member member;
    if (grow(presence) != RC_OK || !member_init(&member, user_id, info)) return RC_ENOMEM;
    presence->members[presence->count] = member;
    link_member(presence, presence->count);
    presence->count++;
    presence->connections++;
    presence->part_bytes += member_part_bytes(&member);
    return RC_OK;
}

static void drop(struct presence *presence, uint32_t place)
{
    struct member *member = &presence->members[place];
    presence->part_bytes -= member_part_bytes(member);
    *link_to(presence, place) = member->next;
    free(member->texts);
    uint32_t last = --presence->count;
    if (place == last) return;
    *link_to(presence, last) = place;
    *member = presence->members[last];
}

bool presence_leave(struct presence *presence, struct text user_id)
{
    uint32_t place = find(presence, user_id);
    assert(place != PLACE_NONE);
    presence->connections--;
    if (--presence->members[place].connections > 0) return false;
    drop(presence, place);
    return true;
}

bool presence_has(const struct presence *presence, struct text user_id)
{
    return find(presence, user_id) != PLACE_NONE;
}

uint32_t presence_count(const struct presence *presence)
{
    return presence->count;
}

uint64_t presence_connections(const struct presence *presence)
{
    return presence->connections;
}

bool presence_next(const struct presence *presence, uint32_t *index, struct text *user_id_r)
{
    if (*index >= presence->count) return false;
    *user_id_r = member_id(&presence->members[(*index)++]);
    return true;
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
    for (uint32_t i = 0; i < presence->count; i++) {
        const struct member *member = &presence->members[i];
        if (i > 0) *to++ = ',';
        to = copy(to, member->texts + member->id_bytes, member->id_part_bytes);
    }
    return to;
}

static char *write_hash(const struct presence *presence, char *to)
{
    for (uint32_t i = 0; i < presence->count; i++) {
        const struct member *member = &presence->members[i];
        const char *id_part = member->texts + member->id_bytes;
        if (i > 0) *to++ = ',';
        to = copy(to, id_part, member->id_part_bytes);
        *to++ = ':';
        to = copy(to, id_part + member->id_part_bytes, member->info_part_bytes);
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
