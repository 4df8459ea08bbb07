/* server/cluster/cluster_members_state.c - the state of each member, and in which lists it stands for it. */
#include "server/cluster/cluster_members_state.h"

#include <stdlib.h>

static bool needs_ask(const struct cluster_member *member)
{
    if (member->is_under_way) return false;
    return member->is_wanted ? member->place != MEMBER_HERE : member->place != MEMBER_AWAY;
}

static bool has_change(const struct cluster_member *member)
{
    return cluster_member_is_shown(member) != member->is_told || (member->is_told && member->is_other);
}

void cluster_members_review(struct cluster_members *members, struct cluster_member *member)
{
    bool needs = needs_ask(member), changes = members->is_read && has_change(member);
    if (needs && !member->is_asking) TAILQ_INSERT_TAIL(&members->asking, member, asking);
    if (!needs && member->is_asking) TAILQ_REMOVE(&members->asking, member, asking);
    member->is_asking = needs;
    if (changes && !member->is_changed) TAILQ_INSERT_TAIL(&members->changed, member, changed);
    if (!changes && member->is_changed) TAILQ_REMOVE(&members->changed, member, changed);
    member->is_changed = changes;
    if (needs || changes || member->is_under_way || member->is_wanted || cluster_member_is_shown(member)) return;
    cluster_member_remove(&members->table, member);
}

void cluster_members_set_here(struct cluster_members *members, struct cluster_member *member, bool is_here)
{
    if (is_here && !member->is_here) members->here++;
    if (!is_here && member->is_here) members->here--;
    member->is_here = is_here;
    member->is_expected = false;
}

void cluster_members_for_each(struct cluster_members *members, cluster_members_visit *visit)
{
    struct cluster_member *member = cluster_member_next(&members->table, NULL), *next;
    for (; member != NULL; member = next) {
        next = cluster_member_next(&members->table, member);
        visit(members, member);
        cluster_members_review(members, member);
    }
}

void cluster_members_forget_kept(struct cluster_members *members)
{
    struct kept_push *push;
    while ((push = STAILQ_FIRST(&members->kept)) != NULL) {
        STAILQ_REMOVE_HEAD(&members->kept, entry);
        free(push);
    }
    members->kept_count = 0;
    members->kept_bytes = 0;
}

void cluster_members_want_snapshot(struct cluster_members *members)
{
    if (members->is_read) members->is_snapshot_wanted = true;
}
