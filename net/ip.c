/* net/ip.c - IP addresses from socket addresses, and networks, from and to text. */
#include "net/ip.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

const struct ip ip_v4_prefix = {.bytes = {[10] = 0xff, [11] = 0xff}};

bool ip_of_socket(const void *address, struct ip *ip_r, uint16_t *port_r)
{
    const struct sockaddr *any = address;
    if (any->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof v4);
        *ip_r = ip_v4_prefix;
        memcpy(ip_r->bytes + 12, &v4.sin_addr, 4);
        *port_r = ntohs(v4.sin_port);
        return true;
    }
    if (any->sa_family != AF_INET6) return false;
    struct sockaddr_in6 v6;
    memcpy(&v6, address, sizeof v6);
    memcpy(ip_r->bytes, &v6.sin6_addr, sizeof ip_r->bytes);
    *port_r = ntohs(v6.sin6_port);
    return true;
}

bool ip_is_v4(const struct ip *ip)
{
    return memcmp(ip->bytes, ip_v4_prefix.bytes, 12) == 0;
}

bool ip_read(struct text text, struct ip *ip_r)
{
    char host[INET6_ADDRSTRLEN];
    if (text.count >= sizeof host) return false;
    *text_put(host, text) = '\0';
    if (strlen(host) < text.count) return false; /* a zero in it */
    *ip_r = ip_v4_prefix;
    return inet_pton(AF_INET, host, ip_r->bytes + 12) == 1 || inet_pton(AF_INET6, host, ip_r->bytes) == 1;
}

static bool port_read(struct text text, uint16_t *port_r)
{
    uint64_t port;
    if (text.count > 5 || !text_is_number(text, &port) || port > UINT16_MAX) return false;
    *port_r = (uint16_t)port;
    return true;
}

bool ip_read_with_port(struct text text, struct ip *ip_r, uint16_t *port_r)
{
    *port_r = 0;
    if (text.count == 0) return false;
    bool has_bracket = text.at[0] == '[';
    const char *end = text.at + text.count, *host_end = memchr(text.at, has_bracket ? ']' : ':', text.count);
    if (!has_bracket && ip_read(text, ip_r)) return true; /* IPv6, with colons of its own, or without a port */
    if (host_end == NULL || !ip_read(text_between(text.at + has_bracket, host_end), ip_r)) return false;
    if (has_bracket == ip_is_v4(ip_r)) return false;
    const char *behind = host_end + has_bracket;
    if (behind == end) return true;
    return *behind == ':' && port_read(text_between(behind + 1, end), port_r);
}

const char *ip_format(const struct ip *ip, uint16_t port, char text_r[IP_TEXT_MAX])
{
    char host[INET6_ADDRSTRLEN];
    bool is_v4 = ip_is_v4(ip);
    inet_ntop(is_v4 ? AF_INET : AF_INET6, ip->bytes + (is_v4 ? 12 : 0), host, sizeof host);
    if (port == 0) {
        snprintf(text_r, IP_TEXT_MAX, "%s", host);
    } else {
        snprintf(text_r, IP_TEXT_MAX, is_v4 ? "%s:%u" : "[%s]:%u", host, port);
    }
    return text_r;
}

/* ---- networks ---- */

struct ip ip_cut(const struct ip *ip, uint8_t bits)
{
    struct ip cut = *ip;
    for (uint32_t i = bits / 8; i < sizeof cut.bytes; i++) {
        uint32_t kept = i == bits / 8 ? bits % 8 : 0;
        cut.bytes[i] &= (uint8_t)(0xff00 >> kept);
    }
    return cut;
}

bool ip_network_read(struct text text, struct ip_network *network_r)
{
    const char *slash = text.count > 0 ? memchr(text.at, '/', text.count) : NULL;
    const char *end = text.at + text.count;
    uint64_t bits;
    struct ip ip;
    if (!ip_read(text_between(text.at, slash != NULL ? slash : end), &ip)) return false;
    uint64_t most = ip_is_v4(&ip) ? 32 : 128;
    if (slash == NULL) {
        bits = most;
    } else if (!text_is_number(text_between(slash + 1, end), &bits) || bits > most) {
        return false;
    }
    network_r->bits = (uint8_t)(bits + 128 - most);
    network_r->first = ip_cut(&ip, network_r->bits);
    return true;
}

const char *ip_network_format(const struct ip_network *network, char text_r[IP_NETWORK_TEXT_MAX])
{
    char host[IP_TEXT_MAX];
    int bits = network->bits - (ip_is_v4(&network->first) ? 96 : 0);
    ip_format(&network->first, 0, host);
    if (network->bits == 128) {
        snprintf(text_r, IP_NETWORK_TEXT_MAX, "%.*s", INET6_ADDRSTRLEN, host);
    } else {
        snprintf(text_r, IP_NETWORK_TEXT_MAX, "%.*s/%d", INET6_ADDRSTRLEN - 1, host, bits);
    }
    return text_r;
}

static bool has(const struct ip_network *network, const struct ip *ip)
{
    struct ip cut = ip_cut(ip, network->bits);
    return memcmp(&cut, &network->first, sizeof cut) == 0;
}

bool ip_networks_have(const struct ip_networks *networks, const struct ip *ip)
{
    for (uint32_t i = 0; i < networks->count; i++) {
        if (has(&networks->items[i], ip)) return true;
    }
    return false;
}
