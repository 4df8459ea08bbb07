/* tests/server/store/test_store_crash.c - the store when things break: the process is killed, nothing can be written,
 * another program writes. What was acknowledged is there afterwards, and what was refused is not. */
#include "core/message.h"
#include "server/store/store.h"
#include "server/system/clock.h"
#include "tests/support/store_case.h"

#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <criterion/options.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* One test after the other: the runner of Criterion 2.4 leaks when a slow test outlives the ones after it. */
ReportHook(PRE_ALL)(struct criterion_test_set *tests)
{
    (void)tests;
    criterion_options.jobs = 1;
}

static struct store *store;
static int wake;
static uint64_t now_ms;
static char reason[512];

static enum rc start(bool is_synced)
{
    static char all[] = "*";
    static struct history_rule durable = {.pattern = all, .durable = true};
    struct options options = {.data_dir = case_dir,
                              .store_sync = is_synced,
                              .store_jobs_max = 10000,
                              .history = {.items = &durable, .count = 1}};
    wake = eventfd(0, EFD_NONBLOCK);
    enum rc rc = store_start(&store, &options, &wake, 1, reason, sizeof reason);
    if (rc != RC_OK) close(wake);
    return rc;
}

static void begin(void)
{
    case_begin();
    now_ms = realtime_ms();
    cr_assert_eq(start(false), RC_OK, "%s", reason);
}

static void stop(void)
{
    store_stop(store);
    counter_add(&case_counters, COUNTER_messages_live, counter_get(store_counters(store), COUNTER_messages_live));
    store_free(store);
    close(wake);
}

static struct store_job *receive(void)
{
    struct store_job *job;
    while ((job = store_receive(store, 0)) == NULL) {
        struct pollfd signal = {.fd = wake, .events = POLLIN};
        poll(&signal, 1, -1);
        uint64_t rings;
        ssize_t bytes = read(wake, &rings, sizeof rings);
        (void)bytes;
    }
    return job;
}

static struct store_job *append_job(const char *channel, uint64_t offset, uint32_t bytes)
{
    char *data = malloc(bytes + 1);
    memset(data, 'x', bytes);
    struct store_job *job =
        case_append_text(channel, offset, text_of("ev"), (struct text){data, bytes}, (struct text){0}, now_ms);
    free(data);
    return job;
}

static struct store_job *run(struct store_job *job)
{
    cr_assert_eq(store_ask(store, 0, job), RC_OK);
    store_wake(store, 0);
    cr_assert_eq(receive(), job);
    return job;
}

static enum rc append(const char *channel, uint64_t offset, uint32_t bytes)
{
    struct store_job *job = run(append_job(channel, offset, bytes));
    enum rc rc = job->rc;
    case_free(job);
    return rc;
}

static void await_trouble(bool has_trouble)
{
    while ((store_trouble(store) != NULL) != has_trouble)
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

/* ---- kill -9 ---- */

enum { CHANNELS = 3, UNDER_WAY = 40, ROUNDS = 20 };

struct acknowledged {
    uint32_t channel;
    uint64_t offset;
};

static const char *channel_of(uint32_t number)
{
    static const char *const channels[CHANNELS] = {"room-0", "room-1", "room-2"};
    return channels[number];
}

/* The child: always has some under way, tells of each that is acknowledged, until it is killed. */
static void write_on(int pipe_end, const uint64_t *last, bool is_synced)
{
    uint64_t offsets[CHANNELS];
    memcpy(offsets, last, sizeof offsets);
    if (start(is_synced) != RC_OK) _exit(1);
    for (uint32_t turn = 0;; turn++) {
        if (turn >= UNDER_WAY) {
            struct store_job *job = receive();
            struct acknowledged done = {.channel = (uint32_t)(job->channel->text[5] - '0'),
                                        .offset = job->message->offset};
            if (job->rc != RC_OK || write(pipe_end, &done, sizeof done) != sizeof done) _exit(1);
            case_free(job);
        }
        uint32_t channel = turn % CHANNELS;
        if (store_ask(store, 0, append_job(channel_of(channel), ++offsets[channel], turn % 500)) != RC_OK) _exit(1);
        store_wake(store, 0);
    }
}

/* Starts one, kills it after so many acknowledgements; all that it told of count. */
static void write_and_be_killed(uint32_t acknowledged, uint64_t *last, bool is_synced)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        alarm(60);
        write_on(ends[1], last, is_synced);
    }
    close(ends[1]);
    struct acknowledged done;
    uint32_t count = 0;
    while (read(ends[0], &done, sizeof done) == sizeof done) {
        cr_assert_gt(done.offset, last[done.channel]);
        last[done.channel] = done.offset;
        if (++count == acknowledged) kill(child, SIGKILL);
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "it ended by itself: %x", status);
    cr_assert_geq(count, acknowledged);
    close(ends[0]);
}

/* What is there: all up to what was acknowledged, without a gap, and maybe some more. That is what goes on. */
static void expect_acknowledged(uint64_t *last)
{
    for (uint32_t i = 0; i < CHANNELS; i++) {
        struct store_job *read = run(case_read(channel_of(i)));
        uint64_t offset = 0;
        cr_assert(read->rc == RC_OK || (read->rc == RC_ENOENT && last[i] == 0));
        for (uint32_t k = 0; k < read->messages_count; k++)
            cr_assert_eq(read->messages[k]->offset, ++offset);
        cr_assert_geq(offset, last[i], "acknowledged %lu, there %lu", last[i], offset);
        cr_assert_eq(offset, read->last);
        last[i] = offset;
        case_free(read);
    }
}

Test(store_crash, what_was_acknowledged_survives_a_kill, .timeout = 200)
{
    uint64_t last[CHANNELS] = {0};
    case_begin();
    now_ms = realtime_ms();
    case_rule.size = 10000000;
    case_rule.bytes = UINT64_C(1) << 30;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        write_and_be_killed(1 + round * round * 37 % 800, last, round % 4 == 0);
        cr_assert_eq(start(false), RC_OK, "%s", reason);
        expect_acknowledged(last);
        stop();
    }
    cr_expect_gt(last[0], ROUNDS);
    case_end();
}

/* ---- nothing can be written ---- */

/* Files may become no larger than this; UINT64_MAX: as large as ever. */
static void limit_files(uint64_t bytes)
{
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

Test(store_crash, refuses_while_nothing_can_be_written_and_recovers, .timeout = 120)
{
    enum { JOBS = 60 };
    struct store_job *jobs[JOBS];
    begin();
    for (uint64_t offset = 1; offset <= 10; offset++)
        cr_assert_eq(append("room", offset, 100), RC_OK);
    limit_files(64 << 10);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < JOBS; i++) {
            jobs[i] = i % 6 == 5 ? case_read("room") : append_job("room", 1000 * (round + 1) + i, 50000);
            cr_assert_eq(store_ask(store, 0, jobs[i]), RC_OK);
        }
        store_wake(store, 0);
        uint32_t refused = 0;
        for (uint32_t i = 0; i < JOBS; i++) {
            struct store_job *job = receive();
            case_expect_next(jobs, job);
            cr_expect(job->rc == RC_OK || (job->kind == STORE_APPEND && job->rc == RC_ESTORE));
            refused += job->rc == RC_ESTORE;
            if (job->kind == STORE_READ) cr_expect_geq(job->messages_count, 10);
            case_free(job);
        }
        cr_expect_gt(refused, 0);
        cr_expect(store_trouble(store) != NULL);
    }
    cr_expect_gt(counter_get(store_counters(store), COUNTER_store_failures), 0);
    uint64_t stored = counter_get(store_counters(store), COUNTER_store_appends);
    limit_files(UINT64_MAX);
    await_trouble(false); /* nobody asks: it tries by itself */
    cr_expect_eq(append("room", 10000, 50000), RC_OK);
    stop();
    cr_assert_eq(start(false), RC_OK, "%s", reason);
    struct store_job *read = run(case_read("room"));
    cr_expect_eq(read->messages_count, stored + 1, "those that were acknowledged and no other");
    cr_expect_eq(read->last, 10000);
    case_free(read);
    stop();
    case_end();
}

Test(store_crash, a_start_where_nothing_can_be_written_is_refused, .timeout = 60)
{
    begin();
    cr_assert_eq(append("room", 1, 100), RC_OK);
    stop();
    limit_files(0);
    cr_expect_eq(start(false), RC_EINVAL);
    cr_expect(strstr(reason, "ringcast.db cannot be used") != NULL && strstr(reason, "File too large") != NULL, "%s",
              reason);
    limit_files(UINT64_MAX);
    cr_expect_eq(start(false), RC_OK, "%s", reason);
    cr_expect_eq(append("room", 2, 100), RC_OK);
    stop();
    case_end();
}

Test(store_crash, a_new_database_that_cannot_be_written_leaves_nothing_wrong_behind, .timeout = 60)
{
    case_begin();
    now_ms = realtime_ms();
    limit_files(4096);
    cr_expect_eq(start(false), RC_EINVAL);
    cr_expect(strstr(reason, "ringcast.db.new cannot be used") != NULL, "%s", reason);
    limit_files(UINT64_MAX);
    cr_expect_eq(start(false), RC_OK, "%s", reason);
    cr_expect_eq(append("room", 1, 100), RC_OK);
    stop();
    case_end();
}

/* Somebody has begun to write with a database shell and went for a coffee. The first message waits for the end of it
 * for two seconds; if each one did, this would take ten minutes. */
Test(store_crash, another_program_that_writes_is_trouble_until_it_ends, .timeout = 120)
{
    char path[128];
    sqlite3 *other;
    begin();
    cr_assert_eq(append("room", 1, 100), RC_OK);
    snprintf(path, sizeof path, "%s/ringcast.db", case_dir);
    cr_assert_eq(sqlite3_open(path, &other), SQLITE_OK);
    sqlite3_busy_timeout(other, 60000); /* the store itself may be writing */
    cr_assert_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    cr_expect_eq(append("room", 2, 100), RC_ESTORE);
    cr_expect_str_eq(store_trouble(store), "database is locked");
    for (uint64_t offset = 3; offset < 300; offset++)
        cr_expect_eq(append("room", offset, 100), RC_ESTORE);
    struct store_job *read = run(case_read("room"));
    cr_expect_eq(read->rc, RC_OK);
    cr_expect_eq(read->messages_count, 1);
    case_free(read);
    cr_expect(store_trouble(store) != NULL, "that it can be read proves nothing");
    sqlite3_close(other);
    await_trouble(false);
    cr_expect_eq(append("room", 300, 100), RC_OK);
    stop();
    case_end();
}

/* Goal: nothing is acknowledged that is written to a file nobody will find again; what was, is there after a proper
 * end.
 * The ways in which files go: tests/server/store/test_store_watch.c. */
Test(store_crash, a_log_that_is_removed_while_it_runs_is_trouble_until_the_end, .timeout = 120)
{
    char path[128];
    begin();
    cr_assert_eq(append("room", 1, 100), RC_OK);
    snprintf(path, sizeof path, "%s/ringcast.db-wal", case_dir);
    cr_assert_eq(unlink(path), 0);
    await_trouble(true);
    cr_expect_str_eq(store_trouble(store), "its files were removed or replaced");
    cr_expect_eq(append("room", 2, 100), RC_ESTORE);
    struct store_job *read = run(case_read("room"));
    cr_expect_eq(read->rc, RC_OK);
    cr_expect_eq(read->messages_count, 1);
    case_free(read);
    cr_expect(store_trouble(store) != NULL);
    stop();
    cr_assert_eq(start(false), RC_OK, "%s", reason);
    read = run(case_read("room"));
    cr_expect_eq(read->last, 1);
    cr_expect_eq(read->messages_count, 1);
    case_free(read);
    stop();
    case_end();
}

/* Its pages are damaged under a running store, and those that are in memory hold for a while; it does not crash. */
Test(store_crash, damage_while_it_runs_is_an_error, .timeout = 120)
{
    char path[128], garbage[4096];
    begin();
    case_rule.bytes = UINT64_C(1) << 32;
    case_rule.size = 10000000;
    for (uint64_t offset = 1; offset <= 72; offset++)
        cr_assert_eq(append("room", offset, 1000000), RC_OK);
    cr_assert_eq(append("other", 1, 100), RC_OK);
    stop(); /* the pages are in the database, and more than its cache holds */
    cr_assert_eq(start(false), RC_OK, "%s", reason);
    memset(garbage, 0x5a, sizeof garbage);
    snprintf(path, sizeof path, "%s/ringcast.db", case_dir);
    FILE *file = fopen(path, "r+");
    for (uint32_t page = 20; page < 2000; page++) {
        fseek(file, page * 4096L, SEEK_SET);
        cr_assert_eq(fwrite(garbage, sizeof garbage, 1, file), 1);
    }
    fclose(file);
    struct store_job *read = run(case_read("room"));
    cr_expect_eq(read->rc, RC_ESTORE);
    cr_expect_eq(read->messages_count, 0);
    cr_expect(store_trouble(store) != NULL);
    case_free(read);
    stop();
    cr_expect_eq(start(false), RC_OK, "too large to be read through: %s", reason);
    stop();
    case_end();
}
