/* server/shard/follow.c - a line for each step, as a letter. */
#include "server/shard/follow.h"

#include "core/query.h"
#include "core/span.h"
#include "server/shard/post.h"
#include "server/system/clock.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* May one more line be told now? */
static bool may_tell(struct shard *shard, struct follow *follow)
{
    uint64_t second = shard->now_ms / 1000;
    if (second != follow->second) follow->told = 0;
    follow->second = second;
    if (shard->post.waiting == 0 && follow->told < FOLLOW_LINES_A_SECOND) {
        follow->told++;
        return true;
    }
    follow->left_out++;
    return false;
}

void follow_tell(struct shard *shard, const char *format, ...)
{
    struct follow *follow = shard->follow;
    assert(owner_is_me(&shard->owner) && follow != NULL);
    if (!may_tell(shard, follow)) return;
    char head[100], step[FOLLOW_STEP_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    int count = vsnprintf(step, sizeof step, format, arguments);
    va_end(arguments);
    struct query *query = count >= 0 && (size_t)count < sizeof step ? query_new(QUERY_FOLLOW, &follow->name) : NULL;
    snprintf(head, sizeof head, "{\"at\":%llu,\"shard\":%u,\"left_out\":%u,", (unsigned long long)realtime_ms(),
             shard->index, follow->left_out);
    enum rc rc = query != NULL ? span_append_text(&query->text, text_of(head)) : RC_ENOMEM;
    if (rc == RC_OK) rc = span_append_text(&query->text, text_of(step));
    if (rc == RC_OK) rc = span_append_text(&query->text, text_of("}"));
    if (rc != RC_OK) {
        query_free(&shard->counters, query);
        follow->left_out++;
        return;
    }
    follow->left_out = 0;
    query->asker = QUERY_OF_OPERATOR;
    query->info = follow->number;
    post_send(shard, follow->to, LETTER_ANSWER, query);
}

void follow_take(struct shard *shard, struct query *query)
{
    assert(owner_is_me(&shard->owner) && query->name.length <= NAME_BYTES_MAX);
    query->rc = RC_OK;
    if (query->name.length == 0) {
        free(shard->follow);
        shard->follow = NULL;
    } else if (shard->follow == NULL) {
        shard->follow = malloc(sizeof *shard->follow);
        if (shard->follow == NULL) query->rc = RC_ENOMEM;
    }
    struct follow *follow = shard->follow;
    if (follow != NULL) {
        *follow = (struct follow){.name = query->name, .to = query->shard, .number = query->info};
        memcpy(follow->text, query->name.text, query->name.length);
        follow->name.text = follow->text;
    }
    post_send(shard, query->shard, LETTER_ANSWER, query);
}
