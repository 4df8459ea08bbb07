/* server/cluster/people_way.h - the way from server/cluster/people.h to Redis and to the homes. */
#pragma once

#include "core/rc.h"
#include "core/text.h"

#include <stddef.h>

struct people_event;
struct people_job;
struct redisReply;

/* The answer; NULL: the connection ended, and nobody knows whether it was done. Called exactly once. */
typedef void people_answer(void *context, const struct redisReply *reply);

struct people_way {
    /* A command behind those sent before; texts are copied. Not RC_OK: not sent. */
    enum rc (*send)(void *self, const struct text *words, size_t count, people_answer *answer, void *context);
    /* Takes over the event, which is for event->item.shard. */
    void (*tell)(void *self, struct people_event *event);
    /* The job is its asker's again. */
    void (*answer)(void *self, struct people_job *job);
    void *self;
};
