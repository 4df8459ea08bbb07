/* server/webhook/webhook_item.c - copies events and writes them down, both from one table of their texts. */
#include "server/webhook/webhook_item.h"

#include "core/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_KEY    ",\"subscription_count\":"
#define OFFSET_KEY   ",\"offset\":"
#define NUMBER_BYTES 21 /* digits of a uint64_t */

struct field {
    const char *key; /* with what stands before the value */
    size_t offset;   /* of its struct text */
    bool is_json;    /* written as it is, not as a string with this text */
};

/* In the order of the JSON; a text that an event does not have is left out. */
static const struct field fields[] = {
    {",\"channel\":", offsetof(struct webhook_event, channel), false},
    {",\"event\":", offsetof(struct webhook_event, event), true},
    {",\"data\":", offsetof(struct webhook_event, data), true},
    {",\"socket_id\":", offsetof(struct webhook_event, socket_id), false},
    {",\"epoch\":", offsetof(struct webhook_event, epoch), false},
    {",\"user_id\":", offsetof(struct webhook_event, user_id), false},
    {",\"user_id\":", offsetof(struct webhook_event, sender_id), true},
};
#define FIELDS_COUNT (sizeof fields / sizeof fields[0])

enum webhook_kind webhook_counterpart(enum webhook_kind kind)
{
    switch (kind) {
    case WEBHOOK_channel_occupied:
        return WEBHOOK_channel_vacated;
    case WEBHOOK_channel_vacated:
        return WEBHOOK_channel_occupied;
    case WEBHOOK_member_added:
        return WEBHOOK_member_removed;
    case WEBHOOK_member_removed:
        return WEBHOOK_member_added;
    case WEBHOOK_client_event:
    case WEBHOOK_cache_miss:
    case WEBHOOK_subscription_count:
    case WEBHOOK_room_message:
    case WEBHOOK_KINDS_MAX:
        break;
    }
    return kind;
}

static struct text field_text(const struct webhook_event *event, const struct field *field)
{
    return *(const struct text *)((const char *)event + field->offset);
}

struct webhook_item *webhook_item_new(const struct webhook_event *event)
{
    size_t bytes = 0;
    for (size_t i = 0; i < FIELDS_COUNT; i++) {
        bytes += field_text(event, &fields[i]).count;
    }
    struct webhook_item *item = malloc(sizeof *item + bytes);
    if (item == NULL) return NULL;
    *item = (struct webhook_item){.event = *event};
    char *to = item->bytes;
    for (size_t i = 0; i < FIELDS_COUNT; i++) {
        struct text *text = (struct text *)((char *)&item->event + fields[i].offset);
        if (text->at == NULL) continue;
        memcpy(to, text->at, text->count);
        text->at = to;
        to += text->count;
    }
    return item;
}

static size_t value_bytes(const struct field *field, struct text text)
{
    return field->is_json ? text.count : json_text_bytes(text) + strlen("\"\"");
}

static char *write_value(char *to, const struct field *field, struct text text)
{
    if (field->is_json) return text_put(to, text);
    to = text_put(to, text_of("\""));
    to = json_text_write(to, text);
    return text_put(to, text_of("\""));
}

/* The number that some kinds have, ",\"offset\":42"; "" for none. */
static const char *number_text(const struct webhook_event *event, char text[sizeof COUNT_KEY + NUMBER_BYTES])
{
    text[0] = '\0';
    if (event->kind == WEBHOOK_subscription_count) {
        snprintf(text, sizeof COUNT_KEY + NUMBER_BYTES, COUNT_KEY "%u", event->count);
    } else if (event->kind == WEBHOOK_room_message) {
        snprintf(text, sizeof COUNT_KEY + NUMBER_BYTES, OFFSET_KEY "%llu", (unsigned long long)event->offset);
    }
    return text;
}

size_t webhook_item_json_bytes(const struct webhook_item *item)
{
    size_t bytes = strlen("{\"name\":\"\"}") + strlen(webhook_kind_name(item->event.kind));
    for (size_t i = 0; i < FIELDS_COUNT; i++) {
        struct text text = field_text(&item->event, &fields[i]);
        if (text.at != NULL) bytes += strlen(fields[i].key) + value_bytes(&fields[i], text);
    }
    char number[sizeof COUNT_KEY + NUMBER_BYTES];
    return bytes + strlen(number_text(&item->event, number));
}

char *webhook_item_json_write(char *to, const struct webhook_item *item)
{
    to = text_put(to, text_of("{\"name\":\""));
    to = text_put(to, text_of(webhook_kind_name(item->event.kind)));
    to = text_put(to, text_of("\""));
    for (size_t i = 0; i < FIELDS_COUNT; i++) {
        struct text text = field_text(&item->event, &fields[i]);
        if (text.at == NULL) continue;
        to = text_put(to, text_of(fields[i].key));
        to = write_value(to, &fields[i], text);
    }
    char number[sizeof COUNT_KEY + NUMBER_BYTES];
    to = text_put(to, text_of(number_text(&item->event, number)));
    return text_put(to, text_of("}"));
}
