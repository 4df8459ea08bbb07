/* core/history.c - a ring of messages in the order of their offsets. */
#include "core/history.h"

#include <assert.h>
#include <stdlib.h>

#define CAPACITY_MIN 4

uint64_t history_message_bytes(const struct message *message)
{
    uint64_t bytes = sizeof *message + sizeof(struct message *) + message->channel.length;
    for (enum form form = 0; form < FORMS_MAX; form++) {
        bytes += message->frame_bytes[form];
    }
    return bytes;
}

void history_fini(struct history *history, struct counters *counters)
{
    while (history->count > 0) {
        history_forget_oldest(history, counters);
    }
    assert(history->bytes == 0);
    free(history->messages);
    *history = (struct history){0};
}

static enum rc grow(struct history *history)
{
    assert(history->count == history->capacity);
    uint32_t capacity = history->capacity > 0 ? 2 * history->capacity : CAPACITY_MIN;
    struct message **messages = malloc(capacity * sizeof(struct message *));
    if (messages == NULL) return RC_ENOMEM;
    for (uint32_t i = 0; i < history->count; i++) {
        messages[i] = history_at(history, i);
    }
    free(history->messages);
    history->messages = messages;
    history->capacity = capacity;
    history->first = 0;
    return RC_OK;
}

enum rc history_append(struct history *history, struct message *message)
{
    assert(message->offset > (history->count > 0 ? history_at(history, history->count - 1)->offset : 0));
    if (history->count == history->capacity && grow(history) != RC_OK) return RC_ENOMEM;
    history->messages[(history->first + history->count) & (history->capacity - 1)] = message;
    history->count++;
    history->bytes += history_message_bytes(message);
    if (message->offset > history->last.offset) history->last.offset = message->offset;
    return RC_OK;
}

void history_skip(struct history *history, uint64_t offset)
{
    if (offset > history->last.offset) history->last.offset = offset;
    if (offset > history->forgotten) history->forgotten = offset;
}

void history_forget_oldest(struct history *history, struct counters *counters)
{
    assert(history->count > 0);
    struct message *oldest = history_at(history, 0);
    assert(history->bytes >= history_message_bytes(oldest));
    history->first = (history->first + 1) & (history->capacity - 1);
    history->count--;
    history->bytes -= history_message_bytes(oldest);
    if (oldest->offset > history->forgotten) history->forgotten = oldest->offset;
    message_drop(counters, oldest);
}

static bool is_ahead(const struct message *message, uint64_t now_ms)
{
    return message->time_ms > now_ms + HISTORY_AHEAD_MS;
}

/* The index of the oldest message whose time can be believed; count: there is none. */
static uint32_t first_believed(struct history *history, uint64_t now_ms)
{
    assert(history->count > 0);
    uint32_t index = history_behind(history, history->ahead);
    while (index < history->count && is_ahead(history_at(history, index), now_ms)) {
        history->ahead = history_at(history, index++)->offset;
    }
    return index;
}

uint64_t history_expires_ms(struct history *history, uint64_t ttl_ms, uint64_t now_ms)
{
    assert(history->count > 0);
    uint32_t index = is_ahead(history_at(history, 0), now_ms) ? first_believed(history, now_ms) : 0;
    return history_at(history, index < history->count ? index : 0)->time_ms + ttl_ms;
}

void history_trim(struct history *history, struct counters *counters, const struct history_bounds *bounds,
                  uint64_t now_ms)
{
    while (history->count > 0) {
        bool is_too_old = history_expires_ms(history, bounds->ttl_ms, now_ms) <= now_ms;
        if (history->count <= bounds->messages && history->bytes <= bounds->bytes && !is_too_old) return;
        history_forget_oldest(history, counters);
    }
}

uint32_t history_behind(const struct history *history, uint64_t offset)
{
    uint32_t low = 0, high = history->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (history_at(history, middle)->offset > offset) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}
