/* server/webhook/webhook_event.h - what a backend is told of its channels. */
#pragma once

#include "core/text.h"
#include "server/config/app.h"

#include <stdint.h>

/* One event; texts are copied. Those that a kind does not have are left out (at == NULL). */
struct webhook_event {
    enum webhook_kind kind;
    uint16_t app; /* its index */
    struct text channel;
    struct text user_id;   /* member_added, member_removed */
    struct text event;     /* client_event: its name, a JSON string as it stands in the message's frame, */
    struct text data;      /* as its data does; also room_message's, */
    struct text sender_id; /* and on presence channels its sender's user id */
    struct text socket_id; /* client_event, room_message */
    struct text epoch;     /* room_message: its place in the room's history, */
    uint64_t offset;       /* the same */
    uint32_t count;        /* subscription_count */
};
