/* server/ctl/ctl_command.c - the table, and looking into it. */
#include "server/ctl/ctl_command.h"

#include "server/config/spelling.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define IS_POST_GET  false
#define IS_POST_POST true
#define WORDS_MAX    3

const struct ctl_command ctl_commands[] = {
#define COMMAND(id, method_, words_, path_, argument_, help_) \
    {.words = (words_), .argument = (argument_), .help = (help_), .path = (path_), .is_post = IS_POST_##method_},
#define COMMAND_FOLLOWED(id, words_, path_, argument_, help_) \
    {.words = (words_), .argument = (argument_), .help = (help_), .path = (path_), .is_followed = true},
#define COMMAND_HERE(id, words_, argument_, help_) {.words = (words_), .argument = (argument_), .help = (help_)},
#include "server/ctl/command.def"
#undef COMMAND
#undef COMMAND_FOLLOWED
#undef COMMAND_HERE
};
const size_t ctl_commands_count = sizeof ctl_commands / sizeof ctl_commands[0];

/* How many of the given words are the command's, all of them; 0: not the same. */
static size_t fits(const struct ctl_command *command, const char *const words[], size_t count)
{
    size_t taken = 0;
    for (const char *at = command->words; *at != '\0'; taken++) {
        size_t length = strcspn(at, " ");
        if (taken == count || strlen(words[taken]) != length || memcmp(words[taken], at, length) != 0) return 0;
        at += length + (at[length] == ' ');
    }
    return taken;
}

const struct ctl_command *ctl_command_find(const char *const words[], size_t count, size_t *taken_r)
{
    for (size_t i = 0; i < ctl_commands_count; i++) {
        *taken_r = fits(&ctl_commands[i], words, count);
        if (*taken_r > 0) return &ctl_commands[i];
    }
    return NULL;
}

static const char *words_of(const void *commands, size_t index)
{
    return ((const struct ctl_command *)commands)[index].words;
}

const struct ctl_command *ctl_command_closest(const char *const words[], size_t count)
{
    char given[SPELLING_BYTES_MAX] = "";
    size_t at = ctl_commands_count;
    for (size_t taken = 0; taken < count && taken < WORDS_MAX && at == ctl_commands_count; taken++) {
        size_t used = strlen(given);
        snprintf(given + used, sizeof given - used, "%s%s", taken > 0 ? " " : "", words[taken]);
        at = spelling_closest(text_of(given), words_of, ctl_commands, ctl_commands_count);
    }
    return at < ctl_commands_count ? &ctl_commands[at] : NULL;
}

bool ctl_command_list(const char *word, char *text_r, size_t text_size)
{
    size_t used = 0, length = strlen(word);
    text_r[0] = '\0';
    for (size_t i = 0; i < ctl_commands_count && used < text_size; i++) {
        const struct ctl_command *command = &ctl_commands[i];
        if (strncmp(command->words, word, length) != 0 || command->words[length] != ' ') continue;
        used += (size_t)snprintf(text_r + used, text_size - used, "%s%s%s%s", used > 0 ? ", " : "", command->words,
                                 command->argument[0] != '\0' ? " " : "", command->argument);
    }
    return used > 0;
}

const char *ctl_command_parameter(const struct ctl_command *command, char name_r[32])
{
    size_t used = 0;
    for (const char *at = command->argument; *at != '\0'; at++) {
        if (isalpha((unsigned char)*at) && used < 31) name_r[used++] = (char)tolower((unsigned char)*at);
    }
    name_r[used] = '\0';
    return name_r;
}
