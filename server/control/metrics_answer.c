/* server/control/metrics_answer.c - a text written to memory, then said. */
#include "server/control/metrics_answer.h"

#include "net/http_request.h"
#include "server/http/answer.h"
#include "server/http/request.h"
#include "server/metrics/metrics.h"
#include "server/metrics/stats.h"
#include "server/shard/shard.h"

#include <assert.h>
#include <stdlib.h>

#define NEVER_KEPT "Cache-Control: no-store\r\n"

static void say(struct shard *shard, struct connection *connection, const char *type, FILE *out, char **text,
                const size_t *bytes)
{
    if (out == NULL || fclose(out) != 0) {
        answer_refuse(shard, connection, 503, request_malformed_text(503), "Retry-After: 1\r\n");
    } else {
        http_answer(shard, connection, 200, type, (struct text){*text, *bytes}, NEVER_KEPT);
    }
    free(*text);
}

void metrics_answer(struct shard *shard, struct connection *connection, const struct http_request *request)
{
    assert(owner_is_me(&shard->owner));
    enum exposition_format format = exposition_format_of(http_request_header(request, "accept"));
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    if (out != NULL) metrics_write(out, shard, format);
    say(shard, connection, exposition_type_of(format), out, &text, &bytes);
}

void stats_answer(struct shard *shard, struct connection *connection, const struct http_request *request)
{
    assert(owner_is_me(&shard->owner));
    (void)request;
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    if (out != NULL) stats_write(out, shard);
    say(shard, connection, ANSWER_JSON, out, &text, &bytes);
}
