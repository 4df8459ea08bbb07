/* core/channel_type.c - the table of prefixes. */
#include "core/channel_type.h"

#include <stddef.h>

static const struct {
    const char *prefix;
    struct channel_type type;
} rows[] = {
    /* The longest first: the first that fits counts. */
    {"private-encrypted-cache-", {.needs_auth = true, .is_encrypted = true, .is_cache = true}},
    {"private-encrypted-", {.needs_auth = true, .is_encrypted = true}},
    {"private-cache-", {.needs_auth = true, .is_cache = true, .has_client_events = true}},
    {"private-", {.needs_auth = true, .has_client_events = true}},
    {"presence-cache-", {.needs_auth = true, .is_presence = true, .is_cache = true, .has_client_events = true}},
    {"presence-", {.needs_auth = true, .is_presence = true, .has_client_events = true}},
    {"cache-", {.is_cache = true}},
    {CHANNEL_USER_PREFIX, {.is_user = true}},
};

struct channel_type channel_type_of(struct text name)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (text_has_prefix(name, rows[i].prefix)) return rows[i].type;
    }
    return (struct channel_type){0};
}
