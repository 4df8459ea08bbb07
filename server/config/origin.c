/* server/config/origin.c - an origin taken apart, judged, and put together as a browser would. */
#include "server/config/origin.h"

#include "core/text.h"
#include "net/http_request.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SCHEME_BYTES_MAX 24
#define HOST_BYTES_MAX   256

/* Of schemes that browsers know, those that a page of theirs has, and their ports. */
static const struct scheme {
    const char *name;
    const char *of_page;
    const char *port;
} schemes[] = {{"http", "http", "80"}, {"https", "https", "443"}, {"ws", "http", "80"}, {"wss", "https", "443"}};

struct origin {
    char scheme[SCHEME_BYTES_MAX]; /* "": none */
    char host[HOST_BYTES_MAX];
    const char *port; /* within what was given; NULL: none */
    size_t port_bytes;
    bool has_path;
};

static const struct scheme *find_scheme(const char *name)
{
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (strcasecmp(name, schemes[i].name) == 0) return &schemes[i];
    }
    return NULL;
}

static bool is_port(const char *text, size_t count)
{
    uint64_t port;
    return text_is_number((struct text){text, count}, &port) && port > 0 && port <= UINT16_MAX && text[0] != '0';
}

/* False: it cannot be understood. */
static bool take_apart(const char *text, struct origin *origin)
{
    const char *scheme_end = strstr(text, "://"), *authority = scheme_end != NULL ? scheme_end + 3 : text;
    size_t scheme_bytes = scheme_end != NULL ? (size_t)(scheme_end - text) : 0;
    const char *end = authority + strcspn(authority, "/?#");
    const char *bracket = memchr(authority, ']', (size_t)(end - authority));
    const char *name = bracket != NULL ? bracket : authority, *colon = memchr(name, ':', (size_t)(end - name));
    const char *host_end = colon != NULL ? colon : end;
    size_t host_bytes = (size_t)(host_end - authority);
    *origin = (struct origin){.has_path = *end != '\0'};
    if (scheme_bytes >= SCHEME_BYTES_MAX || (scheme_end != NULL && scheme_bytes == 0)) return false;
    if (host_bytes == 0 || host_bytes >= HOST_BYTES_MAX || memchr(authority, '*', host_bytes) != NULL) return false;
    if (!http_host_is_valid(text_between(authority, end))) return false;
    memcpy(origin->scheme, text, scheme_bytes);
    memcpy(origin->host, authority, host_bytes);
    if (colon == NULL) return true;
    origin->port = colon + 1;
    origin->port_bytes = (size_t)(end - origin->port);
    return is_port(origin->port, origin->port_bytes);
}

/* What is wrong with it; NULL: nothing. */
static const char *fault_of(const struct origin *origin, const struct scheme *scheme)
{
    if (origin->scheme[0] == '\0') return "it has no scheme";
    if (origin->has_path) return "it has a path, if only a slash";
    if (scheme != NULL && strcmp(scheme->of_page, scheme->name) != 0) return "they name the page's scheme";
    bool is_own = scheme != NULL && origin->port_bytes == strlen(scheme->port) &&
                  memcmp(origin->port, scheme->port, origin->port_bytes) == 0;
    return is_own ? "its port is the scheme's own, which they leave out" : NULL;
}

static enum rc refuse(const char *text, const struct origin *origin, const struct scheme *scheme, const char *fault,
                      struct option_error *error)
{
    const char *name = scheme != NULL ? scheme->of_page : origin->scheme[0] != '\0' ? origin->scheme : "https";
    bool has_port = origin->port_bytes > 0 && (scheme == NULL || origin->port_bytes != strlen(scheme->port) ||
                                               memcmp(origin->port, scheme->port, origin->port_bytes) != 0);
    return option_refuse(error, OPTION_SHOWN " is not what browsers send as an origin (%s); write %s://%s%s%.*s",
                         text, fault, name, origin->host, has_port ? ":" : "", has_port ? (int)origin->port_bytes : 0,
                         has_port ? origin->port : "");
}

static enum rc origin_read(const char *text, struct option_bounds bounds, void *value, struct option_error *error)
{
    struct origin origin;
    if (text[0] != '\0' && strcmp(text, "*") != 0 && strcmp(text, "null") != 0) {
        if (!take_apart(text, &origin))
            return option_refuse(error,
                                 OPTION_SHOWN " is no origin; write it as browsers send it, a scheme, a host and its "
                                              "port if it has an unusual one: https://example.com, "
                                              "http://localhost:3000",
                                 text);
        const struct scheme *scheme = find_scheme(origin.scheme);
        const char *fault = fault_of(&origin, scheme);
        if (fault != NULL) return refuse(text, &origin, scheme, fault, error);
    }
    return option_type_text_list.read(text, bounds, value, error);
}

static uint32_t origin_count(const void *value)
{
    return option_type_text_list.count(value);
}

static void origin_fini(void *value)
{
    option_type_text_list.fini(value);
}

const struct option_type option_type_origin_list = {
    .read = origin_read, .write = option_text_list_write, .count = origin_count, .fini = origin_fini};
