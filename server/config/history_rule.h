/* server/config/history_rule.h - which channels keep what was published, and how much of it: the option --history.
 *
 * Threads: read at start and never changed; any thread may look. */
#pragma once

#include "core/text.h"
#include "server/config/option_value.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct setting_table;

#define HISTORY_RULES_MAX 64

/* Names of client events that are kept; NULL: none are. Owned by the rule. */
typedef char *option_client_events;
extern const struct option_type option_type_client_events;

struct history_rule {
    char *pattern; /* 1 to NAME_BYTES_MAX characters of channels' names, and '*' for any run of them, or none */
#define HISTORY_SETTING(type, name, ...) option_##type name;
#include "server/config/history_setting.def"
#undef HISTORY_SETTING
    uint64_t given; /* its settings that were given, 1 << row of history_settings */
};

/* The rules in the order given, the type of the option --history, "PATTERN name=value ...". Owns its items; `items` is
 * NULL while `count` is 0. In the environment semicolons stand between the rules, so patterns there have none. */
struct history_rule_list {
    struct history_rule *items;
    uint32_t count;
};
typedef struct history_rule_list option_history_rule_list;
extern const struct option_type option_type_history_rule_list;

/* For who reads a rule in pieces, as it stands in a file: begin it, put its settings (server/config/setting.h), add it.
 * `error` is written as with --history. A rule that was begun is given back with history_rule_fini(), unless it was
 * added: then the list owns what it points to. */
extern const struct setting_table history_settings;
enum rc history_rule_begin(struct history_rule *rule, const char *pattern, struct option_error *error);
enum rc history_rule_list_add(struct history_rule_list *list, const struct history_rule *rule,
                              struct option_error *error);
void history_rule_fini(struct history_rule *rule);
/* Makes *to, which is zeroed, the same. RC_ENOMEM: nothing is left. */
enum rc history_rule_copy(struct history_rule *to, const struct history_rule *from);
/* In what these two differ, 1 << row of history_settings. */
uint64_t history_rule_differences(const struct history_rule *one, const struct history_rule *other);
/* The rule with this pattern; NULL: there is none. */
const struct history_rule *history_rule_of_pattern(const struct history_rule_list *rules, const char *pattern);

/* The first rule whose pattern fits the channel's name; NULL: it keeps nothing. Channels of users ("#...") never do.
 * Takes at most the product of both lengths, whatever the pattern. */
const struct history_rule *history_rule_of(const struct history_rule_list *rules, struct text channel);

/* Does it keep client events of this name? */
bool history_rule_keeps(const struct history_rule *rule, struct text event);

/* The first rule whose channels are durable; NULL: none. */
const struct history_rule *history_rule_durable(const struct history_rule_list *rules);

/* What --help shows of history_setting.def. */
void history_rule_help(FILE *out);
