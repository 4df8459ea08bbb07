/* tests/server/cluster/test_cluster_members_random.c - three nodes and one channel on a Redis in memory, at random.
 *
 * Commands and pushes of each node wait in queues of its own and go on when chance says so. Accidents: a node is
 * killed, stopped, or cut off; what it had sent is carried out late or never; Redis is restarted empty; the hash
 * is deleted; a push is lost. When all is quiet again, all nodes must have told their homes the truth: who has
 * connections on a node that lives. The controls leave out one rule each, and this judge must see it, or it is
 * blind. */
#include "server/cluster/cluster_members.h"
#include "server/cluster/cluster_members_read.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define NODES       3
#define USERS       6
#define QUEUE       256
#define LEASE_MS    1500 /* shorter than a real one, and so are the steps */
#define DEADLINE_MS 300
#define STEPS       4000

struct command {
    struct cluster_members_ask ask;
    uint32_t user;
    char node[16];
    uint64_t deadline_ms;
    bool is_done;
    int answer;
    struct {
        uint64_t version;
        char rows[USERS][64]; /* "": none */
    } snapshot;
};

struct node {
    struct cluster_members *members; /* NULL: killed */
    char name[16];
    uint32_t wanted[USERS];
    uint64_t wanted_ms[USERS]; /* since when */
    bool is_told[USERS];
    bool is_stopped, is_linked, has_missed; /* a generation */
    uint64_t until_ms;                      /* stopped, cut off or dead so long */
    uint64_t check_ms;
    struct command commands[QUEUE];
    uint32_t commands_count;
    char pushes[QUEUE][64];
    uint32_t pushes_count;
    uint64_t hidden; /* pushes lost without a trace, in the control */
};

struct redis {
    char rows[USERS][64];
    uint64_t version;
    struct {
        char name[16];
        uint64_t end_ms;
    } leases[64];
    uint32_t leases_count;
    struct command ghosts[QUEUE]; /* of connections that have ended */
    uint32_t ghosts_count;
};

static struct {
    bool has_accidents, hides_gaps, sweeps_not, checks_not, has_no_patience, restarts_only;
} mode;
static struct redis redis;
static struct node nodes[NODES];
static uint64_t now_ms;
static uint32_t names, false_leaves, added[USERS], removed[USERS];

static uint32_t chance(uint32_t n)
{
    return (uint32_t)random() % n;
}

static const char *user_name(uint32_t user)
{
    static const char *const user_names[USERS] = {"ann", "ben", "cat", "dot", "eve", "fay"};
    return user_names[user];
}

static uint32_t user_of(struct text id)
{
    uint32_t user = 0;
    while (user < USERS && !text_is(id, user_name(user)))
        user++;
    cr_assert_lt(user, USERS);
    return user;
}

/* ---- Redis: the scripts in C ---- */

static void publish(char sign, uint32_t user)
{
    if (redis.version == 0) redis.version = now_ms * 1000;
    redis.version++;
    for (struct node *node = nodes; node < nodes + NODES; node++) {
        if (!node->is_linked || node->members == NULL || node->pushes_count == QUEUE) continue;
        char *push = node->pushes[node->pushes_count++];
        const char *name = user_name(user);
        int count =
            snprintf(push, 64, "%c %llu 1 %zu %s ", sign, (unsigned long long)redis.version, strlen(name), name);
        if (sign == '+') snprintf(push + count, 64 - (size_t)count, "1 i");
    }
}

static int run_join(const struct command *command)
{
    char *row = redis.rows[command->user], joined[64], word[20];
    snprintf(word, sizeof word, " %s ", command->node);
    if (row[0] == '\0') {
        snprintf(row, 64, "%s|i", word);
        publish('+', command->user);
        return 2;
    }
    if (strstr(row, word) != NULL) return 0;
    snprintf(joined, sizeof joined, " %.20s%.40s", command->node, row);
    memcpy(row, joined, sizeof joined);
    return 1;
}

static int run_leave(uint32_t user, const char *node)
{
    char *row = redis.rows[user], word[20];
    snprintf(word, sizeof word, " %s ", node);
    char *at = strstr(row, word);
    if (at == NULL) return 0;
    memmove(at, at + strlen(word) - 1, strlen(at + strlen(word) - 1) + 1);
    if (strcmp(row, " |i") != 0) return 1;
    row[0] = '\0';
    publish('-', user);
    bool is_empty = true;
    for (uint32_t i = 0; i < USERS; i++)
        is_empty = is_empty && redis.rows[i][0] == '\0';
    if (is_empty) redis.version = 0;
    return 2;
}

static void run(struct command *command)
{
    command->is_done = true;
    command->answer = -1;
    if (command->ask.kind == MEMBERS_SNAPSHOT) {
        command->snapshot.version = redis.version;
        memcpy(command->snapshot.rows, redis.rows, sizeof redis.rows);
    } else if (now_ms <= command->deadline_ms) {
        command->answer =
            command->ask.kind == MEMBERS_JOIN ? run_join(command) : run_leave(command->user, command->node);
    }
}

static void run_ghosts(void)
{
    for (uint32_t i = 0; i < redis.ghosts_count; i++) {
        if (chance(2) == 0) run(&redis.ghosts[i]);
    }
    redis.ghosts_count = 0;
}

static void renew(const char *name, bool is_new)
{
    uint32_t i = 0;
    while (i < redis.leases_count && strcmp(redis.leases[i].name, name) != 0)
        i++;
    if (i == redis.leases_count && !is_new) return;
    cr_assert_lt(i, 64);
    if (i == redis.leases_count) snprintf(redis.leases[redis.leases_count++].name, 16, "%.15s", name);
    redis.leases[i].end_ms = now_ms + LEASE_MS;
}

static bool has_lease(const char *name)
{
    for (uint32_t i = 0; i < redis.leases_count; i++) {
        if (strcmp(redis.leases[i].name, name) == 0) return redis.leases[i].end_ms >= now_ms;
    }
    return false;
}

static void sweep(void)
{
    for (uint32_t i = 0; i < redis.leases_count && !mode.sweeps_not; i++) {
        if (redis.leases[i].end_ms >= now_ms) continue;
        for (uint32_t user = 0; user < USERS; user++) {
            if (run_leave(user, redis.leases[i].name) == 2) removed[user]++;
        }
        redis.leases[i--] = redis.leases[--redis.leases_count];
    }
}

/* ---- a node ---- */

static void link_up(struct node *node)
{
    node->is_linked = true;
    node->pushes_count = 0;
    if (!has_lease(node->name) && redis.leases_count > 0 && node->has_missed == false) {
        snprintf(node->name, sizeof node->name, "n%u", names++);
        cluster_members_rename(node->members, text_of(node->name));
    }
    renew(node->name, true);
    if (node->has_missed) {
        cluster_members_forgotten(node->members, mode.has_no_patience ? now_ms : now_ms + LEASE_MS);
    }
    node->has_missed = false;
    if (!mode.checks_not) cluster_members_check(node->members);
    node->check_ms = now_ms + DEADLINE_MS + 1; /* what was sent before may be carried out till then */
}

static void begin_node(struct node *node)
{
    *node = (struct node){0};
    snprintf(node->name, sizeof node->name, "n%u", names++);
    node->members = cluster_members_new(text_of(node->name));
    cluster_members_begin(node->members);
    renew(node->name, true);
    link_up(node);
}

static void cut(struct node *node)
{
    for (uint32_t i = 0; i < node->commands_count; i++) {
        bool is_open = !node->commands[i].is_done && redis.ghosts_count < QUEUE;
        if (is_open) redis.ghosts[redis.ghosts_count++] = node->commands[i];
    }
    node->commands_count = node->pushes_count = 0;
    node->is_linked = false;
    if (node->members != NULL) cluster_members_lost(node->members);
}

static void send_all(struct node *node)
{
    struct cluster_members_ask ask;
    while (node->is_linked && node->commands_count < QUEUE && cluster_members_ask(node->members, now_ms, &ask)) {
        struct command *command = &node->commands[node->commands_count++];
        *command = (struct command){.ask = ask, .deadline_ms = now_ms + DEADLINE_MS};
        if (ask.kind != MEMBERS_SNAPSHOT) command->user = user_of(ask.user_id);
        memcpy(command->node, node->name, sizeof node->name);
        cluster_members_sent(node->members, &ask);
    }
}

static void take_snapshot(struct node *node, const struct command *command)
{
    char version[24];
    cluster_members_snapshot_begin(node->members);
    for (uint32_t user = 0; user < USERS; user++) {
        const char *row = command->snapshot.rows[user];
        if (row[0] != '\0') cluster_members_snapshot_row(node->members, text_of(user_name(user)), text_of(row));
    }
    snprintf(version, sizeof version, "%llu", (unsigned long long)(command->snapshot.version - node->hidden));
    if (command->snapshot.version > 0) cluster_members_snapshot_row(node->members, text_of(""), text_of(version));
    cluster_members_snapshot_end(node->members, now_ms);
}

static void take_answer(struct node *node)
{
    struct command *command = &node->commands[0];
    struct text user_id;
    if (node->commands_count == 0 || !command->is_done) return;
    if (command->ask.kind == MEMBERS_SNAPSHOT) {
        take_snapshot(node, command);
    } else if (command->answer < 0) {
        cluster_members_failed(node->members, &command->ask, now_ms);
    } else {
        enum cluster_members_news news = cluster_members_news(&command->ask, command->answer, &user_id);
        if (news == MEMBERS_ADDED) added[command->user]++;
        if (news == MEMBERS_REMOVED) removed[command->user]++;
        cluster_members_answered(node->members, &command->ask, command->answer, now_ms);
    }
    memmove(command, command + 1, --node->commands_count * sizeof *command);
}

static void take_push(struct node *node, bool is_lost)
{
    char text[64], rest[64];
    unsigned long long version;
    if (node->pushes_count == 0) return;
    cr_assert_eq(sscanf(node->pushes[0], "%*c %llu %63[^\n]", &version, rest), 2);
    snprintf(text, sizeof text, "%c %llu %.40s", node->pushes[0][0], version - node->hidden, rest);
    memmove(node->pushes[0], node->pushes[1], --node->pushes_count * sizeof node->pushes[0]);
    if (is_lost)
        node->hidden += mode.hides_gaps;
    else
        cr_expect(cluster_members_push(node->members, text_of(text)), "%s", text);
}

/* Has had connections on a node that runs, for longer than a lease. */
static bool is_really_here(uint32_t user)
{
    for (struct node *node = nodes; node < nodes + NODES; node++) {
        bool is_wanted = node->members != NULL && node->wanted[user] > 0 && !node->is_stopped;
        if (is_wanted && node->wanted_ms[user] + LEASE_MS < now_ms) return true;
    }
    return false;
}

static void take_changes(struct node *node)
{
    struct cluster_members_change change;
    while (cluster_members_changes(node->members, &change, 1) > 0) {
        uint32_t user = user_of(change.user_id);
        cr_assert(change.has_left || change.has_joined);
        cr_assert_eq(node->is_told[user], change.has_left, "nobody comes twice or goes twice");
        if (change.has_left && is_really_here(user)) false_leaves++;
        node->is_told[user] = change.has_joined;
        cluster_members_told(node->members, 1);
    }
}

/* ---- chance ---- */

static void wish(struct node *node)
{
    uint32_t user = chance(USERS);
    /* One who leaves a node before the other has put him back has gone, for all that Redis knows. */
    if (mode.restarts_only && user % NODES != (uint32_t)(node - nodes)) return;
    if (node->wanted[user] > 0) {
        cluster_members_part(node->members, text_of(user_name(user)));
    } else {
        cluster_members_join(node->members, text_of(user_name(user)), text_of("i"));
    }
    node->wanted[user] = !node->wanted[user];
    node->wanted_ms[user] = now_ms;
}

static void restart_redis(void)
{
    memset(redis.rows, 0, sizeof redis.rows);
    redis.version = 0;
    redis.leases_count = redis.ghosts_count = 0;
    for (struct node *node = nodes; node < nodes + NODES; node++) {
        if (node->members == NULL) continue;
        cut(node);
        redis.ghosts_count = 0;
        node->has_missed = true;
        if (!node->is_stopped) node->until_ms = now_ms + chance(200);
    }
}

static void accident(struct node *node)
{
    uint32_t kind = mode.restarts_only ? 4 : mode.hides_gaps ? 3 : chance(mode.checks_not ? 4 : 6);
    if (kind == 0) {
        cut(node);
        cluster_members_free(node->members);
        *node = (struct node){.until_ms = now_ms + chance(3000)};
    } else if (kind == 1) {
        node->is_stopped = true;
        node->until_ms = now_ms + chance(3000);
    } else if (kind == 2) {
        cut(node);
        node->until_ms = now_ms + chance(600);
    } else if (kind == 3) {
        take_push(node, true);
    } else if (kind == 4) {
        restart_redis();
    } else {
        memset(redis.rows, 0, sizeof redis.rows);
        redis.version = 0;
    }
}

/* Who was stopped wakes with connections that have ended. */
static void wake(struct node *node)
{
    if (node->members == NULL) {
        begin_node(node);
    } else if (node->is_stopped) {
        node->is_stopped = false;
        cut(node);
    }
    if (!node->is_linked) link_up(node);
}

static void run_node(struct node *node, bool has_wishes)
{
    bool is_away = node->members == NULL || node->is_stopped || !node->is_linked;
    if (is_away && now_ms >= node->until_ms) wake(node);
    for (uint32_t i = 0; i < node->commands_count; i++) { /* Redis goes on, also for who is stopped */
        if (!node->commands[i].is_done && chance(2) == 0) break;
        if (!node->commands[i].is_done) run(&node->commands[i]);
    }
    if (node->members == NULL || node->is_stopped) return;
    if (has_wishes && chance(30) == 0) wish(node);
    if (node->is_linked && chance(5) == 0) renew(node->name, false);
    if (node->check_ms <= now_ms && node->is_linked && !mode.checks_not) {
        cluster_members_check(node->members);
        node->check_ms = UINT64_MAX;
    }
    if (cluster_members_due_ms(node->members) <= now_ms) cluster_members_tick(node->members, now_ms);
    send_all(node);
    if (chance(2) == 0) take_answer(node);
    if (chance(2) == 0) take_push(node, false);
    if (node->is_linked && chance(100) == 0 && !mode.hides_gaps && !mode.checks_not) {
        cluster_members_audit(node->members, redis.version);
    }
    take_changes(node);
}

static void step(bool has_wishes, bool has_accidents)
{
    now_ms += 1 + chance(10);
    if (chance(20) == 0) run_ghosts();
    if (chance(20) == 0) sweep();
    for (struct node *node = nodes; node < nodes + NODES; node++) {
        run_node(node, has_wishes);
        bool can = has_accidents && node->members != NULL && !node->is_stopped && node->is_linked;
        if (can && chance(300) == 0) accident(node);
    }
}

/* How many of what the nodes have told, and of what Redis has, is not the truth. */
static uint32_t count_faults(void)
{
    uint32_t faults = 0;
    for (uint32_t user = 0; user < USERS; user++) {
        bool is_here = false;
        for (uint32_t i = 0; i < NODES; i++)
            is_here = is_here || nodes[i].wanted[user] > 0;
        for (uint32_t i = 0; i < NODES; i++)
            faults += nodes[i].is_told[user] != is_here;
        faults += (redis.rows[user][0] != '\0') != is_here;
        if (!mode.has_accidents) faults += added[user] - removed[user] != is_here;
    }
    return faults;
}

static uint32_t run_seed(uint32_t seed)
{
    srandom(seed);
    memset(&redis, 0, sizeof redis);
    memset(added, 0, sizeof added);
    memset(removed, 0, sizeof removed);
    now_ms = 1000000;
    names = false_leaves = 0;
    for (uint32_t i = 0; i < NODES; i++)
        begin_node(&nodes[i]);
    for (uint32_t i = 0; i < STEPS; i++)
        step(true, mode.has_accidents);
    for (uint32_t i = 0; i < STEPS / 2; i++)
        step(false, false);
    uint32_t faults = count_faults();
    for (uint32_t i = 0; i < NODES; i++)
        cluster_members_free(nodes[i].members);
    return faults;
}

/* Until one finds something; 0: none does. */
static uint32_t run_seeds(uint32_t count)
{
    uint32_t faults = 0;
    for (uint32_t seed = 1; seed <= count && faults == 0; seed++) {
        faults = run_seed(seed);
        if (faults > 0) cr_log_info("seed %u: %u faults", seed, faults);
    }
    return faults;
}

static uint32_t seeds(void)
{
    return getenv("RINGCAST_LONG") != NULL ? 2000 : 30;
}

Test(cluster_members_random, without_accidents_all_is_told_and_backends_hear_of_each_once, .timeout = 300)
{
    cr_expect_eq(run_seeds(seeds()), 0);
}

Test(cluster_members_random, after_accidents_all_nodes_tell_the_truth, .timeout = 300)
{
    mode.has_accidents = true;
    cr_expect_eq(run_seeds(seeds()), 0);
}

Test(cluster_members_random, nobody_goes_because_redis_was_lost, .timeout = 300)
{
    mode.has_accidents = mode.restarts_only = true;
    for (uint32_t seed = 1; seed <= seeds(); seed++) {
        cr_expect_eq(run_seed(seed), 0, "seed %u", seed);
        cr_expect_eq(false_leaves, 0, "seed %u", seed);
    }
}

Test(cluster_members_random, the_judge_sees_lost_pushes, .timeout = 300)
{
    mode.has_accidents = mode.hides_gaps = true;
    cr_expect_gt(run_seeds(30), 0);
}

Test(cluster_members_random, the_judge_sees_who_is_not_swept, .timeout = 300)
{
    mode.has_accidents = mode.sweeps_not = true;
    cr_expect_gt(run_seeds(30), 0);
}

Test(cluster_members_random, the_judge_sees_what_is_not_checked, .timeout = 300)
{
    mode.has_accidents = mode.checks_not = true;
    cr_expect_gt(run_seeds(30), 0);
}

Test(cluster_members_random, the_judge_sees_impatience, .timeout = 300)
{
    mode.has_accidents = mode.restarts_only = mode.has_no_patience = true;
    uint32_t sum = 0;
    for (uint32_t seed = 1; seed <= 30; seed++) {
        run_seed(seed);
        sum += false_leaves;
    }
    cr_expect_gt(sum, 0);
}
