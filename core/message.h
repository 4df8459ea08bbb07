/* core/message.h - one published payload, encoded once for each form and shared by all who will read it.
 *
 * Threads:   made by one shard, read by many; never changed once a second shard can see it.
 * Ownership: one reference for each shard or letter that holds it, counted atomically; inside a shard the batches
 *            (core/batch.h) count for themselves. Whoever drops the last reference frees it, on whatever thread.
 * Memory:    one block: this struct, the channel's name, the frames. */
#pragma once

#include "core/form.h"
#include "core/name.h"

#include <stdint.h>

struct counters;

/* Which connection published a message. Slots are used again, hence the life. */
struct publisher {
    uint32_t shard;
    uint32_t slot;
    uint32_t life;
    uint32_t random;  /* of its socket id, which a backend may have guessed: it must be right; 0: it has none */
    bool is_excluded; /* it does not get its own message back */
};

/* Who made it, which says whether a channel's history keeps it. */
enum message_origin {
    ORIGIN_SERVER,  /* members, counts, users: never kept */
    ORIGIN_BACKEND, /* over HTTP */
    ORIGIN_ROOM,    /* of a room: what a raw client said, or a channel client to raw ones */
    ORIGIN_CLIENT,  /* a client event */
    ORIGIN_GUEST,   /* one guest invites another: never kept, and its home passes on only so many */
};

/* A JSON string of the FORM_EVENT frame, quotes and all; 0 bytes: there is none. */
struct message_part {
    uint32_t at;
    uint32_t bytes;
};

struct message {
    uint32_t references;             /* atomic */
    uint32_t frame_bytes[FORMS_MAX]; /* of each form; 0: it has none */
    struct publisher publisher;
    struct name channel; /* text stands behind the struct */
    uint8_t *frames; /* header and payload, as they go to the socket, in the order of the forms, behind the name */
    struct message_part event_name;
    struct message_part data;
    struct message_part user_id;
    uint64_t offset;  /* its place in the channel's history; 0: it has none */
    uint64_t time_ms; /* since 1970, when it got that place */
    enum message_origin origin : 8;
    bool is_kept;     /* the last of its kind is kept by a cache channel's home */
    uint32_t made_us; /* on its maker's clock (struct counters), low bits: how long it took; 0: not known */
};

/* Makes a message for a channel with room for frames of these sizes, which the caller then writes. The caller holds
 * the one reference. With all sizes 0 it is a letter that only needs to say a channel's name. NULL: out of memory. */
struct message *message_new(struct counters *counters, const struct name *channel,
                            const uint32_t frame_bytes[FORMS_MAX]);
/* Like message_new(), with a frame of one form. */
struct message *message_new_of(struct counters *counters, const struct name *channel, enum form form,
                               uint32_t frame_bytes);

static inline bool message_has(const struct message *message, enum form form)
{
    return message->frame_bytes[form] > 0;
}

/* Where the frame of that form begins. */
static inline uint8_t *message_frame(const struct message *message, enum form form)
{
    uint8_t *frame = message->frames;
    for (enum form before = 0; before < form; before++) {
        frame += message->frame_bytes[before];
    }
    return frame;
}

/* Copies the frame of that form, which it has; returns its end. */
static inline uint8_t *message_put_frame(const struct message *message, enum form form, uint8_t *to)
{
    memcpy(to, message_frame(message, form), message->frame_bytes[form]);
    return to + message->frame_bytes[form];
}

/* A part as it stands in the frame. */
static inline struct text message_part_text(const struct message *message, struct message_part part)
{
    return (struct text){(const char *)message_frame(message, FORM_EVENT) + part.at, part.bytes};
}

/* Adds references, for instance before letters are sent to that many shards. The caller holds one already. */
void message_hold(struct message *message, uint32_t references);

/* Drops one reference; the last frees. */
void message_drop(struct counters *counters, struct message *message);
