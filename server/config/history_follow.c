/* server/config/history_follow.c - which rules may change, and telling how they did. */
#include "server/config/history_follow.h"

#include "server/config/option_row.h"
#include "server/config/setting.h"

#include <stdlib.h>
#include <string.h>

/* How many rules from the first on decide which channels are durable. */
static uint32_t deciding(const struct history_rule_list *rules)
{
    uint32_t count = rules->count;
    while (count > 0 && !rules->items[count - 1].durable)
        count--;
    return count;
}

/* Are the first `count` rules of both for the same channels, and as durable? */
static bool is_same(const struct history_rule_list *one, const struct history_rule_list *other, uint32_t count)
{
    if (one->count < count || other->count < count) return false;
    for (uint32_t i = 0; i < count; i++) {
        const struct history_rule *rule = &one->items[i], *second = &other->items[i];
        if (strcmp(rule->pattern, second->pattern) != 0 || rule->durable != second->durable) return false;
    }
    return true;
}

static enum rc keep(struct history_rule_list *next, const struct history_rule_list *now)
{
    option_type_history_rule_list.fini(next);
    if (now->count == 0) return RC_OK;
    next->items = calloc(now->count, sizeof next->items[0]);
    if (next->items == NULL) return RC_ENOMEM;
    for (; next->count < now->count; next->count++)
        if (history_rule_copy(&next->items[next->count], &now->items[next->count]) != RC_OK) return RC_ENOMEM;
    return RC_OK;
}

static enum rc tell_setting(const struct option_row *row, const struct history_rule *now,
                            const struct history_rule *next, struct changes *changes)
{
    char *from = option_row_text(row, (const char *)now + row->offset);
    char *to = option_row_text(row, (const char *)next + row->offset);
    bool is_known = from != NULL && to != NULL;
    if (is_known) changes_apply(changes, "channels %s: %s: %s -> %s", next->pattern, row->name, from, to);
    free(from);
    free(to);
    return is_known ? RC_OK : RC_ENOMEM;
}

static enum rc tell_rule(const struct history_rule *now, const struct history_rule *next, struct changes *changes)
{
    enum rc rc = RC_OK;
    if (now == NULL) {
        changes_apply(changes, "channels %s: keep a history now", next->pattern);
        return RC_OK;
    }
    uint64_t bits = history_rule_differences(now, next);
    for (uint32_t i = 0; rc == RC_OK && i < history_settings.count; i++)
        if ((bits >> i & 1) != 0) rc = tell_setting(&history_settings.rows[i], now, next, changes);
    return rc;
}

static enum rc tell(const struct history_rule_list *next, const struct history_rule_list *now,
                    struct changes *changes)
{
    enum rc rc = RC_OK;
    uint32_t applied = changes->applied;
    for (uint32_t i = 0; rc == RC_OK && i < next->count; i++)
        rc = tell_rule(history_rule_of_pattern(now, next->items[i].pattern), &next->items[i], changes);
    for (uint32_t i = 0; i < now->count; i++)
        if (history_rule_of_pattern(next, now->items[i].pattern) == NULL)
            changes_apply(changes, "channels %s: this rule is gone", now->items[i].pattern);
    if (changes->applied == applied && !is_same(next, now, now->count))
        changes_apply(changes, "channels: the rules have another order");
    return rc;
}

enum rc history_follow(struct history_rule_list *next, const struct history_rule_list *now,
                       bool *has_other_patterns_r, struct changes *changes)
{
    uint32_t count = deciding(now) > deciding(next) ? deciding(now) : deciding(next);
    *has_other_patterns_r = false;
    if (!is_same(next, now, count)) {
        changes_defer(changes, "channels: other ones are to be durable, so all rules of history stay");
        return keep(next, now);
    }
    *has_other_patterns_r = next->count != now->count || !is_same(next, now, now->count);
    return tell(next, now, changes);
}
