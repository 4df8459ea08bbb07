/* server/cluster/cluster_members.c - wishes of this node's home, and what is to be asked for them. */
#include "server/cluster/cluster_members.h"

#include "server/cluster/cluster_members_state.h"

#include <assert.h>
#include <stdlib.h>

static void set_node(struct cluster_members *members, struct text node)
{
    assert(node.count > 0 && node.count <= NODE_BYTES_MAX);
    members->node[0] = ' ';
    char *end = text_put(members->node + 1, node);
    *end = ' ';
    members->node_bytes = node.count + 2;
}

struct cluster_members *cluster_members_new(struct text node)
{
    struct cluster_members *members = malloc(sizeof *members);
    if (members == NULL) return NULL;
    *members = (struct cluster_members){.look_ms = UINT64_MAX};
    TAILQ_INIT(&members->asking);
    TAILQ_INIT(&members->changed);
    STAILQ_INIT(&members->kept);
    set_node(members, node);
    return members;
}

void cluster_members_free(struct cluster_members *members)
{
    if (members == NULL) return;
    cluster_members_forget_kept(members);
    cluster_member_table_fini(&members->table);
    free(members);
}

/* ---- what the home wants ---- */

enum rc cluster_members_join(struct cluster_members *members, struct text user_id, struct text info)
{
    struct cluster_member *member = cluster_member_find(&members->table, user_id);
    if (member == NULL) member = cluster_member_add(&members->table, user_id, info);
    if (member == NULL) return RC_ENOMEM;
    member->is_wanted = true;
    cluster_members_review(members, member);
    return RC_OK;
}

static void part(struct cluster_members *members, struct cluster_member *member)
{
    (void)members;
    member->is_wanted = false;
    member->is_put_back = false;
}

void cluster_members_part(struct cluster_members *members, struct text user_id)
{
    struct cluster_member *member = cluster_member_find(&members->table, user_id);
    if (member == NULL) return;
    part(members, member);
    cluster_members_review(members, member);
}

void cluster_members_part_all(struct cluster_members *members)
{
    cluster_members_for_each(members, part);
}

static void forget_told(struct cluster_members *members, struct cluster_member *member)
{
    member->is_told = member->is_other = member->is_missing = false;
    cluster_members_set_here(members, member, false);
}

static void forget_all(struct cluster_members *members, bool is_read)
{
    members->is_read = is_read;
    members->is_whole = members->is_known = false;
    members->version = 0;
    cluster_members_forget_kept(members);
    cluster_members_for_each(members, forget_told);
}

void cluster_members_begin(struct cluster_members *members)
{
    forget_all(members, true);
    cluster_members_want_snapshot(members);
}

void cluster_members_end(struct cluster_members *members)
{
    members->is_snapshot_wanted = false;
    forget_all(members, false);
}

/* ---- what is to be asked ---- */

bool cluster_members_ask(struct cluster_members *members, uint64_t now_ms, struct cluster_members_ask *ask_r)
{
    struct cluster_member *member = TAILQ_FIRST(&members->asking);
    if (member != NULL && now_ms >= members->ask_from_ms) {
        *ask_r = (struct cluster_members_ask){
            .kind = member->is_wanted ? MEMBERS_JOIN : MEMBERS_LEAVE,
            .name_round = members->name_round,
            .member = member,
            .user_id = cluster_member_id(member),
            .info = cluster_member_info(member),
        };
        return true;
    }
    /* Behind the joins, so that those who join are in it. */
    if (!members->is_snapshot_wanted || members->is_snapshot_under_way) return false;
    if (now_ms < members->snapshot_from_ms) return false;
    *ask_r = (struct cluster_members_ask){.kind = MEMBERS_SNAPSHOT};
    return true;
}

void cluster_members_sent(struct cluster_members *members, const struct cluster_members_ask *ask)
{
    if (ask->kind == MEMBERS_SNAPSHOT) {
        members->is_snapshot_wanted = false;
        members->is_snapshot_under_way = true;
        cluster_members_forget_kept(members); /* it has what was pushed before it was asked for */
        return;
    }
    assert(!ask->member->is_under_way);
    ask->member->is_under_way = true;
    ask->member->place = MEMBER_UNSURE;
    members->under_way++;
    cluster_members_review(members, ask->member);
}

/* What was asked has come to an end; which way says `place`. */
static void ask_ended(struct cluster_members *members, const struct cluster_members_ask *ask,
                      enum cluster_member_place place)
{
    assert(ask->member->is_under_way && members->under_way > 0);
    ask->member->is_under_way = false;
    members->under_way--;
    /* What was done under another name is swept under that name. */
    ask->member->place = ask->name_round == members->name_round ? place : MEMBER_AWAY;
}

/* The push of what was answered has to come; if not, it was lost. */
static void expect(struct cluster_members *members, struct cluster_member *member, uint64_t now_ms)
{
    if (!members->is_read) return;
    member->is_expected = true;
    if (members->look_ms == UINT64_MAX) members->look_ms = now_ms + MEMBERS_RETRY_MS;
}

enum cluster_members_news cluster_members_news(const struct cluster_members_ask *ask, int answer,
                                               struct text *user_id_r)
{
    assert(ask->kind != MEMBERS_SNAPSHOT);
    *user_id_r = cluster_member_id(ask->member);
    if (answer != 2) return MEMBERS_NO_NEWS;
    if (ask->kind == MEMBERS_LEAVE) return MEMBERS_REMOVED;
    return ask->member->is_put_back ? MEMBERS_NO_NEWS : MEMBERS_ADDED;
}

void cluster_members_answered(struct cluster_members *members, const struct cluster_members_ask *ask, int answer,
                              uint64_t now_ms)
{
    assert(ask->kind != MEMBERS_SNAPSHOT);
    struct cluster_member *member = ask->member;
    bool is_join = ask->kind == MEMBERS_JOIN;
    ask_ended(members, ask, is_join ? MEMBER_HERE : MEMBER_AWAY);
    if (is_join) member->is_put_back = false;
    if (is_join ? !member->is_here : answer == 2 && member->is_here) expect(members, member, now_ms);
    cluster_members_review(members, member);
}

void cluster_members_failed(struct cluster_members *members, const struct cluster_members_ask *ask, uint64_t now_ms)
{
    if (ask->kind == MEMBERS_SNAPSHOT) {
        members->is_snapshot_under_way = false;
        members->is_snapshot_wanted = members->is_read;
        members->snapshot_from_ms = now_ms + MEMBERS_RETRY_MS;
        return;
    }
    ask_ended(members, ask, MEMBER_UNSURE);
    members->ask_from_ms = now_ms + MEMBERS_RETRY_MS;
    cluster_members_review(members, ask->member);
}

bool cluster_members_is_busy(const struct cluster_members *members)
{
    return members->under_way > 0 || members->is_snapshot_under_way;
}

bool cluster_members_is_idle(const struct cluster_members *members)
{
    /* Without pushes only those stay whom this node has, or had. */
    return !cluster_members_is_busy(members) && !members->is_read && members->table.count == 0;
}

/* ---- accidents ---- */

static void lose(struct cluster_members *members, struct cluster_member *member)
{
    if (!member->is_under_way) return;
    assert(members->under_way > 0);
    members->under_way--;
    member->is_under_way = false; /* and unsure, as it was since it was sent */
}

void cluster_members_lost(struct cluster_members *members)
{
    members->is_snapshot_under_way = members->is_snapshot_wanted = false;
    members->is_known = false;
    members->ask_from_ms = members->snapshot_from_ms = 0;
    cluster_members_forget_kept(members);
    cluster_members_for_each(members, lose);
}

void cluster_members_check(struct cluster_members *members)
{
    cluster_members_want_snapshot(members);
}

static void put_back(struct cluster_members *members, struct cluster_member *member)
{
    (void)members;
    if (member->is_wanted && member->place == MEMBER_HERE) member->is_put_back = true;
}

void cluster_members_forgotten(struct cluster_members *members, uint64_t patience_until_ms)
{
    members->patience_until_ms = patience_until_ms;
    cluster_members_for_each(members, put_back);
    cluster_members_check(members);
}

static void go_away(struct cluster_members *members, struct cluster_member *member)
{
    (void)members;
    member->place = MEMBER_AWAY;
}

void cluster_members_rename(struct cluster_members *members, struct text node)
{
    set_node(members, node);
    members->name_round++;
    cluster_members_for_each(members, go_away);
    cluster_members_check(members);
}

/* ---- what is told ---- */

uint32_t cluster_members_changes(const struct cluster_members *members, struct cluster_members_change *changes_r,
                                 uint32_t changes_max)
{
    uint32_t count = 0;
    const struct cluster_member *member = members->is_whole ? TAILQ_FIRST(&members->changed) : NULL;
    for (; member != NULL && count < changes_max; member = TAILQ_NEXT(member, changed)) {
        changes_r[count++] = (struct cluster_members_change){
            .has_left = member->is_told,
            .has_joined = cluster_member_is_shown(member),
            .is_last = TAILQ_NEXT(member, changed) == NULL,
            .user_id = cluster_member_id(member),
            .info = cluster_member_info(member),
        };
    }
    return count;
}

void cluster_members_told(struct cluster_members *members, uint32_t count)
{
    for (; count > 0; count--) {
        struct cluster_member *member = TAILQ_FIRST(&members->changed);
        assert(member != NULL);
        member->is_told = cluster_member_is_shown(member);
        member->is_other = false;
        cluster_members_review(members, member);
    }
}

uint32_t cluster_members_count(const struct cluster_members *members)
{
    return members->here;
}
