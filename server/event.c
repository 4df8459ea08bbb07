/* server/event.c - measuring and writing event frames. */
#include "server/event.h"

#include "core/batch.h"
#include "core/json_text.h"
#include "core/message.h"
#include "core/presence.h"
#include "net/frame.h"

#include <stdio.h>

static size_t header_bytes(size_t payload_bytes)
{
    uint8_t header[FRAME_HEADER_BYTES_MAX];
    return frame_header_write(header, FRAME_TEXT, payload_bytes);
}

static size_t data_bytes(const struct event *event)
{
    return event->members != NULL ? presence_snapshot_bytes(event->members) : json_text_bytes(event->data);
}

/* What stands before the data, and behind it. */
static size_t before_bytes(const struct event *event)
{
    size_t bytes = strlen("{\"event\":\"\",\"data\":\"") + json_text_bytes(event->name);
    if (event->channel.at != NULL) bytes += strlen(",\"channel\":\"\"") + event->channel.count;
    return bytes;
}

static size_t behind_bytes(const struct event *event)
{
    size_t bytes = strlen("\"}");
    if (event->user_id.at != NULL) bytes += strlen(",\"user_id\":\"\"") + json_text_bytes(event->user_id);
    return bytes;
}

static size_t payload_bytes(const struct event *event)
{
    return before_bytes(event) + data_bytes(event) + behind_bytes(event);
}

static char *write_payload(const struct event *event, char *to)
{
    to = text_put(to, text_of("{\"event\":\""));
    to = json_text_write(to, event->name);
    if (event->channel.at != NULL) {
        to = text_put(to, text_of("\",\"channel\":\""));
        to = text_put(to, event->channel);
    }
    to = text_put(to, text_of("\",\"data\":\""));
    to = event->members != NULL ? presence_snapshot_write(event->members, to) : json_text_write(to, event->data);
    if (event->user_id.at != NULL) {
        to = text_put(to, text_of("\",\"user_id\":\""));
        to = json_text_write(to, event->user_id);
    }
    return text_put(to, text_of("\"}"));
}

size_t event_frame_bytes(const struct event *event)
{
    size_t payload = payload_bytes(event);
    return header_bytes(payload) + payload;
}

uint8_t *event_frame_write(const struct event *event, uint8_t *to)
{
    to += frame_header_write(to, FRAME_TEXT, payload_bytes(event));
    return (uint8_t *)write_payload(event, (char *)to);
}

/* ---- messages ---- */

/* The event must be of the channel that the message is for. */
static struct event of_channel(const struct event *event, const struct name *channel)
{
    struct event own = *event;
    own.channel = name_text(channel);
    return own;
}

static void write_event_frame(struct message *message, const struct event *event)
{
    uint8_t *frame = message_frame(message, FORM_EVENT);
    event_frame_write(event, frame);
    size_t before = before_bytes(event);
    message->data_bytes = (uint32_t)data_bytes(event) + 2; /* with its quotes */
    message->data_at = (uint32_t)(header_bytes(payload_bytes(event)) + before - 1);
}

struct message *event_message(struct counters *counters, const struct name *channel, const struct event *event)
{
    struct event own = of_channel(event, channel);
    struct message *message = message_new_of(counters, channel, FORM_EVENT, (uint32_t)event_frame_bytes(&own));
    if (message != NULL) write_event_frame(message, &own);
    return message;
}

struct message *event_message_raw(struct counters *counters, const struct name *channel, const struct event *event)
{
    struct event own = of_channel(event, channel);
    uint32_t sizes[FORMS_MAX] = {
        [FORM_RAW] = (uint32_t)(header_bytes(event->data.count) + event->data.count),
        [FORM_EVENT] = (uint32_t)event_frame_bytes(&own),
    };
    struct message *message = message_new(counters, channel, sizes);
    if (message == NULL) return NULL;
    uint8_t *raw = message_frame(message, FORM_RAW);
    raw += frame_header_write(raw, FRAME_TEXT, event->data.count);
    if (event->data.count > 0) memcpy(raw, event->data.at, event->data.count);
    write_event_frame(message, &own);
    return message;
}

struct message *event_of_raw(struct counters *counters, struct message *message)
{
    const uint8_t *raw = message_frame(message, FORM_RAW);
    uint32_t raw_bytes = message->frame_bytes[FORM_RAW];
    if ((raw[0] & 0x0f) != FRAME_TEXT) return message;
    uint32_t header = (raw[1] < 126) ? 2 : (raw[1] == 126) ? 4 : FRAME_HEADER_BYTES_MAX;
    struct event event = {
        .name = text_of(EVENT_OF_ROOMS),
        .data = {.at = (const char *)raw + header, .count = raw_bytes - header},
    };
    struct message *both = event_message_raw(counters, &message->channel, &event);
    if (both == NULL) return message;
    both->publisher = message->publisher;
    message_drop(counters, message);
    return both;
}

/* ---- for one connection ---- */

struct batch *event_batch(const struct event *event, uint64_t now_ms)
{
    uint8_t *to;
    struct batch *batch = batch_new((uint32_t)event_frame_bytes(event), now_ms, &to);
    if (batch != NULL) event_frame_write(event, to);
    return batch;
}

struct batch *event_error_batch(unsigned code, struct text message, uint64_t now_ms)
{
    char head[80];
    if (code > 0) {
        snprintf(head, sizeof head, "{\"event\":\"pusher:error\",\"data\":{\"code\":%u,\"message\":\"", code);
    } else {
        snprintf(head, sizeof head, "{\"event\":\"pusher:error\",\"data\":{\"code\":null,\"message\":\"");
    }
    size_t payload = strlen(head) + json_text_bytes(message) + strlen("\"}}");
    uint8_t *to;
    struct batch *batch = batch_new((uint32_t)(header_bytes(payload) + payload), now_ms, &to);
    if (batch == NULL) return NULL;
    to += frame_header_write(to, FRAME_TEXT, payload);
    text_put(json_text_write(text_put((char *)to, text_of(head)), message), text_of("\"}}"));
    return batch;
}
