/* core/presence.h - the members of a presence channel, kept at its home: who is here, over all their connections.
 *
 * A user counts as one member, however many connections it has; the first one's info is the one that all are told,
 * while the user is here. Who comes and goes stands in a list of changes, each user once, until the change is taken to
 * be told: one who leaves and comes back before that has changed nothing. Join, leave, a change and the counts cost
 * constant time; a snapshot costs time for each member and is made once for all who join in a turn.
 * Threads:   one shard.
 * Memory:    a member costs its struct, its id, and id and info as they stand in the snapshot, until it has left and
 *            that was taken; the table doubles when it is full and never shrinks.
 * Bounds:    the caller's: it looks at presence_count() before it lets somebody join. */
#pragma once

#include "core/rc.h"
#include "core/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct presence;

/* NULL: out of memory. */
struct presence *presence_new(void);
/* Accepts NULL. Members may be left. */
void presence_free(struct presence *presence);

/* Counts one more connection of this user. `info` is JSON as it stands in the snapshot; at == NULL: there is none, and
 * the snapshot says null. Both are copied, and have at most 16 MiB. RC_OK: a new member. RC_PENDING: was here already,
 * `info` is not kept. RC_ENOMEM: not joined. */
enum rc presence_join(struct presence *presence, struct text user_id, struct text info);
/* Counts one connection of this user less. True: that was the last one, the member is gone. A user who is not here is
 * our own bug. */
bool presence_leave(struct presence *presence, struct text user_id);

/* What has become of a user since its last change was taken. */
struct presence_change {
    bool has_left;   /* who was here then; */
    bool has_joined; /* both: came back with another info */
    struct text user_id;
    struct text id_part;   /* the id, with quotes, and the info, as they stand in the snapshot, escaped; */
    struct text info_part; /* null if there is none */
};
/* Takes what has become of one user; who changed first comes first. False: of none. Its texts live until the next join,
 * leave or change taken. */
bool presence_take_change(struct presence *presence, struct presence_change *change_r);
bool presence_has_changes(const struct presence *presence);

bool presence_has(const struct presence *presence, struct text user_id);
/* How many members; how many connections they have. */
uint32_t presence_count(const struct presence *presence);
uint64_t presence_connections(const struct presence *presence);

/* The members, in any order: start with *index = 0; false behind the last. The view lives until the next change. */
bool presence_next(const struct presence *presence, uint32_t *index, struct text *user_id_r);

/* The snapshot as it stands in a subscription_succeeded event's data, escaped once because that is a string itself:
 *     {\"presence\":{\"ids\":[\"42\"],\"hash\":{\"42\":{\"name\":\"Ann\"}},\"count\":1}}
 * _bytes costs constant time, _write time for each member; it returns the end of what it wrote. */
size_t presence_snapshot_bytes(const struct presence *presence);
char *presence_snapshot_write(const struct presence *presence, char *to);
