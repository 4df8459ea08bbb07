/* server/config/redis_url.c - addresses of Redis from text: strict, so that a slip is told and not guessed around. */
#include "server/config/redis_url.h"

#include "core/text.h"
#include "server/config/address.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

_Static_assert(ADDRESS_PATH_BYTES_MAX <= REDIS_HOST_BYTES_MAX, "a path fits into a host");

/* Where the sentence goes. */
struct reason {
    char *text;
    size_t size;
};

__attribute__((format(printf, 2, 3))) static enum rc refuse(const struct reason *reason, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason->text, reason->size, format, arguments);
    va_end(arguments);
    return RC_EINVAL;
}

static const struct scheme {
    const char *prefix;
    enum redis_kind kind;
    bool is_tls;
} schemes[] = {
    {"redis://", REDIS_ALONE, false},
    {"rediss://", REDIS_ALONE, true},
    {"redis+sentinel://", REDIS_SENTINEL, false},
    {"rediss+sentinel://", REDIS_SENTINEL, true},
    {"redis+cluster://", REDIS_CLUSTER, false},
    {"rediss+cluster://", REDIS_CLUSTER, true},
};

/* How much of it an error quotes: enough to recognise it. */
static int shown(struct text text)
{
    return text.count < 60 ? (int)text.count : 60;
}

/* No blanks or control characters either. */
static bool lacks(const struct text text, const char *characters)
{
    for (size_t i = 0; i < text.count; i++)
        if (text.at[i] <= ' ' || text.at[i] == 0x7f || strchr(characters, text.at[i]) != NULL) return false;
    return true;
}

/* A copy with a zero behind it; what `text` has fits. */
static void copy(char *to, struct text text)
{
    memcpy(to, text.at, text.count);
    to[text.count] = '\0';
}

/* Takes what stands before the first `end`, and that character; all of it if there is none. */
static struct text take_until(struct text *rest, char end, bool *has_end_r)
{
    const char *at = rest->count == 0 ? NULL : memchr(rest->at, end, rest->count);
    struct text taken = {.at = rest->at, .count = at == NULL ? rest->count : (size_t)(at - rest->at)};
    *rest = text_behind(*rest, taken.count + (at != NULL));
    *has_end_r = at != NULL;
    return taken;
}

/* ---- parts ---- */

static bool is_host(struct text host)
{
    if (host.count == 0 || host.count > REDIS_HOST_BYTES_MAX) return false;
    return lacks(host, "/@,[]?#\"\\<>^`{|}\x7f") && host.at[0] != '-';
}

bool redis_place_of(const char *host, size_t host_bytes, uint16_t port, struct redis_place *place_r)
{
    struct text text = {.at = host, .count = host_bytes};
    if (!is_host(text) || port == 0) return false;
    *place_r = (struct redis_place){.port = port};
    for (size_t i = 0; i < host_bytes; i++) /* names are the same in capitals */
        place_r->host[i] = host[i] >= 'A' && host[i] <= 'Z' ? (char)(host[i] | 0x20) : host[i];
    return true;
}

static enum rc read_port(struct text text, uint16_t *port_r, const struct reason *reason)
{
    uint64_t port;
    if (!text_is_number(text, &port) || port == 0 || port > UINT16_MAX)
        return refuse(reason, "\"%.*s\" is no port; give 1 to 65535 behind the host and a colon", shown(text),
                      text.at);
    *port_r = (uint16_t)port;
    return RC_OK;
}

/* HOST[:PORT] */
static enum rc read_place(struct text text, uint16_t port, struct redis_place *place_r, const struct reason *reason)
{
    bool has_end = false, is_v6 = text.count > 0 && text.at[0] == '[';
    struct text rest = is_v6 ? text_behind(text, 1) : text;
    struct text host = take_until(&rest, is_v6 ? ']' : ':', &has_end);
    if (is_v6 && (!has_end || (rest.count > 0 && rest.at[0] != ':') || memchr(host.at, ':', host.count) == NULL))
        return refuse(reason, "an address of IPv6 stands in brackets, its port behind them: redis://[::1]:6379");
    if (!is_v6 && rest.count > 0 && memchr(rest.at, ':', rest.count) != NULL)
        return refuse(reason, "more than one colon; put an address of IPv6 in brackets: redis://[::1]:6379");
    if (is_v6) {
        has_end = rest.count > 0;
        if (has_end) rest = text_behind(rest, 1);
    }
    if (has_end && read_port(rest, &port, reason) != RC_OK) return RC_EINVAL;
    if (redis_place_of(host.at, host.count, port, place_r)) return RC_OK;
    if (host.count == 0) return refuse(reason, "no host; give it as in redis://127.0.0.1:6379");
    return refuse(reason, "\"%.*s\" is no host; give a name or a number, as in redis://127.0.0.1:6379", shown(host),
                  host.at);
}

static enum rc read_places(struct text text, struct redis_url *url, const struct reason *reason)
{
    uint16_t port = url->kind == REDIS_SENTINEL ? REDIS_SENTINEL_PORT : REDIS_PORT;
    uint32_t most = url->kind == REDIS_ALONE ? 1 : REDIS_PLACES_MAX;
    bool has_more = true;
    while (has_more) {
        struct text one = take_until(&text, ',', &has_more);
        if (url->places_count == most)
            return refuse(
                reason, most == 1 ? "more than one host; several belong behind redis+sentinel:// or redis+cluster://"
                                  : "more than nine hosts; some of them are enough to find the others");
        struct redis_place *place = &url->places[url->places_count];
        if (read_place(one, port, place, reason) != RC_OK) return RC_EINVAL;
        for (uint32_t i = 0; i < url->places_count; i++)
            if (memcmp(&url->places[i], place, sizeof *place) == 0)
                return refuse(reason, "%s is there twice; give it once", place->host);
        url->places_count++;
    }
    return RC_OK;
}

/* [USER@] */
static enum rc read_user(struct text *text, struct redis_url *url, const struct reason *reason)
{
    bool has_user;
    struct text rest = *text, user = take_until(&rest, '@', &has_user);
    if (!has_user) return RC_OK;
    if (memchr(user.at, ':', user.count) != NULL)
        return refuse(reason,
                      "it has a password, which whoever lists processes can read; put that in a file of its own "
                      "and name it with --redis-password-file");
    if (user.count == 0 || user.count > REDIS_NAME_BYTES_MAX || !lacks(user, "/,[]?#%\"\\"))
        return refuse(reason, "what stands before @ is no user of Redis; give 1 to %d letters or digits",
                      REDIS_NAME_BYTES_MAX);
    copy(url->user, user);
    *text = rest;
    return RC_OK;
}

/* What stands behind the hosts: /DB or /NAME. */
static enum rc read_path(struct text path, bool has_path, struct redis_url *url, const struct reason *reason)
{
    uint64_t database = 0;
    switch (url->kind) {
    case REDIS_SENTINEL:
        if (path.count == 0 || path.count > REDIS_NAME_BYTES_MAX || !lacks(path, "/?#\"\\"))
            return refuse(reason, "no name of a master; give what the Sentinels call it: redis+sentinel://HOST:26379/"
                                  "mymaster");
        copy(url->master, path);
        return RC_OK;
    case REDIS_CLUSTER:
        if (path.count > 0 && !text_is(path, "0"))
            return refuse(reason, "a cluster has no other database than 0; leave out what stands behind the hosts");
        return RC_OK;
    case REDIS_ALONE:
        break;
    }
    if (has_path && path.count > 0 && (!text_is_number(path, &database) || database > REDIS_DATABASE_MAX))
        return refuse(reason, "\"/%.*s\" is no database; give its number, /0, or leave it out", shown(path), path.at);
    url->database = (uint32_t)database;
    return RC_OK;
}

static enum rc read_unix(const char *text, struct redis_url *url, const struct reason *reason)
{
    struct address address;
    switch (address_read_unix(text, &address)) {
    case RC_OK:
        copy(url->places[0].host, text_of(address_path(&address)));
        url->places_count = 1;
        return RC_OK;
    case RC_ETOOBIG:
        return refuse(reason, "its path is too long: that of a unix socket has at most %zu bytes",
                      ADDRESS_PATH_BYTES_MAX);
    default:
        return refuse(reason, "it names no unix socket; give unix: and its whole path: unix:/run/redis/redis.sock");
    }
}

static const struct scheme *scheme_of(struct text text)
{
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (text_has_prefix(text, schemes[i].prefix)) return &schemes[i];
    return NULL;
}

static enum rc read_url(const char *text, struct redis_url *url, const struct reason *reason)
{
    struct text rest = text_of(text);
    if (rest.count > REDIS_URL_BYTES_MAX)
        return refuse(reason, "longer than %d bytes; is it the right value?", REDIS_URL_BYTES_MAX);
    if (text_has_prefix(rest, ADDRESS_UNIX)) return read_unix(text, url, reason);
    const struct scheme *scheme = scheme_of(rest);
    if (scheme == NULL)
        return refuse(reason,
                      "it begins with none of redis://, rediss://, unix:, redis+sentinel://, redis+cluster://; "
                      "give one, as in redis://127.0.0.1:6379");
    url->kind = scheme->kind;
    url->is_tls = scheme->is_tls;
    rest = text_behind(rest, strlen(scheme->prefix));
    bool has_path;
    if (read_user(&rest, url, reason) != RC_OK) return RC_EINVAL;
    struct text hosts = take_until(&rest, '/', &has_path);
    if (read_places(hosts, url, reason) != RC_OK) return RC_EINVAL;
    return read_path(rest, has_path, url, reason);
}

enum rc redis_url_read(const char *text, struct redis_url *url_r, char *reason_r, size_t reason_size)
{
    struct redis_url url = {.kind = REDIS_ALONE};
    struct reason reason = {.text = reason_r, .size = reason_size};
    enum rc rc = read_url(text, &url, &reason);
    if (rc == RC_OK) *url_r = url;
    return rc;
}

const char *redis_place_format(const struct redis_place *place, char text_r[REDIS_PLACE_TEXT_MAX])
{
    if (place->port == 0)
        snprintf(text_r, REDIS_PLACE_TEXT_MAX, ADDRESS_UNIX "%s", place->host);
    else if (strchr(place->host, ':') != NULL)
        snprintf(text_r, REDIS_PLACE_TEXT_MAX, "[%s]:%u", place->host, place->port);
    else
        snprintf(text_r, REDIS_PLACE_TEXT_MAX, "%s:%u", place->host, place->port);
    return text_r;
}
