/* server/component/lobby.c - rooms for clients that know no protocol but WebSocket. */
#include "server/component/lobby.h"

#include "core/channel.h"
#include "core/channel_type.h"
#include "core/join.h"
#include "core/message.h"
#include "core/query.h"
#include "net/base64.h"
#include "net/query_string.h"
#include "net/utf8.h"
#include "server/channel/publish.h"
#include "server/channel/subscribe.h"
#include "server/config/app.h"
#include "server/connection/connection.h"
#include "server/connection/opening.h"
#include "server/connection/reading.h"
#include "server/connection/receive.h"
#include "server/connection/throttle.h"
#include "server/shard/post.h"
#include "server/shard/shard.h"

#include <assert.h>

#define ROOM_PREFIX "/room/"
#define LOBBY_NAME  "lobby"

#define ROOM_BYTES_MAX      (3 * NAME_BYTES_MAX) /* each character percent-encoded */
#define ROOM_TEXT_BYTES_MAX 141u                 /* in base64 with "presence-" before it, it is a channel's name */

static bool lobby_serves(struct text path)
{
    return text_is(path, "/") || (path.count > strlen(ROOM_PREFIX) && text_has_prefix(path, ROOM_PREFIX));
}

/* Letters of any script, spaces within, and what names of channels have. */
static bool is_room_text(struct text name)
{
    struct utf8 utf8 = {0};
    if (name.count == 0 || name.count > ROOM_TEXT_BYTES_MAX) return false;
    if (name.at[0] == ' ' || name.at[name.count - 1] == ' ') return false;
    for (size_t i = 0; i < name.count; i++) {
        bool is_ascii = (uint8_t)name.at[i] < 0x80;
        if (is_ascii && name.at[i] != ' ' && !name_is_valid((struct text){name.at + i, 1})) return false;
    }
    return utf8_check(&utf8, (const uint8_t *)name.at, name.count) && utf8_is_complete(&utf8);
}

/* Puts the name of the channel, which has other letters, in place of a room's text. */
static bool name_text_room(struct text *name, char memory[ROOM_BYTES_MAX])
{
    char letters[BASE64URL_ROOM(ROOM_TEXT_BYTES_MAX)];
    if (!is_room_text(*name)) return false;
    size_t count = base64url_write(letters, *name);
    memory[0] = '=';
    memcpy(memory + 1, letters, count);
    *name = (struct text){memory, count + 1};
    return true;
}

/* The name of the room's channel, or why there can be none. */
static bool room_name(struct text path, char memory[ROOM_BYTES_MAX], struct text *name_r, struct refusal *refusal)
{
    if (text_is(path, "/")) {
        *name_r = text_of(LOBBY_NAME);
        return true;
    }
    /* Clients send "a@b" as it is or as "a%40b". */
    struct text rest = text_behind(path, strlen(ROOM_PREFIX));
    size_t count = rest.count <= ROOM_BYTES_MAX ? percent_decode(rest, memory) : SIZE_MAX;
    *name_r = (struct text){memory, count};
    if (!name_is_valid(*name_r) && !name_text_room(name_r, memory)) {
        *refusal =
            (struct refusal){400, "A room's name has 1 to 200 characters of A-Z a-z 0-9 _ - = @ , . ; or, with "
                                  "letters of any script and spaces between them, up to 141 bytes of UTF-8."};
        return false;
    }
    if (!channel_type_is_public(channel_type_of(*name_r))) {
        *refusal = (struct refusal){403, "Names that begin with private-, presence- or cache- are no public rooms: "
                                         "choose another name."};
        return false;
    }
    return true;
}

bool lobby_has_room(struct text path, struct refusal *refusal_r)
{
    char memory[ROOM_BYTES_MAX];
    struct text name;
    return room_name(path, memory, &name, refusal_r);
}

static enum rc lobby_on_open(struct shard *shard, struct connection *connection, const struct http_request *request,
                             struct refusal *refusal_r)
{
    char memory[ROOM_BYTES_MAX];
    struct text name;
    if (!room_name(request->path, memory, &name, refusal_r)) return RC_EINVAL;
    enum close_reason reason = opening_judge_app(shard, shard_app(shard, APP_OF_ROOMS), connection, request);
    if (reason != CLOSE_NONE) {
        receive_opened(shard, connection); /* a browser tells its page of closes, not of refusals */
        connection_close(shard, connection, reason);
        return RC_OK;
    }
    struct join_wish wish = {.channel = name_of(APP_OF_ROOMS, name), .form = FORM_RAW};
    enum rc rc = subscribe(shard, connection, &wish);
    return rc_is_error(rc) ? rc : RC_OK;
}

/* In the room: from here on it misses nothing, which its 101 tells. */
static void lobby_on_subscribed(struct shard *shard, struct connection *connection, const struct join *join)
{
    (void)join;
    receive_opened(shard, connection);
}

static void lobby_on_refused(struct shard *shard, struct connection *connection, const struct join *join)
{
    if (join->rc == RC_ECLUSTER) {
        connection_open(shard, connection); /* its page is told of closes, not of refusals */
        if (connection->state == CONNECTION_OPEN) connection_close(shard, connection, CLOSE_NO_CLUSTER);
    } else { /* nothing else but memory keeps anyone out of a room */
        connection_finish(shard, connection, CLOSE_NO_MEMORY);
    }
}

static void lobby_on_message(struct shard *shard, struct connection *connection, const struct payload *payload)
{
    uint8_t header[FRAME_HEADER_BYTES_MAX];
    size_t header_bytes = frame_header_write(header, payload->opcode, payload->count);
    const struct name *room = &connection->subscriptions->channel->name;
    struct message *message =
        message_new_of(&shard->counters, room, FORM_RAW, (uint32_t)header_bytes + payload->count);
    if (message == NULL) {
        connection_close(shard, connection, CLOSE_NO_MEMORY);
        return;
    }
    uint8_t *frame = message_frame(message, FORM_RAW);
    memcpy(frame, header, header_bytes);
    if (payload->count > 0) memcpy(frame + header_bytes, payload->bytes, payload->count);
    message->origin = ORIGIN_ROOM;
    message->publisher = (struct publisher){
        .shard = shard->index,
        .slot = shard_slot(shard, connection),
        .life = connection->life,
        .is_excluded = !shard->options->lobby_echo,
    };
    if (publish(shard, message) == RC_PENDING) reading_pause(shard, connection);
    if (connection->state == CONNECTION_OPEN && throttle_count(shard, connection, payload->count) != RC_OK) {
        connection_close(shard, connection, CLOSE_NO_MEMORY);
    }
}

/* With echo a connection's own words come back to it, from the room's home; the answer to this question comes behind
 * them. Without memory it ends without them. */
static bool lobby_has_unanswered(struct shard *shard, struct connection *connection)
{
    if (!shard->options->lobby_echo) return false;
    const struct name *room = &connection->subscriptions->channel->name;
    struct query *query = query_new_behind(&shard->counters, room);
    if (query != NULL) post_ask(shard, shard_slot(shard, connection), connection->life, QUERY_OF_ROOM, query);
    return query != NULL;
}

void lobby_answered(struct shard *shard, struct query *query)
{
    assert(owner_is_me(&shard->owner));
    struct connection *connection = &shard->connections[query->slot];
    if (connection->life == query->serial) connection_settled(shard, connection);
    query_free(&shard->counters, query);
}

static void lobby_identify(const struct shard *shard, const struct connection *connection,
                           struct identity *identity_r)
{
    (void)connection;
    identity_r->app = text_of(shard_app(shard, APP_OF_ROOMS)->id);
}

static void lobby_on_error(struct shard *shard, struct connection *connection, enum close_reason reason)
{
    log_debug("shard %u, connection %u: %s", shard->index, shard_slot(shard, connection), close_reason_text(reason));
}

static void lobby_on_close(struct shard *shard, struct connection *connection, enum close_reason reason)
{
    (void)reason;
    if (throttle_end(shard, connection)) reading_go_on(shard, connection);
    unsubscribe_all(shard, connection);
}

const struct component component_lobby = {
    .name = "lobby",
    .has_subprotocols = true,
    .is_throttled = true,
    .serves = lobby_serves,
    .on_open = lobby_on_open,
    .on_message = lobby_on_message,
    .on_subscribed = lobby_on_subscribed,
    .has_unanswered = lobby_has_unanswered,
    .on_refused = lobby_on_refused,
    .close_code = close_reason_code,
    .identify = lobby_identify,
    .on_error = lobby_on_error,
    .on_close = lobby_on_close,
};
