/* server/control/command.h - for those who write commands (server/control/commands.h): arguments and answers. */
#pragma once

#include "core/text.h"
#include "net/http_request.h"
#include "net/json.h"

#include <stdbool.h>

#define COMMAND_ARGUMENT_BYTES_MAX 256

struct app;
struct connection;
struct name;
struct shard;

/* Answers with the document, which is freed. NULL: there is no memory for it, and the answer says so. */
void command_say(struct shard *shard, struct connection *connection, yyjson_mut_doc *document);
/* Says no; printf-like. */
void command_refuse(struct shard *shard, struct connection *connection, unsigned status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Copies the parameter `name` of the request, with a zero behind it. False: it is missing, too long, has control
 * characters or is badly encoded, and the answer says so. If it `may_be_missing`, it is "" then. */
bool command_argument(struct shard *shard, struct connection *connection, const struct http_request *request,
                      const char *name, bool may_be_missing, char text_r[COMMAND_ARGUMENT_BYTES_MAX + 1]);
/* The app that the parameter "app" names; the first one when it is missing. NULL: there is none, the answer says so. */
const struct app *command_app(struct shard *shard, struct connection *connection, const struct http_request *request);
/* The channel that the parameters "name" and "app" name; name_r points into text_r. False: there can be none, and the
 * answer says so. */
bool command_channel_name(struct shard *shard, struct connection *connection, const struct http_request *request,
                          char text_r[COMMAND_ARGUMENT_BYTES_MAX + 1], struct name *name_r);
