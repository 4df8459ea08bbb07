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

static bool is_name(const char *own, struct text name)
{
    size_t at = 0;
    while (at < name.count && own[at] != '\0' && (own[at] == name.at[at] || (own[at] == '_' && name.at[at] == '-')))
        at++;
    return own[at] == '\0' && at == name.count;
}

const struct option_row *setting_find(const struct setting_table *table, struct text name)
{
    for (uint32_t i = 0; i < table->count; i++)
        if (is_name(table->rows[i].name, name)) return &table->rows[i];
    return NULL;
}

enum rc settings_init(const struct setting_table *table, void *values, struct option_error *error)
{
    enum rc rc = RC_OK;
    for (uint32_t i = 0; rc == RC_OK && i < table->count; i++) {
        const struct option_row *row = &table->rows[i];
        if (option_type_is_list(row->type)) continue;
        rc = row->type->read(row->value_default, row->bounds, (char *)values + row->offset, error);
        assert(rc != RC_EINVAL); /* the .def gives a default that its own row refuses */
    }
    return rc;
}

static enum rc refuse(const struct setting_table *table, const char *whose, struct text name,
                      struct option_error *error)
{
    int shown = (int)spelling_shown(name);
    if ((size_t)shown < name.count)
        return option_refuse(error, "\"%.*s...\" is no setting of %s; give NAME = VALUE, a name of letters and _",
                             shown, name.at, whose);
    size_t meant = spelling_closest(name, option_row_name, table->rows, table->count);
    if (meant == table->count)
        return option_refuse(error, "unknown setting \"%.*s\" of %s; see --help", shown, name.at, whose);
    return option_refuse(error, "unknown setting \"%.*s\" of %s; did you mean %s? See --help", shown, name.at, whose,
                         table->rows[meant].name);
}

enum rc setting_put(const struct setting_table *table, const char *whose, struct text name, const char *value,
                    void *values, struct option_error *error)
{
    const struct option_row *row = setting_find(table, name);
    if (row == NULL) return refuse(table, whose, name, error);
    struct option_error rest = option_error_begin(error, "%s of %s: ", row->name, whose);
    *(uint64_t *)((char *)values + table->given) |= UINT64_C(1) << (row - table->rows);
    if (table->bare > 0 && row->type->is_secret != NULL && row->type->is_secret(value))
        *(bool *)((char *)values + table->bare) = true;
    return row->type->read(value, row->bounds, (char *)values + row->offset, &rest);
}

enum rc settings_read(const struct setting_table *table, const char *whose, char *words, void *values,
                      struct option_error *error)
{
    enum rc rc = RC_OK;
    while (rc == RC_OK && words != NULL) {
        char *value = setting_next_word(&words);
        if (value[0] == '\0') break;
        const char *name = strsep(&value, "=");
        if (value == NULL) return option_refuse(error, "a setting of %s has no value; give %s", whose, table->give);
        rc = setting_put(table, whose, text_of(name), value, values, error);
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
        option_row_help(out, give, table->rows[i].help, table->rows[i].value_default, "");
    }
}
