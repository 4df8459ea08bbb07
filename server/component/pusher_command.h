/* server/component/pusher_command.h - a frame of a channel client, read; what is said to that client, and how. */
#pragma once

#include "core/rc.h"
#include "core/text.h"
#include "net/json.h"
#include "server/protocol/socket_id.h"

#include <stdbool.h>
#include <stdint.h>

struct app;
struct connection;
struct payload;
struct shard;

#define CODE_NONE         0 /* told as null: an error that has no code of its own */
#define CODE_UNAUTHORIZED 4009
#define CODE_CLIENT_EVENT 4301
#define CODE_WATCHLIST    4302
#define CODE_MALFORMED    400 /* of answers to what has an id of its own; the protocol has no codes for these */
#define CODE_FORBIDDEN    403
#define CODE_NO_HISTORY   404
#define CODE_UNAVAILABLE  503

/* Who is signed in, or about to be. */
struct user {
    struct text id;
    struct text info;  /* JSON; at == NULL: none */
    struct text data;  /* user_data as it came */
    bool is_signed_in; /* the home has answered */
};

/* What a channel connection has besides (connection->pusher); from the shard's pool. */
struct pusher {
    struct user *user; /* signed in, or about to be; NULL: not */
    uint32_t random;   /* of its socket id */
    bool has_app;      /* else it is being refused */
    uint16_t app;      /* its index */
    uint16_t channels; /* it subscribes to, without those that sign-in brings along */
    uint16_t watches;  /* of its watchlist that no home has answered yet */
    uint32_t asked;    /* of homes, that no home has answered yet */
    uint32_t events;   /* client events in the second that began at events_ms */
    uint64_t events_ms;
    uint32_t subscribes; /* in the window that began at subscribes_ms */
    uint64_t subscribes_ms;
    uint64_t stranger_until_ms; /* 0: it has shown who it is, or need not */
};

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

/* The connection's app, as it is in this turn. */
const struct app *pusher_app(const struct command *command);

/* Says pusher:error; printf-like. */
void pusher_error(const struct command *command, unsigned code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Says an event; `channel` with at == NULL: of no channel. */
void pusher_say(const struct command *command, const char *event, struct text channel, struct text data);

/* May the client ask for what may be long (server/connection/long_answer.h)? If not, the command is over: it comes
 * again later, or the connection is closed for want of memory. */
bool pusher_may_ask(const struct command *command);

/* The connection's socket id; `memory` holds it. */
struct text pusher_socket_id(const struct shard *shard, const struct connection *connection,
                             char memory[SOCKET_ID_BYTES_MAX]);

/* A member of an object that has to be a string. RC_OK, RC_ENOENT (absent or null), or RC_EPROTO: twice, or no
 * string. */
enum rc pusher_string(yyjson_val *object, const char *name, struct text *text_r);
