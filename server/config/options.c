/* server/config/options.c - defaults, environment and flags into one struct; every error names its cure. */
#include "server/config/options.h"

#include "server/config/option_row.h"
#include "server/config/spelling.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES_MAX       SPELLING_BYTES_MAX
#define PREFIX               "RINGCAST_"
#define STORE_DISK_BYTES_MIN (64 * MIB)
#define PREFIX_LENGTH        (sizeof PREFIX - 1)
#define SEPARATORS           "," BLANKS
#define GIVEN_BYTES_MAX      (NAME_BYTES_MAX + PREFIX_LENGTH)
#define BLANKS               " \t\r\n"

static const struct option_row option_rows[OPTIONS_COUNT] = {
#define OPTION_GROUP(title)
#define OPTION(type_, name_, ...) \
    [OPTION_##name_] = OPTION_ROW(&option_type_##type_, #name_, offsetof(struct options, name_), __VA_ARGS__),
#include "server/config/options.def"
#undef OPTION
#undef OPTION_GROUP
};

const struct option_row *option_row_of(enum option_id id)
{
    assert(id < OPTIONS_COUNT);
    return &option_rows[id];
}

/* The option whose name, spelled so, is the `length` characters at `given`; OPTIONS_COUNT when there is none. */
static enum option_id find(const char *given, size_t length, char (*spell)(char))
{
    char name[NAME_BYTES_MAX];
    enum option_id id = 0;
    for (; id < OPTIONS_COUNT; id++) {
        option_spell(option_rows[id].name, spell, name, sizeof name);
        if (strlen(name) == length && memcmp(name, given, length) == 0) break;
    }
    return id;
}

/* The option that a misspelled name most likely meant; OPTIONS_COUNT: none is near. */
static enum option_id find_closest(const char *given, size_t length)
{
    return (enum option_id)spelling_closest((struct text){.at = given, .count = length}, option_row_name, option_rows,
                                            OPTIONS_COUNT);
}

/* Notes where the value comes from now; the entries that a list had from another place go. */
static void *claim(struct options *options, enum option_id id, enum option_source source)
{
    const struct option_row *row = &option_rows[id];
    void *value = (char *)options + row->offset;
    if (option_type_is_list(row->type) && options->sources[id] != source) row->type->fini(value);
    options->sources[id] = source;
    return value;
}

/* Reads one entry of a list, or the whole value of anything else. */
static enum rc set(struct options *options, enum option_id id, enum option_source source, const char *text,
                   struct option_error *error)
{
    void *value = claim(options, id, source);
    return option_rows[id].type->read(text, option_rows[id].bounds, value, error);
}

/* Secrets that are mounted as files bring blanks and newlines with them, which nobody means. */
static char *trim(char *text)
{
    text += strspn(text, BLANKS);
    size_t length = strlen(text);
    while (length > 0 && strchr(BLANKS, text[length - 1]) != NULL)
        length--;
    text[length] = '\0';
    return text;
}

/* The value, or all entries of a list with what the type separates them by between them; each is trimmed. */
static enum rc set_trimmed(struct options *options, enum option_id id, enum option_source source, char *text,
                           struct option_error *error)
{
    enum rc rc = RC_OK;
    if (!option_type_is_list(option_rows[id].type)) return set(options, id, source, trim(text), error);
    claim(options, id, source); /* also when no entry follows */
    const char *separators = option_rows[id].type->separators;
    for (char *entry; rc == RC_OK && (entry = strsep(&text, separators != NULL ? separators : SEPARATORS)) != NULL;)
        if (entry[strspn(entry, BLANKS)] != '\0') rc = set(options, id, source, trim(entry), error);
    return rc;
}

static enum rc set_all(struct options *options, enum option_id id, enum option_source source, const char *text,
                       struct option_error *error)
{
    char *copy = strdup(text);
    if (copy == NULL) return option_out_of_memory(error);
    enum rc rc = set_trimmed(options, id, source, copy, error);
    explicit_bzero(copy, strlen(text)); /* it may hold secrets */
    free(copy);
    return rc;
}

static enum rc read_defaults(struct options *options, struct option_error whole)
{
    enum rc rc = RC_OK;
    for (enum option_id id = 0; rc == RC_OK && id < OPTIONS_COUNT; id++) {
        struct option_error error = option_error_begin(&whole, "default of %s: ", option_rows[id].name);
        rc = set_all(options, id, OPTION_DEFAULT, option_rows[id].value_default, &error);
        assert(rc != RC_EINVAL); /* options.def gives a default that its own row refuses */
    }
    return rc;
}

static void warn_of_variable(struct options *options, const char *given, size_t length)
{
    char name[NAME_BYTES_MAX];
    if (options->warning[0] != '\0') return; /* the first is enough: others come in crowds and mean nothing */
    enum option_id meant = find_closest(given, length);
    int shown = length < 60 ? (int)length : 60;
    if (meant == OPTIONS_COUNT || option_rows[meant].type->is_action)
        snprintf(options->warning, sizeof options->warning, PREFIX "%.*s in the environment is no option", shown,
                 given);
    else
        snprintf(options->warning, sizeof options->warning,
                 PREFIX "%.*s in the environment is no option; did you mean " PREFIX "%s?", shown, given,
                 option_spell(option_rows[meant].name, option_spell_variable, name, sizeof name));
}

static enum rc read_variable(struct options *options, const char *variable, struct option_error whole)
{
    const char *name = variable + PREFIX_LENGTH;
    size_t length = strcspn(name, "=");
    enum option_id id = find(name, length, option_spell_variable);
    if (id == OPTIONS_COUNT || option_rows[id].type->is_action) {
        warn_of_variable(options, name, length);
        return RC_OK;
    }
    const char *value = name + length;
    if (value[0] == '\0' || value[1 + strspn(value + 1, BLANKS)] == '\0') return RC_OK; /* empty: not given */
    struct option_error error = option_error_begin(&whole, PREFIX "%.*s: ", (int)length, name);
    return set_all(options, id, OPTION_ENVIRONMENT, value + 1, &error);
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
    enum option_id meant = find_closest(name, length);
    int shown = length < 60 ? (int)length : 60;
    if (meant == OPTIONS_COUNT)
        snprintf(error.text, error.size, "unknown option --%.*s; see --help", shown, name);
    else
        snprintf(error.text, error.size, "unknown option --%.*s; did you mean --%s? See --help", shown, name,
                 option_spell(option_rows[meant].name, option_spell_flag, closest, sizeof closest));
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
    enum option_id id = find(name, length, option_spell_flag);
    if (id == OPTIONS_COUNT) return refuse_flag(name, length, whole);

    struct option_error error = option_error_begin(&whole, "--%.*s: ", (int)length, name);
    const struct option_row *row = &option_rows[id];
    if (row->type->is_action) { /* alone it was seen by find_action() */
        snprintf(error.text, error.size, "takes no value; give it alone");
        return RC_EINVAL;
    }
    if (name[length] == '=') return set(options, id, OPTION_FLAG, name + length + 1, &error);
    if (row->type->may_stand_alone) return set(options, id, OPTION_FLAG, "yes", &error);
    if (*at + 1 >= argc || strncmp(argv[*at + 1], "--", 2) == 0) {
        snprintf(error.text, error.size, "the value is missing; give --%.*s %s", (int)length, name, row->unit);
        return RC_EINVAL;
    }
    return set(options, id, OPTION_FLAG, argv[++*at], &error);
}

/* --help and --version work beside any mistake: whoever asks for help is about to mend it. */
static bool find_action(struct options *options, int argc, char *const argv[])
{
    for (int at = 1; at < argc; at++) {
        if (strncmp(argv[at], "--", 2) != 0) continue;
        enum option_id id = find(argv[at] + 2, strlen(argv[at] + 2), option_spell_flag);
        if (id == OPTIONS_COUNT || !option_rows[id].type->is_action) continue;
        *(option_action *)((char *)options + option_rows[id].offset) = true;
        return true;
    }
    return false;
}

/* A list may have come out with too few entries: "," in the environment. */
static enum rc check_lists(const struct options *options, struct option_error error)
{
    for (enum option_id id = 0; id < OPTIONS_COUNT; id++) {
        const struct option_row *row = &option_rows[id];
        char name[NAME_BYTES_MAX];
        if (!option_type_is_list(row->type)) continue;
        if (row->type->count((const char *)options + row->offset) >= row->bounds.min) continue;
        snprintf(error.text, error.size, PREFIX "%s: holds no value; give %s",
                 option_spell(row->name, option_spell_variable, name, sizeof name), row->unit);
        return RC_EINVAL;
    }
    return RC_OK;
}

/* How the option was given, for errors about what it says. */
static const char *spell_given(const struct options *options, enum option_id id, char text_r[GIVEN_BYTES_MAX])
{
    char name[NAME_BYTES_MAX];
    bool is_variable = options->sources[id] == OPTION_ENVIRONMENT;
    option_spell(option_rows[id].name, is_variable ? option_spell_variable : option_spell_flag, name, sizeof name);
    snprintf(text_r, GIVEN_BYTES_MAX, "%s%s", is_variable ? PREFIX : "--", name);
    return text_r;
}

/* Two listeners would take turns at one port, and each answer half. */
static enum rc check_pair(const struct options *options, enum option_id id, const struct address *address,
                          enum option_id other_id, const struct address *other, struct option_error error)
{
    char text[ADDRESS_TEXT_MAX], other_text[ADDRESS_TEXT_MAX], given[GIVEN_BYTES_MAX], other_given[GIVEN_BYTES_MAX];
    if (!address_overlaps(address, other)) return RC_OK;
    address_format(address, text);
    address_format(other, other_text);
    spell_given(options, id, given);
    spell_given(options, other_id, other_given);
    if (strcmp(text, other_text) == 0)
        return option_refuse(&error, "%s: \"%s\" is an address of %s too; give it another port", given, text,
                             other_given);
    return option_refuse(&error,
                         "%s: \"%s\" and \"%s\" of %s get the same connections; give one of them, or another port",
                         given, text, other_text, other_given);
}

/* The addresses of all doors in one row; NULL behind the last. */
static const struct address *address_at(const struct options *options, uint32_t index, enum option_id *id_r)
{
    static const enum option_id ids[] = {OPTION_control, OPTION_tls_listen, OPTION_listen};
    const struct address_list *lists[] = {&options->control, &options->tls_listen, &options->listen};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        *id_r = ids[i];
        if (index < lists[i]->count) return &lists[i]->items[index];
        index -= lists[i]->count;
    }
    return NULL;
}

static enum rc check_addresses(const struct options *options, struct option_error error)
{
    enum rc rc = RC_OK;
    enum option_id id, other_id;
    const struct address *address, *other;
    for (uint32_t i = 0; (address = address_at(options, i, &id)) != NULL; i++)
        for (uint32_t j = i + 1; rc == RC_OK && (other = address_at(options, j, &other_id)) != NULL; j++)
            rc = check_pair(options, id, address, other_id, other, error);
    return rc;
}

static void warn(struct options *options, const char *text)
{
    size_t used = strlen(options->warning);
    snprintf(options->warning + used, sizeof options->warning - used, "%s%s", used > 0 ? "; " : "", text);
}

/* What is to be durable needs a place, and a place something to be durable. */
static enum rc check_history(struct options *options, struct option_error error)
{
    char given[GIVEN_BYTES_MAX];
    const struct history_rule *durable = history_rule_durable(&options->history);
    bool has_directory = options->data_dir[0] != '\0';
    if (durable != NULL && !has_directory)
        return option_refuse(
            &error, "%s: " OPTION_SHOWN " is durable, but there is no directory to store it in; give --data-dir too",
            spell_given(options, OPTION_history, given), durable->pattern);
    if (durable == NULL && has_directory)
        warn(options, "--data-dir is not used, because no rule of --history is durable: give one durable=yes");
    if (options->store_disk_bytes_max > 0 && options->store_disk_bytes_max < STORE_DISK_BYTES_MIN)
        return option_refuse(&error, "%s: too little for a database to work; give 64MiB or more, or 0 for no bound",
                             spell_given(options, OPTION_store_disk_bytes_max, given));
    return RC_OK;
}

static void make_printable(char *text)
{
    for (; *text != '\0'; text++)
        if (iscntrl((unsigned char)*text)) *text = '?';
}

enum rc options_read(struct options *options, int argc, char *const argv[], char *const envp[], char *error_r,
                     size_t error_size)
{
    assert(error_size > 0);
    *options = (struct options){0};
    error_r[0] = '\0';
    if (find_action(options, argc, argv)) return RC_OK;

    struct option_error error = {.text = error_r, .size = error_size};
    enum rc rc = read_defaults(options, error);
    if (rc == RC_OK) rc = read_environment(options, envp, error);
    for (int at = 1; rc == RC_OK && at < argc; at++)
        rc = read_flag(options, argc, argv, &at, error);
    if (rc == RC_OK) rc = check_lists(options, error);
    if (rc == RC_OK) rc = check_addresses(options, error);
    if (rc == RC_OK) rc = check_history(options, error);
    if (rc == RC_OK) rc = app_list_complete(&options->app, &error);
    make_printable(rc == RC_OK ? options->warning : error_r);
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
        if (option_rows[id].type->fini != NULL) option_rows[id].type->fini((char *)options + option_rows[id].offset);
    *options = (struct options){0};
}

bool options_is_set(const struct options *options, enum option_id id)
{
    assert(id < OPTIONS_COUNT);
    return options->sources[id] != OPTION_DEFAULT;
}
