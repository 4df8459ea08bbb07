/* bench/load/load_pusher.c - a member's side of the Pusher protocol: greeted, subscribed, pinged, refused. */
#include "bench/load/load.h"

#include "bench/load/pusher.h"

void load_channel(const struct load *load, uint32_t slot, char channel[LOAD_CHANNEL_BYTES])
{
    const char *template = load->options->channel, *found = strstr(template, LOAD_ROOM);
    if (found == NULL) {
        snprintf(channel, LOAD_CHANNEL_BYTES, "%s", template);
        return;
    }
    snprintf(channel, LOAD_CHANNEL_BYTES, "%.*s%u%s", (int)(found - template), template,
             layout_room_number(&load->layout, layout_room(&load->layout, load->first + slot)),
             found + strlen(LOAD_ROOM));
}

static uint32_t number_of(const struct load *load, uint32_t slot)
{
    return layout_number(&load->layout, load->first + slot);
}

static bool subscribe(struct load *load, uint32_t slot, const char *socket_id)
{
    char channel[LOAD_CHANNEL_BYTES], text[PUSHER_TEXT_BYTES_MAX];
    load_channel(load, slot, channel);
    size_t count =
        pusher_write_subscribe(text, channel, socket_id, load->options->app_key, load->options->app_secret);
    if (count == 0)
        return load_fail(load, LOAD_UNABLE, "connection %u cannot sign: out of memory", number_of(load, slot));
    load->connections[slot].stage = LOAD_SUBSCRIBING;
    return load_say_frame(load, slot, FRAME_TEXT, (struct text[3]){{text, count}});
}

static bool on_error(struct load *load, uint32_t slot, const char *words)
{
    const struct load_connection *connection = &load->connections[slot];
    if (connection->stage == LOAD_LEAVING || connection->kind == LOAD_SLOW) return true; /* a close frame follows */
    if (connection->stage < LOAD_OPEN) {
        return load_fail(load, LOAD_UNABLE, "the server refuses connection %u: %s", number_of(load, slot), words);
    }
    return load_fail(load, LOAD_OFFENCE, "the server tells connection %u of an error: %s", number_of(load, slot),
                     words);
}

bool load_pusher_event(struct load *load, uint32_t slot, struct text message)
{
    struct pusher_event event;
    struct load_connection *connection = &load->connections[slot];
    pusher_read_event(message, &event);
    switch (event.kind) {
    case PUSHER_ESTABLISHED:
        return connection->stage != LOAD_GREETED || subscribe(load, slot, event.text);
    case PUSHER_SUBSCRIBED:
        return connection->stage != LOAD_SUBSCRIBING || load_opened(load, slot);
    case PUSHER_PING:
        return connection->stage == LOAD_LEAVING ||
               load_say_frame(load, slot, FRAME_TEXT,
                              (struct text[3]){text_of("{\"event\":\"pusher:pong\",\"data\":{}}")});
    case PUSHER_ERROR:
        return on_error(load, slot, event.text);
    case PUSHER_OTHER:
        return true;
    case PUSHER_BAD:
        break;
    }
    return load_fail(load, LOAD_OFFENCE, "connection %u got a message of %zu bytes that is no event",
                     number_of(load, slot), message.count);
}
