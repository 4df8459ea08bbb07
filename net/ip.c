/* net/ip.c - IP addresses from socket addresses, and as text. */
#include "net/ip.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const struct ip v4_prefix = {.bytes = {[10] = 0xff, [11] = 0xff}};

bool ip_of_socket(const void *address, struct ip *ip_r, uint16_t *port_r)
{
    const struct sockaddr *any = address;
    if (any->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof v4);
        *ip_r = v4_prefix;
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
    return memcmp(ip->bytes, v4_prefix.bytes, 12) == 0;
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
