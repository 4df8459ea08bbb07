/* server/config/history_rule.c - rules of history from text, and the one that fits a channel. */
#include "server/config/history_rule.h"

#include "core/name.h"
#include "server/config/option_row.h"
#include "server/config/setting.h"
#include "server/config/value.h"

#include <stdlib.h>
#include <string.h>

static const struct option_row rows[] = {
#define HISTORY_SETTING(type_, name_, ...) \
    OPTION_ROW(&option_type_##type_, #name_, offsetof(struct history_rule, name_), __VA_ARGS__),
#include "server/config/history_setting.def"
#undef HISTORY_SETTING
};

const struct setting_table history_settings = {
    .rows = rows,
    .count = sizeof rows / sizeof rows[0],
    .given = offsetof(struct history_rule, given),
    .give = "name=value, without blanks around the equals sign",
};

/* ---- which client events ---- */

#define EVENT_PREFIX "client-"

static void client_events_fini(void *value)
{
    char **pattern = value;
    free(*pattern);
    *pattern = NULL;
}

static enum rc client_events_read(const char *text, struct option_bounds bounds, void *value,
                                  struct option_error *error)
{
    char *pattern = NULL;
    option_bool are_kept = true;
    bool is_name = strncmp(text, EVENT_PREFIX, strlen(EVENT_PREFIX)) == 0;
    if (!is_name && option_type_bool.read(text, bounds, &are_kept, error) != RC_OK)
        return option_refuse(
            error, OPTION_SHOWN " is neither yes, no nor a name of client events; give one, as client-message*",
            text);
    if (are_kept && (pattern = strdup(is_name ? text : "*")) == NULL) return option_out_of_memory(error);
    client_events_fini(value);
    *(char **)value = pattern;
    return RC_OK;
}

static void client_events_write(FILE *out, const void *value, uint32_t entry)
{
    const char *pattern = *(char *const *)value;
    (void)entry;
    fputs(pattern == NULL ? "no" : strcmp(pattern, "*") == 0 ? "yes" : pattern, out);
}

const struct option_type option_type_client_events = {
    .read = client_events_read, .write = client_events_write, .fini = client_events_fini};

/* ---- reading ---- */

void history_rule_fini(struct history_rule *rule)
{
    settings_fini(&history_settings, rule);
    free(rule->pattern);
    *rule = (struct history_rule){0};
}

enum rc history_rule_copy(struct history_rule *to, const struct history_rule *from)
{
    *to = (struct history_rule){.given = from->given};
    bool is_whole = VALUE_COPY(&to->pattern, &from->pattern);
#define HISTORY_SETTING(type, name, ...) is_whole &= VALUE_COPY(&to->name, &from->name);
#include "server/config/history_setting.def"
#undef HISTORY_SETTING
    if (is_whole) return RC_OK;
    history_rule_fini(to);
    return RC_ENOMEM;
}

uint64_t history_rule_differences(const struct history_rule *one, const struct history_rule *other)
{
    uint64_t bit = 1, bits = 0;
#define HISTORY_SETTING(type, name, ...)                       \
    if (!VALUE_IS_SAME(&one->name, &other->name)) bits |= bit; \
    bit <<= 1;
#include "server/config/history_setting.def"
#undef HISTORY_SETTING
    return bits;
}

/* A name of a channel, once its stars are letters. */
static bool is_pattern(const char *text)
{
    char name[NAME_BYTES_MAX];
    size_t length = strlen(text);
    if (length > sizeof name) return false;
    for (size_t i = 0; i < length; i++)
        name[i] = text[i] == '*' ? 'a' : text[i];
    return name_is_valid((struct text){.at = name, .count = length});
}

/* "size=5" may be a channel's name, but is a rule whose pattern was forgotten. */
static bool is_setting(const char *word)
{
    size_t length = strcspn(word, "=");
    return word[length] == '=' && setting_find(&history_settings, (struct text){.at = word, .count = length}) != NULL;
}

static enum rc read_pattern(struct history_rule *rule, const char *word, struct option_error *error)
{
    if (word[0] == '\0' || is_setting(word))
        return option_refuse(error, "the pattern is missing; give PATTERN, then its settings: 'private-* size=500'");
    if (!is_pattern(word))
        return option_refuse(error,
                             "the pattern " OPTION_SHOWN " is not valid; give 1 to %d characters of A-Z a-z 0-9 "
                             "_ - = @ , . ; and *",
                             word, NAME_BYTES_MAX);
    rule->pattern = strdup(word);
    return rule->pattern != NULL ? RC_OK : option_out_of_memory(error);
}

enum rc history_rule_begin(struct history_rule *rule, const char *pattern, struct option_error *error)
{
    *rule = (struct history_rule){0};
    enum rc rc = read_pattern(rule, pattern, error);
    return rc == RC_OK ? settings_init(&history_settings, rule, error) : rc;
}

const struct history_rule *history_rule_of_pattern(const struct history_rule_list *rules, const char *pattern)
{
    for (uint32_t i = 0; i < rules->count; i++)
        if (strcmp(rules->items[i].pattern, pattern) == 0) return &rules->items[i];
    return NULL;
}

enum rc history_rule_list_add(struct history_rule_list *list, const struct history_rule *rule,
                              struct option_error *error)
{
    if (history_rule_of_pattern(list, rule->pattern) != NULL)
        return option_refuse(error, "the pattern " OPTION_SHOWN " is there twice; give it once", rule->pattern);
    if (list->count >= HISTORY_RULES_MAX)
        return option_refuse(error, "more than %d rules; give fewer", HISTORY_RULES_MAX);
    struct history_rule *items = reallocarray(list->items, list->count + 1, sizeof items[0]);
    if (items == NULL) return option_out_of_memory(error);
    items[list->count++] = *rule;
    list->items = items;
    return RC_OK;
}

static enum rc list_read(const char *text, struct option_bounds bounds, void *value, struct option_error *error)
{
    (void)bounds;
    struct history_rule rule = {0};
    char *copy = strdup(text);
    if (copy == NULL) return option_out_of_memory(error);
    char *rest = copy;
    enum rc rc = history_rule_begin(&rule, setting_next_word(&rest), error);
    if (rc == RC_OK) rc = settings_read(&history_settings, rule.pattern, rest, &rule, error);
    if (rc == RC_OK) rc = history_rule_list_add(value, &rule, error);
    if (rc != RC_OK) history_rule_fini(&rule);
    free(copy);
    return rc;
}

static uint32_t list_count(const void *value)
{
    return ((const struct history_rule_list *)value)->count;
}

static void list_fini(void *value)
{
    struct history_rule_list *list = value;
    for (uint32_t i = 0; i < list->count; i++)
        history_rule_fini(&list->items[i]);
    free(list->items);
    *list = (struct history_rule_list){0};
}

/* Semicolons between rules: blanks stand inside. */
const struct option_type option_type_history_rule_list = {
    .read = list_read, .count = list_count, .fini = list_fini, .separators = ";"};

/* ---- finding ---- */

/* Only the latest star is ever tried again, one character longer: what stands before it fits already, and a longer
 * run for an earlier one could not make more fit behind it. */
static bool fits(const char *pattern, struct text name)
{
    const char *behind_star = NULL;
    size_t at = 0, star_ends = 0;
    while (at < name.count) {
        if (*pattern == '*') {
            behind_star = ++pattern;
            star_ends = at;
        } else if (*pattern == name.at[at]) {
            pattern++;
            at++;
        } else if (behind_star != NULL) {
            pattern = behind_star;
            at = ++star_ends;
        } else {
            return false;
        }
    }
    return pattern[strspn(pattern, "*")] == '\0';
}

const struct history_rule *history_rule_of(const struct history_rule_list *rules, struct text channel)
{
    if (channel.count == 0 || channel.at[0] == '#') return NULL;
    for (uint32_t i = 0; i < rules->count; i++)
        if (fits(rules->items[i].pattern, channel)) return &rules->items[i];
    return NULL;
}

bool history_rule_keeps(const struct history_rule *rule, struct text event)
{
    return rule->client_events != NULL && fits(rule->client_events, event);
}

const struct history_rule *history_rule_durable(const struct history_rule_list *rules)
{
    for (uint32_t i = 0; i < rules->count; i++)
        if (rules->items[i].durable) return &rules->items[i];
    return NULL;
}

void history_rule_help(FILE *out)
{
    fputs("\nHistory settings\n"
          "  They follow the pattern: --history 'private-* size=500 ttl=7d'. In a pattern * is any run of\n"
          "  characters; of several rules the first that fits a channel counts.\n",
          out);
    settings_help(&history_settings, out);
}
