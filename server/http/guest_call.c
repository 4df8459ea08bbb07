/* server/http/guest_call.c - what guests ask for: an identity, and signatures that a backend would give.
 *
 * What is signed is put together here from pieces that were checked, never taken from a guest as a whole. */
#include "server/http/guest_private.h"

#include "core/channel_type.h"
#include "core/json_text.h"
#include "core/name.h"
#include "server/channel/publish.h"
#include "server/http/guest_token.h"
#include "server/protocol/auth.h"
#include "server/protocol/event.h"
#include "server/protocol/socket_id.h"
#include "server/protocol/user.h"
#include "server/shard/shard.h"

#define DIRECT_EVENT       "ringcast-direct"
#define GUEST_NAME_BYTES   160
#define IDENTITY_BYTES_MAX (64 + GUEST_ID_BYTES + 2 * GUEST_NAME_BYTES) /* channel_data, user_data */

static const struct guest_refusal out_of_memory = {503, "The server is out of memory: try again later"};
static const struct guest_refusal overloaded = {503, "The server is overloaded: try again in a moment"};
static const struct guest_refusal no_token = {401, "The token is missing or not valid: ask for one at /guests"};
static const struct guest_refusal no_socket_id = {
    400, "socket_id has to be two numbers with a point between, as the connection was given"};
static const struct guest_refusal no_name = {400, "name has to be 1 to 160 bytes without control characters"};
static const struct guest_refusal no_channel = {400, "channel_name has to be a channel's name"};
static const struct guest_refusal foreign_channel = {
    403, "Guests are let into presence- channels, and into private-direct-ID1,ID2 if they are one of the two"};
static const struct guest_refusal granted = {0};

/* Who asks, and how it wants to be called. */
struct guest {
    struct text id;
    struct text socket_id;
    struct text name;
};

static void put(struct guest_call *call, const char *text)
{
    call->to = text_put(call->to, text_of(text));
}

/* ---- reading ---- */

/* A member that has to be a string and is there once; else at == NULL. */
static struct text string_of(const struct guest_call *call, const char *name)
{
    yyjson_val *value;
    if (json_member(call->root, name, &value) != RC_OK || !yyjson_is_str(value)) return (struct text){0};
    return json_text(value);
}

static bool is_name(struct text text)
{
    return text.count > 0 && text.count <= GUEST_NAME_BYTES && !text_has_controls(text);
}

static struct guest_refusal read_guest(const struct guest_call *call, struct guest *guest)
{
    struct publisher publisher;
    enum rc rc = guest_token_read(call->app, string_of(call, "token"), &guest->id);
    if (rc == RC_ENOMEM) return out_of_memory;
    if (rc != RC_OK) return no_token;
    guest->socket_id = string_of(call, "socket_id");
    if (!socket_id_read(guest->socket_id, &publisher)) return no_socket_id;
    guest->name = string_of(call, "name");
    return is_name(guest->name) ? granted : no_name;
}

/* ---- an identity ---- */

/* Answers with the id of a token that is good, and with a new id else. */
struct guest_refusal guest_call_hello(struct guest_call *call)
{
    char memory[GUEST_ID_BYTES], token[GUEST_TOKEN_BYTES + 1];
    struct text id;
    enum rc rc = guest_token_read(call->app, string_of(call, "token"), &id);
    if (rc == RC_EINVAL) {
        guest_id_make(memory);
        id = (struct text){memory, sizeof memory};
        rc = RC_OK;
    }
    if (rc == RC_OK) rc = guest_token_write(call->app, id, token);
    if (rc != RC_OK) return out_of_memory;
    put(call, "{\"id\":\"");
    call->to = text_put(call->to, id);
    put(call, "\",\"token\":\"");
    put(call, token);
    put(call, "\"}");
    return granted;
}

/* ---- signatures ---- */

/* {"user_id":"ID","user_info":{"name":"NAME"}}; `memory` holds it. */
static struct text identity_of(const struct guest *guest, const char *id_member, char memory[IDENTITY_BYTES_MAX])
{
    char *to = text_put(text_put(text_put(memory, text_of("{\"")), text_of(id_member)), text_of("\":\""));
    to = text_put(text_put(to, guest->id), text_of("\",\"user_info\":{\"name\":\""));
    to = text_put(json_text_write(to, guest->name), text_of("\"}}"));
    return text_between(memory, to);
}

/* {"auth":"AUTH","MEMBER":"TEXT"}, the latter only if there is a text. */
static void put_auth(struct guest_call *call, const char *auth, const char *member, struct text text)
{
    put(call, "{\"auth\":\"");
    put(call, auth);
    if (text.at != NULL) {
        put(call, "\",\"");
        put(call, member);
        put(call, "\":\"");
        call->to = json_text_write(call->to, text);
    }
    put(call, "\"}");
}

struct guest_refusal guest_call_sign_in(struct guest_call *call)
{
    char memory[IDENTITY_BYTES_MAX], auth[AUTH_BYTES_MAX];
    struct guest guest;
    struct guest_refusal refusal = read_guest(call, &guest);
    if (refusal.status != 0) return refusal;
    struct text user_data = identity_of(&guest, "id", memory);
    if (auth_sign_user(call->app, guest.socket_id, user_data, auth) != RC_OK) return out_of_memory;
    put_auth(call, auth, "user_data", user_data);
    return granted;
}

static struct guest_refusal sign_channel(struct guest_call *call, const struct guest *guest, struct text channel,
                                         struct text channel_data)
{
    char auth[AUTH_BYTES_MAX];
    if (auth_sign_channel(call->app, guest->socket_id, channel, channel_data, auth) != RC_OK) return out_of_memory;
    put_auth(call, auth, "channel_data", channel_data);
    return granted;
}

/* ---- direct messages ---- */

/* Of private-direct-ID1,ID2 the one who is not `id`, if `id` is one of the two. Only in ascending order, so that the
 * two of them have one channel. */
static bool find_other(struct text channel, struct text id, struct text *other_r)
{
    struct text ids = text_behind(channel, strlen(CHANNEL_DIRECT_PREFIX));
    if (ids.count != 2 * GUEST_ID_BYTES + 1 || ids.at[GUEST_ID_BYTES] != ',') return false;
    struct text first = {ids.at, GUEST_ID_BYTES}, second = text_behind(ids, GUEST_ID_BYTES + 1);
    if (!guest_id_is_valid(first) || !guest_id_is_valid(second)) return false;
    if (memcmp(first.at, second.at, GUEST_ID_BYTES) >= 0) return false;
    *other_r = text_equals(first, id) ? second : first;
    return text_equals(first, id) || text_equals(second, id);
}

/* Tells the other one on all its connections; if it is not signed in, nobody hears. */
static enum rc invite(struct guest_call *call, const struct guest *guest, struct text channel, struct text other)
{
    char memory[NAME_BYTES_MAX], data[NAME_BYTES_MAX + IDENTITY_BYTES_MAX];
    struct name name;
    char *to = text_put(text_put(data, text_of("{\"channel\":\"")), channel);
    to = text_put(text_put(to, text_of("\",\"from\":{\"id\":\"")), guest->id);
    to = json_text_write(text_put(to, text_of("\",\"name\":\"")), guest->name);
    to = text_put(to, text_of("\"}}"));
    if (!user_channel(call->app, other, memory, &name)) return RC_EINVAL;
    struct event event = {.name = text_of(DIRECT_EVENT), .data = text_between(data, to)};
    struct message *message = event_message(&call->shard->counters, &name, &event);
    if (message == NULL) return RC_ENOMEM;
    message->origin = ORIGIN_GUEST;
    publish(call->shard, message); /* that it may have to wait was looked at before */
    return RC_OK;
}

static struct guest_refusal sign_direct(struct guest_call *call, const struct guest *guest, struct text channel)
{
    struct text other;
    if (!find_other(channel, guest->id, &other)) return foreign_channel;
    if (shard_is_overloaded(call->shard)) return overloaded;
    struct guest_refusal refusal = sign_channel(call, guest, channel, (struct text){0});
    if (refusal.status == 0 && invite(call, guest, channel, other) != RC_OK) return out_of_memory;
    return refusal;
}

struct guest_refusal guest_call_auth(struct guest_call *call)
{
    char memory[IDENTITY_BYTES_MAX];
    struct guest guest;
    struct guest_refusal refusal = read_guest(call, &guest);
    if (refusal.status != 0) return refusal;
    struct text channel = string_of(call, "channel_name");
    if (channel.at == NULL || !name_is_valid(channel)) return no_channel;
    if (text_has_prefix(channel, CHANNEL_DIRECT_PREFIX)) return sign_direct(call, &guest, channel);
    if (!channel_type_of(channel).is_presence) return foreign_channel;
    return sign_channel(call, &guest, channel, identity_of(&guest, "user_id", memory));
}
