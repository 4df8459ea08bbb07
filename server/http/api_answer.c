/* server/http/api_answer.c - what a request to the API is answered. */
#include "server/http/api_answer.h"

#include "server/shard/shard.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

const struct api_refusal api_out_of_memory = {503, "The server is out of memory: try again later.", NULL};

void api_answer(struct shard *shard, struct connection *connection, unsigned status, const char *type,
                struct text body)
{
    assert(owner_is_me(&shard->owner));
    http_answer(shard, connection, status, type, body, NULL);
}

void api_refuse(struct shard *shard, struct connection *connection, const struct api_refusal *refusal)
{
    assert(owner_is_me(&shard->owner));
    char allow[40];
    const char *extra = NULL, *text = refusal->text;
    if (refusal->status == 405) {
        snprintf(allow, sizeof allow, "Allow: %s\r\n", refusal->text);
        extra = allow;
        text = "This method is not for this path.";
    } else if (refusal->status == 503) {
        extra = "Retry-After: 1\r\n";
    }
    counter_add(&shard->counters, COUNTER_http_refused, 1);
    char *body = malloc(strlen(text) + 1);
    struct text line = text_of("\n");
    if (body != NULL) {
        memcpy(body, text, strlen(text));
        body[strlen(text)] = '\n';
        line = (struct text){body, strlen(text) + 1};
    }
    http_answer(shard, connection, refusal->status, API_TEXT, line, extra);
    free(body);
    free(refusal->memory);
}
