/* server/config/option_value.c - values of options from text: strict, so that a slip is told and not guessed around. */
#include "server/config/option_value.h"

#include "server/config/redis_url.h"
#include "server/system/log_journal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct suffix {
    const char *text;
    uint64_t factor;
};

/* Largest first, the plain unit last. */
static const struct suffix plain_suffixes[] = {{"", 1}, {NULL, 0}};
static const struct suffix byte_suffixes[] = {{"GiB", GIB}, {"MiB", MIB}, {"KiB", KIB}, {"", 1}, {NULL, 0}};
static const struct suffix time_suffixes[] = {{"d", DAY_MS}, {"h", HOUR_MS}, {"m", 60 * 1000}, {"s", 1000},
                                              {"ms", 1},     {"", 1},        {NULL, 0}};

struct option_error option_error_begin(const struct option_error *whole, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(whole->text, whole->size, format, arguments);
    va_end(arguments);
    size_t used = written < 0 ? 0 : (size_t)written;
    if (used >= whole->size) used = whole->size - 1;
    return (struct option_error){.text = whole->text + used, .size = whole->size - used};
}

enum rc option_refuse(struct option_error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, error->size, format, arguments);
    va_end(arguments);
    return RC_EINVAL;
}

enum rc option_out_of_memory(struct option_error *error)
{
    option_refuse(error, "out of memory");
    return RC_ENOMEM;
}

/* RC_OK, RC_EINVAL: not digits and a known suffix, RC_ETOOBIG: does not fit 64 bits. */
static enum rc number_read(const char *text, const struct suffix *suffixes, uint64_t *number_r)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0) return RC_EINVAL;
    while (suffixes->text != NULL && strcasecmp(text + digits, suffixes->text) != 0)
        suffixes++;
    if (suffixes->text == NULL) return RC_EINVAL;

    errno = 0;
    uint64_t number = strtoull(text, NULL, 10);
    if (errno == ERANGE || __builtin_mul_overflow(number, suffixes->factor, number_r)) return RC_ETOOBIG;
    return RC_OK;
}

/* Writes the number in the largest unit that holds it whole. */
static const char *number_format(uint64_t number, const struct suffix *suffixes, char text_r[32])
{
    while (suffixes->text[0] != '\0' && (number == 0 || number % suffixes->factor != 0))
        suffixes++;
    snprintf(text_r, 32, "%llu%s", (unsigned long long)(number / suffixes->factor), suffixes->text);
    return text_r;
}

/* Reads a number and holds it to its bounds; `kind` names what it should be, `give` what to give. */
static enum rc bounded_read(const char *text, struct option_bounds bounds, const struct suffix *suffixes,
                            const char *kind, const char *give, uint64_t *number_r, struct option_error *error)
{
    uint64_t number = 0;
    char min[32], max[32];
    number_format(bounds.min, suffixes, min);
    number_format(bounds.max, suffixes, max);
    enum rc rc = number_read(text, suffixes, &number);
    if (rc == RC_EINVAL)
        return option_refuse(error, OPTION_SHOWN " is not a %s; give %s%s to %s", text, kind, give, min, max);
    if (rc != RC_OK || number < bounds.min || number > bounds.max)
        return option_refuse(error, OPTION_SHOWN " is out of bounds; give %s%s to %s", text, give, min, max);
    *number_r = number;
    return RC_OK;
}

static enum rc count_read(const char *text, struct option_bounds bounds, void *value, struct option_error *error)
{
    uint64_t number;
    enum rc rc = bounded_read(text, bounds, plain_suffixes, "number", "", &number, error);
    if (rc == RC_OK) *(option_count *)value = (option_count)number;
    return rc;
}

static enum rc power_of_two_read(const char *text, struct option_bounds bounds, void *value,
                                 struct option_error *error)
{
    uint64_t number;
    enum rc rc = bounded_read(text, bounds, plain_suffixes, "number", "a power of two from ", &number, error);
    if (rc != RC_OK) return rc;
    if ((number & (number - 1)) != 0) {
        uint64_t below = UINT64_C(1) << (63 - __builtin_clzll(number));
        return option_refuse(error, OPTION_SHOWN " is not a power of two; give %llu or %llu", text,
                             (unsigned long long)below, (unsigned long long)(below * 2));
    }
    *(option_power_of_two *)value = (option_power_of_two)number;
    return RC_OK;
}

static enum rc bytes_read(const char *text, struct option_bounds bounds, void *value, struct option_error *error)
{
    uint64_t number;
    enum rc rc = bounded_read(text, bounds, byte_suffixes, "size (65536, 64KiB, 1MiB)", "", &number, error);
    if (rc == RC_OK) *(option_bytes *)value = number;
    return rc;
}

static enum rc ms_read(const char *text, struct option_bounds bounds, void *value, struct option_error *error)
{
    uint64_t number;
    enum rc rc = bounded_read(text, bounds, time_suffixes, "time (500ms, 10s, 24h, 7d)", "", &number, error);
    if (rc == RC_OK) *(option_ms *)value = (option_ms)number;
    return rc;
}

static enum rc bool_read(const char *text, struct option_bounds bounds, void *value, struct option_error *error)
{
    (void)bounds;
    static const char *const words[][2] = {{"no", "yes"}, {"false", "true"}, {"0", "1"}};
    for (size_t pair = 0; pair < sizeof words / sizeof words[0]; pair++) {
        for (int answer = 0; answer < 2; answer++) {
            if (strcasecmp(text, words[pair][answer]) != 0) continue;
            *(option_bool *)value = answer == 1;
            return RC_OK;
        }
    }
    return option_refuse(error, OPTION_SHOWN " is neither yes nor no; give one of them", text);
}

static enum rc level_read(const char *text, struct option_bounds bounds, void *value, struct option_error *error)
{
    (void)bounds;
    if (log_level_read(text, value) == RC_OK) return RC_OK;
    return option_refuse(error, OPTION_SHOWN " is not a level; give error, warn, info or debug", text);
}

/* ---- one of some words ---- */

struct words {
    const char *(*name)(uint32_t index);
    uint32_t count;
};

static const char *tls_version_name(uint32_t index)
{
    static const char *const names[] = {[TLS_VERSION_1_2] = "1.2", [TLS_VERSION_1_3] = "1.3"};
    return names[index];
}

static const char *log_format_word(uint32_t index)
{
    return log_format_name((enum log_format)index);
}

static const struct words tls_versions = {.name = tls_version_name, .count = TLS_VERSION_1_3 + 1},
                          log_formats = {.name = log_format_word, .count = LOG_FORMATS_MAX};

static enum rc word_read(const char *text, const struct words *words, uint32_t *index_r, struct option_error *error)
{
    for (uint32_t i = 0; i < words->count; i++) {
        if (strcmp(text, words->name(i)) != 0) continue;
        *index_r = i;
        return RC_OK;
    }
    struct option_error rest = option_error_begin(error, OPTION_SHOWN " is none of its words; give ", text);
    for (uint32_t i = 0; i < words->count; i++)
        rest = option_error_begin(&rest, "%s%s", i == 0 ? "" : i + 1 < words->count ? ", " : " or ", words->name(i));
    return RC_EINVAL;
}

static enum rc tls_version_read(const char *text, struct option_bounds bounds, void *value,
                                struct option_error *error)
{
    uint32_t index;
    (void)bounds;
    enum rc rc = word_read(text, &tls_versions, &index, error);
    if (rc == RC_OK) *(option_tls_version *)value = (option_tls_version)index;
    return rc;
}

static void tls_version_write(FILE *out, const void *value, uint32_t entry)
{
    (void)entry;
    fputs(tls_version_name(*(const option_tls_version *)value), out);
}

static enum rc log_format_read(const char *text, struct option_bounds bounds, void *value, struct option_error *error)
{
    uint32_t index;
    (void)bounds;
    enum rc rc = word_read(text, &log_formats, &index, error);
    if (rc == RC_OK) *(option_log_format *)value = (option_log_format)index;
    return rc;
}

static void log_format_write(FILE *out, const void *value, uint32_t entry)
{
    (void)entry;
    fputs(log_format_name(*(const option_log_format *)value), out);
}

/* ---- texts and lists ---- */

static enum rc text_read(const char *text, struct option_bounds bounds, void *value, struct option_error *error)
{
    size_t length = strlen(text);
    if (length < bounds.min || length > bounds.max)
        return option_refuse(error, OPTION_SHOWN " has %zu characters; give %llu to %llu", text, length,
                             (unsigned long long)bounds.min, (unsigned long long)bounds.max);
    char *copy = strdup(text);
    if (copy == NULL) return option_out_of_memory(error);
    free(*(option_text *)value);
    *(option_text *)value = copy;
    return RC_OK;
}

/* "journald:/run/journal.socket" */
static enum rc log_target_read(const char *text, struct option_bounds bounds, void *value, struct option_error *error)
{
    const char *path = option_log_target_path(text);
    bool is_stderr = strcmp(text, "stderr") == 0;
    if (!is_stderr && (path == NULL || path[0] != '/' || strlen(path) >= LOG_JOURNAL_PATH_MAX))
        return option_refuse(error,
                             OPTION_SHOWN
                             " is nowhere that the log can go; give stderr, journald or journald:SOCKET, "
                             "its whole path in up to %zu bytes",
                             text, LOG_JOURNAL_PATH_MAX - 1);
    return text_read(text, bounds, value, error);
}

const char *option_log_target_path(const char *target)
{
    static const char journal[] = "journald";
    if (strncmp(target, journal, sizeof journal - 1) != 0) return NULL;
    const char *rest = target + sizeof journal - 1;
    if (rest[0] == '\0') return LOG_JOURNAL_SOCKET;
    return rest[0] == ':' ? rest + 1 : NULL;
}

static void text_fini(void *value)
{
    free(*(option_text *)value);
    *(option_text *)value = NULL;
}

static enum rc text_list_read(const char *text, struct option_bounds bounds, void *value, struct option_error *error)
{
    struct text_list *list = value;
    if (text[0] == '\0') return option_refuse(error, "the value is empty; leave the option out instead");
    if (list->count >= bounds.max)
        return option_refuse(error, "more than %llu values; give fewer", (unsigned long long)bounds.max);
    char **items = reallocarray(list->items, list->count + 1, sizeof items[0]);
    if (items == NULL) return option_out_of_memory(error);
    list->items = items; /* before the copy below, which may fail too */
    if ((items[list->count] = strdup(text)) == NULL) return option_out_of_memory(error);
    list->count++;
    return RC_OK;
}

/* RFC 9110 5.6.2 */
static enum rc token_list_read(const char *text, struct option_bounds bounds, void *value, struct option_error *error)
{
    static const char characters[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!#$%&'*+-.^_`|~";
    size_t length = strlen(text);
    if (length > OPTION_TOKEN_BYTES_MAX || strspn(text, characters) < length)
        return option_refuse(
            error, OPTION_SHOWN " is no name; give one of 1 to %d letters, digits and any of !#$%%&'*+-.^_`|~", text,
            OPTION_TOKEN_BYTES_MAX);
    return text_list_read(text, bounds, value, error);
}

/* What is refused is not quoted: there may be a password in it. */
static enum rc redis_list_read(const char *text, struct option_bounds bounds, void *value, struct option_error *error)
{
    const struct text_list *list = value;
    struct redis_url url;
    if (redis_url_read(text, &url, error->text, error->size) != RC_OK) return RC_EINVAL;
    for (uint32_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], text) == 0)
            return option_refuse(error, OPTION_SHOWN " is there twice; give it once", text);
    return text_list_read(text, bounds, value, error);
}

static uint32_t text_list_count(const void *value)
{
    return ((const struct text_list *)value)->count;
}

static void text_list_fini(void *value)
{
    struct text_list *list = value;
    for (uint32_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct text_list){0};
}

static enum rc address_list_add(struct address_list *list, const char *text, const struct address *address,
                                struct option_bounds bounds, struct option_error *error)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (address_is_equal(&list->items[i], address))
            return option_refuse(error, OPTION_SHOWN " is there twice; give it once", text);
    if (list->count >= bounds.max)
        return option_refuse(error, "more than %llu addresses; give fewer", (unsigned long long)bounds.max);
    struct address *items = reallocarray(list->items, list->count + 1, sizeof items[0]);
    if (items == NULL) return option_out_of_memory(error);
    items[list->count++] = *address;
    list->items = items;
    return RC_OK;
}

static enum rc address_list_read(const char *text, struct option_bounds bounds, void *value,
                                 struct option_error *error)
{
    struct address address;
    if (rc_is_error(address_read(text, &address)))
        return option_refuse(
            error, OPTION_SHOWN " is not an address; give ADDR:PORT in numbers: 127.0.0.1:8080, [::1]:8080, *:8080",
            text);
    return address_list_add(value, text, &address, bounds, error);
}

static enum rc control_list_read(const char *text, struct option_bounds bounds, void *value,
                                 struct option_error *error)
{
    struct address address;
    if (strncasecmp(text, ADDRESS_UNIX, strlen(ADDRESS_UNIX)) != 0) {
        if (address_read(text, &address) == RC_OK) return address_list_add(value, text, &address, bounds, error);
        return option_refuse(
            error, OPTION_SHOWN " is not an address; give unix:PATH, or ADDR:PORT in numbers: 127.0.0.1:8081", text);
    }
    switch (address_read_unix(text, &address)) {
    case RC_OK:
        return address_list_add(value, text, &address, bounds, error);
    case RC_ETOOBIG:
        return option_refuse(error, OPTION_SHOWN "... is too long: the path of a unix socket has at most %zu bytes",
                             text, ADDRESS_PATH_BYTES_MAX);
    default:
        return option_refuse(error,
                             OPTION_SHOWN " names no unix socket; give unix: and its whole path: unix:/run/ringcast/"
                                          "control.sock",
                             text);
    }
}

static uint32_t address_list_count(const void *value)
{
    return ((const struct address_list *)value)->count;
}

static void address_list_fini(void *value)
{
    struct address_list *list = value;
    free(list->items);
    *list = (struct address_list){0};
}

/* ---- writing ---- */

static void count_write(FILE *out, const void *value, uint32_t entry)
{
    (void)entry;
    fprintf(out, "%u", *(const option_count *)value);
}

static void number_write(FILE *out, uint64_t number, const struct suffix *suffixes)
{
    char text[32];
    fputs(number_format(number, suffixes, text), out);
}

static void bytes_write(FILE *out, const void *value, uint32_t entry)
{
    (void)entry;
    number_write(out, *(const option_bytes *)value, byte_suffixes);
}

static void ms_write(FILE *out, const void *value, uint32_t entry)
{
    (void)entry;
    number_write(out, *(const option_ms *)value, time_suffixes);
}

static void bool_write(FILE *out, const void *value, uint32_t entry)
{
    (void)entry;
    fputs(*(const option_bool *)value ? "yes" : "no", out);
}

static void level_write(FILE *out, const void *value, uint32_t entry)
{
    (void)entry;
    fputs(log_level_name(*(const option_level *)value), out);
}

static void text_write(FILE *out, const void *value, uint32_t entry)
{
    (void)entry;
    fputs(*(const option_text *)value, out);
}

void option_text_list_write(FILE *out, const void *value, uint32_t entry)
{
    fputs(((const struct text_list *)value)->items[entry], out);
}

static void address_list_write(FILE *out, const void *value, uint32_t entry)
{
    char text[ADDRESS_TEXT_MAX];
    fputs(address_format(&((const struct address_list *)value)->items[entry], text), out);
}

const struct option_type option_type_count = {.read = count_read, .write = count_write};
const struct option_type option_type_power_of_two = {.read = power_of_two_read, .write = count_write};
const struct option_type option_type_bytes = {.read = bytes_read, .write = bytes_write};
const struct option_type option_type_ms = {.read = ms_read, .write = ms_write};
const struct option_type option_type_bool = {.read = bool_read, .write = bool_write, .may_stand_alone = true};
const struct option_type option_type_action = {
    .read = bool_read, .write = bool_write, .may_stand_alone = true, .is_action = true};
const struct option_type option_type_report = {
    .read = bool_read, .write = bool_write, .may_stand_alone = true, .is_action = true, .needs_options = true};
const struct option_type option_type_level = {.read = level_read, .write = level_write};
const struct option_type option_type_tls_version = {.read = tls_version_read, .write = tls_version_write};
const struct option_type option_type_log_format = {.read = log_format_read, .write = log_format_write};
const struct option_type option_type_log_target = {.read = log_target_read, .write = text_write, .fini = text_fini};
const struct option_type option_type_text = {.read = text_read, .write = text_write, .fini = text_fini};
const struct option_type option_type_text_list = {
    .read = text_list_read, .write = option_text_list_write, .count = text_list_count, .fini = text_list_fini};
const struct option_type option_type_token_list = {
    .read = token_list_read, .write = option_text_list_write, .count = text_list_count, .fini = text_list_fini};
const struct option_type option_type_file_list = {.read = text_list_read,
                                                  .write = option_text_list_write,
                                                  .count = text_list_count,
                                                  .fini = text_list_fini,
                                                  .separators = ","};
const struct option_type option_type_redis_list = {.read = redis_list_read,
                                                   .write = option_text_list_write,
                                                   .count = text_list_count,
                                                   .fini = text_list_fini,
                                                   .separators = " \t\r\n"}; /* in one URL there may be commas */
const struct option_type option_type_address_list = {
    .read = address_list_read, .write = address_list_write, .count = address_list_count, .fini = address_list_fini};
const struct option_type option_type_control_list = {
    .read = control_list_read, .write = address_list_write, .count = address_list_count, .fini = address_list_fini};
