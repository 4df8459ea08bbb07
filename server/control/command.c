/* server/control/command.c - what all commands need: arguments, answers. */
#include "server/control/command.h"

#include "core/json_text.h"
#include "core/name.h"
#include "net/query_string.h"
#include "server/config/app.h"
#include "server/http/answer.h"
#include "server/shard/shard.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SENTENCE_BYTES_MAX 600
#define NO_STORE           "Cache-Control: no-store\r\n"

void command_refuse(struct shard *shard, struct connection *connection, unsigned status, const char *format, ...)
{
    assert(owner_is_me(&shard->owner));
    char sentence[SENTENCE_BYTES_MAX], body[6 * SENTENCE_BYTES_MAX + 20];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    counter_add(&shard->counters, COUNTER_http_refused, 1);
    char *to = text_put(body, text_of("{\"error\":\""));
    to = json_text_write(to, text_of(sentence));
    to = text_put(to, text_of("\"}"));
    http_answer(shard, connection, status, ANSWER_JSON, text_between(body, to), NO_STORE);
}

void command_say(struct shard *shard, struct connection *connection, yyjson_mut_doc *document)
{
    assert(owner_is_me(&shard->owner));
    size_t bytes = 0;
    char *text = document != NULL ? yyjson_mut_write(document, 0, &bytes) : NULL;
    if (text != NULL) {
        http_answer(shard, connection, 200, ANSWER_JSON, (struct text){text, bytes}, NO_STORE);
    } else {
        command_refuse(shard, connection, 503, "The server is out of memory: try again later.");
    }
    free(text);
    yyjson_mut_doc_free(document);
}

bool command_argument(struct shard *shard, struct connection *connection, const struct http_request *request,
                      const char *name, bool may_be_missing, char text_r[COMMAND_ARGUMENT_BYTES_MAX + 1])
{
    assert(owner_is_me(&shard->owner));
    struct query_string query;
    text_r[0] = '\0';
    enum rc rc = query_string_read(&query, request->query);
    if (rc != RC_OK) {
        command_refuse(shard, connection, rc == RC_ENOMEM ? 503 : 400,
                       rc == RC_ENOMEM ? "The server is out of memory: try again later."
                                       : "The query is badly encoded.");
        return false;
    }
    struct text value = query_string_get(&query, name);
    bool is_there = value.at != NULL && value.count > 0;
    bool is_good = value.count <= COMMAND_ARGUMENT_BYTES_MAX && (!is_there || !text_has_controls(value));
    if (is_there && is_good) {
        memcpy(text_r, value.at, value.count);
        text_r[value.count] = '\0';
    }
    query_string_fini(&query);
    if (is_good && (is_there || may_be_missing)) return true;
    command_refuse(shard, connection, 400,
                   is_good ? "The parameter %s is missing." : "The parameter %s is no text of 1 to 256 bytes.", name);
    return false;
}

const struct app *command_app(struct shard *shard, struct connection *connection, const struct http_request *request)
{
    assert(owner_is_me(&shard->owner));
    char id[COMMAND_ARGUMENT_BYTES_MAX + 1];
    const struct app_list *apps = &shard->options->app;
    if (!command_argument(shard, connection, request, "app", true, id)) return NULL;
    const struct app *app = id[0] == '\0' ? &apps->items[APP_OF_ROOMS] : app_of_id(apps, text_of(id));
    if (app == NULL) command_refuse(shard, connection, 404, "There is no app \"%s\": config get shows them.", id);
    return app;
}

bool command_channel_name(struct shard *shard, struct connection *connection, const struct http_request *request,
                          char text_r[COMMAND_ARGUMENT_BYTES_MAX + 1], struct name *name_r)
{
    if (!command_argument(shard, connection, request, "name", false, text_r)) return false;
    const struct app *app = command_app(shard, connection, request);
    if (app == NULL) return false;
    if (strlen(text_r) > NAME_BYTES_MAX) {
        command_refuse(shard, connection, 400, "A channel's name has 1 to %d characters.", NAME_BYTES_MAX);
        return false;
    }
    *name_r = name_of(app->index, text_of(text_r));
    return true;
}
