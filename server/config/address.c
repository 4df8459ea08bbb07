/* server/config/address.c - socket addresses from and to text, without asking any name service. */
#include "server/config/address.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One to five digits, nothing else: strtoul() alone would take blanks and signs. */
static enum rc port_read(const char *text, in_port_t *port_r)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 5 || text[digits] != '\0') return RC_EINVAL;
    unsigned long port = strtoul(text, NULL, 10);
    if (port > UINT16_MAX) return RC_EINVAL;
    *port_r = htons((uint16_t)port);
    return RC_OK;
}

static bool v4_read(const char *host, struct sockaddr_in *v4)
{
    v4->sin_family = AF_INET;
    if (strcmp(host, "*") == 0) {
        v4->sin_addr.s_addr = htonl(INADDR_ANY);
        return true;
    }
    return inet_pton(AF_INET, host, &v4->sin_addr) == 1;
}

static bool v6_read(const char *host, struct sockaddr_in6 *v6)
{
    v6->sin6_family = AF_INET6;
    return inet_pton(AF_INET6, host, &v6->sin6_addr) == 1;
}

enum rc address_read(const char *text, struct address *address_r)
{
    char host[INET6_ADDRSTRLEN];
    bool is_v6 = text[0] == '[';
    const char *from = is_v6 ? text + 1 : text;
    const char *end = strchr(from, is_v6 ? ']' : ':');
    if (end == NULL || (size_t)(end - from) >= sizeof host) return RC_EINVAL;
    memcpy(host, from, (size_t)(end - from));
    host[end - from] = '\0';
    if (is_v6) end++;
    if (*end != ':') return RC_EINVAL;

    in_port_t port = 0;
    if (rc_is_error(port_read(end + 1, &port))) return RC_EINVAL;
    union {
        struct sockaddr_storage storage;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } any;
    memset(&any, 0, sizeof any);
    if (!(is_v6 ? v6_read(host, &any.v6) : v4_read(host, &any.v4))) return RC_EINVAL;
    if (is_v6)
        any.v6.sin6_port = port;
    else
        any.v4.sin_port = port;
    *address_r = (struct address){.storage = any.storage, .bytes = is_v6 ? sizeof any.v6 : sizeof any.v4};
    return RC_OK;
}

enum rc address_read_unix(const char *text, struct address *address_r)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    if (strncmp(text, ADDRESS_UNIX, strlen(ADDRESS_UNIX)) != 0) return RC_EINVAL;
    const char *path = text + strlen(ADDRESS_UNIX);
    if (path[0] != '/' || path[strlen(path) - 1] == '/') return RC_EINVAL;
    if (strlen(path) > ADDRESS_PATH_BYTES_MAX) return RC_ETOOBIG;
    memcpy(local.sun_path, path, strlen(path));
    *address_r = (struct address){.bytes = sizeof local};
    memcpy(&address_r->storage, &local, sizeof local);
    return RC_OK;
}

const char *address_path(const struct address *address)
{
    if (address->storage.ss_family != AF_UNIX) return NULL;
    return ((const struct sockaddr_un *)&address->storage)->sun_path;
}

const char *address_format(const struct address *address, char text_r[ADDRESS_TEXT_MAX])
{
    char host[INET6_ADDRSTRLEN];
    if (address->storage.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->storage;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        snprintf(text_r, ADDRESS_TEXT_MAX, "%s:%u", host, ntohs(v4->sin_port));
    } else if (address->storage.ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->storage;
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        snprintf(text_r, ADDRESS_TEXT_MAX, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else if (address_path(address) != NULL) {
        snprintf(text_r, ADDRESS_TEXT_MAX, ADDRESS_UNIX "%s", address_path(address));
    } else {
        snprintf(text_r, ADDRESS_TEXT_MAX, "?");
    }
    return text_r;
}

bool address_is_equal(const struct address *one, const struct address *other)
{
    char one_text[ADDRESS_TEXT_MAX], other_text[ADDRESS_TEXT_MAX];
    return strcmp(address_format(one, one_text), address_format(other, other_text)) == 0;
}

/* An address as IPv6 sees it, of which IPv4 is a part, ::ffff:0:0/96. False for a family other than the two. */
static bool as_v6(const struct address *address, struct in6_addr *v6_r)
{
    if (address->storage.ss_family == AF_INET6) {
        *v6_r = ((const struct sockaddr_in6 *)&address->storage)->sin6_addr;
        return true;
    }
    *v6_r = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(v6_r->s6_addr + 12, &((const struct sockaddr_in *)&address->storage)->sin_addr, 4);
    return address->storage.ss_family == AF_INET;
}

static bool has(const struct in6_addr *host, const struct in6_addr *other)
{
    static const struct in6_addr all_v4 = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
    bool is_all = IN6_IS_ADDR_UNSPECIFIED(host) || (IN6_ARE_ADDR_EQUAL(host, &all_v4) && IN6_IS_ADDR_V4MAPPED(other));
    return is_all || IN6_ARE_ADDR_EQUAL(host, other);
}

bool address_overlaps(const struct address *one, const struct address *other)
{
    struct in6_addr host, other_host;
    uint16_t port = address_port(one);
    if (port == 0 || port != address_port(other)) return false;
    if (!as_v6(one, &host) || !as_v6(other, &other_host)) return false;
    return has(&host, &other_host) || has(&other_host, &host);
}

bool address_is_loopback(const struct address *address)
{
    if (address->storage.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->storage;
        return ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    if (address->storage.ss_family != AF_INET6) return address->storage.ss_family == AF_UNIX;
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)&address->storage)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == IN_LOOPBACKNET);
}

uint16_t address_port(const struct address *address)
{
    if (address->storage.ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)&address->storage)->sin_port);
    if (address->storage.ss_family != AF_INET6) return 0;
    return ntohs(((const struct sockaddr_in6 *)&address->storage)->sin6_port);
}
