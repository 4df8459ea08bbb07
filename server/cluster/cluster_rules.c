/* server/cluster/cluster_rules.c - options as lines, and lines compared. */
#include "server/cluster/cluster_rules.h"

#include "server/config/app.h"
#include "server/config/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void write_rule(FILE *to, uint32_t number, const struct history_rule *rule)
{
    const char *events = rule->client_events != NULL ? rule->client_events : "no";
    fprintf(to, "history %u: %s size=%llu ttl=%llums bytes=%llu durable=%s client_events=%s\n", number, rule->pattern,
            (unsigned long long)rule->size, (unsigned long long)rule->ttl, (unsigned long long)rule->bytes,
            rule->durable ? "yes" : "no", events);
}

static void write_rules(FILE *to, const struct options *options)
{
    char machine[64] = "";
    gethostname(machine, sizeof machine - 1);
    fprintf(to, "%s\n", options->node[0] != '\0' ? options->node : machine);
    for (uint32_t i = 0; i < options->app.count; i++) {
        if (!options->app.items[i].is_gone) fprintf(to, "app %s\n", options->app.items[i].id);
    }
    for (uint32_t i = 0; i < options->history.count; i++) {
        write_rule(to, i + 1, &options->history.items[i]);
    }
}

char *cluster_rules_of(const struct options *options)
{
    char *rules = NULL;
    size_t bytes;
    FILE *to = open_memstream(&rules, &bytes);
    if (to == NULL) return NULL;
    write_rules(to, options);
    if (fclose(to) == 0) return rules;
    free(rules);
    return NULL;
}

static struct text take_line(struct text *text)
{
    const char *end = text->count > 0 ? memchr(text->at, '\n', text->count) : NULL;
    struct text line = end != NULL ? text_between(text->at, end) : *text;
    *text = text_behind(*text, line.count + (end != NULL ? 1 : 0));
    return line;
}

static bool has_line(struct text text, struct text line)
{
    while (text.count > 0) {
        if (text_equals(take_line(&text), line)) return true;
    }
    return false;
}

struct text cluster_rules_name(struct text rules)
{
    return take_line(&rules);
}

struct text cluster_rules_difference(struct text one, struct text other)
{
    take_line(&one);
    take_line(&other);
    while (one.count > 0) {
        struct text line = take_line(&one);
        if (!has_line(other, line)) return line;
    }
    return (struct text){0};
}
