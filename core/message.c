/* core/message.c - making, sharing and freeing of messages. */
#include "core/message.h"

#include "core/counters.h"
#include "core/tsan.h"

#include <assert.h>
#include <ck_pr.h>
#include <stdlib.h>

struct message *message_new(struct counters *counters, const struct name *channel,
                            const uint32_t frame_bytes[FORMS_MAX])
{
    size_t all_bytes = 0;
    for (enum form form = 0; form < FORMS_MAX; form++) {
        all_bytes += frame_bytes[form];
    }
    struct message *message = malloc(sizeof *message + channel->length + all_bytes);
    if (message == NULL) return NULL;
    char *text = (char *)(message + 1);
    memcpy(text, channel->text, channel->length);
    *message = (struct message){
        .references = 1,
        .channel = {.text = text, .length = channel->length, .app = channel->app, .hash = channel->hash},
        .frames = (uint8_t *)text + channel->length,
        .made_us = (uint32_t)counters->now_us,
    };
    memcpy(message->frame_bytes, frame_bytes, sizeof message->frame_bytes);
    counter_add(counters, COUNTER_messages_live, 1);
    return message;
}

struct message *message_new_of(struct counters *counters, const struct name *channel, enum form form,
                               uint32_t frame_bytes)
{
    assert(form < FORMS_MAX);
    uint32_t sizes[FORMS_MAX] = {0};
    sizes[form] = frame_bytes;
    return message_new(counters, channel, sizes);
}

void message_hold(struct message *message, uint32_t references)
{
    assert(ck_pr_load_uint(&message->references) > 0);
    ck_pr_add_uint(&message->references, references);
}

void message_drop(struct counters *counters, struct message *message)
{
    assert(ck_pr_load_uint(&message->references) > 0);
    /* The lone owner needs no atomic: nobody else can take a reference any more. */
    if (ck_pr_load_uint(&message->references) > 1) {
        bool is_last;
        TSAN_RELEASE(message);
        ck_pr_fence_release(); /* our reads of the frame come before anyone's free of it */
        ck_pr_dec_uint_zero(&message->references, &is_last);
        if (!is_last) return;
    }
    ck_pr_fence_acquire();
    TSAN_ACQUIRE(message);
    counter_subtract(counters, COUNTER_messages_live, 1);
    free(message);
}
