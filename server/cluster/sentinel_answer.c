/* server/cluster/sentinel_answer.c - SENTINEL MASTER. */
#include "server/cluster/sentinel_answer.h"

#include "core/text.h"

#include <string.h>

static bool is_string(const redisReply *reply)
{
    return reply != NULL && reply->type == REDIS_REPLY_STRING;
}

/* The value behind this name; .at is NULL: there is none. */
static struct text value_of(const redisReply *reply, const char *name)
{
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        const redisReply *key = reply->element[i], *value = reply->element[i + 1];
        if (!is_string(key) || !is_string(value) || strcmp(key->str, name) != 0) continue;
        return (struct text){.at = value->str, .count = value->len};
    }
    return (struct text){0};
}

enum rc sentinel_answer_read(const redisReply *reply, struct sentinel_answer *answer_r)
{
    struct sentinel_answer answer;
    uint64_t port;
    if (reply->type == REDIS_REPLY_ERROR || reply->type == REDIS_REPLY_NIL) return RC_ENOENT;
    if (reply->type != REDIS_REPLY_ARRAY) return RC_EPROTO;
    struct text host = value_of(reply, "ip");
    if (host.at == NULL || !text_is_number(value_of(reply, "port"), &port) || port > UINT16_MAX) return RC_EPROTO;
    if (!text_is_number(value_of(reply, "config-epoch"), &answer.epoch)) return RC_EPROTO;
    if (!redis_place_of(host.at, host.count, (uint16_t)port, &answer.place)) return RC_EPROTO;
    *answer_r = answer;
    return RC_OK;
}

const struct sentinel_answer *sentinel_answer_best(const struct sentinel_answer *answers, const bool *are_known,
                                                   uint32_t count)
{
    const struct sentinel_answer *best = NULL;
    for (uint32_t i = 0; i < count; i++)
        if (are_known[i] && (best == NULL || answers[i].epoch > best->epoch)) best = &answers[i];
    return best;
}
