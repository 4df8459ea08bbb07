/* server/config/setting.c - defaults and words "name=value" into whatever has settings; every error names its cure. */
#include "server/config/setting.h"

#include "server/config/option_row.h"
#include "server/config/spelling.h"

#include <assert.h>
#include <string.h>

#define BLANKS " \t\r\n"

char *setting_next_word(char **rest)
{
    *rest += strspn(*rest, BLANKS);
    return **rest == '\0' ? *rest : strsep(rest, BLANKS);
}

/* The setting of this name, which may have '-' for '_'; NULL: there is none. */
static const struct option_row *find(const struct setting_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->count; i++) {
        const char *own = table->rows[i].name;
        size_t at = 0;
        while (own[at] != '\0' && (own[at] == name[at] || (own[at] == '_' && name[at] == '-')))
            at++;
        if (own[at] == '\0' && name[at] == '\0') return &table->rows[i];
    }
    return NULL;
}

bool setting_is_known(const struct setting_table *table, const char *name)
{
    return find(table, name) != NULL;
}

static enum rc read_defaults(const struct setting_table *table, void *values, struct option_error *error)
{
    enum rc rc = RC_OK;
    for (uint32_t i = 0; rc == RC_OK && i < table->count; i++) {
        const struct option_row *row = &table->rows[i];
        rc = row->type->read(row->value_default, row->bounds, (char *)values + row->offset, error);
        assert(rc != RC_EINVAL); /* the .def gives a default that its own row refuses */
    }
    return rc;
}

static enum rc refuse(const struct setting_table *table, const char *whose, const char *name,
                      struct option_error *error)
{
    size_t meant = spelling_closest(text_of(name), option_row_name, table->rows, table->count);
    if (meant == table->count)
        return option_refuse(error, "unknown setting " OPTION_SHOWN " of %s; see --help", name, whose);
    return option_refuse(error, "unknown setting " OPTION_SHOWN " of %s; did you mean %s? See --help", name, whose,
                         table->rows[meant].name);
}

static enum rc read_word(const struct setting_table *table, const char *whose, char *word, void *values,
                         struct option_error *error)
{
    char *value = word;
    const char *name = strsep(&value, "=");
    if (value == NULL) return option_refuse(error, "a setting of %s has no value; give %s", whose, table->give);
    const struct option_row *row = find(table, name);
    if (row == NULL) return refuse(table, whose, name, error);
    struct option_error rest = option_error_begin(error, "%s of %s: ", row->name, whose);
    return row->type->read(value, row->bounds, (char *)values + row->offset, &rest);
}

enum rc settings_read(const struct setting_table *table, const char *whose, char *words, void *values,
                      struct option_error *error)
{
    enum rc rc = read_defaults(table, values, error);
    while (rc == RC_OK && words != NULL) {
        char *word = setting_next_word(&words);
        if (word[0] == '\0') break;
        rc = read_word(table, whose, word, values, error);
    }
    return rc;
}

void settings_fini(const struct setting_table *table, void *values)
{
    for (uint32_t i = 0; i < table->count; i++) {
        const struct option_row *row = &table->rows[i];
        if (row->type->fini != NULL) row->type->fini((char *)values + row->offset);
    }
}

void settings_help(const struct setting_table *table, FILE *out)
{
    for (uint32_t i = 0; i < table->count; i++) {
        char give[100];
        snprintf(give, sizeof give, "%s=%s", table->rows[i].name, table->rows[i].unit);
        option_row_help(out, give, table->rows[i].help, table->rows[i].value_default);
    }
}
