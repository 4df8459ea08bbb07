/* server/component/pusher_user.c - sign-in: a connection becomes one of a user's, and may watch who else is online.
 *
 * A user is a hidden channel, "#server-to-user-ID": signing in subscribes to it in FORM_EVENT, watching somebody in
 * FORM_WATCH. Its home thus knows who is online, orders what backends tell the user, and tells those who watch. */
#include "server/component/pusher_user.h"

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

#define WATCHLIST_MAX 100

/* ---- the user ---- */

static struct user *user_new(struct text id, struct text info, struct text data)
{
    struct user *user = malloc(sizeof *user + id.count + info.count + data.count);
    if (user == NULL) return NULL;
    char *to = (char *)(user + 1);
    *user = (struct user){0};
    user->id = text_copy(&to, id);
    user->info = text_copy(&to, info);
    user->data = text_copy(&to, data);
    return user;
}

void pusher_free_user(struct pusher *pusher)
{
    free(pusher->user);
    pusher->user = NULL;
}

/* ---- signing in ---- */

static void say_success(const struct command *command)
{
    struct text user_data = command->pusher->user->data;
    size_t bytes = strlen("{\"user_data\":\"\"}") + json_text_bytes(user_data);
    char *data = malloc(bytes);
    if (data == NULL) {
        connection_close(command->shard, command->connection, CLOSE_NO_MEMORY);
        return;
    }
    static const char head[] = "{\"user_data\":\"", tail[] = "\"}";
    memcpy(data, head, strlen(head));
    memcpy(json_text_write(data + strlen(head), user_data), tail, strlen(tail));
    pusher_say(command, "pusher:signin_success", (struct text){0}, (struct text){data, bytes});
    free(data);
}

/* Ends a connection whose sign-in failed, and tells it why. */
static void fail(const struct command *command, const char *why)
{
    pusher_error(command, CODE_UNAUTHORIZED, "Sign-in failed: %s", why);
    connection_close(command->shard, command->connection, CLOSE_UNAUTHORIZED);
}

static bool subscribe_to_user(const struct command *command, struct text user_id, enum form form)
{
    char memory[NAME_BYTES_MAX];
    struct join_wish wish = {.form = form};
    if (!user_channel(pusher_app(command), user_id, memory, &wish.channel)) return false;
    if (subscription_find(command->connection, &wish.channel, form) != NULL) return false; /* twice in the list */
    if (form == FORM_WATCH) command->pusher->watches++;
    enum rc rc = subscribe(command->shard, command->connection, &wish);
    if (rc == RC_PENDING) reading_pause(command->shard, command->connection);
    if (rc_is_error(rc)) connection_close(command->shard, command->connection, CLOSE_NO_MEMORY);
    return true;
}

/* What is wrong with user_data; NULL: nothing. */
static const char *check_user_data(yyjson_val *root)
{
    yyjson_val *value;
    struct text id;
    if (!yyjson_is_obj(root)) return "user_data is no JSON object";
    if (pusher_string(root, "id", &id) != RC_OK || !user_id_is_valid(id)) {
        return "id in user_data has to be a string of 1 to 128 bytes without control characters, and once";
    }
    if (json_member(root, "user_info", &value) == RC_EPROTO) return "user_data has two user_info";
    if (json_member(root, "watchlist", &value) == RC_EPROTO) return "user_data has two watchlist";
    return NULL;
}

static void sign_in_as(const struct command *command, yyjson_val *root, struct text user_data)
{
    yyjson_val *id, *info;
    char *json = NULL;
    size_t bytes = 0;
    struct user *user = NULL;
    json_member(root, "id", &id);
    json_member(root, "user_info", &info);
    if (info == NULL || json_write(info, &json, &bytes) == RC_OK) {
        user = user_new(json_text(id), (struct text){json, bytes}, user_data);
    }
    free(json);
    if (user == NULL) {
        connection_close(command->shard, command->connection, CLOSE_NO_MEMORY);
        return;
    }
    command->pusher->user = user;
    subscribe_to_user(command, json_text(id), FORM_EVENT);
}

/* A client that is not sure signs in again, which it may only as the same user. */
static void sign_in_again(const struct command *command, yyjson_val *root)
{
    yyjson_val *id;
    json_member(root, "id", &id);
    if (!text_equals(json_text(id), command->pusher->user->id)) {
        fail(command, "the connection is signed in as another user");
    } else if (command->pusher->user->is_signed_in) {
        say_success(command);
    }
}

static void take_user_data(const struct command *command, struct text user_data)
{
    yyjson_doc *document;
    enum rc rc = json_read(user_data, &document, NULL);
    if (rc == RC_ENOMEM) {
        connection_close(command->shard, command->connection, CLOSE_NO_MEMORY);
        return;
    }
    yyjson_val *root = yyjson_doc_get_root(document);
    const char *wrong = rc == RC_OK ? check_user_data(root) : "user_data is no JSON";
    if (wrong != NULL) {
        fail(command, wrong);
    } else if (command->pusher->user != NULL) {
        sign_in_again(command, root);
    } else {
        sign_in_as(command, root, user_data);
    }
    yyjson_doc_free(document);
}

void pusher_sign_in(const struct command *command)
{
    struct text auth, user_data;
    char memory[SOCKET_ID_BYTES_MAX];
    if (pusher_string(command->data, "auth", &auth) != RC_OK ||
        pusher_string(command->data, "user_data", &user_data) != RC_OK) {
        fail(command, "data needs auth and user_data, strings and each once");
        return;
    }
    struct text socket_id = pusher_socket_id(command->shard, command->connection, memory);
    const char *wrong = auth_check_user(pusher_app(command), auth, socket_id, user_data);
    if (wrong == auth_no_memory) {
        connection_close(command->shard, command->connection, CLOSE_NO_MEMORY);
    } else if (wrong != NULL) {
        fail(command, wrong);
    } else {
        take_user_data(command, user_data);
    }
}

/* ---- watching ---- */

/* Asks about all in the watchlist. The one answer goes out with the last home's; one that comes at once must not be
 * the last before all are asked. */
static void watch_all(const struct command *command, yyjson_val *watchlist)
{
    size_t index, count;
    yyjson_val *id;
    if (!yyjson_is_arr(watchlist) || yyjson_arr_size(watchlist) == 0) return;
    command->pusher->watches++;
    yyjson_arr_foreach(watchlist, index, count, id)
    {
        if (index == WATCHLIST_MAX || command->connection->component == NULL) break;
        subscribe_to_user(command, json_text(id), FORM_WATCH);
    }
    if (command->connection->component == NULL) return;
    pusher_watching(command, NULL);
    if (count > WATCHLIST_MAX && command->connection->component != NULL) {
        pusher_error(command, CODE_WATCHLIST, "The watchlist is too long: the first %d of it are watched",
                     WATCHLIST_MAX);
    }
}

/* Watches only now: homes answer in any order, and a client hears of others only once it is signed in itself. */
void pusher_signed_in(const struct command *command)
{
    yyjson_doc *document;
    yyjson_val *watchlist;
    command->pusher->user->is_signed_in = true;
    say_success(command);
    if (command->connection->component == NULL || !pusher_app(command)->watchlist) return;
    if (json_read(command->pusher->user->data, &document, NULL) != RC_OK) { /* it was read before: no memory */
        connection_close(command->shard, command->connection, CLOSE_NO_MEMORY);
        return;
    }
    json_member(yyjson_doc_get_root(document), "watchlist", &watchlist);
    watch_all(command, watchlist);
    yyjson_doc_free(document);
}

/* Online when the home said so, and changed as often as its watchers were told since. */
static bool is_online(const struct subscription *subscription)
{
    return ((subscription->channel->watch_told - subscription->watch_told) & 1) != subscription->was_online;
}

static struct text id_of(const struct subscription *subscription)
{
    return text_behind(name_text(&subscription->channel->name), strlen(CHANNEL_USER_PREFIX));
}

/* Writes one of the two lists of a watchlist's users, who is online and who is not. */
static char *put_list(char *to, const struct connection *connection, const char *name, bool online)
{
    const char *before = "\"";
    to = text_put(text_put(text_put(to, text_of("{\"name\":\"")), text_of(name)), text_of("\",\"user_ids\":["));
    for (const struct subscription *one = connection->subscriptions; one != NULL; one = one->next) {
        if (one->form != FORM_WATCH || is_online(one) != online) continue;
        to = text_put(json_text_write(text_put(to, text_of(before)), id_of(one)), text_of("\""));
        before = ",\"";
    }
    return text_put(to, text_of("]}"));
}

static void say_watchlist(const struct command *command)
{
    size_t most = 100;
    for (const struct subscription *one = command->connection->subscriptions; one != NULL; one = one->next) {
        if (one->form == FORM_WATCH) most += json_text_bytes(id_of(one)) + strlen(",\"\"");
    }
    char *data = malloc(most);
    if (data == NULL) {
        connection_close(command->shard, command->connection, CLOSE_NO_MEMORY);
        return;
    }
    char *to = text_put(data, text_of("{\"events\":["));
    to = put_list(to, command->connection, "online", true);
    to = put_list(text_put(to, text_of(",")), command->connection, "offline", false);
    to = text_put(to, text_of("]}"));
    pusher_say(command, "pusher_internal:watchlist_events", (struct text){0},
               (struct text){data, (size_t)(to - data)});
    free(data);
}

void pusher_watching(const struct command *command, const struct join *join)
{
    if (join != NULL) {
        struct subscription *subscription = subscription_find(command->connection, &join->channel, FORM_WATCH);
        subscription->was_online = join->is_online;
        subscription->watch_told = subscription->channel->watch_told;
    }
    if (--command->pusher->watches == 0) say_watchlist(command);
}
