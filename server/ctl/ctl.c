/* server/ctl/ctl.c - the command line of ringcast ctl, and which socket it means. */
#include "server/ctl/ctl.h"

#include "net/json.h"
#include "server/config/options_read.h"
#include "server/ctl/ctl_call.h"
#include "server/ctl/ctl_command.h"
#include "server/ctl/ctl_completion.h"
#include "server/ctl/ctl_exit.h"
#include "server/ctl/ctl_follow.h"
#include "server/ctl/ctl_show.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOCKET_DEFAULT  "/run/ringcast/control.sock"
#define SECONDS_DEFAULT 10
#define SECONDS_MAX     3600
#define WORDS_MAX       8
#define REASON_BYTES    600

/* What the command line says. */
struct asked {
    const char *socket, *config, *app; /* NULL: not given */
    uint32_t seconds;
    bool is_json, is_help;
    const char *words[WORDS_MAX];
    size_t words_count;
};

__attribute__((format(printf, 2, 3))) static int complain(int code, const char *format, ...)
{
    va_list arguments;
    fputs("ringcast ctl: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return code;
}

/* ---- help ---- */

static void show_help(FILE *out)
{
    fputs("Usage: ringcast ctl [OPTION]... COMMAND [ARGUMENT]\n\n"
          "Gives a server that runs a command, over the unix socket of its --control unix:PATH.\n\nCommands\n",
          out);
    for (size_t i = 0; i < ctl_commands_count; i++) {
        const struct ctl_command *command = &ctl_commands[i];
        int column =
            fprintf(out, "  %s%s%s", command->words, command->argument[0] != '\0' ? " " : "", command->argument);
        fprintf(out, "%*s%s\n", column < 26 ? 26 - column : 1, "", command->help);
    }
    fputs(
        "\nOptions\n"
        "  -s, --socket PATH       the socket; else the first in RINGCAST_CONTROL, in the file of --config or of\n"
        "                          RINGCAST_CONFIG, else " SOCKET_DEFAULT "\n"
        "      --config FILE       the server's configuration, which names the socket\n"
        "  -t, --timeout SECONDS   the time for an answer [10]\n"
        "  -a, --app ID            the app that a channel or user is of; the first one when not given\n"
        "      --json              show the answer as the server gave it\n"
        "\nExit status: 0 done, 1 refused or failed, 2 wrong usage, 3 the server cannot be reached, 4 no answer in\n"
        "time.\n",
        out);
}

/* ---- the command line ---- */

static int take_seconds(const char *text, struct asked *asked)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long seconds = digits > 0 && digits < 6 && text[digits] == '\0' ? strtoul(text, NULL, 10) : 0;
    if (seconds == 0 || seconds > SECONDS_MAX) return complain(CTL_USAGE, "-t takes 1 to %d seconds", SECONDS_MAX);
    asked->seconds = (uint32_t)seconds;
    return CTL_DONE;
}

/* An option with a value, in its next word or behind '='. */
struct valued {
    const char *letter, *name;
    const char **value;
};

static int take_option(int argc, char *const argv[], int *at, struct asked *asked)
{
    const char *seconds = NULL;
    const struct valued options[] = {{"-s", "--socket", &asked->socket},
                                     {"-t", "--timeout", &seconds},
                                     {"-a", "--app", &asked->app},
                                     {"", "--config", &asked->config}};
    const char *word = argv[*at];
    if (strcmp(word, "--json") == 0) return asked->is_json = true, CTL_DONE;
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) return asked->is_help = true, CTL_DONE;
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        size_t length = strlen(options[i].name);
        bool is_whole = strcmp(word, options[i].letter) == 0 || strcmp(word, options[i].name) == 0;
        bool has_equals = strncmp(word, options[i].name, length) == 0 && word[length] == '=';
        if (!is_whole && !has_equals) continue;
        if (is_whole && *at + 1 >= argc) return complain(CTL_USAGE, "%s needs a value; see --help", word);
        *options[i].value = has_equals ? word + length + 1 : argv[++*at];
        return seconds != NULL ? take_seconds(seconds, asked) : CTL_DONE;
    }
    return complain(CTL_USAGE, "unknown option %.60s; see --help", word);
}

static int read_words(int argc, char *const argv[], struct asked *asked)
{
    *asked = (struct asked){.seconds = SECONDS_DEFAULT};
    bool has_options = true;
    for (int at = 1; at < argc; at++) {
        if (has_options && strcmp(argv[at], "--") == 0) {
            has_options = false;
        } else if (has_options && argv[at][0] == '-' && argv[at][1] != '\0') {
            int code = take_option(argc, argv, &at, asked);
            if (code != CTL_DONE) return code;
        } else if (asked->words_count == WORDS_MAX) {
            return complain(CTL_USAGE, "too many words; see --help");
        } else {
            asked->words[asked->words_count++] = argv[at];
        }
    }
    return CTL_DONE;
}

static void complain_of_command(const struct asked *asked)
{
    char list[200];
    const struct ctl_command *meant = ctl_command_closest(asked->words, asked->words_count);
    if (asked->words_count == 0)
        complain(CTL_USAGE, "no command is given; see --help");
    else if (meant != NULL)
        complain(CTL_USAGE, "no command is called %.60s; did you mean %s?", asked->words[0], meant->words);
    else if (ctl_command_list(asked->words[0], list, sizeof list))
        complain(CTL_USAGE, "%s alone is no command; give one of: %s", asked->words[0], list);
    else
        complain(CTL_USAGE, "no command is called %.60s; see --help", asked->words[0]);
}

/* The command, and the one word behind it, which may be there or not. NULL: complained. */
static const struct ctl_command *find_command(const struct asked *asked, const char **argument_r)
{
    size_t taken = 0;
    const struct ctl_command *command = ctl_command_find(asked->words, asked->words_count, &taken);
    *argument_r = "";
    if (command == NULL) {
        complain_of_command(asked);
        return NULL;
    }
    size_t left = asked->words_count - taken;
    if (left > 0) *argument_r = asked->words[taken];
    if (left > (command->argument[0] != '\0' ? 1 : 0)) {
        complain(CTL_USAGE, "%s takes %s", command->words,
                 command->argument[0] != '\0' ? "one argument; one with blanks needs quotes" : "no argument");
        return NULL;
    }
    if (ctl_command_needs_argument(command) && (*argument_r)[0] == '\0') {
        complain(CTL_USAGE, "%s needs an argument: ringcast ctl %s %s", command->words, command->words,
                 command->argument);
        return NULL;
    }
    return command;
}

/* ---- the socket ---- */

/* Of the environment what says where the socket is: the rest may name secrets that an operator cannot read. */
static void pick_environment(char *const envp[], char *picked_r[3])
{
    size_t count = 0;
    for (; *envp != NULL && count < 2; envp++) {
        bool is_ours = strncmp(*envp, "RINGCAST_CONTROL=", 17) == 0 || strncmp(*envp, "RINGCAST_CONFIG=", 16) == 0;
        if (is_ours) picked_r[count++] = *envp;
    }
    picked_r[count] = NULL;
}

/* The first unix socket of the configuration. */
static int find_socket(const struct asked *asked, char *const envp[], char path_r[ADDRESS_PATH_BYTES_MAX + 1])
{
    char error[OPTIONS_ERROR_BYTES];
    char *picked[3], *argv[4] = {(char *)"ringcast", (char *)"--config", (char *)asked->config, NULL};
    struct options options;
    const char *found = SOCKET_DEFAULT;
    pick_environment(envp, picked);
    if (options_read(&options, asked->config != NULL ? 3 : 1, argv, picked, error, sizeof error) != RC_OK) {
        error[strcspn(error, "\n")] = '\0';
        return complain(CTL_USAGE, "the configuration, which names the socket, cannot be read: %s; or give -s PATH",
                        error);
    }
    for (uint32_t i = options.control.count; i > 0; i--) {
        const char *path = address_path(&options.control.items[i - 1]);
        if (path != NULL) found = path;
    }
    snprintf(path_r, ADDRESS_PATH_BYTES_MAX + 1, "%s", found);
    options_fini(&options);
    return CTL_DONE;
}

/* ---- the answer ---- */

/* Of an answer that says no. */
static void complain_of(const struct ctl_answer *answer)
{
    yyjson_doc *document = NULL;
    yyjson_val *sentence = NULL;
    if (json_read((struct text){answer->body, answer->body_bytes}, &document, NULL) == RC_OK)
        json_member(yyjson_doc_get_root(document), "error", &sentence);
    struct text text = json_text(sentence);
    if (text.at != NULL) {
        complain(CTL_REFUSED, "%.*s", (int)text.count, text.at);
    } else {
        complain(CTL_REFUSED, "%.*s", (int)strcspn(answer->body, "\r\n"), answer->body);
    }
    yyjson_doc_free(document);
}

static int show_answer(const struct asked *asked, const struct ctl_answer *answer)
{
    struct text body = {answer->body, answer->body_bytes};
    if (answer->status != 200) {
        complain_of(answer);
        return CTL_REFUSED;
    }
    if (asked->is_json) {
        fwrite(body.at, 1, body.count, stdout);
        fputc('\n', stdout);
    } else if (ctl_show(stdout, body) != RC_OK) {
        return complain(CTL_UNREACHABLE, "what answers there is no ringcast: it speaks no JSON");
    }
    if (fflush(stdout) == 0 && !ferror(stdout)) return CTL_DONE;
    return complain(CTL_REFUSED, "the answer could not be written to stdout");
}

static int ask(const struct asked *asked, const struct ctl_command *command, const char *argument, char *const envp[])
{
    char path[ADDRESS_PATH_BYTES_MAX + 1], reason[REASON_BYTES], parameter[32];
    if (asked->socket == NULL) {
        int code = find_socket(asked, envp, path);
        if (code != CTL_DONE) return code;
    } else if (snprintf(path, sizeof path, "%s", asked->socket) >= (int)sizeof path) {
        return complain(CTL_USAGE, "-s: a unix socket's path has at most %zu bytes", ADDRESS_PATH_BYTES_MAX);
    }
    struct ctl_call call = {
        .socket = path, .path = command->path, .is_post = command->is_post, .seconds = asked->seconds};
    if (argument[0] != '\0') call.names[0] = ctl_command_parameter(command, parameter);
    call.values[0] = argument;
    if (asked->app != NULL) call.names[1] = "app";
    call.values[1] = asked->app;
    if (command->is_followed) return complain(ctl_follow(&call, asked->is_json, reason, sizeof reason), "%s", reason);
    struct ctl_answer answer;
    int code = ctl_call(&call, &answer, reason, sizeof reason);
    if (code != CTL_DONE) return complain(code, "%s", reason);
    code = show_answer(asked, &answer);
    free(answer.body);
    return code;
}

/* What no server is asked for. */
static int do_here(const struct ctl_command *command, const char *argument)
{
    static const struct {
        const char *words;
        int (*run)(const char *argument, FILE *out);
    } table[] = {
#define COMMAND(...)
#define COMMAND_FOLLOWED(...)
#define COMMAND_HERE(id_, words_, ...) {.words = (words_), .run = ctl_##id_},
#include "server/ctl/command.def"
#undef COMMAND
#undef COMMAND_FOLLOWED
#undef COMMAND_HERE
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(table[i].words, command->words) == 0) return table[i].run(argument, stdout);
    __builtin_unreachable();
}

int ctl_run(int argc, char *const argv[], char *const envp[])
{
    struct asked asked;
    const char *argument;
    int code = read_words(argc, argv, &asked);
    if (code != CTL_DONE) return code;
    if (asked.is_help) {
        show_help(stdout);
        return fflush(stdout) == 0 ? CTL_DONE : CTL_REFUSED;
    }
    const struct ctl_command *command = find_command(&asked, &argument);
    if (command == NULL) return CTL_USAGE;
    return command->path == NULL ? do_here(command, argument) : ask(&asked, command, argument, envp);
}
