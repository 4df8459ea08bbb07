/* net/forwarded.c - lists of addresses, read from the end. */
#include "net/forwarded.h"

#define HEADER "x-forwarded-for"

/* Takes the last element off a list, without the white space around it. False: there is none left. */
static bool take_last(struct text *list, struct text *element_r)
{
    if (list->at == NULL) return false;
    size_t from = list->count;
    while (from > 0 && list->at[from - 1] != ',') {
        from--;
    }
    struct text last = text_behind(*list, from);
    *list = from > 0 ? (struct text){list->at, from - 1} : (struct text){0};
    while (http_list_take(&last, element_r)) {
    }
    return true;
}

/* True: there is no need to look further. */
static bool look_through(struct text list, const struct ip_networks *trusted, bool *is_there, struct ip *ip_r,
                         uint16_t *port_r)
{
    for (struct text element; take_last(&list, &element);) {
        struct ip ip;
        uint16_t port;
        if (!ip_read_with_port(element, &ip, &port)) return true;
        *is_there = true;
        *ip_r = ip;
        *port_r = port;
        if (!ip_networks_have(trusted, &ip)) return true;
    }
    return false;
}

bool forwarded_for(const struct http_request *request, const struct ip_networks *trusted, struct ip *ip_r,
                   uint16_t *port_r)
{
    bool is_there = false, is_over = false;
    for (uint32_t n = request->lines_count; n > 0 && !is_over; n--) {
        struct http_header header = http_header_at(request, n - 1);
        if (!text_is_nocase(header.name, HEADER)) continue;
        is_over = look_through(header.value, trusted, &is_there, ip_r, port_r);
    }
    return is_there;
}
