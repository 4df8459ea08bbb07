/* server/config/app_value.c - secrets, keys, web addresses and names of webhooks from text. No error shows a secret. */
#include "server/config/app_value.h"

#include "core/text.h"
#include "server/system/text_file.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TOKEN_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
#define SECRET_BYTES_MAX 128
#define SECRET_FILE_MAX  4096
#define BLANKS           " \t\r\n"

static enum rc keep(const char *text, void *value, struct option_error *error)
{
    char **kept = value, *copy = strdup(text);
    if (copy == NULL) return option_out_of_memory(error);
    free(*kept);
    *kept = copy;
    return RC_OK;
}

static void text_fini(void *value)
{
    char **kept = value;
    free(*kept);
    *kept = NULL;
}

static void text_write(FILE *out, const void *value, uint32_t entry)
{
    (void)entry;
    fputs(*(char *const *)value, out);
}

/* ---- keys ---- */

static enum rc app_token_read(const char *text, struct option_bounds bounds, void *value, struct option_error *error)
{
    size_t length = strlen(text);
    (void)bounds;
    if (length > APP_TOKEN_BYTES_MAX || strspn(text, TOKEN_CHARACTERS) < length)
        return option_refuse(error, "not valid; give 1 to %d characters of A-Z a-z 0-9 _ -", APP_TOKEN_BYTES_MAX);
    return keep(text, value, error);
}

const struct option_type option_type_app_token = {.read = app_token_read, .write = text_write, .fini = text_fini};

/* ---- secrets ---- */

static bool is_secret(const char *text)
{
    size_t length = 0;
    while (text[length] > ' ' && text[length] <= '~')
        length++;
    return text[length] == '\0' && length <= SECRET_BYTES_MAX;
}

static void secret_fini(void *value)
{
    char **secret = value;
    if (*secret != NULL) explicit_bzero(*secret, strlen(*secret));
    text_fini(value);
}

static enum rc set_secret(const char *text, void *value, struct option_error *error)
{
    char *copy = NULL;
    enum rc rc = keep(text, &copy, error);
    if (rc != RC_OK) return rc;
    secret_fini(value);
    *(char **)value = copy;
    return RC_OK;
}

/* What stands in the file's only line; `text` is the whole file, `bytes` long. */
static enum rc take_secret(const char *name, char *text, size_t bytes, void *value, struct option_error *error)
{
    char *secret = text + strspn(text, BLANKS);
    size_t length = strlen(secret);
    bool is_text = secret + length == text + bytes; /* no zero in it */
    while (length > 0 && strchr(BLANKS, secret[length - 1]) != NULL)
        length--;
    secret[length] = '\0';
    if (length > 0 && is_text && is_secret(secret)) return set_secret(secret, value, error);
    return option_refuse(error, "%.200s holds no secret; write 1 to %d printable characters without blank into it",
                         name, SECRET_BYTES_MAX);
}

static _Thread_local const struct secret_watch *watch;

void secret_watch_set(const struct secret_watch *wanted)
{
    watch = wanted;
}

static enum rc read_secret_file(const char *name, void *value, struct option_error *error)
{
    char *text;
    size_t bytes;
    if (name[0] == '\0') return option_refuse(error, "no file is named behind @; give @FILE");
    enum rc rc = text_file_read(name, SECRET_FILE_MAX, &text, &bytes, error->text, error->size);
    if (rc == RC_ENOMEM) return option_out_of_memory(error);
    if (rc == RC_ENOENT && strchr(name, '/') == NULL) /* it may be the secret itself */
        return option_refuse(error,
                             "the file named behind @ cannot be read; give its whole path (a secret that begins "
                             "with @ has to stand in a file)");
    if (rc != RC_OK) return RC_EINVAL;
    if (watch != NULL) watch->seen(watch->context, name);
    rc = take_secret(name, text, bytes, value, error);
    text_file_free(text, bytes);
    return rc;
}

static enum rc secret_read(const char *text, struct option_bounds bounds, void *value, struct option_error *error)
{
    (void)bounds;
    if (text[0] == '@') return read_secret_file(text + 1, value, error);
    if (is_secret(text)) return set_secret(text, value, error);
    return option_refuse(error, "not valid; give 1 to %d printable characters without blank, or @FILE",
                         SECRET_BYTES_MAX);
}

static void secret_write(FILE *out, const void *value, uint32_t entry)
{
    (void)entry;
    fputs((*(char *const *)value)[0] != '\0' ? "***" : "", out);
}

static bool secret_is_bare(const char *text)
{
    return text[0] != '\0' && text[0] != '@';
}

const struct option_type option_type_secret = {
    .read = secret_read, .write = secret_write, .is_secret = secret_is_bare, .fini = secret_fini};

/* ---- web addresses ---- */

static bool is_web_address(const char *text)
{
    static const char *const schemes[] = {"http://", "https://"};
    if (strpbrk(text, " \t") != NULL) return false;
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t length = strlen(schemes[i]);
        if (strncasecmp(text, schemes[i], length) == 0) return text[length] != '\0' && text[length] != '/';
    }
    return false;
}

/* An address may hold a password, before its last @: nobody is shown that. */
/* What stands behind the scheme may be a password. */
static enum rc refuse_address(const char *text, struct option_error *error)
{
    int scheme = (int)strcspn(text, ":/@?#");
    return option_refuse(error, "\"%.*s...\" is no web address; give http://... or https://...",
                         scheme < 20 ? scheme : 20, text);
}

static enum rc web_address_read(const char *text, struct option_bounds bounds, void *value,
                                struct option_error *error)
{
    size_t length = strlen(text);
    if (length > 0 && !is_web_address(text)) return refuse_address(text, error);
    if (length > bounds.max)
        return option_refuse(error, "longer than %llu characters; give a shorter one",
                             (unsigned long long)bounds.max);
    return keep(text, value, error);
}

/* Where its host begins, behind a name and a password if it has them. */
static const char *host_of(const char *authority, const char *path)
{
    const char *at = memrchr(authority, '@', (size_t)(path - authority));
    return at != NULL ? at + 1 : authority;
}

static const char *authority_of(const char *text)
{
    const char *slashes = strstr(text, "//");
    return slashes != NULL ? slashes + 2 : text; /* "": none */
}

static void web_address_write(FILE *out, const void *value, uint32_t entry)
{
    const char *text = *(char *const *)value, *authority = authority_of(text);
    const char *path = authority + strcspn(authority, "/?#"), *query = path + strcspn(path, "?#");
    const char *host = host_of(authority, path);
    (void)entry;
    fprintf(out, "%.*s%s", (int)(authority - text), text, host != authority ? "***@" : "");
    fprintf(out, "%.*s%s", (int)(query - host), host, *query != '\0' ? "?***" : "");
}

static bool web_address_is_secret(const char *text)
{
    const char *authority = authority_of(text), *path = authority + strcspn(authority, "/?#");
    return host_of(authority, path) != authority || strpbrk(path, "?#") != NULL;
}

const struct option_type option_type_web_address = {
    .read = web_address_read, .write = web_address_write, .is_secret = web_address_is_secret, .fini = text_fini};

/* ---- headers ---- */

#define NAME_CHARACTERS \
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!#$%&'*+-.^_`|~" /* RFC 9110 5.6.2 */

/* Those that a request has anyway, and those that say where it ends. */
static bool is_ours(struct text name)
{
    static const char *const ours[] = {"Content-Type",   "X-Pusher-Key",      "X-Pusher-Signature",
                                       "Content-Length", "Transfer-Encoding", "Connection"};
    size_t i = 0;
    while (i < sizeof ours / sizeof ours[0] && !text_is_nocase(name, ours[i]))
        i++;
    return i < sizeof ours / sizeof ours[0];
}

/* Its value is not shown: it may be a token. */
static enum rc header_list_read(const char *text, struct option_bounds bounds, void *value,
                                struct option_error *error)
{
    size_t name = strspn(text, NAME_CHARACTERS);
    const char *colon = text + name, *rest = colon + (*colon == ':');
    rest += strspn(rest, BLANKS);
    if (name == 0 || *colon != ':' || rest[0] == '\0' || text_has_controls(text_of(text)))
        return option_refuse(error, "entry %u is no header; give NAME:VALUE, as Authorization: Bearer TOKEN",
                             option_type_text_list.count(value) + 1);
    if (is_ours((struct text){.at = text, .count = name}))
        return option_refuse(error, "%.*s is the server's own; give others", (int)name, text);
    return option_type_text_list.read(text, bounds, value, error);
}

static void header_list_write(FILE *out, const void *value, uint32_t entry)
{
    const char *text = ((const struct text_list *)value)->items[entry];
    fprintf(out, "%.*s: ***", (int)strcspn(text, ":"), text);
}

static bool header_is_secret(const char *text)
{
    return text[0] != '\0';
}

static uint32_t header_list_count(const void *value)
{
    return option_type_text_list.count(value);
}

static void header_list_fini(void *value)
{
    option_type_text_list.fini(value);
}

const struct option_type option_type_header_list = {.read = header_list_read,
                                                    .write = header_list_write,
                                                    .is_secret = header_is_secret,
                                                    .count = header_list_count,
                                                    .fini = header_list_fini};

/* ---- webhooks ---- */

const char *webhook_kind_name(enum webhook_kind kind)
{
    static const char *const names[WEBHOOK_KINDS_MAX] = {
#define WEBHOOK(name, is_default) [WEBHOOK_##name] = #name,
#include "server/config/webhook.def"
#undef WEBHOOK
    };
    assert(kind < WEBHOOK_KINDS_MAX);
    return names[kind];
}

enum {
#define WEBHOOK(name, is_default) | (is_default) << WEBHOOK_##name
    WEBHOOKS_DEFAULT = 0
#include "server/config/webhook.def"
#undef WEBHOOK
};

/* What may stand between the commas of webhook_events. */
static const struct {
    const char *text;
    option_webhooks kinds;
} webhook_words[] = {
    {"default", WEBHOOKS_DEFAULT},
    {"all", ((UINT32_C(1) << WEBHOOK_KINDS_MAX) - 1) & ~(UINT32_C(1) << WEBHOOK_room_message)}, /* of the protocol */
    {"none", 0},
#define WEBHOOK(name, is_default) {#name, UINT32_C(1) << WEBHOOK_##name},
#include "server/config/webhook.def"
#undef WEBHOOK
};
#define WEBHOOK_WORDS (sizeof webhook_words / sizeof webhook_words[0])

static enum rc refuse_webhook(struct text word, struct option_error *error)
{
    static const char names[] =
#define WEBHOOK(name, is_default) " " #name
#include "server/config/webhook.def"
#undef WEBHOOK
        ;
    return option_refuse(error, "\"%.*s\" is no webhook event; give default, all, none or, with commas between,%s",
                         word.count < 60 ? (int)word.count : 60, word.at, names);
}

static enum rc webhooks_read(const char *text, struct option_bounds bounds, void *value, struct option_error *error)
{
    (void)bounds;
    option_webhooks kinds = 0;
    const char *word = text, *end;
    do {
        size_t at = 0;
        end = word + strcspn(word, ",");
        while (at < WEBHOOK_WORDS && !text_is(text_between(word, end), webhook_words[at].text))
            at++;
        if (at == WEBHOOK_WORDS) return refuse_webhook(text_between(word, end), error);
        kinds |= webhook_words[at].kinds;
        word = end + 1;
    } while (*end != '\0');
    *(option_webhooks *)value = kinds;
    return RC_OK;
}

static void webhooks_write(FILE *out, const void *value, uint32_t entry)
{
    option_webhooks kinds = *(const option_webhooks *)value;
    const char *between = "";
    (void)entry;
    if (kinds == 0) fputs("none", out);
    for (enum webhook_kind kind = 0; kind < WEBHOOK_KINDS_MAX; kind++) {
        if ((kinds >> kind & 1) == 0) continue;
        fprintf(out, "%s%s", between, webhook_kind_name(kind));
        between = ",";
    }
}

const struct option_type option_type_webhooks = {.read = webhooks_read, .write = webhooks_write};
