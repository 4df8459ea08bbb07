/* server/pusher_subscribe.c - subscribing to channels: who may, as whom, and what is said when it may not be. */
#include "server/pusher_private.h"

#include "core/channel.h"
#include "core/channel_type.h"
#include "core/json_text.h"
#include "server/auth.h"
#include "server/subscribe.h"

#include <stdio.h>
#include <stdlib.h>

#define STATUS_UNAUTHORIZED 401
#define STATUS_CROWDED      4004 /* the channel has no room for more members */
#define STATUS_TOO_MANY     4100 /* the connection has as many channels as it may */
#define STATUS_NO_MEMORY    500
#define TOO_LARGE           "user_info is larger than the app permits (member_bytes_max)"
#define WINDOW_MS           10000 /* in which a connection may subscribe twice to as many channels as it may have */

struct refusal_text {
    const char *type; /* AuthError, LimitReached, ServerError */
    unsigned status;
    unsigned code; /* of the pusher:error that goes with it */
    const char *text;
};

/* Clients look for either of two events: the channel's own, and the connection's. */
static void refuse(const struct command *command, struct text channel, const struct refusal_text *refusal)
{
    char data[512];
    int count = snprintf(data, sizeof data, "{\"type\":\"%s\",\"error\":\"%s\",\"status\":%u}", refusal->type,
                         refusal->text, refusal->status);
    pusher_say(command, "pusher:subscription_error", channel, (struct text){data, (size_t)count});
    if (command->connection->state != CONNECTION_OPEN) return; /* there was no memory to say it */
    pusher_error(command, refusal->code, "%s (channel %.*s)", refusal->text, (int)channel.count, channel.at);
}

static void refuse_auth(const struct command *command, struct text channel, const char *text)
{
    refuse(command, channel, &(struct refusal_text){"AuthError", STATUS_UNAUTHORIZED, CODE_UNAUTHORIZED, text});
}

void pusher_subscribe_refused(const struct command *command, const struct join *join)
{
    command->pusher->channels--;
    struct refusal_text refusal = {"ServerError", STATUS_NO_MEMORY, CODE_NONE,
                                   "The server is out of memory: try again"};
    if (join->rc == RC_EFULL) {
        refusal = (struct refusal_text){"LimitReached", STATUS_CROWDED, CODE_NONE,
                                        "The channel has as many members as the app permits (members_max)"};
    }
    refuse(command, name_text(&join->channel), &refusal);
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

/* Reads channel_data: {"user_id": "42" or 42, "user_info": anything}. NULL: fine, or what is wrong with it. */
static const char *read_identity(const struct app *app, struct text channel_data, struct identity *identity)
{
    yyjson_val *id, *info;
    if (json_read(channel_data, &identity->document, NULL) != RC_OK) return "channel_data is no JSON";
    yyjson_val *root = yyjson_doc_get_root(identity->document);
    if (!yyjson_is_obj(root)) return "channel_data is no JSON object";
    if (json_member(root, "user_id", &id) != RC_OK) return "channel_data needs one user_id";
    identity->user_id = json_text(id);
    bool has_id = identity->user_id.count > 0 && identity->user_id.count <= USER_ID_BYTES_MAX;
    if (!has_id) return "user_id in channel_data has to be a string of 1 to 128 bytes, or a number";
    enum rc rc = json_member(root, "user_info", &info);
    if (rc == RC_EPROTO) return "channel_data has two user_info";
    if (rc == RC_ENOENT) return NULL;
    size_t bytes;
    if (json_write(info, &identity->memory, &bytes) != RC_OK) return "The server is out of memory: try again";
    if (bytes > app->member_bytes_max) return TOO_LARGE;
    identity->user_info = (struct text){identity->memory, bytes};
    return NULL;
}

/* ---- may it ---- */

/* A user's own channel is subscribed to by signing in; a client that asks for it besides is told so. */
static void subscribe_user_channel(const struct command *command, struct text channel)
{
    const struct user *user = command->pusher->user;
    struct text id = text_behind(channel, strlen(CHANNEL_USER_PREFIX));
    if (user == NULL || !text_equals(user->id, id)) {
        refuse_auth(command, channel, "Sign in as this user first");
        return;
    }
    pusher_say(command, "pusher_internal:subscription_succeeded", channel, text_of("{}"));
}

static void ask_home(const struct command *command, struct text channel, const struct identity *identity,
                     const struct recover *recover)
{
    struct join_wish wish = {
        .channel = name_of(command->pusher->app->index, channel),
        .form = FORM_EVENT,
        .user_id = identity->user_id,
        .user_info = identity->user_info,
        .recover = *recover,
    };
    command->pusher->channels++;
    enum rc rc = subscribe(command->shard, command->connection, &wish);
    if (rc == RC_PENDING) connection_pause(command->shard, command->connection);
    if (rc_is_error(rc)) pusher_subscribe_refused(command, &(struct join){.channel = wish.channel, .rc = rc});
}

static void subscribe_as(const struct command *command, struct text channel, struct channel_type type,
                         struct text channel_data, const struct recover *recover)
{
    struct identity identity = {0};
    const struct user *user = command->pusher->user;
    const char *wrong = NULL;
    if (type.is_presence && channel_data.at != NULL) {
        wrong = read_identity(command->pusher->app, channel_data, &identity);
    } else if (type.is_presence && user != NULL) {
        identity.user_id = user->id;
        identity.user_info = user->info;
        if (user->info.count > command->pusher->app->member_bytes_max) wrong = TOO_LARGE;
    } else if (type.is_presence) {
        wrong = "A presence channel needs channel_data, or a user who is signed in";
    }
    if (wrong != NULL) {
        refuse_auth(command, channel, wrong);
    } else {
        ask_home(command, channel, &identity, recover);
    }
    identity_free(&identity);
}

/* Each may be told to a whole channel. */
bool pusher_asks_too_fast(const struct command *command)
{
    struct pusher *pusher_of = command->pusher;
    if (command->shard->now_ms >= pusher_of->subscribes_ms + WINDOW_MS) {
        pusher_of->subscribes_ms = command->shard->now_ms;
        pusher_of->subscribes = 0;
    }
    return ++pusher_of->subscribes > 2 * pusher_of->app->channels_max;
}

/* The subscription, or NULL; a name that is no channel's has none. */
static struct subscription *find(const struct command *command, struct text channel)
{
    struct name name = name_of(command->pusher->app->index, channel);
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

void pusher_subscribe(const struct command *command)
{
    struct text channel, auth, channel_data;
    struct recover recover;
    if (pusher_string(command->data, "channel", &channel) != RC_OK ||
        pusher_string(command->data, "auth", &auth) == RC_EPROTO ||
        pusher_string(command->data, "channel_data", &channel_data) == RC_EPROTO) {
        pusher_error(command, CODE_NONE,
                     "Invalid subscription: data needs channel, and may have auth and channel_data, "
                     "each a string and once");
        return;
    }
    if (!read_recover(command, &recover)) {
        pusher_error(command, CODE_NONE,
                     "Invalid subscription: recover is true, or an object with epoch and offset as they were told");
        return;
    }
    struct channel_type type = channel_type_of(channel);
    if (!name_is_valid(type.is_user ? text_behind(channel, strlen(CHANNEL_USER_PREFIX)) : channel)) {
        pusher_error(command, CODE_NONE,
                     "Invalid channel name: use 1 to 200 characters of A-Z a-z 0-9 _ - = @ , . ;");
        return;
    }
    if (type.is_user) {
        subscribe_user_channel(command, channel);
        return;
    }
    if (find(command, channel) != NULL) {
        pusher_error(command, CODE_NONE, "Existing subscription to channel %.*s", (int)channel.count, channel.at);
        return;
    }
    if (command->pusher->channels >= command->pusher->app->channels_max) {
        refuse(command, channel,
               &(struct refusal_text){"LimitReached", STATUS_TOO_MANY, CODE_NONE,
                                      "The connection subscribes to as many channels as the app permits "
                                      "(channels_max)"});
        return;
    }
    if (pusher_asks_too_fast(command)) {
        refuse(command, channel,
               &(struct refusal_text){"LimitReached", CODE_CLIENT_EVENT, CODE_CLIENT_EVENT,
                                      "The connection subscribes and unsubscribes too often: wait ten seconds"});
        return;
    }
    if (type.needs_auth) {
        char memory[SOCKET_ID_BYTES_MAX];
        struct text socket_id = pusher_socket_id(command->shard, command->connection, memory);
        const char *wrong = auth_check_channel(command->pusher->app, auth, socket_id, channel, channel_data);
        if (wrong != NULL) {
            refuse_auth(command, channel, wrong);
            return;
        }
    }
    subscribe_as(command, channel, type, channel_data, &recover);
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
