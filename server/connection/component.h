/* server/connection/component.h - a protocol: what is done with what clients say.
 *
 * The four calls are those of a Ratchet application. A component is chosen by the URL's path when a client asks for a
 * WebSocket; adding a protocol means a file that implements this and a row in server/http/router.c.
 * Threads:  each call comes on the connection's shard and must not block.
 * Order:    on_open once; on_subscribed or on_refused for each subscribe(); on_message for each whole message;
 *           on_goodbye when the server closes an open connection; on_error before on_close when something went wrong;
 *           on_close once, for every connection whose on_open said RC_OK: it takes back all subscriptions. */
#pragma once

#include "core/close_reason.h"
#include "core/rc.h"
#include "net/frame.h"
#include "net/http.h"

#include <stdbool.h>
#include <stdint.h>

struct connection;
struct join;
struct shard;

/* A whole message, unmasked; the bytes are the caller's and live during the call. */
struct payload {
    enum frame_opcode opcode; /* FRAME_TEXT (valid UTF-8) or FRAME_BINARY */
    const uint8_t *bytes;
    uint32_t count;
};

/* Why a WebSocket is refused before it begins: an HTTP status and a sentence of cause and cure. */
struct refusal {
    unsigned status;
    const char *text;
};

/* Whose a connection is. Views of what lives as long as the connection is open; empty: it is nobody's. */
struct identity {
    struct text app;  /* its ID */
    struct text user; /* who is signed in */
};

struct component {
    const char *name;
    bool judges_origin;    /* on_open looks at --origin itself, so that it can refuse in its own protocol */
    bool has_subprotocols; /* clients may have those of --subprotocol */
    bool is_throttled;     /* it calls throttle_count() for what clients say (server/connection/throttle.h) */
    /* Is this path (as sent, without query) this component's? */
    bool (*serves)(struct text path);
    /* RC_OK: the component has called receive_opened(), or will; the request is gone then. RC_EINVAL: refused,
     * *refusal_r says why. RC_ENOMEM: refused with 503. */
    enum rc (*on_open)(struct shard *shard, struct connection *connection, const struct http_request *request,
                       struct refusal *refusal_r);
    void (*on_message)(struct shard *shard, struct connection *connection, const struct payload *payload);
    /* The home of a channel has answered; the join lives during the call. */
    void (*on_subscribed)(struct shard *shard, struct connection *connection, const struct join *join);
    void (*on_refused)(struct shard *shard, struct connection *connection, const struct join *join);
    /* The peer will say nothing more. True: something that it has said, an echo or an answer, is still on its way back
     * to it, and connection_settled() is called when it is there, perhaps before this returns. */
    bool (*has_unanswered)(struct shard *shard, struct connection *connection);
    /* Until when this client has to have shown who it is; 0: it has, or need not. NULL: none need to. Asked now and
     * then; later it is closed as a CLOSE_STRANGER. */
    uint64_t (*stranger_until_ms)(const struct connection *connection);
    /* Last words before the close frame; NULL: none. The client is to come back after so many ms; 0: when it likes. */
    void (*on_goodbye)(struct shard *shard, struct connection *connection, enum close_reason reason,
                       uint32_t retry_after_ms);
    /* What the close frame says. */
    uint16_t (*close_code)(enum close_reason reason);
    /* Has its socket id this word of chance? Backends name sockets, and may guess. NULL: its clients have no socket id.
     */
    bool (*is_named)(const struct connection *connection, uint32_t random);
    /* The names are empty before. */
    void (*identify)(const struct shard *shard, const struct connection *connection, struct identity *identity_r);
    void (*on_error)(struct shard *shard, struct connection *connection, enum close_reason reason);
    void (*on_close)(struct shard *shard, struct connection *connection, enum close_reason reason);
};
