/* server/protocol/event.h - events of the Pusher protocol, written as text frames.
 *
 *     {"event":"NAME","channel":"CHANNEL","data":"DATA","user_id":"USER","offset":43,"epoch":"k3x9ab2m"}
 *
 * The data is always a JSON string, mostly with JSON in it; what the publisher gave comes out byte for byte. Nothing
 * here knows connections: a frame becomes a message for many (core/message.h) or a batch for one (core/batch.h). */
#pragma once

#include "core/text.h"

#include <stdbool.h>
#include <stdint.h>

/* What a room's raw message is called as an event. */
#define EVENT_OF_ROOMS "message"

struct batch;
struct counters;
struct message;
struct name;
struct position;
struct presence;

struct event {
    struct text name;
    struct text channel; /* at == NULL: the event is of no channel */
    struct text data;
    bool is_escaped;                 /* name, data and user id are as they stand in a frame, else decoded */
    const struct presence *members;  /* a channel's snapshot goes before what data, an object, has; NULL: data only */
    struct text user_id;             /* at == NULL: none is told */
    const struct position *position; /* in the channel's history; NULL: none */
};

/* How long the frame is, header and all; and the frame itself, of that length. Returns its end. */
size_t event_frame_bytes(const struct event *event);
uint8_t *event_frame_write(const struct event *event, uint8_t *to);

/* A message of FORM_EVENT; the event's channel is the name's. NULL: out of memory. */
struct message *event_message(struct counters *counters, const struct name *channel, const struct event *event);
/* Like event_message(), and also in FORM_RAW: a text message with the event's data, for the readers of a room. */
struct message *event_message_raw(struct counters *counters, const struct name *channel, const struct event *event);

/* From a message of a raw client, which has FORM_RAW: the same, and also in FORM_EVENT as an event called "message". A
 * binary message is no event and comes back as it is. Takes over the reference and returns one; without memory the
 * event is left out, never the message. */
struct message *event_of_raw(struct counters *counters, struct message *message);

/* A message, which has FORM_EVENT, at its place in the channel's history: its event tells the position, and so do its
 * offset and time. NULL: out of memory, and the message is still the caller's; otherwise its reference is taken over
 * and one to the new message returned. */
struct message *event_at(struct counters *counters, struct message *message, const struct position *position,
                         uint64_t time_ms);

/* An event for one connection. NULL: out of memory. */
struct batch *event_batch(const struct event *event, uint64_t now_ms);
/* pusher:error, the one event whose data is an object. A code of 0 is told as null; when the client is to come back is
 * told unless it is 0. */
struct batch *event_error_batch(unsigned code, struct text message, uint32_t retry_after_ms, uint64_t now_ms);
