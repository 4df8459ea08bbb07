/* server/config/network.h - the type of options that are lists of networks: 10.0.0.0/8, 2001:db8::/32, 192.0.2.1. */
#pragma once

#include "net/ip.h"
#include "server/config/option_value.h"

typedef struct ip_networks option_network_list;
extern const struct option_type option_type_network_list;
