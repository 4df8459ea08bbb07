/* server/cluster/redis_master.c - a connection to each Sentinel, and their answers. */
#include "server/cluster/redis_master.h"

#include "server/cluster/backoff.h"
#include "server/cluster/redis_link.h"
#include "server/cluster/sentinel_answer.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ASK_MS = 500,
    NAME_MS = 30000, /* until a name is looked up again that was not found: that may take seconds each time */
    OUT_BYTES_MAX = 4096,
    REPLY_BYTES_MAX = 64 * 1024,
};

struct sentinel {
    struct redis_link *link;
    uint64_t open_at_ms, ask_at_ms;
    uint32_t failures; /* in a row */
};

struct redis_master {
    struct redis_url url;
    char name[100];
    uint64_t silent_ms_max;
    struct sentinel sentinels[REDIS_PLACES_MAX];
    struct sentinel_answer answers[REDIS_PLACES_MAX];
    bool are_known[REDIS_PLACES_MAX];
    char reason[512];
};

static bool make_links(struct redis_master *master, const struct redis_access *access)
{
    static const struct redis_limits limits = {.out_bytes_max = OUT_BYTES_MAX, .reply_bytes_max = REPLY_BYTES_MAX};
    for (uint32_t i = 0; i < master->url.places_count; i++) {
        const struct redis_target target = {.place = master->url.places[i],
                                            .is_tls = master->url.is_tls,
                                            .is_sentinel = true,
                                            .user = master->url.user,
                                            .name = master->name,
                                            .access = access};
        master->sentinels[i].link = redis_link_new(&target, &limits);
        if (master->sentinels[i].link == NULL) return false;
    }
    return true;
}

struct redis_master *redis_master_new(const struct redis_url *url, const char *name,
                                      const struct redis_access *access, uint64_t silent_ms_max)
{
    struct redis_master *master = calloc(1, sizeof *master);
    if (master == NULL) return NULL;
    master->url = *url;
    master->silent_ms_max = silent_ms_max;
    snprintf(master->name, sizeof master->name, "%s", name);
    if (url->kind != REDIS_SENTINEL || make_links(master, access)) return master;
    redis_master_free(master);
    return NULL;
}

void redis_master_free(struct redis_master *master)
{
    if (master == NULL) return;
    for (uint32_t i = 0; i < REDIS_PLACES_MAX; i++)
        redis_link_free(master->sentinels[i].link);
    free(master);
}

/* ---- a Sentinel ---- */

static void take_answer(struct redis_master *master, uint32_t index, const redisReply *reply)
{
    char place[REDIS_PLACE_TEXT_MAX];
    struct sentinel_answer answer;
    enum rc rc = sentinel_answer_read(reply, &answer);
    if (rc == RC_OK) master->answers[index] = answer;
    if (rc != RC_EPROTO) master->are_known[index] = rc == RC_OK;
    if (rc == RC_OK) return;
    redis_place_format(redis_link_place(master->sentinels[index].link), place);
    snprintf(master->reason, sizeof master->reason,
             rc == RC_ENOENT ? "sentinel %s knows no master %s; check the name in --redis, and SENTINEL MASTERS"
                             : "sentinel %s does not say where the master %s is",
             place, master->url.master);
}

static void ask(struct redis_master *master, struct sentinel *sentinel, uint64_t now_ms)
{
    const struct text words[] = {text_of("SENTINEL"), text_of("MASTER"), text_of(master->url.master)};
    if (redis_link_unanswered(sentinel->link) > 0 || now_ms < sentinel->ask_at_ms) return;
    if (redis_link_send(sentinel->link, words, 3) == RC_OK) sentinel->ask_at_ms = now_ms + ASK_MS;
}

static void go_on(struct redis_master *master, uint32_t index, uint64_t now_ms)
{
    struct sentinel *sentinel = &master->sentinels[index];
    struct pollfd one = {.fd = redis_link_fd(sentinel->link), .events = redis_link_events(sentinel->link)};
    redisReply *reply;
    poll(&one, 1, 0);
    redis_link_run(sentinel->link, one.revents, now_ms);
    if (redis_link_state(sentinel->link) == REDIS_LINK_OPEN) {
        ask(master, sentinel, now_ms);
        redis_link_run(sentinel->link, 0, now_ms);
    }
    while (redis_link_receive(sentinel->link, &reply) == RC_OK) {
        sentinel->failures = 0;
        take_answer(master, index, reply);
        freeReplyObject(reply);
    }
    redis_link_watch(sentinel->link, now_ms, master->silent_ms_max);
}

static void run_sentinel(struct redis_master *master, uint32_t index, uint64_t now_ms, uint64_t chance)
{
    struct sentinel *sentinel = &master->sentinels[index];
    if (redis_link_state(sentinel->link) == REDIS_LINK_CLOSED) {
        if (now_ms < sentinel->open_at_ms) return;
        redis_link_open(sentinel->link, now_ms);
        sentinel->ask_at_ms = 0;
    }
    go_on(master, index, now_ms);
    enum redis_end end = redis_link_end(sentinel->link);
    if (end == REDIS_END_NONE) return;
    snprintf(master->reason, sizeof master->reason, "%s", redis_link_reason(sentinel->link));
    redis_link_close(sentinel->link);
    sentinel->open_at_ms =
        now_ms + (end == REDIS_END_NAME ? NAME_MS : backoff_ms(++sentinel->failures, chance >> index));
}

void redis_master_run(struct redis_master *master, uint64_t now_ms, uint64_t chance)
{
    if (master->url.kind != REDIS_SENTINEL) return;
    for (uint32_t i = 0; i < master->url.places_count; i++)
        run_sentinel(master, i, now_ms, chance);
}

bool redis_master_place(const struct redis_master *master, struct redis_place *place_r)
{
    if (master->url.kind != REDIS_SENTINEL) {
        *place_r = master->url.places[0];
        return true;
    }
    const struct sentinel_answer *best =
        sentinel_answer_best(master->answers, master->are_known, master->url.places_count);
    if (best != NULL) *place_r = best->place;
    return best != NULL;
}

const char *redis_master_reason(const struct redis_master *master)
{
    return master->reason;
}
