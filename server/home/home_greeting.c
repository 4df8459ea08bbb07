/* server/home/home_greeting.c - what a new subscriber is told, as one run of frames. */
#include "server/home/home_greeting.h"

#include "core/channel.h"
#include "core/join.h"
#include "core/message.h"
#include "core/presence.h"
#include "core/roster.h"
#include "net/frame.h"
#include "server/home/channel_log.h"
#include "server/home/home_hook.h"
#include "server/protocol/event.h"
#include "server/shard/shard.h"

#include <assert.h>
#include <stdio.h>

#define POSITION_TEXT_BYTES 96

/* What is put together. */
struct greeting {
    struct event success;
    char position[POSITION_TEXT_BYTES]; /* the data of `success`, if it is asked for */
    const struct message *stored;       /* what was missed: first this, */
    const struct history *window;       /* then from here */
    uint32_t window_first;              /* the messages from this index on; NULL window: none */
    const struct message *kept;         /* a cache channel's; NULL: none */
    bool is_miss;                       /* and there should be one */
    struct event miss;
};

/* Where in the window the rest of what the client missed begins; false: not all of it is there, or it is too much. */
static bool find_missed(const struct shard *shard, const struct channel_log *log, const struct join *join,
                        struct greeting *greeting)
{
    const struct history *window = &log->window;
    uint64_t offset = join->recover.from.offset, bytes = 0;
    if (!position_is_set(&join->recover.from) || !channel_log_is_whole(log, &join->recover.from)) return false;
    if (join->stored != NULL) {
        offset = join->stored->offset;
        bytes = join->stored->frame_bytes[FORM_EVENT];
    }
    if (!history_has_all_behind(window, offset)) return false;
    uint32_t first = history_behind(window, offset);
    for (uint32_t i = first; i < window->count; i++) {
        bytes += history_at(window, i)->frame_bytes[FORM_EVENT];
        if (bytes > shard->options->replay_bytes_max) return false;
    }
    greeting->stored = join->stored;
    greeting->window = window;
    greeting->window_first = first;
    return true;
}

static bool recover(const struct shard *shard, const struct roster *roster, const struct join *join,
                    struct greeting *greeting)
{
    const struct channel_log *log = roster->log;
    if (!join->recover.is_asked || roster->rule == NULL) return false;
    bool is_known = log != NULL && log->state == LOG_READY && position_is_set(&log->window.last);
    if (!is_known) { /* nobody can say where it stands */
        if (position_is_set(&join->recover.from)) greeting->success.data = text_of("{\"recovered\":false}");
        return false;
    }
    const struct position *last = &log->window.last;
    bool is_recovered = find_missed(shard, log, join, greeting);
    int count =
        snprintf(greeting->position, sizeof greeting->position, "{\"offset\":%llu,\"epoch\":\"%s\",\"recovered\":%s}",
                 (unsigned long long)last->offset, last->epoch, is_recovered ? "true" : "false");
    greeting->success.data = (struct text){greeting->position, (size_t)count};
    return is_recovered;
}

static void choose(struct shard *shard, struct roster *roster, struct join *join, struct greeting *greeting)
{
    struct text channel = name_text(&roster->channel->name);
    *greeting = (struct greeting){
        .success = {.name = text_of("pusher_internal:subscription_succeeded"),
                    .channel = channel,
                    .data = text_of("{}"),
                    .members = roster->presence},
        .miss = {.name = text_of("pusher:cache_miss"), .channel = channel, .data = text_of("{}")},
    };
    join->is_recovered = recover(shard, roster, join, greeting);
    if (join->is_recovered) return; /* the event kept is among what was missed */
    greeting->kept = roster->kept;
    greeting->is_miss = roster->kept == NULL && roster->type.is_cache;
    if (greeting->is_miss) home_tell_miss(shard, roster);
}

static size_t greeting_bytes(const struct greeting *greeting)
{
    size_t bytes = event_frame_bytes(&greeting->success);
    if (greeting->stored != NULL) bytes += greeting->stored->frame_bytes[FORM_EVENT];
    for (uint32_t i = greeting->window_first; greeting->window != NULL && i < greeting->window->count; i++) {
        bytes += history_at(greeting->window, i)->frame_bytes[FORM_EVENT];
    }
    if (greeting->kept != NULL) bytes += greeting->kept->frame_bytes[FORM_EVENT];
    return greeting->is_miss ? bytes + event_frame_bytes(&greeting->miss) : bytes;
}

static void write(const struct greeting *greeting, uint8_t *to)
{
    to = event_frame_write(&greeting->success, to);
    if (greeting->stored != NULL) to = message_put_frame(greeting->stored, FORM_EVENT, to);
    for (uint32_t i = greeting->window_first; greeting->window != NULL && i < greeting->window->count; i++) {
        to = message_put_frame(history_at(greeting->window, i), FORM_EVENT, to);
    }
    if (greeting->kept != NULL) to = message_put_frame(greeting->kept, FORM_EVENT, to);
    if (greeting->is_miss) event_frame_write(&greeting->miss, to);
}

enum rc home_greeting(struct shard *shard, struct roster *roster, struct join *join, struct message **greeting_r)
{
    assert(owner_is_me(&shard->owner));
    struct greeting greeting;
    *greeting_r = NULL;
    if (roster->type.is_user) return RC_OK;
    choose(shard, roster, join, &greeting);
    *greeting_r =
        message_new_of(&shard->counters, &roster->channel->name, FORM_EVENT, (uint32_t)greeting_bytes(&greeting));
    if (*greeting_r == NULL) return RC_ENOMEM;
    write(&greeting, message_frame(*greeting_r, FORM_EVENT));
    return RC_OK;
}
