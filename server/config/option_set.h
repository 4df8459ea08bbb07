/* server/config/option_set.h - the table of all options, and setting one: by its name, from text, noting where it
 * comes from. For the files that read and show options; everybody else needs options.h only.
 *
 * Start-up only; one thread. */
#pragma once

#include "core/text.h"
#include "server/config/option_row.h"
#include "server/config/options.h"

/* Sections of a configuration file. */
enum section {
#define SECTION(name, prefix, about) SECTION_##name,
#include "server/config/section.def"
#undef SECTION
    SECTIONS_COUNT
};

/* Does a reload apply a change of it, or only a restart? */
enum option_change { OPTION_LIVE, OPTION_RESTART };

#define OPTION_PREFIX          "RINGCAST_" /* of variables */
#define OPTION_GIVEN_BYTES_MAX 320         /* of option_spell_given() */

/* An option's row in the table, its section, and when a change counts. */
const struct option_row *option_row_of(enum option_id option);
enum section option_section_of(enum option_id option);
enum option_change option_change_of(enum option_id option);
/* A section's name, "server", what the names of its options begin with, "server_", and what it is about, without a full
 * stop; static. */
const char *section_name(enum section section);
const char *section_prefix(enum section section);
const char *section_about(enum section section);

/* The option whose name, spelled so (NULL: as in the table), is `name`; OPTIONS_COUNT when there is none. */
enum option_id option_find(struct text name, char (*spell)(char));
/* The option that a misspelled name most likely meant; OPTIONS_COUNT: none is near. */
enum option_id option_find_closest(struct text name);

/* Where an option's value is. */
void *option_value_of(struct options *options, enum option_id option);
/* How many entries an option's list has; 1 for what is no list. */
uint32_t option_entries(const struct options *options, enum option_id option);

/* Notes where an option's value comes from now, and returns it; the entries that a list had from another place go. */
void *option_claim(struct options *options, enum option_id option, enum option_source source);
/* Reads one entry of a list, or the whole value of anything else. */
enum rc option_set(struct options *options, enum option_id option, enum option_source source, const char *text,
                   struct option_error *error);
/* Reads a whole text, without the blanks around it: all entries of a list, parted by the type's separators. A list is
 * claimed when there is none, too. */
enum rc option_set_all(struct options *options, enum option_id option, enum option_source source, const char *text,
                       struct option_error *error);
/* Makes the default of an option its value again. */
enum rc option_reset(struct options *options, enum option_id option, struct option_error *error);

/* Notes in which line of a file an entry of the option stands; 0 for what is no list. `file` is one of
 * options->files. */
enum rc option_note_place(struct options *options, enum option_id option, uint32_t entry, const char *file,
                          uint32_t line, struct option_error *error);
/* Where an entry of an option was given; NULL: in no file. */
const struct option_place *option_place_of(const struct options *options, enum option_id option, uint32_t entry);

/* How an entry of the option was given, for errors about what it says: --ping-ms, RINGCAST_PING_MS or, in front of an
 * error, FILE:LINE: ping_ms; elsewhere ping_ms (FILE:LINE). Returns text_r. */
const char *option_spell_given(const struct options *options, enum option_id option, uint32_t entry, bool is_in_front,
                               char text_r[OPTION_GIVEN_BYTES_MAX]);

/* Adds a line to options->warnings. Control characters become question marks. */
__attribute__((format(printf, 2, 3))) void option_warn(struct options *options, const char *format, ...);
