/* server/ctl/ctl_completion.c - a case for each beginning of a command, from the table. */
#include "server/ctl/ctl_completion.h"

#include "server/config/option_set.h"
#include "server/ctl/ctl_command.h"
#include "server/ctl/ctl_exit.h"

#include <string.h>

static const char head[] = "# ringcast ctl completion bash: completes the commands of ringcast ctl.\n"
                           "_ringcast() {\n"
                           "    local word=${COMP_WORDS[COMP_CWORD]} i words=''\n"
                           "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                           "        case ${COMP_WORDS[i]} in\n"
                           "        -s | -t | -a | --socket | --timeout | --app | --config) i=$((i + 1)) ;;\n"
                           "        -*) ;;\n"
                           "        *) words+=\" ${COMP_WORDS[i]}\" ;;\n"
                           "        esac\n"
                           "    done\n"
                           "    case $words in\n"
                           "    '') words='check ctl migrate' ;;\n";

static const char tail[] = "    *) words='' ;;\n"
                           "    esac\n"
                           "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
                           "}\n"
                           "complete -o default -F _ringcast ringcast\n";

/* Has one of the commands before this one the same first words? */
static bool is_said(size_t index, size_t length)
{
    for (size_t i = 0; i < index; i++) {
        const char *words = ctl_commands[i].words;
        if (strncmp(words, ctl_commands[index].words, length) == 0 && (words[length] == ' ' || words[length] == '\0'))
            return true;
    }
    return false;
}

/* The words that may follow these: each once. */
static void write_next(FILE *out, const char *before, size_t length)
{
    fprintf(out, "    ' ctl%s%.*s') words='", length > 0 ? " " : "", (int)length, before);
    const char *between = "";
    size_t skip = length > 0 ? length + 1 : 0;
    for (size_t i = 0; i < ctl_commands_count; i++) {
        const char *words = ctl_commands[i].words;
        if (length > 0 && (strncmp(words, before, length) != 0 || words[length] != ' ')) continue;
        size_t next = strcspn(words + skip, " ");
        if (is_said(i, skip + next)) continue;
        fprintf(out, "%s%.*s", between, (int)next, words + skip);
        between = " ";
    }
    fputs("' ;;\n", out);
}

/* What is known of an argument. */
static void write_argument(FILE *out, const struct ctl_command *command)
{
    if (strstr(command->argument, "LEVEL") != NULL) {
        fprintf(out, "    ' ctl %s') words='error warn info debug' ;;\n", command->words);
    } else if (strstr(command->argument, "SHELL") != NULL) {
        fprintf(out, "    ' ctl %s') words='bash' ;;\n", command->words);
    } else if (strcmp(command->words, "config get") == 0) {
        fprintf(out, "    ' ctl %s') words='", command->words);
        for (enum option_id id = 0; id < OPTIONS_COUNT; id++)
            if (option_section_of(id) != SECTION_none)
                fprintf(out, "%s%s", id > 0 ? " " : "", option_row_of(id)->name);
        fputs("' ;;\n", out);
    }
}

int ctl_completion(const char *shell, FILE *out)
{
    if (strcmp(shell, "bash") != 0) {
        fputs("ringcast ctl: there is a script for bash alone: ringcast ctl completion bash\n", stderr);
        return CTL_USAGE;
    }
    fputs(head, out);
    write_next(out, "", 0);
    for (size_t i = 0; i < ctl_commands_count; i++) {
        const char *words = ctl_commands[i].words;
        size_t first = strcspn(words, " ");
        if (words[first] == ' ' && !is_said(i, first)) write_next(out, words, first);
        write_argument(out, &ctl_commands[i]);
    }
    fputs(tail, out);
    return CTL_DONE;
}
