/* server/cluster/cluster_member.c - a chained hash table of members. */
#include "server/cluster/cluster_member.h"

#include "core/name.h"

#include <assert.h>
#include <stdlib.h>

#define CAPACITY_MIN 4

/* Users choose their ids: only a keyed hash keeps them from choosing long chains. */
static uint64_t hash_of(struct text user_id)
{
    return name_of(0, user_id).hash;
}

static struct cluster_member **chain_of(const struct cluster_member_table *table, uint64_t hash)
{
    return &table->chains[hash & (table->capacity - 1)];
}

static void link_member(struct cluster_member_table *table, struct cluster_member *member)
{
    struct cluster_member **chain = chain_of(table, member->hash);
    member->next = *chain;
    *chain = member;
}

struct cluster_member *cluster_member_find(const struct cluster_member_table *table, struct text user_id)
{
    if (table->count == 0) return NULL;
    uint64_t hash = hash_of(user_id);
    struct cluster_member *member = *chain_of(table, hash);
    while (member != NULL && !(member->hash == hash && text_equals(cluster_member_id(member), user_id))) {
        member = member->next;
    }
    return member;
}

/* Makes room for one more. */
static enum rc grow(struct cluster_member_table *table)
{
    if (table->count < table->capacity) return RC_OK;
    struct cluster_member_table larger = {.capacity = table->capacity > 0 ? 2 * table->capacity : CAPACITY_MIN,
                                          .count = table->count};
    larger.chains = calloc(larger.capacity, sizeof(struct cluster_member *));
    if (larger.chains == NULL) return RC_ENOMEM;
    for (struct cluster_member *member = cluster_member_next(table, NULL), *next; member != NULL; member = next) {
        next = cluster_member_next(table, member);
        link_member(&larger, member);
    }
    free(table->chains);
    *table = larger;
    return RC_OK;
}

static char *new_texts(struct text user_id, struct text info)
{
    char *texts = malloc(user_id.count + info.count + 1); /* never of no bytes */
    if (texts != NULL) text_put(text_put(texts, user_id), info);
    return texts;
}

struct cluster_member *cluster_member_add(struct cluster_member_table *table, struct text user_id, struct text info)
{
    assert(user_id.count <= UINT32_MAX && info.count <= UINT32_MAX);
    struct cluster_member *member = malloc(sizeof *member);
    char *texts = new_texts(user_id, info);
    if (member == NULL || texts == NULL || grow(table) != RC_OK) {
        free(member);
        free(texts);
        return NULL;
    }
    *member = (struct cluster_member){
        .hash = hash_of(user_id),
        .texts = texts,
        .id_bytes = (uint32_t)user_id.count,
        .info_bytes = (uint32_t)info.count,
    };
    link_member(table, member);
    table->count++;
    return member;
}

enum rc cluster_member_set_info(struct cluster_member *member, struct text info)
{
    assert(info.count <= UINT32_MAX);
    if (text_equals(cluster_member_info(member), info)) return RC_OK;
    char *texts = new_texts(cluster_member_id(member), info);
    if (texts == NULL) return RC_ENOMEM;
    free(member->texts);
    member->texts = texts;
    member->info_bytes = (uint32_t)info.count;
    return RC_OK;
}

void cluster_member_remove(struct cluster_member_table *table, struct cluster_member *member)
{
    assert(table->count > 0 && !member->is_asking && !member->is_changed);
    struct cluster_member **link = chain_of(table, member->hash);
    while (*link != member) {
        link = &(*link)->next;
    }
    *link = member->next;
    table->count--;
    free(member->texts);
    free(member);
}

struct cluster_member *cluster_member_next(const struct cluster_member_table *table,
                                           const struct cluster_member *member)
{
    if (member != NULL && member->next != NULL) return member->next;
    uint32_t chain = member != NULL ? (uint32_t)(member->hash & (table->capacity - 1)) + 1 : 0;
    for (; chain < table->capacity; chain++) {
        if (table->chains[chain] != NULL) return table->chains[chain];
    }
    return NULL;
}

void cluster_member_table_fini(struct cluster_member_table *table)
{
    for (struct cluster_member *member = cluster_member_next(table, NULL), *next; member != NULL; member = next) {
        next = cluster_member_next(table, member);
        free(member->texts);
        free(member);
    }
    free(table->chains);
    *table = (struct cluster_member_table){0};
}
