/* server/protocol/event.c - measuring and writing event frames. */
#include "server/protocol/event.h"

#include "core/batch.h"
#include "core/json_text.h"
#include "core/message.h"
#include "core/position.h"
#include "core/presence.h"
#include "net/frame.h"

#include <stdio.h>

static size_t header_bytes(size_t payload_bytes)
{
    uint8_t header[FRAME_HEADER_BYTES_MAX];
    return frame_header_write(header, FRAME_TEXT, payload_bytes);
}

/* One of the event's strings, in the frame. */
static size_t string_bytes(const struct event *event, struct text string)
{
    return event->is_escaped ? string.count : json_text_bytes(string);
}

static char *write_string(const struct event *event, struct text string, char *to)
{
    return event->is_escaped ? text_put(to, string) : json_text_write(to, string);
}

/* A snapshot "{...}" and data "{,"offset":1}" become one object. */
static bool has_more_than_members(const struct event *event)
{
    return event->data.count > strlen("{}");
}

static size_t data_bytes(const struct event *event)
{
    size_t bytes = string_bytes(event, event->data);
    if (event->members == NULL) return bytes;
    size_t snapshot = presence_snapshot_bytes(event->members);
    return has_more_than_members(event) ? snapshot + bytes - strlen("{}") + strlen(",") : snapshot;
}

static char *write_data(const struct event *event, char *to)
{
    if (event->members == NULL) return write_string(event, event->data, to);
    to = presence_snapshot_write(event->members, to);
    if (!has_more_than_members(event)) return to;
    to[-1] = ','; /* instead of its closing brace */
    return json_text_write(to, text_behind(event->data, strlen("{")));
}

/* What tells the position, up to the closing brace: written to `to`, which has room for it. */
#define POSITION_BYTES_MAX 64
static int position_text(const struct position *position, char to[POSITION_BYTES_MAX])
{
    return snprintf(to, POSITION_BYTES_MAX, ",\"offset\":%llu,\"epoch\":\"%s\"}",
                    (unsigned long long)position->offset, position->epoch);
}

/* How long the strings become, which is looked for once; and with that what stands before the data, and all of it. */
struct measured {
    size_t name, data, user_id;
    size_t before;
    size_t payload;
};

static struct measured measure(const struct event *event)
{
    char position[POSITION_BYTES_MAX];
    struct measured measured = {.name = string_bytes(event, event->name), .data = data_bytes(event)};
    measured.before = strlen("{\"event\":\"\",\"data\":\"") + measured.name;
    if (event->channel.at != NULL) measured.before += strlen(",\"channel\":\"\"") + json_text_bytes(event->channel);
    measured.payload = measured.before + measured.data + strlen("\"}");
    if (event->user_id.at != NULL) {
        measured.user_id = string_bytes(event, event->user_id);
        measured.payload += strlen(",\"user_id\":\"\"") + measured.user_id;
    }
    if (event->position != NULL) measured.payload += (size_t)position_text(event->position, position) - strlen("}");
    return measured;
}

static size_t frame_bytes(const struct measured *measured)
{
    return header_bytes(measured->payload) + measured->payload;
}

static char *write_payload(const struct event *event, char *to)
{
    to = text_put(to, text_of("{\"event\":\""));
    to = write_string(event, event->name, to);
    if (event->channel.at != NULL) {
        to = text_put(to, text_of("\",\"channel\":\""));
        to = json_text_write(to, event->channel);
    }
    to = text_put(to, text_of("\",\"data\":\""));
    to = write_data(event, to);
    if (event->user_id.at != NULL) {
        to = text_put(to, text_of("\",\"user_id\":\""));
        to = write_string(event, event->user_id, to);
    }
    if (event->position == NULL) return text_put(to, text_of("\"}"));
    *to++ = '"';
    char position[POSITION_BYTES_MAX];
    int count = position_text(event->position, position);
    return text_put(to, (struct text){position, (size_t)count});
}

size_t event_frame_bytes(const struct event *event)
{
    struct measured measured = measure(event);
    return frame_bytes(&measured);
}

static uint8_t *write_frame(const struct event *event, const struct measured *measured, uint8_t *to)
{
    to += frame_header_write(to, FRAME_TEXT, measured->payload);
    return (uint8_t *)write_payload(event, (char *)to);
}

uint8_t *event_frame_write(const struct event *event, uint8_t *to)
{
    struct measured measured = measure(event);
    return write_frame(event, &measured, to);
}

/* ---- messages ---- */

/* The event must be of the channel that the message is for. */
static struct event of_channel(const struct event *event, const struct name *channel)
{
    struct event own = *event;
    own.channel = name_text(channel);
    return own;
}

/* A string in the frame whose opening quote stands there. */
static struct message_part part_of(size_t at, size_t bytes)
{
    return (struct message_part){.at = (uint32_t)at, .bytes = (uint32_t)(bytes + strlen("\"\""))};
}

static void write_event_frame(struct message *message, const struct event *event, const struct measured *measured)
{
    size_t header = header_bytes(measured->payload), behind = header + measured->before + measured->data;
    write_frame(event, measured, message_frame(message, FORM_EVENT));
    message->event_name = part_of(header + strlen("{\"event\":"), measured->name);
    message->data = part_of(header + measured->before - strlen("\""), measured->data);
    if (event->user_id.at != NULL) message->user_id = part_of(behind + strlen("\",\"user_id\":"), measured->user_id);
}

struct message *event_message(struct counters *counters, const struct name *channel, const struct event *event)
{
    struct event own = of_channel(event, channel);
    struct measured measured = measure(&own);
    struct message *message = message_new_of(counters, channel, FORM_EVENT, (uint32_t)frame_bytes(&measured));
    if (message != NULL) write_event_frame(message, &own, &measured);
    return message;
}

struct message *event_message_raw(struct counters *counters, const struct name *channel, const struct event *event)
{
    struct event own = of_channel(event, channel);
    struct measured measured = measure(&own);
    uint32_t sizes[FORMS_MAX] = {
        [FORM_RAW] = (uint32_t)(header_bytes(event->data.count) + event->data.count),
        [FORM_EVENT] = (uint32_t)frame_bytes(&measured),
    };
    struct message *message = message_new(counters, channel, sizes);
    if (message == NULL) return NULL;
    uint8_t *raw = message_frame(message, FORM_RAW);
    raw += frame_header_write(raw, FRAME_TEXT, event->data.count);
    if (event->data.count > 0) memcpy(raw, event->data.at, event->data.count);
    write_event_frame(message, &own, &measured);
    return message;
}

struct message *event_of_raw(struct counters *counters, struct message *message)
{
    const uint8_t *raw = message_frame(message, FORM_RAW);
    uint32_t raw_bytes = message->frame_bytes[FORM_RAW];
    if ((raw[0] & 0x0f) != FRAME_TEXT) return message;
    size_t header = frame_header_bytes(raw);
    struct event event = {
        .name = text_of(EVENT_OF_ROOMS),
        .data = {.at = (const char *)raw + header, .count = raw_bytes - header},
    };
    struct message *both = event_message_raw(counters, &message->channel, &event);
    if (both == NULL) return message;
    both->publisher = message->publisher;
    both->origin = message->origin;
    both->made_us = message->made_us;
    message_drop(counters, message);
    return both;
}

/* ---- positions ---- */

static struct message_part moved(struct message_part part, size_t from, size_t to)
{
    if (part.bytes > 0) part.at = (uint32_t)(part.at + to - from);
    return part;
}

struct message *event_at(struct counters *counters, struct message *message, const struct position *position,
                         uint64_t time_ms)
{
    char tail[POSITION_BYTES_MAX];
    int tail_bytes = position_text(position, tail);
    const uint8_t *frame = message_frame(message, FORM_EVENT);
    size_t old_header = frame_header_bytes(frame), old_payload = message->frame_bytes[FORM_EVENT] - old_header;
    size_t open = old_payload - strlen("}"), payload = open + (size_t)tail_bytes, header = header_bytes(payload);
    uint32_t sizes[FORMS_MAX] = {
        [FORM_RAW] = message->frame_bytes[FORM_RAW],
        [FORM_EVENT] = (uint32_t)(header + payload),
    };
    struct message *placed = message_new(counters, &message->channel, sizes);
    if (placed == NULL) return NULL;
    memcpy(message_frame(placed, FORM_RAW), message_frame(message, FORM_RAW), sizes[FORM_RAW]);
    uint8_t *to = message_frame(placed, FORM_EVENT);
    to += frame_header_write(to, FRAME_TEXT, payload);
    memcpy(to, frame + old_header, open);
    memcpy(to + open, tail, (size_t)tail_bytes);
    placed->publisher = message->publisher;
    placed->origin = message->origin;
    placed->is_kept = message->is_kept;
    placed->made_us = message->made_us;
    placed->event_name = moved(message->event_name, old_header, header);
    placed->data = moved(message->data, old_header, header);
    placed->user_id = moved(message->user_id, old_header, header);
    placed->offset = position->offset;
    placed->time_ms = time_ms;
    message_drop(counters, message);
    return placed;
}

/* ---- for one connection ---- */

struct batch *event_batch(const struct event *event, uint64_t now_ms)
{
    uint8_t *to;
    struct batch *batch = batch_new((uint32_t)event_frame_bytes(event), now_ms, &to);
    if (batch != NULL) event_frame_write(event, to);
    return batch;
}

struct batch *event_error_batch(unsigned code, struct text message, uint32_t retry_after_ms, uint64_t now_ms)
{
    char head[80], end[40] = "\"}}";
    if (retry_after_ms > 0) snprintf(end, sizeof end, "\",\"retry_after_ms\":%u}}", retry_after_ms);
    if (code > 0) {
        snprintf(head, sizeof head, "{\"event\":\"pusher:error\",\"data\":{\"code\":%u,\"message\":\"", code);
    } else {
        snprintf(head, sizeof head, "{\"event\":\"pusher:error\",\"data\":{\"code\":null,\"message\":\"");
    }
    size_t payload = strlen(head) + json_text_bytes(message) + strlen(end);
    uint8_t *to;
    struct batch *batch = batch_new((uint32_t)(header_bytes(payload) + payload), now_ms, &to);
    if (batch == NULL) return NULL;
    to += frame_header_write(to, FRAME_TEXT, payload);
    text_put(json_text_write(text_put((char *)to, text_of(head)), message), text_of(end));
    return batch;
}
