/* server/cluster/redis_greeting.c - AUTH, CLIENT SETNAME, SELECT and INFO, and how each may be answered. */
#include "server/cluster/redis_greeting.h"

#include "server/cluster/redis_access.h"
#include "server/cluster/redis_out.h"

#include <stdio.h>
#include <string.h>

#define OUT_BYTES_MAX (2 * REDIS_PASSWORD_BYTES_MAX) /* for all of it */

/* ---- asking ---- */

static enum rc add(struct redis_greeting *greeting, enum redis_greeting_step step, struct redis_out *out,
                   const struct text *texts, size_t count)
{
    enum rc rc = redis_out_add(out, texts, count, OUT_BYTES_MAX);
    if (rc == RC_OK) greeting->steps[greeting->count++] = step;
    return rc;
}

/* Always with a user: without one Redis refuses a password that it does not need. */
static enum rc add_auth(struct redis_greeting *greeting, const struct redis_target *target, struct redis_out *out)
{
    struct text password = {0};
    if (target->access != NULL) password = redis_access_password(target->access);
    if (password.at == NULL) return RC_OK;
    const char *user = target->user[0] == '\0' ? "default" : target->user;
    const struct text texts[] = {text_of("AUTH"), text_of(user), password};
    return add(greeting, REDIS_GREETING_AUTH, out, texts, 3);
}

static enum rc add_name(struct redis_greeting *greeting, const struct redis_target *target, struct redis_out *out)
{
    const struct text texts[] = {text_of("CLIENT"), text_of("SETNAME"), text_of(target->name)};
    return target->name[0] == '\0' ? RC_OK : add(greeting, REDIS_GREETING_NAME, out, texts, 3);
}

static enum rc add_database(struct redis_greeting *greeting, const struct redis_target *target, struct redis_out *out)
{
    char number[16];
    snprintf(number, sizeof number, "%u", target->database);
    const struct text texts[] = {text_of("SELECT"), text_of(number)};
    return target->database == 0 ? RC_OK : add(greeting, REDIS_GREETING_DATABASE, out, texts, 2);
}

enum rc redis_greeting_begin(struct redis_greeting *greeting, const struct redis_target *target,
                             struct redis_out *out)
{
    const struct text info = text_of("INFO");
    *greeting = (struct redis_greeting){.is_sentinel = target->is_sentinel, .takes_replica = target->takes_replica};
    enum rc rc = add_auth(greeting, target, out);
    if (rc == RC_OK) rc = add_name(greeting, target, out);
    if (rc == RC_OK) rc = add_database(greeting, target, out);
    return rc == RC_OK ? add(greeting, REDIS_GREETING_INFO, out, &info, 1) : rc;
}

/* ---- answers ---- */

/* What Redis says, as far as it is to be printed. */
static void quote(char *to, size_t size, const char *text)
{
    snprintf(to, size, "%.200s", text);
    for (; *to != '\0'; to++)
        if (*to < ' ' || *to > '~') *to = '?';
}

static bool begins(const redisReply *reply, const char *word)
{
    return strncmp(reply->str, word, strlen(word)) == 0;
}

/* An error that any of the commands may be answered with. */
static enum redis_end end_of_error(const redisReply *error, enum redis_greeting_step step)
{
    if (begins(error, "NOAUTH") || begins(error, "WRONGPASS")) return REDIS_END_PASSWORD;
    if (step == REDIS_GREETING_AUTH) return REDIS_END_PASSWORD;
    if (begins(error, "NOPERM")) return REDIS_END_RIGHTS;
    if (begins(error, "LOADING")) return REDIS_END_LOADING;
    return step == REDIS_GREETING_DATABASE ? REDIS_END_DATABASE : REDIS_END_COMMAND;
}

static enum redis_end judge(const struct redis_greeting *greeting, const struct redis_server *server, char *detail_r,
                            size_t detail_size)
{
    if (greeting->is_sentinel) return server->is_sentinel ? REDIS_END_NONE : REDIS_END_ROLE;
    if (server->is_loading) return REDIS_END_LOADING;
    if (server->version < REDIS_VERSION_MIN) {
        quote(detail_r, detail_size, server->version_text);
        return REDIS_END_VERSION;
    }
    return server->is_master || greeting->takes_replica ? REDIS_END_NONE : REDIS_END_ROLE;
}

static enum redis_end take_info(const struct redis_greeting *greeting, const redisReply *reply,
                                struct redis_server *server_r, char *detail_r, size_t detail_size)
{
    if (reply->type != REDIS_REPLY_STRING) return REDIS_END_PROTOCOL;
    const struct text info = {.at = reply->str, .count = reply->len};
    if (redis_server_read(info, server_r) != RC_OK) return REDIS_END_PROTOCOL;
    return judge(greeting, server_r, detail_r, detail_size);
}

/* Some Sentinels have no users, and a name is no matter of life and death. */
static bool may_fail(const struct redis_greeting *greeting, enum redis_greeting_step step)
{
    return step == REDIS_GREETING_NAME || (step == REDIS_GREETING_AUTH && greeting->is_sentinel);
}

enum redis_end redis_greeting_take(struct redis_greeting *greeting, const redisReply *reply,
                                   struct redis_server *server_r, char *detail_r, size_t detail_size)
{
    enum redis_greeting_step step = greeting->steps[greeting->answered++];
    detail_r[0] = '\0';
    if (reply->type == REDIS_REPLY_ERROR) {
        if (may_fail(greeting, step)) return REDIS_END_NONE;
        enum redis_end end = end_of_error(reply, step);
        /* What does not know AUTH may repeat what it was given. */
        if (step != REDIS_GREETING_AUTH) quote(detail_r, detail_size, reply->str);
        return end;
    }
    if (step == REDIS_GREETING_INFO) return take_info(greeting, reply, server_r, detail_r, detail_size);
    return reply->type == REDIS_REPLY_STATUS ? REDIS_END_NONE : REDIS_END_PROTOCOL;
}
