/* server/ctl/ctl_command.h - the rows of command.def as ringcast ctl needs them: found by their words. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct ctl_command {
    const char *words;    /* "config get" */
    const char *argument; /* "", "NAME", "[NAME]" */
    const char *help;
    const char *path; /* NULL: ringcast ctl does it itself */
    bool is_post;
    bool is_followed; /* asked for again and again */
};

extern const struct ctl_command ctl_commands[];
extern const size_t ctl_commands_count;

static inline bool ctl_command_needs_argument(const struct ctl_command *command)
{
    return command->argument[0] != '\0' && command->argument[0] != '[';
}

/* The command that the first of these words name; *taken_r: how many words they are. NULL: none is called so. */
const struct ctl_command *ctl_command_find(const char *const words[], size_t count, size_t *taken_r);
/* The one that was most likely meant; NULL: none is near. */
const struct ctl_command *ctl_command_closest(const char *const words[], size_t count);
/* Writes the commands that begin with this word, "trace channel NAME, trace user ID". False: there is none. */
bool ctl_command_list(const char *word, char *text_r, size_t text_size);
/* The parameter that the argument is, "name"; "" when there is none. Returns name_r. */
const char *ctl_command_parameter(const struct ctl_command *command, char name_r[32]);
