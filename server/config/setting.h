/* server/config/setting.h - settings: words "name=value" behind the name of what they are for, read by a table of
 * rows.
 *
 * Apps have some (app_setting.def), rules of history too (history_setting.def). A name may have '-' for '_'; of a
 * setting that is given twice the last one counts. No error shows a word without an equals sign, since that may be
 * the end of a secret. Start-up only; one thread. */
#pragma once

#include "core/rc.h"
#include "core/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct option_error;
struct option_row;

struct setting_table {
    const struct option_row *rows; /* offsets are those in what has the settings */
    uint32_t count;
    size_t given;     /* offset of a uint64_t there, in which 1 << row says that the setting was put */
    size_t bare;      /* offset of a bool there: what was put has a secret in it; 0: no row has any */
    const char *give; /* the cure of a word that is no setting: "name=value" */
};

/* Takes the next word off *rest, which is taken apart and NULL behind its last word; "" for none. */
char *setting_next_word(char **rest);

/* The setting of this name, which may have '-' for '_'; NULL: there is none. */
const struct option_row *setting_find(const struct setting_table *table, struct text name);

/* Fills `values`, which are zeroed, with the defaults; lists are left empty. On errors too, settings_fini() gives
 * back. */
enum rc settings_init(const struct setting_table *table, void *values, struct option_error *error);
/* Sets one; a list gets one more entry, of anything else the last one counts. `whose` stands in errors. */
enum rc setting_put(const struct setting_table *table, const char *whose, struct text name, const char *value,
                    void *values, struct option_error *error);
/* Sets what the words say, which are taken apart (NULL: none). */
enum rc settings_read(const struct setting_table *table, const char *whose, char *words, void *values,
                      struct option_error *error);
/* Gives back what the values own. Accepts zeroed ones. */
void settings_fini(const struct setting_table *table, void *values);

/* Writes the rows of --help. */
void settings_help(const struct setting_table *table, FILE *out);
