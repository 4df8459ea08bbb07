/* server/config/network.c - networks, read strictly: bits behind the length are a slip. */
#include "server/config/network.h"

#include <stdlib.h>
#include <string.h>

static enum rc refuse(const char *text, const struct ip_network *network, struct option_error *error)
{
    char whole[IP_NETWORK_TEXT_MAX];
    return option_refuse(error, OPTION_SHOWN " has bits behind its length; write %s, or the address alone", text,
                         ip_network_format(network, whole));
}

/* Has the text other bits than the network? Two networks differ, or the one address of each. */
static bool has_more_bits(const char *text, const struct ip_network *network)
{
    struct ip ip;
    if (!ip_read(text_between(text, text + strcspn(text, "/")), &ip)) return true;
    return memcmp(&ip, &network->first, sizeof ip) != 0;
}

static enum rc network_read(const char *text, struct option_bounds bounds, void *value, struct option_error *error)
{
    struct ip_networks *list = value;
    struct ip_network network;
    if (!ip_network_read(text_of(text), &network))
        return option_refuse(
            error, OPTION_SHOWN " is no network; give an address and how many bits count: 10.0.0.0/8, 2001:db8::/32",
            text);
    if (has_more_bits(text, &network)) return refuse(text, &network, error);
    if (list->count >= bounds.max)
        return option_refuse(error, "more than %llu networks; give fewer", (unsigned long long)bounds.max);
    struct ip_network *items = reallocarray(list->items, list->count + 1, sizeof items[0]);
    if (items == NULL) return option_out_of_memory(error);
    items[list->count++] = network;
    list->items = items;
    return RC_OK;
}

static void network_write(FILE *out, const void *value, uint32_t entry)
{
    char text[IP_NETWORK_TEXT_MAX];
    fputs(ip_network_format(&((const struct ip_networks *)value)->items[entry], text), out);
}

static uint32_t network_count(const void *value)
{
    return ((const struct ip_networks *)value)->count;
}

static void network_fini(void *value)
{
    struct ip_networks *list = value;
    free(list->items);
    *list = (struct ip_networks){0};
}

const struct option_type option_type_network_list = {
    .read = network_read, .write = network_write, .count = network_count, .fini = network_fini};
