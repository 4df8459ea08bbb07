/* server/cluster/cluster_pair.c - two connections: their life, what comes over them, and who asked for it. */
#include "server/cluster/cluster_pair.h"

#include "core/counters.h"
#include "server/cluster/backoff.h"
#include "server/cluster/cluster_key.h"
#include "server/cluster/redis_error.h"
#include "server/cluster/redis_master.h"
#include "server/cluster/script_call.h"
#include "server/system/log.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASKED_MIN    64
#define ENDS_TELL_MS 30000 /* the same reason is told again after so long */
#define LOOK_MS      100   /* who is silent is found so late at most */
#define OWN_CHANNELS 2
#define PROBE        "probe "

enum pair_state {
    PAIR_AWAY,     /* until open_at_ms */
    PAIR_OPENING,  /* the links are */
    PAIR_LEARNING, /* time, scripts and generation are asked for */
    PAIR_UP,
};

struct asked {
    cluster_pair_answer *answer;
    void *self, *about;
};

struct cluster_pair {
    struct cluster_pair_settings settings;
    struct counters *counters;
    struct redis_master *master;
    struct redis_link *a, *b;
    enum pair_state state;
    bool is_paused;
    bool lacks_master; /* away, because nobody names one */
    uint64_t now_ms;   /* of this round */

    struct asked *asked; /* a ring: who waits for answers over A, the oldest at `first` */
    uint32_t asked_capacity, asked_first, asked_count;

    char replid[REDIS_REPLID_BYTES + 1]; /* of the life whose generation is known, and of that which is asked for */
    char replid_asked[REDIS_REPLID_BYTES + 1];
    uint64_t generation;
    int64_t clock_ms;      /* Redis's clock less ours */
    uint32_t acknowledged; /* of the two channels of its own */
    bool is_other_life, is_learned;

    uint64_t open_at_ms;
    uint64_t beat_at_ms;
    uint64_t probe, probe_back; /* the last that was sent, and that came back */
    uint64_t probe_sent_ms;     /* the oldest that did not */
    uint32_t failures;          /* in a row */
    enum redis_end end;         /* why it is away */
    enum redis_end told_end;
    uint64_t told_ms;
    struct script_call call;
};

static const char *const troubles[REDIS_ENDS_MAX] = {
    [REDIS_END_NONE] = "Redis is being connected",
#define REDIS_END(name, text) [REDIS_END_##name] = "Redis: " text,
#include "server/cluster/redis_end.def"
#undef REDIS_END
};

/* ---- life ---- */

struct cluster_pair *cluster_pair_new(const struct cluster_pair_settings *settings, struct counters *counters)
{
    const struct redis_limits limits = {PAIR_OUT_BYTES_MAX, settings->reply_bytes_max};
    struct cluster_pair *pair = calloc(1, sizeof *pair);
    if (pair == NULL) return NULL;
    pair->settings = *settings;
    pair->counters = counters;
    pair->asked_capacity = ASKED_MIN;
    pair->asked = malloc(pair->asked_capacity * sizeof pair->asked[0]);
    pair->master =
        redis_master_new(settings->url, settings->target.name, settings->target.access, settings->silent_ms_max);
    pair->a = redis_link_new(&settings->target, &limits);
    pair->b = redis_link_new(&settings->target, &limits);
    if (pair->asked != NULL && pair->master != NULL && pair->a != NULL && pair->b != NULL) {
        redis_link_expect_pushes(pair->b);
        return pair;
    }
    cluster_pair_free(pair);
    return NULL;
}

void cluster_pair_free(struct cluster_pair *pair)
{
    if (pair == NULL) return;
    redis_master_free(pair->master);
    redis_link_free(pair->a);
    redis_link_free(pair->b);
    free(pair->asked);
    free(pair);
}

/* ---- who asked ---- */

static bool make_room(struct cluster_pair *pair)
{
    if (pair->asked_count < pair->asked_capacity) return true;
    struct asked *larger = malloc(2 * (size_t)pair->asked_capacity * sizeof larger[0]);
    if (larger == NULL) return false;
    for (uint32_t i = 0; i < pair->asked_count; i++)
        larger[i] = pair->asked[(pair->asked_first + i) % pair->asked_capacity];
    free(pair->asked);
    pair->asked = larger;
    pair->asked_first = 0;
    pair->asked_capacity *= 2;
    return true;
}

static enum rc ask(struct cluster_pair *pair, const struct text *words, size_t count, const struct asked *asked)
{
    if (!make_room(pair)) return RC_ENOMEM;
    enum rc rc = redis_link_send(pair->a, words, count);
    if (rc != RC_OK) return rc;
    pair->asked[(pair->asked_first + pair->asked_count++) % pair->asked_capacity] = *asked;
    return RC_OK;
}

static void answer(struct cluster_pair *pair, const redisReply *reply)
{
    assert(pair->asked_count > 0);
    struct asked asked = pair->asked[pair->asked_first];
    pair->asked_first = (pair->asked_first + 1) % pair->asked_capacity;
    pair->asked_count--;
    asked.answer(asked.self, asked.about, reply);
}

enum rc cluster_pair_ask(struct cluster_pair *pair, const struct text *words, size_t count,
                         cluster_pair_answer *answer_to, void *self, void *about)
{
    const struct asked asked = {answer_to, self, about};
    return pair->state == PAIR_UP ? ask(pair, words, count, &asked) : RC_EBUSY;
}

enum rc cluster_pair_say(struct cluster_pair *pair, const struct text *words, size_t count)
{
    return pair->state == PAIR_UP ? redis_link_send(pair->b, words, count) : RC_EBUSY;
}

/* ---- going ---- */

static void tell_end(struct cluster_pair *pair, const char *reason, uint64_t now_ms)
{
    if (pair->end == pair->told_end && now_ms - pair->told_ms < ENDS_TELL_MS) return;
    pair->told_end = pair->end;
    pair->told_ms = now_ms;
    log_warn("%s", reason);
}

/* Redis has ended the subscriptions and nothing else. */
static bool is_overrun(const struct cluster_pair *pair)
{
    enum redis_end end = redis_link_end(pair->b);
    bool is_ended_there = end == REDIS_END_CLOSED || end == REDIS_END_RESET;
    return pair->state == PAIR_UP && is_ended_there && redis_link_end(pair->a) == REDIS_END_NONE;
}

static void go_away(struct cluster_pair *pair, uint64_t now_ms)
{
    bool was_up = pair->state == PAIR_UP;
    if (is_overrun(pair)) counter_add(pair->counters, COUNTER_cluster_overruns, 1);
    const struct redis_link *link = redis_link_end(pair->a) != REDIS_END_NONE ? pair->a : pair->b;
    char reason[512];
    snprintf(reason, sizeof reason, "%s", redis_link_reason(link));
    pair->end = redis_link_end(link);
    pair->state = PAIR_AWAY;
    if (was_up) pair->failures = 0;
    pair->open_at_ms = now_ms + backoff_ms(++pair->failures, arc4random());
    redis_link_close(pair->a);
    redis_link_close(pair->b);
    if (pair->end != REDIS_END_NONE) tell_end(pair, reason, now_ms);
    counter_set(pair->counters, COUNTER_cluster_connected, 0);
    while (pair->asked_count > 0)
        answer(pair, NULL);
    if (was_up) pair->settings.went(pair->settings.self);
}

static bool has_ended(const struct cluster_pair *pair)
{
    return redis_link_end(pair->a) != REDIS_END_NONE || redis_link_end(pair->b) != REDIS_END_NONE;
}

void cluster_pair_give_up(struct cluster_pair *pair, enum redis_end end, const char *detail)
{
    if (pair->state != PAIR_AWAY && !has_ended(pair)) redis_link_stop(pair->a, end, detail);
}

void cluster_pair_end(struct cluster_pair *pair, uint64_t now_ms)
{
    if (pair->state != PAIR_AWAY) go_away(pair, now_ms);
}

/* ---- questions of its own ---- */

static void come_up(struct cluster_pair *pair)
{
    if (pair->state != PAIR_LEARNING || !pair->is_learned || pair->acknowledged < OWN_CHANNELS) return;
    char place[REDIS_PLACE_TEXT_MAX];
    pair->state = PAIR_UP;
    pair->end = pair->told_end = REDIS_END_NONE;
    pair->probe = pair->probe_back = pair->beat_at_ms = 0;
    counter_set(pair->counters, COUNTER_cluster_connected, 1);
    counter_add(pair->counters, COUNTER_cluster_connects, 1);
    log_info("redis %s: connected, version %s%s", redis_place_format(redis_link_place(pair->a), place),
             redis_link_server(pair->a)->version_text,
             pair->is_other_life ? "; it has been started anew since, so what clients know of histories is over"
                                 : "");
    pair->settings.came(pair->settings.self, pair->is_other_life);
}

static void give_up_for(struct cluster_pair *pair, const redisReply *reply)
{
    const struct redis_error *error = redis_error_of((struct text){reply->str, reply->len});
    enum redis_end end = strcmp(error->word, "NOPERM") == 0 ? REDIS_END_RIGHTS : REDIS_END_COMMAND;
    cluster_pair_give_up(pair, end, reply->str);
}

static bool is_error(struct cluster_pair *pair, const redisReply *reply)
{
    if (reply == NULL) return true;
    if (reply->type == REDIS_REPLY_ERROR) give_up_for(pair, reply);
    return reply->type == REDIS_REPLY_ERROR;
}

static void take_nothing(void *self, void *about, const redisReply *reply)
{
    (void)about;
    is_error(self, reply);
}

static bool number_of(const redisReply *reply, uint64_t *number_r)
{
    return reply->type == REDIS_REPLY_STRING && text_is_number((struct text){reply->str, reply->len}, number_r);
}

static void take_time(void *self, void *about, const redisReply *reply)
{
    struct cluster_pair *pair = self;
    uint64_t s, us;
    (void)about;
    if (is_error(pair, reply) || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) return;
    if (!number_of(reply->element[0], &s) || !number_of(reply->element[1], &us)) return;
    pair->clock_ms = (int64_t)(s * 1000 + us / 1000) - (int64_t)pair->now_ms;
}

static void take_generation(void *self, void *about, const redisReply *reply)
{
    struct cluster_pair *pair = self;
    uint64_t generation;
    (void)about;
    if (is_error(pair, reply) || !number_of(reply, &generation)) return;
    bool is_other_life = pair->generation != 0 && strcmp(pair->replid, pair->replid_asked) != 0;
    bool is_other = pair->generation != generation;
    memcpy(pair->replid, pair->replid_asked, sizeof pair->replid);
    pair->generation = generation;
    if (pair->state == PAIR_UP) {
        if (is_other) pair->settings.came(pair->settings.self, is_other_life);
        return;
    }
    pair->is_other_life = is_other_life;
    pair->is_learned = true;
    come_up(pair);
}

static void ask_own(struct cluster_pair *pair, const struct text *words, size_t count, cluster_pair_answer *answer_to)
{
    const struct asked asked = {answer_to, pair, NULL};
    enum rc rc = ask(pair, words, count, &asked);
    if (rc == RC_ENOMEM) cluster_pair_give_up(pair, REDIS_END_MEMORY, "");
}

static void ask_time(struct cluster_pair *pair)
{
    ask_own(pair, (struct text[]){text_of("TIME")}, 1, take_time);
}

static void ask_generation(struct cluster_pair *pair, const char *replid)
{
    char key[CLUSTER_KEY_BYTES_MAX];
    bool is_same = strcmp(replid, pair->replid) == 0;
    snprintf(pair->replid_asked, sizeof pair->replid_asked, "%s", replid);
    script_call_generation(&pair->call, cluster_key_generation(key, pair->settings.prefix, text_of(CLUSTER_TAG_ALONE)),
                           text_of(pair->replid_asked), is_same ? pair->generation : 0);
    ask_own(pair, pair->call.words, pair->call.words_count, take_generation);
}

void cluster_pair_load_scripts(struct cluster_pair *pair)
{
    for (enum script script = 0; script < SCRIPTS_MAX; script++)
        ask_own(pair, (struct text[]){text_of("SCRIPT"), text_of("LOAD"), script_text(script)}, 3, take_nothing);
}

/* The server is still the master, and in the same life? */
static void take_role(void *self, void *about, const redisReply *reply)
{
    struct cluster_pair *pair = self;
    struct redis_server server = {0};
    (void)about;
    if (is_error(pair, reply) || reply->type != REDIS_REPLY_STRING) return;
    if (redis_server_read((struct text){reply->str, reply->len}, &server) != RC_OK) return;
    if (!server.is_master) {
        cluster_pair_give_up(pair, REDIS_END_ROLE, "");
    } else if (strcmp(server.replid, pair->replid) != 0) {
        ask_generation(pair, server.replid);
    }
}

static void learn(struct cluster_pair *pair)
{
    char own[CLUSTER_KEY_BYTES_MAX], control[CLUSTER_KEY_BYTES_MAX];
    const struct text words[] = {text_of("SUBSCRIBE"),
                                 cluster_key_node(own, pair->settings.prefix, text_of(pair->settings.node)),
                                 cluster_key_control(control, pair->settings.prefix)};
    if (strcmp(redis_link_server(pair->a)->replid, redis_link_server(pair->b)->replid) != 0) {
        cluster_pair_give_up(pair, REDIS_END_RESET, "it was started anew meanwhile");
        return;
    }
    pair->state = PAIR_LEARNING;
    pair->acknowledged = 0;
    pair->is_learned = false;
    ask_time(pair);
    cluster_pair_load_scripts(pair);
    ask_generation(pair, redis_link_server(pair->a)->replid);
    if (redis_link_send(pair->b, words, 3) != RC_OK) cluster_pair_give_up(pair, REDIS_END_MEMORY, "");
}

/* ---- the heartbeat ---- */

static void send_probe(struct cluster_pair *pair)
{
    char own[CLUSTER_KEY_BYTES_MAX], text[40];
    if (pair->probe == pair->probe_back) pair->probe_sent_ms = pair->now_ms;
    snprintf(text, sizeof text, PROBE "%llu", (unsigned long long)++pair->probe);
    const struct text words[] = {text_of("PUBLISH"),
                                 cluster_key_node(own, pair->settings.prefix, text_of(pair->settings.node)),
                                 text_of(text)};
    ask_own(pair, words, 3, take_nothing);
}

/* True: it was a probe. */
static bool take_probe(struct cluster_pair *pair, struct text channel, struct text push)
{
    uint64_t number;
    char own[CLUSTER_KEY_BYTES_MAX];
    if (!text_equals(channel, cluster_key_node(own, pair->settings.prefix, text_of(pair->settings.node))))
        return false;
    if (!text_has_prefix(push, PROBE) || !text_is_number(text_behind(push, strlen(PROBE)), &number)) return false;
    pair->probe_back = number;
    pair->probe_sent_ms = pair->now_ms;
    return true;
}

static void beat(struct cluster_pair *pair)
{
    bool is_missing = pair->probe > pair->probe_back && !pair->is_paused;
    if (is_missing && pair->now_ms - pair->probe_sent_ms > pair->settings.silent_ms_max) {
        cluster_pair_give_up(pair, REDIS_END_SILENT, "what is published does not come back");
        return;
    }
    if (pair->now_ms < pair->beat_at_ms) return;
    pair->beat_at_ms = pair->now_ms + PAIR_HEARTBEAT_MS;
    ask_time(pair);
    ask_own(pair, (struct text[]){text_of("INFO"), text_of("replication")}, 2, take_role);
    send_probe(pair);
}

void cluster_pair_pause(struct cluster_pair *pair, bool is_paused)
{
    pair->probe_sent_ms = pair->now_ms;
    pair->is_paused = is_paused;
}

/* ---- what comes ---- */

static struct text text_of_reply(const redisReply *reply)
{
    return (struct text){reply->str, reply->len};
}

/* True: it is of the pair's own. */
static bool take_own(struct cluster_pair *pair, const redisReply *reply)
{
    if (pair->state == PAIR_LEARNING) {
        pair->acknowledged++;
        come_up(pair);
        return true;
    }
    bool is_push =
        reply->type == REDIS_REPLY_ARRAY && reply->elements == 3 && reply->element[2]->type == REDIS_REPLY_STRING;
    return is_push && take_probe(pair, text_of_reply(reply->element[1]), text_of_reply(reply->element[2]));
}

static void take_push(struct cluster_pair *pair, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR) {
        give_up_for(pair, reply);
    } else if (!take_own(pair, reply)) {
        pair->settings.pushed(pair->settings.self, reply);
    }
}

static void receive_pushes(struct cluster_pair *pair)
{
    redisReply *reply;
    for (uint32_t i = 0; i < PAIR_ANSWERS_AT_ONCE && !pair->is_paused; i++) {
        if (redis_link_receive(pair->b, &reply) != RC_OK) return;
        take_push(pair, reply);
        freeReplyObject(reply);
    }
}

static void receive_answers(struct cluster_pair *pair)
{
    redisReply *reply;
    for (uint32_t i = 0; i < PAIR_ANSWERS_AT_ONCE; i++) {
        if (redis_link_receive(pair->a, &reply) != RC_OK) return;
        if (pair->asked_count > 0) answer(pair, reply);
        freeReplyObject(reply);
    }
}

/* ---- rounds ---- */

void cluster_pair_poll(const struct cluster_pair *pair, struct pollfd fds[2])
{
    fds[0] = (struct pollfd){.fd = redis_link_fd(pair->a), .events = redis_link_events(pair->a)};
    fds[1] = (struct pollfd){.fd = redis_link_fd(pair->b), .events = redis_link_events(pair->b)};
    if (pair->is_paused) fds[1].events &= (short)~POLLIN;
}

uint64_t cluster_pair_due_ms(const struct cluster_pair *pair, uint64_t now_ms)
{
    bool has_input = redis_link_has_input(pair->a) || (redis_link_has_input(pair->b) && !pair->is_paused);
    if (pair->state == PAIR_AWAY && pair->open_at_ms < now_ms + LOOK_MS) return pair->open_at_ms;
    return now_ms + (has_input || has_ended(pair) ? 0 : LOOK_MS);
}

static void miss_master(struct cluster_pair *pair)
{
    const char *reason = redis_master_reason(pair->master);
    pair->lacks_master = true;
    pair->open_at_ms = pair->now_ms + LOOK_MS;
    if (reason[0] == '\0' || (pair->told_ms > 0 && pair->now_ms - pair->told_ms < ENDS_TELL_MS)) return;
    pair->told_ms = pair->now_ms;
    log_warn("%s", reason);
}

static void open_links(struct cluster_pair *pair, uint64_t now_ms)
{
    struct redis_place place;
    if (!redis_master_place(pair->master, &place)) {
        miss_master(pair);
        return;
    }
    pair->lacks_master = false;
    redis_link_set_place(pair->a, &place);
    redis_link_set_place(pair->b, &place);
    pair->state = PAIR_OPENING;
    pair->is_paused = false;
    redis_link_open(pair->a, now_ms);
    if (redis_link_end(pair->a) == REDIS_END_NONE) redis_link_open(pair->b, now_ms);
}

/* A master that was cut off says for a while that it still is one; what goes there meanwhile is lost. */
static void follow_master(struct cluster_pair *pair)
{
    struct redis_place place;
    redis_master_run(pair->master, pair->now_ms, arc4random());
    if (pair->state == PAIR_AWAY || !redis_master_place(pair->master, &place)) return;
    if (memcmp(&place, redis_link_place(pair->a), sizeof place) != 0)
        cluster_pair_give_up(pair, REDIS_END_ROLE, "the Sentinels name another one");
}

static void watch(struct cluster_pair *pair)
{
    redis_link_watch(pair->a, pair->now_ms, pair->settings.silent_ms_max);
    redis_link_watch(pair->b, pair->now_ms, pair->settings.silent_ms_max);
    if (pair->state == PAIR_UP && !has_ended(pair)) beat(pair);
}

void cluster_pair_run(struct cluster_pair *pair, const struct pollfd fds[2], uint64_t now_ms)
{
    bool is_later = now_ms > pair->now_ms;
    pair->now_ms = now_ms;
    if (is_later) follow_master(pair);
    if (pair->state == PAIR_AWAY && now_ms < pair->open_at_ms) return;
    if (pair->state == PAIR_AWAY) {
        open_links(pair, now_ms);
    } else {
        redis_link_run(pair->b, fds[1].revents, now_ms);
        redis_link_run(pair->a, fds[0].revents, now_ms);
    }
    if (pair->state >= PAIR_LEARNING) {
        receive_pushes(pair);
        receive_answers(pair);
    }
    bool are_open = redis_link_state(pair->a) == REDIS_LINK_OPEN && redis_link_state(pair->b) == REDIS_LINK_OPEN;
    if (pair->state == PAIR_OPENING && are_open) learn(pair);
    if (!has_ended(pair)) watch(pair);
    if (has_ended(pair)) go_away(pair, now_ms);
}

void cluster_pair_flush(struct cluster_pair *pair, uint64_t now_ms)
{
    if (pair->state < PAIR_LEARNING || has_ended(pair)) return;
    redis_link_run(pair->b, 0, now_ms);
    redis_link_run(pair->a, 0, now_ms);
}

/* ---- what is known ---- */

bool cluster_pair_is_up(const struct cluster_pair *pair)
{
    return pair->state == PAIR_UP;
}

uint64_t cluster_pair_generation(const struct cluster_pair *pair)
{
    return pair->generation;
}

uint64_t cluster_pair_redis_ms(const struct cluster_pair *pair, uint64_t now_ms)
{
    return (uint64_t)((int64_t)now_ms + pair->clock_ms);
}

const struct redis_place *cluster_pair_place(const struct cluster_pair *pair)
{
    return redis_link_place(pair->a);
}

const struct redis_server *cluster_pair_server(const struct cluster_pair *pair)
{
    return redis_link_server(pair->a);
}

const char *cluster_pair_trouble(const struct cluster_pair *pair)
{
    if (pair->lacks_master) return "Redis: no Sentinel says who its master is; the log says why";
    return pair->state == PAIR_UP ? NULL : troubles[pair->end];
}
