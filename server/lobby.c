/* server/lobby.c - rooms for clients that know no protocol but WebSocket. */
#include "server/lobby.h"

#include "core/message.h"
#include "server/publish.h"
#include "server/shard.h"

#define ROOM_PREFIX "/room/"
#define LOBBY_NAME  "lobby"

static bool lobby_serves(struct text path)
{
    return text_is(path, "/") || (path.count > strlen(ROOM_PREFIX) && text_has_prefix(path, ROOM_PREFIX));
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Takes percent-encoding off (RFC 3986 2.1): clients send "a@b" as it is or as "a%40b". Returns how many bytes it
 * became; one more than NAME_BYTES_MAX when it is longer or badly encoded, which no valid name is. */
static uint32_t decode(struct text text, char name[NAME_BYTES_MAX])
{
    uint32_t count = 0;
    for (size_t i = 0; i < text.count; i++) {
        if (count == NAME_BYTES_MAX) return NAME_BYTES_MAX + 1;
        char c = text.at[i];
        if (c == '%') {
            if (text.count - i < 3) return NAME_BYTES_MAX + 1;
            int high = hex_digit(text.at[i + 1]), low = hex_digit(text.at[i + 2]);
            if (high < 0 || low < 0) return NAME_BYTES_MAX + 1;
            c = (char)(high << 4 | low);
            i += 2;
        }
        name[count++] = c;
    }
    return count;
}

/* The room's name, or why it cannot be one. */
static bool room_name(struct text path, char name[NAME_BYTES_MAX], uint32_t *count_r, struct refusal *refusal)
{
    if (text_is(path, "/")) {
        *count_r = strlen(LOBBY_NAME);
        memcpy(name, LOBBY_NAME, *count_r);
        return true;
    }
    *count_r = decode(text_behind(path, strlen(ROOM_PREFIX)), name);
    if (!name_is_valid(name, *count_r)) {
        *refusal = (struct refusal){400, "A room's name has 1 to 200 characters of A-Z a-z 0-9 _ - = @ , . ;"};
        return false;
    }
    static const char *const reserved[] = {"private-", "presence-", "cache-"};
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        if (!text_has_prefix((struct text){name, *count_r}, reserved[i])) continue;
        *refusal = (struct refusal){403, "Names that begin with private-, presence- or cache- are no public rooms: "
                                         "choose another name."};
        return false;
    }
    return true;
}

bool lobby_has_room(struct text path, struct refusal *refusal_r)
{
    char name[NAME_BYTES_MAX];
    uint32_t count;
    return room_name(path, name, &count, refusal_r);
}

static enum rc lobby_on_open(struct shard *shard, struct connection *connection, const struct http_request *request,
                             struct refusal *refusal_r)
{
    char text[NAME_BYTES_MAX];
    uint32_t count;
    if (!room_name(request->path, text, &count, refusal_r)) return RC_EINVAL;
    struct name name = name_of(text, count);
    return publish_subscribe(shard, &name, connection);
}

static void lobby_on_message(struct shard *shard, struct connection *connection, const struct payload *payload)
{
    uint8_t header[FRAME_HEADER_BYTES_MAX];
    size_t header_bytes = frame_header_write(header, payload->opcode, payload->count);
    const struct name *room = &connection->subscription->channel->name;
    struct message *message = message_new(&shard->counters, room, (uint32_t)header_bytes + payload->count);
    if (message == NULL) {
        connection_close(shard, connection, CLOSE_NO_MEMORY);
        return;
    }
    memcpy(message->frame, header, header_bytes);
    if (payload->count > 0) memcpy(message->frame + header_bytes, payload->bytes, payload->count);
    message->publisher = (struct publisher){
        .shard = shard->index,
        .slot = shard_slot(shard, connection),
        .life = connection->life,
        .is_excluded = !shard->options->lobby_echo,
    };
    if (publish(shard, message) == RC_PENDING) connection_pause(shard, connection);
}

static void lobby_on_error(struct shard *shard, struct connection *connection, enum close_reason reason)
{
    log_debug("shard %u, connection %u: %s", shard->index, shard_slot(shard, connection), close_reason_text(reason));
}

static void lobby_on_close(struct shard *shard, struct connection *connection, enum close_reason reason)
{
    (void)reason;
    publish_unsubscribe(shard, connection);
}

const struct component lobby = {
    .name = "lobby",
    .serves = lobby_serves,
    .on_open = lobby_on_open,
    .on_message = lobby_on_message,
    .on_error = lobby_on_error,
    .on_close = lobby_on_close,
};
