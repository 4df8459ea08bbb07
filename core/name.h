/* core/name.h - a channel's name with its hash. Each app has names of its own: the same text in two apps is two names.
 *
 * A name is a view: whoever holds it makes sure that the text outlives it. The hash is keyed (SipHash-1-3 with a
 * random key), since clients choose names and must not be able to choose collisions. The key is set once, before any
 * thread starts; all shards share it, because the hash also says which shard is a channel's home. */
#pragma once

#include "core/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define NAME_BYTES_MAX 200

struct name {
    const char *text; /* not terminated */
    uint32_t length;
    uint16_t app; /* the app's index */
    uint64_t hash;
};

/* Sets the key. Before the first name_of(), from one thread. */
void name_set_key(uint64_t key_0, uint64_t key_1);

/* The text has at most UINT32_MAX bytes; whether it is a valid name is another question. */
struct name name_of(uint16_t app, struct text text);

static inline struct text name_text(const struct name *name)
{
    return (struct text){.at = name->text, .count = name->length};
}

/* Which of so many homes is the name's: by the high half of the hash, for a home's table uses the low bits and should
 * not be thinned out. */
static inline uint32_t name_home(const struct name *name, uint32_t homes)
{
    return (uint32_t)((name->hash >> 32) % homes);
}

static inline bool name_equals(const struct name *a, const struct name *b)
{
    return a->hash == b->hash && a->length == b->length && a->app == b->app &&
           memcmp(a->text, b->text, a->length) == 0;
}

/* Is it 1 to NAME_BYTES_MAX bytes of [A-Za-z0-9_-=@,.;], as the Pusher protocol wants channel names? */
bool name_is_valid(struct text text);
