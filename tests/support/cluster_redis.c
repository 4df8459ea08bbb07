/* tests/support/cluster_redis.c - fork, exec, and commands over a connection of their own. */
#include "tests/support/cluster_redis.h"

#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TRIES 2000 /* of 5 ms */
#ifdef __aarch64__
#define MACHINE "aarch64-linux-gnu"
#else
#define MACHINE "x86_64-linux-gnu"
#endif

/* Where deploy/deps --test unpacks what it does not install. */
#define UNPACKED SERVICES "/usr"

static const char *program(void)
{
    const char *named = getenv("REDIS_SERVER");
    if (named != NULL) return named;
    return access(UNPACKED "/bin/redis-server", X_OK) == 0 ? UNPACKED "/bin/redis-server" : "redis-server";
}

bool cluster_redis_is_there(void)
{
    return access(program(), X_OK) == 0 || system("command -v redis-server >/dev/null") == 0;
}

static _Noreturn void run(const struct cluster_redis *redis)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setenv("LD_LIBRARY_PATH", UNPACKED "/lib/" MACHINE, 1);
    execlp(program(), "redis-server", "--port", "0", "--unixsocket", redis->place.host, "--dir", redis->folder,
           "--save", "", "--appendonly", "no", "--loglevel", "warning", (char *)NULL);
    _exit(1);
}

static bool answers(const struct cluster_redis *redis)
{
    redisContext *context = redisConnectUnix(redis->place.host);
    redisReply *reply = context != NULL && context->err == 0 ? redisCommand(context, "PING") : NULL;
    bool is_well = reply != NULL && reply->type == REDIS_REPLY_STATUS;
    if (reply != NULL) freeReplyObject(reply);
    if (context != NULL) redisFree(context);
    return is_well;
}

void cluster_redis_start(struct cluster_redis *redis)
{
    if (redis->folder[0] == '\0') {
        snprintf(redis->folder, sizeof redis->folder, "/tmp/ringcast-redis-XXXXXX");
        if (mkdtemp(redis->folder) == NULL) abort();
        snprintf(redis->place.host, sizeof redis->place.host, "%s/socket", redis->folder);
    }
    redis->pid = fork();
    if (redis->pid < 0) abort();
    if (redis->pid == 0) run(redis);
    for (int i = 0; !answers(redis); i++) {
        if (i == TRIES) abort();
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
}

void cluster_redis_kill(struct cluster_redis *redis)
{
    if (redis->pid == 0) return;
    kill(redis->pid, SIGKILL);
    waitpid(redis->pid, NULL, 0);
    redis->pid = 0;
    unlink(redis->place.host);
}

void cluster_redis_stop(struct cluster_redis *redis)
{
    cluster_redis_kill(redis);
    if (redis->folder[0] != '\0') rmdir(redis->folder);
}

void cluster_redis_say(const struct cluster_redis *redis, const char *command)
{
    redisContext *context = redisConnectUnix(redis->place.host);
    redisReply *reply = context != NULL && context->err == 0 ? redisCommand(context, command) : NULL;
    if (reply == NULL || reply->type == REDIS_REPLY_ERROR) abort();
    freeReplyObject(reply);
    redisFree(context);
}
