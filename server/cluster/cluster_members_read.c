/* server/cluster/cluster_members_read.c - what comes of Redis: pushes that are numbered, and snapshots. */
#include "server/cluster/cluster_members_read.h"

#include "server/cluster/cluster_members.h"
#include "server/cluster/cluster_members_state.h"
#include "server/cluster/push.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- what pushes and snapshots say of one user ---- */

/* Redis has the user, with this info. */
static enum rc learn(struct cluster_members *members, struct text user_id, struct text info,
                     struct cluster_member **member_r)
{
    struct cluster_member *member = cluster_member_find(&members->table, user_id);
    if (member == NULL) member = cluster_member_add(&members->table, user_id, info);
    if (member == NULL) return RC_ENOMEM;
    if (!text_equals(cluster_member_info(member), info)) {
        if (cluster_member_set_info(member, info) != RC_OK) return RC_ENOMEM;
        member->is_other = true;
    }
    member->is_missing = false;
    cluster_members_set_here(members, member, true);
    *member_r = member;
    return RC_OK;
}

/* No node has the user any more. */
static void unlearn(struct cluster_members *members, struct cluster_member *member)
{
    member->is_missing = false;
    cluster_members_set_here(members, member, false);
    /* The push may be older than an answer that says that the user is here: the next one tells. */
    if (member->place == MEMBER_HERE) member->place = MEMBER_UNSURE;
    cluster_members_review(members, member);
}

/* ---- pushes ---- */

/* Its users are as many as it says, and whole. */
static bool is_readable(struct push push)
{
    struct text user_id, info;
    enum rc rc = push.count > 0 ? RC_OK : RC_EINVAL;
    while (rc == RC_OK && (rc = push_take_member(&push, &user_id, &info)) == RC_OK) {
        if (user_id.count == 0) rc = RC_EINVAL;
    }
    return rc == RC_ENOENT;
}

static bool read_push(struct text text, struct push *push_r)
{
    if (push_read(text, push_r) != RC_OK) return false;
    bool is_of_members = push_r->kind == PUSH_JOINED || push_r->kind == PUSH_LEFT;
    return is_of_members && push_r->version > 0 && push_r->version <= INT64_MAX && is_readable(*push_r);
}

/* The version of its last. */
static uint64_t version_of(const struct push *push)
{
    return push->version + push->count - 1;
}

static enum rc apply(struct cluster_members *members, struct push push)
{
    struct text user_id, info;
    struct cluster_member *member;
    uint64_t version = version_of(&push);
    while (push_take_member(&push, &user_id, &info) == RC_OK) {
        if (push.kind == PUSH_JOINED) {
            if (learn(members, user_id, info, &member) != RC_OK) return RC_ENOMEM;
            cluster_members_review(members, member);
        } else if ((member = cluster_member_find(&members->table, user_id)) != NULL) {
            unlearn(members, member);
        }
    }
    members->version = version;
    return RC_OK;
}

/* Something is missing: nothing is applied any more, until a snapshot comes. */
static void lose_track(struct cluster_members *members)
{
    members->is_known = false;
    cluster_members_want_snapshot(members);
}

static void keep(struct cluster_members *members, struct text text)
{
    bool is_full =
        members->kept_count == MEMBERS_PUSHES_MAX || members->kept_bytes + text.count > MEMBERS_PUSH_BYTES_MAX;
    struct kept_push *push = is_full ? NULL : malloc(sizeof *push + text.count);
    if (push == NULL) { /* one more snapshot, then */
        cluster_members_want_snapshot(members);
        return;
    }
    push->bytes = text.count;
    text_put(push->text, text);
    STAILQ_INSERT_TAIL(&members->kept, push, entry);
    members->kept_count++;
    members->kept_bytes += text.count;
}

/* False: it does not follow. */
static bool take_push(struct cluster_members *members, const struct push *push)
{
    if (version_of(push) <= members->version) return true; /* old */
    if (members->version == 0 || push->version != members->version + 1) return false;
    return apply(members, *push) == RC_OK;
}

bool cluster_members_push(struct cluster_members *members, struct text text)
{
    struct push push;
    if (!members->is_read) return true;
    bool is_read = read_push(text, &push);
    if (members->is_snapshot_under_way) {
        keep(members, text); /* also what cannot be read: it is missing then */
    } else if (members->is_known && (!is_read || !take_push(members, &push))) {
        lose_track(members);
    }
    return is_read;
}

/* ---- snapshots ---- */

static void begin_row(struct cluster_members *members, struct cluster_member *member)
{
    (void)members;
    member->is_seen = false;
}

void cluster_members_snapshot_begin(struct cluster_members *members)
{
    assert(members->is_snapshot_under_way);
    members->snapshot_version = 0;
    members->is_short = false;
    cluster_members_for_each(members, begin_row);
}

/* ' NODE NODE |info': is this node among them? */
static bool has_node(const struct cluster_members *members, struct text nodes)
{
    return memmem(nodes.at, nodes.count, members->node, members->node_bytes) != NULL;
}

void cluster_members_snapshot_row(struct cluster_members *members, struct text user_id, struct text value)
{
    if (!members->is_read) return;
    if (user_id.count == 0) {
        text_is_number(value, &members->snapshot_version);
        return;
    }
    const char *bar = memchr(value.at, '|', value.count);
    if (bar == NULL) return; /* none of ours */
    struct text nodes = text_between(value.at, bar), info = text_between(bar + 1, value.at + value.count);
    struct cluster_member *member;
    if (learn(members, user_id, info, &member) != RC_OK) {
        members->is_short = true;
        return;
    }
    member->is_seen = true;
    if (!member->is_under_way) member->place = has_node(members, nodes) ? MEMBER_HERE : MEMBER_AWAY;
    cluster_members_review(members, member);
}

static void miss(struct cluster_members *members, struct cluster_member *member)
{
    if (member->is_seen) return;
    if (!member->is_under_way) member->place = MEMBER_AWAY;
    member->is_missing = members->patience_until_ms > 0 && (member->is_missing || member->is_here);
    cluster_members_set_here(members, member, false);
}

/* Those pushed since it was asked for. */
static void take_kept(struct cluster_members *members)
{
    struct kept_push *kept;
    struct push push;
    while ((kept = STAILQ_FIRST(&members->kept)) != NULL && members->is_known) {
        struct text text = {kept->text, kept->bytes};
        if (!read_push(text, &push) || !take_push(members, &push)) lose_track(members);
        STAILQ_REMOVE_HEAD(&members->kept, entry);
        members->kept_count--;
        members->kept_bytes -= kept->bytes;
        free(kept);
    }
    cluster_members_forget_kept(members);
}

void cluster_members_snapshot_end(struct cluster_members *members, uint64_t now_ms)
{
    assert(members->is_snapshot_under_way);
    members->is_snapshot_under_way = false;
    if (!members->is_read) return;
    if (members->is_short) {
        members->is_snapshot_wanted = true;
        members->snapshot_from_ms = now_ms + MEMBERS_RETRY_MS;
        return;
    }
    cluster_members_for_each(members, miss);
    members->version = members->snapshot_version;
    members->is_whole = members->is_known = true;
    members->is_audited = false;
    take_kept(members);
}

void cluster_members_audit(struct cluster_members *members, uint64_t version)
{
    if (!members->is_known) return;
    bool is_other = version != members->version;
    if (is_other && members->is_audited) lose_track(members);
    members->is_audited = is_other;
}

/* ---- time ---- */

uint64_t cluster_members_due_ms(const struct cluster_members *members)
{
    uint64_t due_ms = members->look_ms;
    if (members->patience_until_ms > 0 && members->patience_until_ms < due_ms) due_ms = members->patience_until_ms;
    bool asks = !TAILQ_EMPTY(&members->asking);
    if (asks && members->ask_from_ms < due_ms) due_ms = members->ask_from_ms;
    bool has_snapshot = members->is_snapshot_wanted && !members->is_snapshot_under_way;
    return has_snapshot && members->snapshot_from_ms < due_ms ? members->snapshot_from_ms : due_ms;
}

static bool is_any_expected(const struct cluster_members *members)
{
    const struct cluster_member *member = NULL;
    while ((member = cluster_member_next(&members->table, member)) != NULL) {
        if (member->is_expected) return true;
    }
    return false;
}

static void stop_missing(struct cluster_members *members, struct cluster_member *member)
{
    (void)members;
    member->is_missing = false;
}

void cluster_members_tick(struct cluster_members *members, uint64_t now_ms)
{
    if (now_ms >= members->look_ms) {
        members->look_ms = UINT64_MAX;
        if (is_any_expected(members)) lose_track(members);
    }
    if (members->patience_until_ms > 0 && now_ms >= members->patience_until_ms) {
        members->patience_until_ms = 0;
        cluster_members_for_each(members, stop_missing);
    }
}
