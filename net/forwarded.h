/* net/forwarded.h - X-Forwarded-For: who a proxy says has sent a request.
 *
 * Each proxy on the way adds the address that it was asked from at the end of the list, and anybody can write what
 * stands before it. So the list is read from its end, as long as the addresses are those of proxies that are trusted.
 * Any thread. */
#pragma once

#include "net/http_request.h"
#include "net/ip.h"

/* The last address of the list that is no trusted one; if all are, the first. What is no address ends the list there:
 * then it is the one behind it. False: there is none. The port is 0 if none is given. */
bool forwarded_for(const struct http_request *request, const struct ip_networks *trusted, struct ip *ip_r,
                   uint16_t *port_r);
