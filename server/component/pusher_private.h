/* server/component/pusher_private.h - what the files of the component pusher share; nobody else includes it. */
#pragma once

#include "core/join.h"
#include "net/json.h"
#include "server/component/pusher.h"
#include "server/config/app.h"
#include "server/connection/connection.h"
#include "server/protocol/event.h"
#include "server/protocol/socket_id.h"
#include "server/protocol/user.h"
#include "server/shard/shard.h"

#define CODE_NONE         0 /* told as null: an error that has no code of its own */
#define CODE_UNAUTHORIZED 4009
#define CODE_CLIENT_EVENT 4301
#define CODE_WATCHLIST    4302
#define CODE_MALFORMED    400 /* of answers to what has an id of its own; the protocol has no codes for these */
#define CODE_FORBIDDEN    403
#define CODE_NO_HISTORY   404
#define CODE_UNAVAILABLE  503

/* A frame of a client, read. */
struct command {
    struct shard *shard;
    struct connection *connection;
    struct pusher *pusher;
    const struct payload *payload; /* all of it, as it came; NULL: an answer of a home */
    struct text event;             /* its name */
    struct text channel;           /* beside the data; at == NULL: none */
    struct text id;       /* of a client event: its sender wants to hear that it was published; at == NULL: not */
    bool has_bad_channel; /* no string, or twice: for whoever has a use for it to tell */
    bool has_bad_id;
    bool has_bad_data; /* twice */
    yyjson_val *data;  /* NULL: none */
};

/* Says pusher:error; printf-like. */
void pusher_error(const struct command *command, unsigned code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Says an event; `channel` with at == NULL: of no channel. */
void pusher_say(const struct command *command, const char *event, struct text channel, struct text data);

/* A home has answered, and the client was told: if it has closed and this was the last answer, it ends. */
void pusher_heard_answer(struct shard *shard, struct connection *connection);

/* The connection's socket id; `memory` holds it. */
struct text pusher_socket_id(const struct shard *shard, const struct connection *connection,
                             char memory[SOCKET_ID_BYTES_MAX]);

/* A member of an object that has to be a string. RC_OK, RC_ENOENT (absent or null), or RC_EPROTO: twice, or no
 * string. */
enum rc pusher_string(yyjson_val *object, const char *name, struct text *text_r);

/* pusher_subscribe.c */
/* The connection's subscription, in which the home has let it; NULL: none. */
const struct subscription *pusher_subscription(const struct command *command, struct text channel);
/* Counts a subscription, or a question as expensive; true: it is one too many. */
bool pusher_asks_too_fast(const struct command *command);
void pusher_subscribe(const struct command *command);
void pusher_unsubscribe(const struct command *command);
void pusher_subscribe_refused(const struct command *command, const struct join *join);

/* pusher_event.c */
void pusher_client_event(const struct command *command);
/* The same for a room, whose raw clients get the data as a text. */
void pusher_room_event(const struct command *command);

/* pusher_history.c */
void pusher_history(const struct command *command);
/* Publishes, and tells the sender when that is done if the command has an id. Takes over a reference. */
void pusher_publish(const struct command *command, struct message *message);
/* It is not published: tells whoever gave an id in an answer, others by pusher:error with that code; printf-like. */
void pusher_refuse_event(const struct command *command, unsigned error_code, unsigned code, bool may_retry,
                         const char *format, ...) __attribute__((format(printf, 5, 6)));

/* pusher_user.c */
struct user {
    struct text id;
    struct text info;  /* JSON; at == NULL: none */
    struct text data;  /* user_data as it came */
    bool is_signed_in; /* the home has answered */
};

void pusher_sign_in(const struct command *command);
/* A home has answered a subscription that sign-in brought along. */
void pusher_signed_in(const struct command *command);
void pusher_watching(const struct command *command, const struct join *join);
void pusher_free_user(struct pusher *pusher);
