/* server/config/options_read.c - defaults, environment and flags into one struct; every error names its cure. */
#include "server/config/options_read.h"

#include "server/config/apps_file.h"
#include "server/config/file.h"
#include "server/config/option_set.h"
#include "server/config/spelling.h"

#include <assert.h>
#include <ctype.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES_MAX       SPELLING_BYTES_MAX
#define STORE_DISK_BYTES_MIN (64 * MIB)
#define PREFIX               OPTION_PREFIX
#define PREFIX_LENGTH        (sizeof PREFIX - 1)
#define BLANKS               " \t\r\n"

static enum rc read_defaults(struct options *options, struct option_error whole)
{
    enum rc rc = RC_OK;
    for (enum option_id id = 0; rc == RC_OK && id < OPTIONS_COUNT; id++) {
        struct option_error error = option_error_begin(&whole, "default of %s: ", option_row_of(id)->name);
        rc = option_set_all(options, id, OPTION_DEFAULT, option_row_of(id)->value_default, &error);
        assert(rc != RC_EINVAL); /* options.def gives a default that its own row refuses */
    }
    return rc;
}

/* Kubernetes sets these for each service in the namespace, and more where one is called ringcast or ringcast-NAME:
 * PORT, PORT_8080_TCP, SERVICE_HOST, NAME_SERVICE_PORT_HTTP. A PORT alone is a person's if it is a number. */
static bool is_of_service(const char *given)
{
    static const char pattern[] = "^([A-Z0-9_]*_)?"
                                  "(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT=(tcp|udp|sctp):|"
                                  "PORT_[0-9]+_(TCP|UDP|SCTP)(_PROTO|_PORT|_ADDR)?)";
    regex_t services;
    regmatch_t match;
    if (regcomp(&services, pattern, REG_EXTENDED) != 0) return false;
    bool is_one =
        regexec(&services, given, 1, &match, 0) == 0 && (given[match.rm_eo] == '=' || given[match.rm_eo - 1] == ':');
    regfree(&services);
    return is_one;
}

/* Those of Kubernetes come in crowds, of which the first is enough. */
static void warn_of_variable(struct options *options, const char *variable)
{
    char name[NAME_BYTES_MAX];
    struct text given = {.at = variable, .count = strcspn(variable, "=")};
    enum option_id meant = option_find_closest(given);
    int shown = given.count < 60 ? (int)given.count : 60;
    if (is_of_service(variable)) {
        if (strstr(options->warnings, "Kubernetes") != NULL) return;
        option_warn(options,
                    PREFIX "%.*s in the environment is no option: Kubernetes sets it for a service of this name "
                           "(enableServiceLinks: false keeps it away)",
                    shown, given.at);
    } else if (meant == OPTIONS_COUNT || option_row_of(meant)->type->is_action) {
        option_warn(options, PREFIX "%.*s in the environment is no option", shown, given.at);
    } else {
        option_warn(options, PREFIX "%.*s in the environment is no option; did you mean " PREFIX "%s?", shown,
                    given.at, option_spell(option_row_of(meant)->name, option_spell_variable, name, sizeof name));
    }
}

static enum rc read_variable(struct options *options, const char *variable, struct option_error whole)
{
    const char *name = variable + PREFIX_LENGTH;
    size_t length = strcspn(name, "=");
    enum option_id id = option_find((struct text){.at = name, .count = length}, option_spell_variable);
    if (id == OPTIONS_COUNT || option_row_of(id)->type->is_action) {
        warn_of_variable(options, name);
        return RC_OK;
    }
    const char *value = name + length;
    if (value[0] == '\0' || value[1 + strspn(value + 1, BLANKS)] == '\0') return RC_OK; /* empty: not given */
    struct option_error error = option_error_begin(&whole, PREFIX "%.*s: ", (int)length, name);
    return option_set_all(options, id, OPTION_ENVIRONMENT, value + 1, &error);
}

static enum rc read_environment(struct options *options, char *const envp[], struct option_error error)
{
    enum rc rc = RC_OK;
    for (; rc == RC_OK && envp != NULL && *envp != NULL; envp++)
        if (strncmp(*envp, PREFIX, PREFIX_LENGTH) == 0) rc = read_variable(options, *envp, error);
    return rc;
}

static enum rc refuse_flag(const char *name, size_t length, struct option_error error)
{
    char closest[NAME_BYTES_MAX];
    enum option_id meant = option_find_closest((struct text){.at = name, .count = length});
    int shown = length < 60 ? (int)length : 60;
    if (meant == OPTIONS_COUNT)
        snprintf(error.text, error.size, "unknown option --%.*s; see --help", shown, name);
    else
        snprintf(error.text, error.size, "unknown option --%.*s; did you mean --%s? See --help", shown, name,
                 option_spell(option_row_of(meant)->name, option_spell_flag, closest, sizeof closest));
    return RC_EINVAL;
}

/* The text is not shown: it may be a secret whose quotes were forgotten. */
static enum rc refuse_argument(char *const argv[], int at, struct option_error *error)
{
    const char *before = at > 1 ? argv[at - 1] : "";
    int shown = (int)strcspn(before, "=");
    if (strncmp(before, "--", 2) != 0 || shown > 60)
        return option_refuse(error, "argument %d is unexpected; options begin with --, see --help", at);
    return option_refuse(
        error,
        "argument %d, behind %.*s, is unexpected; options begin with --, and a value with blanks needs "
        "quotes, see --help",
        at, shown, before);
}

/* Reads the flag at argv[*at] and leaves *at on the last argument that it took. */
static enum rc read_flag(struct options *options, int argc, char *const argv[], int *at, struct option_error whole)
{
    const char *name = argv[*at] + 2;
    if (strncmp(argv[*at], "--", 2) != 0 || name[0] == '\0') {
        return refuse_argument(argv, *at, &whole);
    }
    size_t length = strcspn(name, "=");
    enum option_id id = option_find((struct text){.at = name, .count = length}, option_spell_flag);
    if (id == OPTIONS_COUNT) return refuse_flag(name, length, whole);

    struct option_error error = option_error_begin(&whole, "--%.*s: ", (int)length, name);
    const struct option_row *row = option_row_of(id);
    if (row->type->is_action && name[length] == '=') { /* alone help and version were seen by find_action() */
        snprintf(error.text, error.size, "takes no value; give it alone");
        return RC_EINVAL;
    }
    if (name[length] == '=') return option_set(options, id, OPTION_FLAG, name + length + 1, &error);
    if (row->type->may_stand_alone) return option_set(options, id, OPTION_FLAG, "yes", &error);
    if (*at + 1 >= argc || strncmp(argv[*at + 1], "--", 2) == 0) {
        snprintf(error.text, error.size, "the value is missing; give --%.*s %s", (int)length, name, row->unit);
        return RC_EINVAL;
    }
    return option_set(options, id, OPTION_FLAG, argv[++*at], &error);
}

/* --help and --version work beside any mistake: whoever asks for help is about to mend it. */
static bool find_action(struct options *options, int argc, char *const argv[])
{
    for (int at = 1; at < argc; at++) {
        if (strncmp(argv[at], "--", 2) != 0) continue;
        enum option_id id = option_find(text_of(argv[at] + 2), option_spell_flag);
        if (id == OPTIONS_COUNT || !option_row_of(id)->type->is_action || option_row_of(id)->type->needs_options)
            continue;
        *(option_action *)option_value_of(options, id) = true;
        return true;
    }
    return false;
}

/* A list may have come out with too few entries: "," in the environment. */
static enum rc check_lists(const struct options *options, struct option_error error)
{
    for (enum option_id id = 0; id < OPTIONS_COUNT; id++) {
        const struct option_row *row = option_row_of(id);
        char name[NAME_BYTES_MAX];
        if (!option_type_is_list(row->type) || option_entries(options, id) >= row->bounds.min) continue;
        return option_refuse(&error, PREFIX "%s: holds no value; give %s",
                             option_spell(row->name, option_spell_variable, name, sizeof name), row->unit);
    }
    return RC_OK;
}

/* An address, and where it was given. */
struct door {
    enum option_id option;
    uint32_t entry;
    const struct address *address;
};

/* Two listeners would take turns at one port, and each answer half. */
static enum rc check_pair(const struct options *options, const struct door *door, const struct door *other,
                          struct option_error error)
{
    char text[ADDRESS_TEXT_MAX], other_text[ADDRESS_TEXT_MAX];
    char given[OPTION_GIVEN_BYTES_MAX], other_given[OPTION_GIVEN_BYTES_MAX];
    if (!address_overlaps(door->address, other->address)) return RC_OK;
    address_format(door->address, text);
    address_format(other->address, other_text);
    option_spell_given(options, door->option, door->entry, true, given);
    option_spell_given(options, other->option, other->entry, false, other_given);
    if (strcmp(text, other_text) == 0)
        return option_refuse(&error, "%s: \"%s\" is an address of %s too; give it another port", given, text,
                             other_given);
    return option_refuse(&error,
                         "%s: \"%s\" and \"%s\" of %s get the same connections; give one of them, or another port",
                         given, text, other_text, other_given);
}

/* The addresses of all doors in one row. False: there are no more. */
static bool find_door(const struct options *options, uint32_t index, struct door *door_r)
{
    static const enum option_id ids[] = {OPTION_control, OPTION_tls_listen, OPTION_listen};
    const struct address_list *lists[] = {&options->control, &options->tls_listen, &options->listen};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        if (index < lists[i]->count) {
            *door_r = (struct door){.option = ids[i], .entry = index, .address = &lists[i]->items[index]};
            return true;
        }
        index -= lists[i]->count;
    }
    return false;
}

static enum rc check_addresses(const struct options *options, struct option_error error)
{
    enum rc rc = RC_OK;
    struct door door, other;
    for (uint32_t i = 0; find_door(options, i, &door); i++)
        for (uint32_t j = i + 1; rc == RC_OK && find_door(options, j, &other); j++)
            rc = check_pair(options, &door, &other, error);
    return rc;
}

/* What is to be durable needs a place, which with other nodes is their Redis, and a place something to be durable. */
static enum rc check_history(struct options *options, struct option_error error)
{
    char given[OPTION_GIVEN_BYTES_MAX];
    const struct history_rule *durable = history_rule_durable(&options->history);
    bool has_directory = options->data_dir[0] != '\0';
    if (durable != NULL && !has_directory && options->redis.count == 0)
        return option_refuse(
            &error, "%s: " OPTION_SHOWN " is durable, but there is no directory to store it in; give --data-dir too",
            option_spell_given(options, OPTION_history, (uint32_t)(durable - options->history.items), true, given),
            durable->pattern);
    if (durable == NULL && has_directory)
        option_warn(options, "--data-dir is not used, because no rule of --history is durable: give one durable=yes");
    if (options->redis.count > 0 && has_directory)
        option_warn(options, "--data-dir is not used, because with --redis histories are kept there");
    if (options->store_disk_bytes_max > 0 && options->store_disk_bytes_max < STORE_DISK_BYTES_MIN)
        return option_refuse(&error, "%s: too little for a database to work; give 64MiB or more, or 0 for no bound",
                             option_spell_given(options, OPTION_store_disk_bytes_max, 0, true, given));
    return RC_OK;
}

/* Of a text or a list: does it say anything? */
static bool is_filled(const struct options *options, enum option_id id)
{
    const struct option_row *row = option_row_of(id);
    if (option_type_is_list(row->type)) return option_entries(options, id) > 0;
    return (*(const option_text *)((const char *)options + row->offset))[0] != '\0';
}

/* What TLS needs is there, and what is there is for TLS. */
static enum rc check_tls(const struct options *options, struct option_error error)
{
    static const enum option_id files[] = {OPTION_tls_cert, OPTION_tls_key, OPTION_tls_client_ca,
                                           OPTION_tls_ticket_keys};
    char given[OPTION_GIVEN_BYTES_MAX];
    bool has_address = options->tls_listen.count > 0;
    for (size_t i = 0; !has_address && i < sizeof files / sizeof files[0]; i++)
        if (is_filled(options, files[i]))
            return option_refuse(&error, "%s: of no use without TLS; give --tls-listen ADDR:PORT",
                                 option_spell_given(options, files[i], 0, true, given));
    if (has_address && options->tls_cert.count == 0)
        return option_refuse(&error, "%s: a certificate is missing; give --tls-cert FILE --tls-key FILE",
                             option_spell_given(options, OPTION_tls_listen, 0, true, given));
    if (options->tls_cert.count != options->tls_key.count)
        return option_refuse(&error, "every --tls-cert needs its --tls-key, in order; there are %u and %u",
                             options->tls_cert.count, options->tls_key.count);
    return RC_OK;
}

/* What keys and names of Redis are made of, for which some characters mean something. */
static enum rc check_word(const struct options *options, enum option_id id, const char *word,
                          struct option_error error)
{
    static const char good[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-";
    char given[OPTION_GIVEN_BYTES_MAX];
    if (word[strspn(word, good)] == '\0') return RC_OK;
    return option_refuse(&error,
                         "%s: " OPTION_SHOWN " has other characters than letters, digits and . _ -; give it without",
                         option_spell_given(options, id, 0, true, given), word);
}

/* What is for Redis needs one, and what is for TLS one that speaks it. */
static enum rc check_redis_files(const struct options *options, struct option_error error)
{
    static const enum option_id files[] = {OPTION_redis_ca, OPTION_redis_cert, OPTION_redis_key,
                                           OPTION_redis_password_file};
    char given[OPTION_GIVEN_BYTES_MAX];
    bool has_tls = false;
    for (uint32_t i = 0; i < options->redis.count; i++)
        has_tls = has_tls || strncmp(options->redis.items[i], "rediss", strlen("rediss")) == 0;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        bool is_for_tls = files[i] != OPTION_redis_password_file;
        if (!is_filled(options, files[i]) || (options->redis.count > 0 && (has_tls || !is_for_tls))) continue;
        return option_refuse(&error, "%s: of no use without %s",
                             option_spell_given(options, files[i], 0, true, given),
                             is_for_tls ? "TLS; give --redis rediss://HOST:PORT" : "--redis; give that too");
    }
    if (is_filled(options, OPTION_redis_cert) != is_filled(options, OPTION_redis_key))
        return option_refuse(&error, "--redis-cert and --redis-key belong together; give both, or none");
    return RC_OK;
}

static enum rc check_cluster(const struct options *options, struct option_error error)
{
    char given[OPTION_GIVEN_BYTES_MAX];
    enum rc rc = check_redis_files(options, error);
    if (rc == RC_OK) rc = check_word(options, OPTION_redis_prefix, options->redis_prefix, error);
    if (rc == RC_OK) rc = check_word(options, OPTION_node, options->node, error);
    if (rc != RC_OK) return rc;
    if (options->redis_lease / 2 < options->redis_silent_ms_max)
        return option_refuse(&error,
                             "%s: shorter than twice --redis-silent-ms-max, so it would end before a silent "
                             "Redis is noticed; give more",
                             option_spell_given(options, OPTION_redis_lease, 0, true, given));
    if (options->redis.count > 0 && options->redis_queue_bytes_max / 2 < options->message_bytes_max)
        return option_refuse(&error,
                             "%s: not enough for two of the largest messages; give more, or a smaller "
                             "--message-bytes-max",
                             option_spell_given(options, OPTION_redis_queue_bytes_max, 0, true, given));
    return RC_OK;
}

/* What means something else where there are other nodes. */
static void warn_of_nodes(struct options *options)
{
    enum {
#define HISTORY_SETTING(type, name, ...) ROW_##name,
#include "server/config/history_setting.def"
#undef HISTORY_SETTING
    };
    if (options->redis.count == 0) return;
    if (options->app.count == 0)
        option_warn(options,
                    "--redis without --app: each node makes an app of its own, so what has to do with guests "
                    "is not for all of them; give all nodes the same --app");
    for (uint32_t i = 0; i < options->history.count; i++) {
        const struct history_rule *rule = &options->history.items[i];
        if ((rule->given & (UINT64_C(1) << ROW_bytes)) == 0) continue;
        option_warn(options,
                    "--history %s: with --redis, bytes= only bounds what each node holds in its memory; a "
                    "channel keeps by size= and ttl=",
                    rule->pattern);
    }
}

static void make_printable(char *text)
{
    for (; *text != '\0'; text++)
        if (iscntrl((unsigned char)*text)) *text = '?';
}

/* What --config or its variable says; NULL: there is no file. */
static char *find_file(int argc, char *const argv[], char *const envp[])
{
    static const char variable[] = PREFIX "CONFIG=", flag[] = "--config";
    const size_t flag_length = sizeof flag - 1;
    char *file = NULL;
    for (; envp != NULL && *envp != NULL; envp++)
        if (strncmp(*envp, variable, sizeof variable - 1) == 0) file = *envp + sizeof variable - 1;
    for (int at = 1; at < argc; at++) {
        if (strncmp(argv[at], flag, flag_length) != 0) continue;
        if (argv[at][flag_length] == '=') file = argv[at] + flag_length + 1;
        bool is_alone = argv[at][flag_length] == '\0';
        if (is_alone && at + 1 < argc && strncmp(argv[at + 1], "--", 2) != 0) file = argv[at + 1];
    }
    return file;
}

/* The file alone; without the blanks around its name that a variable may have. */
static enum rc read_file(struct options *options, const char *given, struct option_error *error)
{
    given += strspn(given, BLANKS);
    size_t length = strlen(given);
    while (length > 0 && strchr(BLANKS, given[length - 1]) != NULL)
        length--;
    if (length == 0) return RC_OK;
    char *name = strndup(given, length);
    if (name == NULL) return option_out_of_memory(error);
    enum rc rc = config_file_read(options, name, error);
    free(name);
    return rc;
}

static enum rc read_given(struct options *options, int argc, char *const argv[], char *const envp[],
                          struct option_error error)
{
    enum rc rc = read_environment(options, envp, error);
    for (int at = 1; rc == RC_OK && at < argc; at++)
        rc = read_flag(options, argc, argv, &at, error);
    return rc;
}

/* Does all that was given go together? */
static enum rc check(struct options *options, struct option_error error)
{
    enum rc rc = check_lists(options, error);
    if (rc == RC_OK) rc = check_addresses(options, error);
    if (rc == RC_OK) rc = check_tls(options, error);
    if (rc == RC_OK) rc = check_history(options, error);
    if (rc == RC_OK) rc = check_cluster(options, error);
    if (rc == RC_OK) warn_of_nodes(options);
    return rc == RC_OK ? app_list_complete(&options->app, &error) : rc;
}

/* In the order of what wins. Mistakes of files have lines, which can be printed; any other is one line. */
static enum rc read_all(struct options *options, int argc, char *const argv[], char *const envp[],
                        struct option_error error)
{
    const char *file = find_file(argc, argv, envp);
    enum rc rc = read_defaults(options, error);
    if (rc == RC_OK && file != NULL) rc = read_file(options, file, &error);
    if (rc != RC_OK) return rc;
    rc = read_given(options, argc, argv, envp, error);
    make_printable(error.text);
    if (rc == RC_OK) rc = apps_file_read(options, &error);
    if (rc != RC_OK) return rc;
    rc = check(options, error);
    make_printable(error.text);
    return rc;
}

enum rc options_read(struct options *options, int argc, char *const argv[], char *const envp[], char *error_r,
                     size_t error_size)
{
    assert(error_size > 0);
    *options = (struct options){0};
    error_r[0] = '\0';
    if (find_action(options, argc, argv)) return RC_OK;

    enum rc rc = read_all(options, argc, argv, envp, (struct option_error){.text = error_r, .size = error_size});
    if (rc != RC_OK) {
        options_fini(options);
        return rc;
    }
    error_r[0] = '\0';
    /* A reader that takes a message while the one before it still waits is not slow. */
    uint64_t two_messages = 2 * options->message_bytes_max;
    if (!options_is_set(options, OPTION_outbox_bytes_max) && options->outbox_bytes_max < two_messages)
        options->outbox_bytes_max = two_messages;
    return RC_OK;
}

void options_fini(struct options *options)
{
    for (enum option_id id = 0; id < OPTIONS_COUNT; id++)
        if (option_row_of(id)->type->fini != NULL) option_row_of(id)->type->fini(option_value_of(options, id));
    option_type_text_list.fini(&options->files);
    free(options->places);
    *options = (struct options){0};
}
