/* bench/load/pusher.h - the Pusher protocol as a client and a backend speak it:
 * frames and requests written, events read.
 *
 * A test message is written in letters that JSON writes as they are, so that it is found without reading JSON;
 * everything else goes through yyjson. Backends publish it as an event's data; in client events it is a member of an
 * object, as some servers refuse those whose data is a string. Pure functions; nothing is kept. */
#pragma once

#include "core/rc.h"
#include "core/text.h"

#include <stdbool.h>
#include <stdint.h>

#define PUSHER_EVENT          "load"        /* the name of test messages */
#define PUSHER_CLIENT_EVENT   "client-load" /* and when clients send them */
#define PUSHER_MEMBER         "payload"     /* of a client event's data */
#define PUSHER_TEXT_BYTES_MAX 1024          /* of a frame or a request, without its payload */

/* The payload of an event of that name: its data, or a member of the object that its data is or has in a string. False:
 * something else. */
bool pusher_read_message(struct text message, const char *event, struct text *payload_r);

enum pusher_kind {
    PUSHER_ESTABLISHED, /* `text`: the socket id */
    PUSHER_SUBSCRIBED,
    PUSHER_PING,
    PUSHER_ERROR, /* `text`: what it says */
    PUSHER_OTHER, /* some event or none of our business */
    PUSHER_BAD,   /* no event at all */
};

struct pusher_event {
    enum pusher_kind kind;
    char text[256];
};

void pusher_read_event(struct text message, struct pusher_event *event_r);

/* Writes into to[PUSHER_TEXT_BYTES_MAX]; returns the bytes. A public channel needs no secret. RC_ENOMEM gives 0. */
size_t pusher_write_subscribe(char *to, const char *channel, const char *socket_id, struct text key,
                              struct text secret);
/* What stands before and behind a client event's payload. */
size_t pusher_write_client_head(char *to, const char *channel);
size_t pusher_write_client_tail(char *to);
/* What stands before and behind the payload in the body of a request to publish. */
size_t pusher_write_body_head(char *to, const char *channel);
size_t pusher_write_body_tail(char *to);
/* The head of a request to publish, signed at that time (seconds since 1970). */
size_t pusher_write_request(char *to, const char *host, struct text app_id, struct text key, struct text secret,
                            uint64_t now_s, struct text body);
