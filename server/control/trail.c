/* server/control/trail.c - a ring of lines, and who asks for them. */
#include "server/control/trail.h"

#include "core/letter.h"
#include "core/query.h"
#include "core/span.h"
#include "server/config/app.h"
#include "server/connection/connection.h"
#include "server/control/command.h"
#include "server/control/commands.h"
#include "server/http/answer.h"
#include "server/http/api_answer.h"
#include "server/http/api_call.h"
#include "server/protocol/user.h"
#include "server/shard/post.h"
#include "server/shard/shard.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_STORE "Cache-Control: no-store\r\n"

struct trail {
    unsigned number; /* of this one; 0: there was none */
    bool is_on;
    uint64_t asked_ms;
    uint64_t first, next; /* lines from first to before next are here */
    struct span *lines[TRAIL_LINES_MAX];
};

static struct span **line_at(struct trail *trail, uint64_t index)
{
    return &trail->lines[index % TRAIL_LINES_MAX];
}

static void clear(struct trail *trail)
{
    for (; trail->first < trail->next; trail->first++)
        span_free(line_at(trail, trail->first));
}

/* ---- what shards tell ---- */

void trail_take(struct shard *shard, struct query *query)
{
    assert(owner_is_me(&shard->owner));
    struct trail *trail = shard->control.trail;
    if (trail != NULL && trail->is_on && trail->number == query->info) {
        if (trail->next - trail->first == TRAIL_LINES_MAX) span_free(line_at(trail, trail->first++));
        *line_at(trail, trail->next++) = query->text;
        query->text = NULL;
    }
    query_free(&shard->counters, query);
}

void trail_look(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    static const struct name nothing = {.text = ""};
    struct trail *trail = shard->control.trail;
    if (trail == NULL || !trail->is_on || shard->now_ms < trail->asked_ms + TRAIL_MS) return;
    trail->is_on = false;
    clear(trail);
    for (uint32_t i = 0; i < shard->hub.homes; i++) {
        struct query *query = query_new(QUERY_FOLLOW, &nothing);
        if (query == NULL) continue; /* that shard goes on telling, and is not heard */
        query->shard = shard->index;
        post_send(shard, i, LETTER_ASK, query); /* its answer finds nobody */
    }
}

void trail_free(struct shard *shard)
{
    if (shard->control.trail != NULL) clear(shard->control.trail);
    free(shard->control.trail);
    shard->control.trail = NULL;
}

/* ---- who asks ---- */

static enum rc compose_begun(const struct api_call *call, struct span **body)
{
    char text[80];
    snprintf(text, sizeof text, "{\"trail\":%u,\"next\":0,\"left_out\":0,\"events\":[]}", call->info);
    return api_append(body, text);
}

static struct api_call *new_call(struct shard *shard, const struct name *name, unsigned number)
{
    struct api_call *call = api_call_new(shard, shard->hub.homes);
    for (uint32_t i = 0; call != NULL && i < call->parts_count; i++) {
        call->parts[i] = query_new(QUERY_FOLLOW, name);
        if (call->parts[i] == NULL) {
            api_call_free(&shard->counters, call);
            return NULL;
        }
        call->parts[i]->info = number;
    }
    if (call != NULL) call->compose = compose_begun;
    if (call != NULL) call->info = number;
    return call;
}

static void begin(struct shard *shard, struct connection *connection, const struct name *name)
{
    struct trail *trail = shard->control.trail;
    if (trail == NULL) trail = shard->control.trail = calloc(1, sizeof *trail);
    if (trail != NULL && trail->is_on) {
        command_refuse(shard, connection, 503,
                       "Another trace is under way: there is one at a time. One that was ended is over "
                       "within %d seconds.",
                       TRAIL_MS / 1000);
        return;
    }
    struct api_call *call = trail != NULL ? new_call(shard, name, trail->number + 1) : NULL;
    if (call == NULL) {
        command_refuse(shard, connection, 503, "The server is out of memory: try again later.");
        return;
    }
    trail->number++;
    trail->is_on = true;
    trail->asked_ms = shard->now_ms;
    trail->first = trail->next = 0;
    api_ask(&(struct api_request){.shard = shard, .connection = connection}, call);
}

/* What was told since. */
static enum rc write_lines(struct trail *trail, uint64_t after, struct span **body)
{
    char text[120];
    uint64_t left_out = after < trail->first ? trail->first - after : 0;
    uint64_t from = after < trail->first ? trail->first : after;
    snprintf(text, sizeof text, "{\"trail\":%u,\"next\":%llu,\"left_out\":%llu,\"events\":[", trail->number,
             (unsigned long long)trail->next, (unsigned long long)left_out);
    enum rc rc = api_append(body, text);
    for (uint64_t i = from; i < trail->next && rc == RC_OK; i++) {
        const struct span *line = *line_at(trail, i);
        if (i > from) rc = api_append(body, ",");
        if (rc == RC_OK) rc = span_append(body, line->bytes, line->count);
    }
    return rc == RC_OK ? api_append(body, "]}") : rc;
}

static void go_on(struct shard *shard, struct connection *connection, uint64_t number, uint64_t after)
{
    struct trail *trail = shard->control.trail;
    struct span *body = NULL;
    if (trail == NULL || !trail->is_on || trail->number != number || after > trail->next) {
        command_refuse(shard, connection, 404, "This trace has ended: nobody asked for it for five seconds.");
        return;
    }
    trail->asked_ms = shard->now_ms;
    if (write_lines(trail, after, &body) == RC_OK) {
        http_answer(shard, connection, 200, ANSWER_JSON, (struct text){(const char *)body->bytes, body->count},
                    NO_STORE);
    } else {
        command_refuse(shard, connection, 503, "The server is out of memory: try again later.");
    }
    span_free(&body);
}

/* name: what is followed from now on, unless the request is about a trail that is there. */
static void answer(struct shard *shard, struct connection *connection, const struct http_request *request,
                   const struct name *name)
{
    char number_text[COMMAND_ARGUMENT_BYTES_MAX + 1], after_text[COMMAND_ARGUMENT_BYTES_MAX + 1];
    uint64_t number, after;
    if (!command_argument(shard, connection, request, "trail", true, number_text)) return;
    if (!command_argument(shard, connection, request, "after", true, after_text)) return;
    if (number_text[0] == '\0') {
        begin(shard, connection, name);
    } else if (text_is_number(text_of(number_text), &number) && text_is_number(text_of(after_text), &after)) {
        go_on(shard, connection, number, after);
    } else {
        command_refuse(shard, connection, 400, "The parameters trail and after are numbers.");
    }
}

void command_trace_channel(struct shard *shard, struct connection *connection, const struct http_request *request)
{
    assert(owner_is_me(&shard->owner));
    char text[COMMAND_ARGUMENT_BYTES_MAX + 1];
    struct name name;
    if (!command_channel_name(shard, connection, request, text, &name)) return;
    answer(shard, connection, request, &name);
}

void command_trace_user(struct shard *shard, struct connection *connection, const struct http_request *request)
{
    assert(owner_is_me(&shard->owner));
    char text[COMMAND_ARGUMENT_BYTES_MAX + 1], memory[NAME_BYTES_MAX];
    struct name name;
    if (!command_argument(shard, connection, request, "id", false, text)) return;
    const struct app *app = command_app(shard, connection, request);
    if (app == NULL) return;
    if (!user_channel(app, text_of(text), memory, &name)) {
        command_refuse(shard, connection, 400, "A user's id has 1 to %d bytes of UTF-8.", USER_ID_BYTES_MAX);
        return;
    }
    answer(shard, connection, request, &name);
}
