/* server/webhook_item.c - copies events and writes them down, both from one table of their texts. */
#include "server/webhook_item.h"

#include "core/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_KEY       ",\"subscription_count\":"
#define COUNT_BYTES_MAX 10 /* digits of a uint32_t */

struct field {
    const char *key; /* with what stands before the value */
    size_t offset;   /* of its struct text */
};

/* In the order of the JSON; a text that an event does not have is left out. */
static const struct field fields[] = {
    {",\"channel\":\"", offsetof(struct webhook_event, channel)},
    {",\"event\":\"", offsetof(struct webhook_event, event)},
    {",\"data\":\"", offsetof(struct webhook_event, data)},
    {",\"socket_id\":\"", offsetof(struct webhook_event, socket_id)},
    {",\"user_id\":\"", offsetof(struct webhook_event, user_id)},
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

size_t webhook_item_json_bytes(const struct webhook_item *item)
{
    size_t bytes = strlen("{\"name\":\"\"}") + strlen(webhook_kind_name(item->event.kind));
    for (size_t i = 0; i < FIELDS_COUNT; i++) {
        struct text text = field_text(&item->event, &fields[i]);
        if (text.at != NULL) bytes += strlen(fields[i].key) + json_text_bytes(text) + strlen("\"");
    }
    if (item->event.kind == WEBHOOK_subscription_count)
        bytes += strlen(COUNT_KEY) + (size_t)snprintf(NULL, 0, "%u", item->event.count);
    return bytes;
}

static char *write_string(char *to, const char *string)
{
    size_t bytes = strlen(string);
    memcpy(to, string, bytes);
    return to + bytes;
}

char *webhook_item_json_write(char *to, const struct webhook_item *item)
{
    to = write_string(to, "{\"name\":\"");
    to = write_string(to, webhook_kind_name(item->event.kind));
    to = write_string(to, "\"");
    for (size_t i = 0; i < FIELDS_COUNT; i++) {
        struct text text = field_text(&item->event, &fields[i]);
        if (text.at == NULL) continue;
        to = write_string(to, fields[i].key);
        to = json_text_write(to, text);
        to = write_string(to, "\"");
    }
    if (item->event.kind == WEBHOOK_subscription_count) {
        char digits[COUNT_BYTES_MAX + 1];
        snprintf(digits, sizeof digits, "%u", item->event.count);
        to = write_string(to, COUNT_KEY);
        to = write_string(to, digits);
    }
    return write_string(to, "}");
}
