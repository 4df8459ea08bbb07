/* server/component/pusher_subscribe.c - subscribing to channels: who may, as whom,
 * and what is said when it may not be. */
#include "server/component/pusher_subscribe.h"

#include "core/channel.h"
#include "core/channel_type.h"
#include "core/join.h"
#include "core/json_text.h"
#include "server/channel/subscribe.h"
#include "server/component/pusher_command.h"
#include "server/config/app.h"
#include "server/connection/connection.h"
#include "server/connection/reading.h"
#include "server/protocol/auth.h"
#include "server/protocol/user.h"
#include "server/shard/shard.h"

#include <stdio.h>
#include <stdlib.h>

#define WINDOW_MS 10000 /* in which a connection may subscribe twice to as many channels as it may have */

/* What a client asks for. */
struct asked {
    struct text channel;
    struct channel_type type;
    struct text channel_data; /* at == NULL: none */
    struct recover recover;
};

/* Why a client may not have a channel. */
struct refusal_text {
    const char *type;
    unsigned status;
    const char *text; /* needs no escapes; NULL: it may */
};

static const struct refusal_text granted = {0};
static const struct refusal_text no_name = {
    "BadRequest", 400, "Invalid channel name: use 1 to 200 characters of A-Z a-z 0-9 _ - = @ , . ;"};
static const struct refusal_text no_position = {
    "BadRequest", 400, "recover has to be true, or an object with epoch and offset as they were told"};
static const struct refusal_text not_signed_in = {"AuthError", 401, "Sign in as this user first"};
static const struct refusal_text no_member = {"AuthError", 401,
                                              "A presence channel needs channel_data, or a user who is signed in"};
static const struct refusal_text too_large = {"LimitReached", 4301,
                                              "user_info is larger than the app permits (member_bytes_max)"};
static const struct refusal_text crowded = {"LimitReached", 4100,
                                            "The channel has as many members as the app permits (members_max)"};
static const struct refusal_text too_many = {
    "LimitReached", 4100, "The connection subscribes to as many channels as the app permits (channels_max)"};
static const struct refusal_text too_fast = {
    "LimitReached", 4301, "The connection subscribes and unsubscribes too often: wait ten seconds"};
static const struct refusal_text no_memory = {"ServerError", 500, "The server is out of memory: try again"};

/* NULL: granted. */
static struct refusal_text auth_error(const char *text)
{
    return (struct refusal_text){"AuthError", 401, text};
}

/* Clients look for either of two events: the channel's own, and the connection's. That one has no code: with any,
 * some take the whole connection for refused. */
static void refuse(const struct command *command, struct text channel, const struct refusal_text *refusal)
{
    char data[512];
    int count = snprintf(data, sizeof data, "{\"type\":\"%s\",\"error\":\"%s\",\"status\":%u}", refusal->type,
                         refusal->text, refusal->status);
    pusher_say(command, "pusher:subscription_error", channel, (struct text){data, (size_t)count});
    if (command->connection->component == NULL) return; /* there was no memory to say it */
    int shown = channel.count <= NAME_BYTES_MAX ? (int)channel.count : 0;
    pusher_error(command, CODE_NONE, "%s (channel %.*s)", refusal->text, shown, channel.at);
}

void pusher_subscribe_refused(const struct command *command, const struct join *join)
{
    command->pusher->channels--;
    refuse(command, name_text(&join->channel), join->rc == RC_EFULL ? &crowded : &no_memory);
}

/* ---- as whom ---- */

/* Who wants in. Owns what `memory` points to. */
struct identity {
    struct text user_id;   /* at == NULL: nobody in particular */
    struct text user_info; /* JSON; at == NULL: none */
    yyjson_doc *document;
    char *memory;
};

static void identity_free(struct identity *identity)
{
    yyjson_doc_free(identity->document);
    free(identity->memory);
}

/* Reads channel_data: {"user_id": "42" or 42, "user_info": anything}. */
static struct refusal_text read_identity(const struct app *app, struct text channel_data, struct identity *identity)
{
    yyjson_val *id, *info;
    enum rc rc = json_read(channel_data, &identity->document, NULL);
    if (rc == RC_ENOMEM) return no_memory;
    if (rc != RC_OK) return auth_error("channel_data is no JSON");
    yyjson_val *root = yyjson_doc_get_root(identity->document);
    if (!yyjson_is_obj(root)) return auth_error("channel_data is no JSON object");
    if (json_member(root, "user_id", &id) != RC_OK) return auth_error("channel_data needs one user_id");
    identity->user_id = json_text(id);
    if (!user_id_is_valid(identity->user_id)) {
        return auth_error("user_id in channel_data has to be a string of 1 to 128 bytes without control characters, "
                          "or a number");
    }
    rc = json_member(root, "user_info", &info);
    if (rc == RC_EPROTO) return auth_error("channel_data has two user_info");
    if (rc == RC_ENOENT) return granted;
    size_t bytes;
    if (json_write(info, &identity->memory, &bytes) != RC_OK) return no_memory;
    if (bytes > app->member_bytes_max) return too_large;
    identity->user_info = (struct text){identity->memory, bytes};
    return granted;
}

/* Who wants in: as channel_data says, else as the user that is signed in. */
static struct refusal_text find_identity(const struct command *command, const struct asked *asked,
                                         struct identity *identity)
{
    const struct app *app = pusher_app(command);
    const struct user *user = command->pusher->user;
    if (!asked->type.is_presence) return granted;
    if (asked->channel_data.at != NULL) return read_identity(app, asked->channel_data, identity);
    if (user == NULL) return no_member;
    identity->user_id = user->id;
    identity->user_info = user->info;
    return user->info.count <= app->member_bytes_max ? granted : too_large;
}

/* ---- may it ---- */

/* A user's own channel is subscribed to by signing in; a client that asks for it besides is told so. */
static void subscribe_user_channel(const struct command *command, struct text channel)
{
    const struct user *user = command->pusher->user;
    struct text id = text_behind(channel, strlen(CHANNEL_USER_PREFIX));
    if (user == NULL || !text_equals(user->id, id)) {
        refuse(command, channel, &not_signed_in);
        return;
    }
    pusher_say(command, "pusher_internal:subscription_succeeded", channel, text_of("{}"));
}
static void ask_home(const struct command *command, const struct asked *asked, const struct identity *identity)
{
    struct join_wish wish = {
        .channel = name_of(command->pusher->app, asked->channel),
        .form = FORM_EVENT,
        .user_id = identity->user_id,
        .user_info = identity->user_info,
        .recover = asked->recover,
    };
    command->pusher->channels++;
    enum rc rc = subscribe(command->shard, command->connection, &wish);
    if (rc == RC_PENDING) reading_pause(command->shard, command->connection);
    if (rc_is_error(rc)) pusher_subscribe_refused(command, &(struct join){.channel = wish.channel, .rc = rc});
}

static void subscribe_as_asked(const struct command *command, const struct asked *asked)
{
    struct identity identity = {0};
    struct refusal_text refusal = find_identity(command, asked, &identity);
    if (refusal.text != NULL) {
        refuse(command, asked->channel, &refusal);
    } else {
        ask_home(command, asked, &identity);
    }
    identity_free(&identity);
}

/* Subscriptions in a window are counted because each may be told to a whole channel. */
bool pusher_asks_too_fast(const struct command *command)
{
    struct pusher *pusher = command->pusher;
    if (command->shard->now_ms >= pusher->subscribes_ms + WINDOW_MS) {
        pusher->subscribes_ms = command->shard->now_ms;
        pusher->subscribes = 0;
    }
    return ++pusher->subscribes > 2 * pusher_app(command)->channels_max;
}

/* The subscription, or NULL; a name that is no channel's has none. */
static struct subscription *find(const struct command *command, struct text channel)
{
    struct name name = name_of(command->pusher->app, channel);
    return subscription_find(command->connection, &name, FORM_EVENT);
}

const struct subscription *pusher_subscription(const struct command *command, struct text channel)
{
    const struct subscription *subscription = find(command, channel);
    return subscription != NULL && !subscription->is_pending ? subscription : NULL;
}

/* Reads "recover": true, or {"epoch":"k3x9ab2m","offset":42}. False: it is neither. */
static bool read_recover(const struct command *command, struct recover *recover_r)
{
    yyjson_val *recover, *offset;
    struct text epoch;
    *recover_r = (struct recover){0};
    enum rc rc = json_member(command->data, "recover", &recover);
    if (rc == RC_ENOENT || yyjson_is_null(recover) || yyjson_is_false(recover)) return true;
    recover_r->is_asked = true;
    if (yyjson_is_true(recover)) return true;
    if (rc != RC_OK || !yyjson_is_obj(recover) || pusher_string(recover, "epoch", &epoch) != RC_OK) return false;
    if (json_member(recover, "offset", &offset) != RC_OK || !yyjson_is_raw(offset)) return false;
    if (!text_is_number(json_text(offset), &recover_r->from.offset)) return false;
    /* An epoch of another length is of no history here, and the reader will be told so. */
    struct text known = epoch.count == EPOCH_BYTES ? epoch : text_of("?");
    memcpy(recover_r->from.epoch, known.at, known.count);
    return true;
}

/* May the client in, as far as is known here? A public channel has no use for a signature, and does not look at it. */
static struct refusal_text check_auth(const struct command *command, struct asked *asked)
{
    char memory[SOCKET_ID_BYTES_MAX];
    struct text auth;
    if (!asked->type.needs_auth) return granted;
    if (pusher_string(command->data, "auth", &auth) == RC_EPROTO ||
        pusher_string(command->data, "channel_data", &asked->channel_data) == RC_EPROTO) {
        return auth_error("auth and channel_data have to be strings, each once");
    }
    struct text socket_id = pusher_socket_id(command->shard, command->connection, memory);
    const char *wrong = auth_check_channel(pusher_app(command), auth, socket_id, asked->channel, asked->channel_data);
    return wrong == auth_no_memory ? no_memory : auth_error(wrong);
}

/* Is the answer a list of members, or perhaps what was missed? */
static bool may_be_long(const struct command *command, const struct asked *asked)
{
    yyjson_val *recover;
    return asked->type.is_presence || json_member(command->data, "recover", &recover) != RC_ENOENT;
}

static struct refusal_text judge(const struct command *command, struct asked *asked)
{
    if (!name_is_valid(asked->channel)) return no_name;
    if (!read_recover(command, &asked->recover)) return no_position;
    if (command->pusher->channels >= pusher_app(command)->channels_max) return too_many;
    if (pusher_asks_too_fast(command)) return too_fast;
    return check_auth(command, asked);
}

void pusher_subscribe(const struct command *command)
{
    struct asked asked = {0};
    if (pusher_string(command->data, "channel", &asked.channel) != RC_OK) {
        pusher_error(command, CODE_NONE, "Invalid subscription: data needs channel, a string and once");
        return;
    }
    asked.type = channel_type_of(asked.channel);
    if (asked.type.is_user) {
        subscribe_user_channel(command, asked.channel);
        return;
    }
    if (find(command, asked.channel) != NULL) {
        pusher_error(command, CODE_NONE, "Existing subscription to channel %.*s", (int)asked.channel.count,
                     asked.channel.at);
        return;
    }
    if (may_be_long(command, &asked) && !pusher_may_ask(command)) return;
    struct refusal_text refusal = judge(command, &asked);
    if (refusal.text != NULL) {
        refuse(command, asked.channel, &refusal);
    } else {
        subscribe_as_asked(command, &asked);
    }
}

void pusher_unsubscribe(const struct command *command)
{
    struct text channel;
    if (pusher_string(command->data, "channel", &channel) != RC_OK) {
        pusher_error(command, CODE_NONE, "Invalid message: data needs channel, a string and once");
        return;
    }
    struct subscription *subscription = find(command, channel);
    /* Who is signed in stays so; and what is not subscribed to is left already. */
    if (subscription == NULL || channel_type_of(channel).is_user) return;
    command->pusher->channels--;
    unsubscribe(command->shard, command->connection, subscription);
}
