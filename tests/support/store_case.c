/* tests/support/store_case.c - directories, jobs and expectations. */
#include "tests/support/store_case.h"

#include "core/message.h"
#include "net/frame.h"
#include "net/json.h"
#include "server/protocol/event.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

char case_dir[64];
struct counters case_counters;
struct history_rule case_rule;

struct case_job {
    struct store_job job; /* first: a job is one of these */
    struct name name;
    char text[NAME_BYTES_MAX];
};

void case_begin(void)
{
    snprintf(case_dir, sizeof case_dir, "/tmp/ringcast-store-XXXXXX");
    cr_assert(mkdtemp(case_dir) != NULL);
    case_rule = (struct history_rule){.size = 1000, .ttl = 24 * 3600 * 1000, .bytes = 8 << 20, .durable = true};
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status, (void)type, (void)walk;
    return remove(path);
}

void case_end(void)
{
    nftw(case_dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    cr_expect_eq((int64_t)counter_get(&case_counters, COUNTER_messages_live), 0);
}

static struct store_job *new_job(enum store_job_kind kind, const char *channel)
{
    struct case_job *job = calloc(1, sizeof *job);
    cr_assert(job != NULL);
    memcpy(job->text, channel, strlen(channel));
    job->name = name_of(0, (struct text){job->text, strlen(channel)});
    job->job = (struct store_job){.kind = kind, .app = "1001", .channel = &job->name, .rule = &case_rule};
    return &job->job;
}

struct store_job *case_append_text(const char *channel, uint64_t offset, struct text name, struct text data,
                                   struct text user_id, uint64_t time_ms)
{
    struct store_job *job = new_job(STORE_APPEND, channel);
    struct position position = {.offset = offset, .epoch = "epoch001"};
    struct event event = {.name = name, .data = data, .user_id = user_id};
    memcpy(job->epoch, position.epoch, sizeof job->epoch);
    struct message *message = event_message(&case_counters, job->channel, &event);
    cr_assert(message != NULL);
    job->message = event_at(&case_counters, message, &position, time_ms);
    cr_assert(job->message != NULL);
    return job;
}

struct store_job *case_append(const char *channel, uint64_t offset, const char *data)
{
    return case_append_text(channel, offset, text_of("ev"), text_of(data), (struct text){0}, CASE_MS);
}

struct store_job *case_read(const char *channel)
{
    struct store_job *job = new_job(STORE_READ, channel);
    job->before = UINT64_MAX;
    job->count_max = UINT32_MAX;
    job->bytes_max = UINT64_MAX;
    job->keys_max = 1000000;
    return job;
}

void case_expect_next(struct store_job **jobs, const struct store_job *job)
{
    while (*jobs == NULL || (*jobs)->kind != job->kind) {
        jobs++;
    }
    cr_assert_eq(*jobs, job);
    *jobs = NULL;
}

void case_free(struct store_job *job)
{
    if (job->message != NULL) message_drop(&case_counters, job->message);
    store_job_fini(&case_counters, job);
    free(job);
}

const char *case_offsets(const struct store_job *job)
{
    static char text[65536];
    size_t bytes = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < job->messages_count && bytes < sizeof text - 32; i++) {
        bytes += (size_t)snprintf(text + bytes, 32, "%s%llu", i > 0 ? " " : "",
                                  (unsigned long long)job->messages[i]->offset);
    }
    return text;
}

static yyjson_doc *frame_document(const struct message *message)
{
    const uint8_t *frame = message_frame(message, FORM_EVENT);
    size_t header = frame_header_bytes(frame);
    struct text payload = {(const char *)frame + header, message->frame_bytes[FORM_EVENT] - header};
    yyjson_doc *document;
    cr_assert_eq(json_read(payload, &document, NULL), RC_OK, "%.*s", (int)payload.count, payload.at);
    return document;
}

void case_expect_message(const struct message *message, const struct store_job *append)
{
    cr_expect_eq(message->offset, append->message->offset);
    cr_expect_eq(message->time_ms, append->message->time_ms);
    cr_expect(name_equals(&message->channel, append->channel));
    yyjson_doc *got = frame_document(message), *wanted = frame_document(append->message);
    cr_expect(yyjson_equals(yyjson_doc_get_root(got), yyjson_doc_get_root(wanted)), "offset %llu",
              (unsigned long long)message->offset);
    yyjson_doc_free(got);
    yyjson_doc_free(wanted);
}

uint64_t case_query(const char *sql)
{
    return case_query_file("ringcast.db", sql);
}

uint64_t case_query_file(const char *name, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    cr_assert_eq(sqlite3_open_v2(case_path(name), &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
    cr_assert_eq(sqlite3_step(statement), SQLITE_ROW);
    uint64_t value = (uint64_t)sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return value;
}

const char *case_path(const char *name)
{
    static char path[2][128];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", case_dir, name);
    return path[turn];
}

char *case_read_file(const char *name, size_t *count_r)
{
    int file = open(name[0] == '/' ? name : case_path(name), O_RDONLY);
    struct stat status;
    cr_assert(file >= 0 && fstat(file, &status) == 0, "%s", name);
    char *bytes = malloc((size_t)status.st_size + 1);
    cr_assert_eq(read(file, bytes, (size_t)status.st_size), status.st_size);
    close(file);
    *count_r = (size_t)status.st_size;
    return bytes;
}

void case_write_file(const char *name, const void *bytes, size_t count)
{
    int file = open(case_path(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    cr_assert(file >= 0 && write(file, bytes, count) == (ssize_t)count);
    close(file);
}

void case_in_child(void (*act)(void))
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        act();
        _exit(0);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
}
