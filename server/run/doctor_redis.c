/* server/run/doctor_redis.c - finds the Redis, opens it as a node would, and tries what it may. */
#include "server/run/doctor_redis.h"

#include "net/tls/tls.h"
#include "server/cluster/cluster_settings.h"
#include "server/cluster/redis_link.h"
#include "server/cluster/redis_master.h"
#include "server/system/clock.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_OTHER = 1 };

#define ABOUT           "redis"
#define REASON_BYTES    1024
#define WORDS_MAX       8
#define WORD_BYTES      100
#define LOOK_MS         20
#define OUT_BYTES_MAX   (64 * KIB)
#define REPLY_BYTES_MAX MIB
#define CLOCK_MS_MAX    2000

/* What nodes ask, HSET and SADD left out, of which no words change nothing. KEY and CHANNEL are of the prefix, and
 * nobody's. SUBSCRIBE is the last: behind it others are not taken. */
static const char *const commands[] = {
    "PUBLISH CHANNEL check",
    "TIME",
    "EVALSHA 0000000000000000000000000000000000000000 0",
    "SCRIPT LOAD )",
    "XADD KEY NOMKSTREAM * t v",
    "XRANGE KEY - + COUNT 1",
    "XREVRANGE KEY + - COUNT 1",
    "HGET KEY f",
    "HGETALL KEY",
    "HMGET KEY f",
    "HLEN KEY",
    "HSCAN KEY 0",
    "HDEL KEY f",
    "HINCRBY KEY f none",
    "GET KEY",
    "SET KEY v XX",
    "DEL KEY",
    "PEXPIRE KEY 1000",
    "ZADD KEY XX 1 m",
    "ZSCORE KEY m",
    "ZRANGEBYSCORE KEY 0 1",
    "ZREM KEY m",
    "SMEMBERS KEY",
    "SSCAN KEY 0",
    "SREM KEY m",
    "WAIT 0 1",
    "SUBSCRIBE CHANNEL",
};

struct look {
    const struct options *options;
    struct findings *findings;
    struct cluster_settings settings;
    struct redis_link *link;
    char place[REDIS_PLACE_TEXT_MAX];
};

static void find_away(struct look *look, const char *reason)
{
    if (look->options->redis_wait)
        finding_warn(look->findings, ABOUT, "until it can be used, what is published waits and is then refused", "",
                     "%s", reason);
    else
        finding_fault(look->findings, ABOUT, EXIT_OTHER, reason);
}

/* ---- reaching it ---- */

/* True: *place_r is where it is. */
static bool find_master(struct look *look, struct redis_place *place_r)
{
    const struct redis_target *target = &look->settings.work.target;
    uint64_t silent_ms_max = look->options->redis_silent_ms_max, until_ms = monotonic_ms() + silent_ms_max;
    struct redis_master *master = redis_master_new(&look->settings.url, target->name, target->access, silent_ms_max);
    if (master == NULL) return false;
    bool is_found = redis_master_place(master, place_r);
    while (!is_found && monotonic_ms() < until_ms) {
        redis_master_run(master, monotonic_ms(), arc4random());
        is_found = redis_master_place(master, place_r);
        if (!is_found) poll(NULL, 0, LOOK_MS);
    }
    if (!is_found) {
        const char *reason = redis_master_reason(master);
        find_away(look, reason[0] != '\0' ? reason : "no Sentinel says where the master is; are they running?");
    }
    redis_master_free(master);
    return is_found;
}

/* Goes on with the connection; false: it has ended. */
static bool turn(struct look *look)
{
    struct pollfd one = {.fd = redis_link_fd(look->link), .events = redis_link_events(look->link)};
    poll(&one, 1, redis_link_has_input(look->link) ? 0 : LOOK_MS);
    redis_link_run(look->link, one.revents, monotonic_ms());
    return redis_link_end(look->link) == REDIS_END_NONE;
}

static bool open_link(struct look *look, const struct redis_place *place)
{
    static const struct redis_limits limits = {.out_bytes_max = OUT_BYTES_MAX, .reply_bytes_max = REPLY_BYTES_MAX};
    look->link = redis_link_new(&look->settings.work.target, &limits);
    if (look->link == NULL) return false;
    redis_link_set_place(look->link, place);
    redis_link_open(look->link, monotonic_ms());
    while (redis_link_state(look->link) != REDIS_LINK_OPEN && redis_link_end(look->link) == REDIS_END_NONE) {
        turn(look);
        redis_link_watch(look->link, monotonic_ms(), look->options->redis_silent_ms_max);
    }
    if (redis_link_state(look->link) == REDIS_LINK_OPEN) return true;
    find_away(look, redis_link_reason(look->link));
    return false;
}

/* The reply, or NULL: it has ended. */
static redisReply *ask(struct look *look, const struct text *words, size_t count)
{
    redisReply *reply = NULL;
    if (redis_link_send(look->link, words, count) != RC_OK) return NULL;
    while (redis_link_receive(look->link, &reply) != RC_OK) {
        if (!turn(look)) return NULL;
        redis_link_watch(look->link, monotonic_ms(), look->options->redis_silent_ms_max);
    }
    return reply;
}

/* ---- what it is ---- */

static void look_at_server(struct look *look)
{
    const struct redis_server *server = redis_link_server(look->link);
    const struct options *options = look->options;
    finding_add(look->findings, ABOUT, "", "", "%s: version %s, a master with %u replicas", look->place,
                server->version_text, server->replicas);
    if (server->policy[0] != '\0' && strcmp(server->policy, "noeviction") != 0)
        finding_warn(look->findings, ABOUT, "histories and members vanish when its memory is full",
                     "maxmemory-policy noeviction, or a Redis of its own", "%s: maxmemory-policy is %s", look->place,
                     server->policy);
    if (history_rule_durable(&options->history) != NULL && !server->has_aof)
        finding_warn(look->findings, ABOUT, "what is durable is gone when it is started anew",
                     "appendonly yes, or rules of --history without durable=yes", "%s: appendonly is no",
                     look->place);
    if (server->replicas < options->redis_replicas)
        finding_warn(look->findings, ABOUT, "messages wait for replicas that are not there",
                     "start them, or lower redis_replicas", "%s has %u replicas, and redis_replicas is %u",
                     look->place, server->replicas, (unsigned)options->redis_replicas);
}

static void look_at_clock(struct look *look)
{
    uint64_t s;
    redisReply *reply = ask(look, (struct text[]){text_of("TIME")}, 1);
    if (reply == NULL) return;
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 && reply->element[0]->type == REDIS_REPLY_STRING &&
        text_is_number((struct text){reply->element[0]->str, reply->element[0]->len}, &s)) {
        long long apart_ms = (long long)(s * 1000) - (long long)realtime_ms();
        if (llabs(apart_ms) > CLOCK_MS_MAX)
            finding_warn(look->findings, ABOUT, "messages are stamped by its clock, and forgotten by it",
                         "let a time service set both", "%s: its clock is %lld s %s this machine's", look->place,
                         llabs(apart_ms) / 1000, apart_ms > 0 ? "ahead of" : "behind");
    }
    freeReplyObject(reply);
}

/* ---- what it lets us do ---- */

/* The words of a command; returns how many. */
static size_t read_command(const char *command, const char *prefix, char words[WORDS_MAX][WORD_BYTES])
{
    size_t count = 0;
    while (command[0] != '\0' && count < WORDS_MAX) {
        size_t length = strcspn(command, " ");
        if (strncmp(command, "KEY", length) == 0 && length == strlen("KEY"))
            snprintf(words[count++], WORD_BYTES, "%s:check:{check}", prefix);
        else if (strncmp(command, "CHANNEL", length) == 0 && length == strlen("CHANNEL"))
            snprintf(words[count++], WORD_BYTES, "%s:check", prefix);
        else
            snprintf(words[count++], WORD_BYTES, "%.*s", (int)length, command);
        command += length + (command[length] == ' ');
    }
    return count;
}

/* False: the connection has ended. */
static bool may(struct look *look, const char *command, bool *may_r)
{
    char words[WORDS_MAX][WORD_BYTES];
    struct text texts[WORDS_MAX];
    size_t count = read_command(command, look->options->redis_prefix, words);
    for (size_t i = 0; i < count; i++)
        texts[i] = text_of(words[i]);
    redisReply *reply = ask(look, texts, count);
    if (reply == NULL) return false;
    *may_r = reply->type != REDIS_REPLY_ERROR || strncmp(reply->str, "NOPERM", strlen("NOPERM")) != 0;
    freeReplyObject(reply);
    return true;
}

static void look_at_rights(struct look *look)
{
    char missing[REASON_BYTES] = "";
    size_t used = 0;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        bool is_allowed;
        if (!may(look, commands[i], &is_allowed)) {
            find_away(look, redis_link_reason(look->link));
            return;
        }
        if (!is_allowed && used < sizeof missing - WORD_BYTES)
            used += (size_t)snprintf(missing + used, sizeof missing - used, " %.*s", (int)strcspn(commands[i], " "),
                                     commands[i]);
    }
    if (used > 0)
        finding_warn(look->findings, ABOUT, "what its user may not do fails when it is needed",
                     "ACL SETUSER, with these commands, the keys ~PREFIX:* and the channels &PREFIX:*",
                     "%s: its user may not do, or not with the names of prefix %s:%s", look->place,
                     look->options->redis_prefix, missing);
}

void doctor_look_at_redis(const struct options *options, struct findings *findings)
{
    struct look look = {.options = options, .findings = findings};
    struct redis_access *access = NULL;
    struct redis_place place;
    char reason[REASON_BYTES] = "mbedTLS cannot be used here";
    if (options->redis.count == 0) return;
    if (tls_global_init() != RC_OK ||
        cluster_settings_of(options, &look.settings, &access, reason, sizeof reason) != RC_OK) {
        finding_fault(findings, ABOUT, EXIT_OTHER, reason);
    } else if (find_master(&look, &place) && open_link(&look, &place)) {
        redis_place_format(&place, look.place);
        look_at_server(&look);
        look_at_clock(&look);
        look_at_rights(&look);
    }
    redis_link_free(look.link);
    redis_access_free(access);
}
