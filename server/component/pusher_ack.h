/* server/component/pusher_ack.h - publishing, and telling the client when that is done, if it wants to hear. */
#pragma once

#include <stdbool.h>

struct command;
struct message;
struct query;

#define SENTENCE_BYTES 320 /* of one that refuses, at most */

/* Asks the home of the query's channel; the answer comes to pusher_answered(). Takes over the query. */
void pusher_ask(const struct command *command, struct query *query);
/* Publishes, and tells the sender when that is done if the command has an id. Takes over a reference. */
void pusher_publish(const struct command *command, struct message *message);
/* Tells that a command's event is not published: whoever gave an id in an answer, others by pusher:error with that
 * code; printf-like. */
void pusher_refuse_event(const struct command *command, unsigned error_code, unsigned code, bool may_retry,
                         const char *format, ...) __attribute__((format(printf, 5, 6)));
/* A home has published what a command with an id asked for, or could not: tells the client. */
void pusher_published(const struct command *command, const struct query *query);
