/* server/home/channel_log_store.c - what homes ask of the store, and what becomes of its answers. */
#include "server/home/channel_log_store.h"

#include "core/channel.h"
#include "core/join.h"
#include "core/letter.h"
#include "core/message.h"
#include "core/query.h"
#include "core/receipts.h"
#include "core/roster.h"
#include "server/config/app.h"
#include "server/config/history_rule.h"
#include "server/home/channel_log_window.h"
#include "server/home/home_answer.h"
#include "server/home/home_deliver.h"
#include "server/shard/shard.h"
#include "server/store/store.h"
#include "server/system/log.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* A message that goes out unkept, when an append before it is done: it could not be kept, or was not to be. */
struct log_behind {
    struct log_behind *next;
    struct message *message;
    bool is_loss;
    struct query *query;     /* unless it is a loss */
    struct receipt *receipt; /* the same */
};

/* A job with all that its answer concerns. */
struct log_job {
    struct store_job job;     /* first: the one is the other */
    struct history_rule rule; /* as it was when the job was made, for the store; of its texts nothing is used */
    char app[APP_TOKEN_BYTES_MAX + 1]; /* its id */
    struct channel_log *log;
    struct message *message;   /* APPEND: as it came, without an offset */
    struct receipt *receipt;   /* APPEND */
    struct log_behind *behind; /* APPEND: what follows it, oldest first */
    struct log_behind **behind_end;
    struct query *query;           /* APPEND, or READ for a page, */
    channel_log_page_reader *page; /* which this writes */
    struct join *join;             /* READ for who resumes; with neither: for the window */
};

static struct log_job *job_new(struct shard *shard, struct channel_log *log, enum store_job_kind kind)
{
    const struct name *channel = &log->roster->channel->name;
    struct log_job *job = malloc(sizeof *job);
    if (job == NULL) return NULL;
    *job = (struct log_job){
        .job = {.kind = kind, .channel = channel, .rule = &job->rule},
        .rule = *log->rule,
        .log = log,
    };
    snprintf(job->app, sizeof job->app, "%s", shard_app(shard, channel->app)->id);
    job->job.app = job->app;
    job->behind_end = &job->behind;
    return job;
}

static void job_free(struct shard *shard, struct log_job *job)
{
    store_job_fini(&shard->counters, &job->job);
    if (job->job.message != NULL) message_drop(&shard->counters, job->job.message);
    if (job->message != NULL) message_drop(&shard->counters, job->message);
    free(job);
}

static enum rc ask(struct shard *shard, struct log_job *job)
{
    enum rc rc = store_ask(shard->store, shard->index, &job->job);
    if (rc != RC_OK) return rc;
    job->log->jobs++;
    TAILQ_INSERT_TAIL(&shard->home.store_jobs, &job->job, entry);
    return RC_OK;
}

/* ---- asking ---- */

enum rc channel_log_ask_window(struct shard *shard, struct channel_log *log)
{
    assert(owner_is_me(&shard->owner));
    struct log_job *job = job_new(shard, log, STORE_READ);
    if (job == NULL) return RC_ENOMEM;
    struct history_bounds bounds = channel_log_bounds(shard, log);
    job->job.before = UINT64_MAX;
    job->job.count_max = (uint32_t)bounds.messages;
    job->job.bytes_max = bounds.bytes;
    job->job.is_from_end = true;
    job->job.keys_max = receipts_share(shard->options->repeat_keys_max);
    enum rc rc = ask(shard, job);
    if (rc == RC_OK) {
        log->state = LOG_READING;
    } else {
        job_free(shard, job);
    }
    return rc;
}

void channel_log_ask_loss(struct shard *shard, struct channel_log *log)
{
    assert(owner_is_me(&shard->owner));
    struct log_job *job = job_new(shard, log, STORE_LOSS);
    if (job == NULL) return;
    job->job.whole_from = log->whole_from;
    memcpy(job->job.epoch, log->window.last.epoch, sizeof job->job.epoch);
    log->is_saving = ask(shard, job) == RC_OK;
    if (!log->is_saving) job_free(shard, job);
}

void channel_log_ask_append(struct shard *shard, struct channel_log *log, struct message *message,
                            struct message *placed, struct query *query, struct receipt *receipt)
{
    assert(owner_is_me(&shard->owner));
    enum rc rc = channel_log_has_room(shard, placed) ? RC_ENOMEM : RC_EFULL;
    struct log_job *job = rc == RC_ENOMEM ? job_new(shard, log, STORE_APPEND) : NULL;
    if (job != NULL) {
        job->job.message = placed;
        job->message = message;
        job->query = query;
        job->receipt = receipt;
        job->job.whole_from = log->whole_from;
        memcpy(job->job.epoch, log->window.last.epoch, sizeof job->job.epoch);
        if (query != NULL) memcpy(job->job.key, query->key, sizeof job->job.key);
        rc = ask(shard, job);
        if (rc == RC_OK) {
            log->last_append = job;
            channel_log_count_waiting(shard, placed, true);
            return;
        }
        job->job.message = job->message = NULL;
        job_free(shard, job);
    }
    message_drop(&shard->counters, placed);
    channel_log_refuse(shard, log, rc, message, query, receipt);
}

enum rc channel_log_resume(struct shard *shard, struct channel_log *log, struct join *join)
{
    assert(owner_is_me(&shard->owner));
    struct log_job *job = job_new(shard, log, STORE_READ);
    if (job == NULL) return RC_ENOMEM;
    job->join = join;
    job->job.since = join->recover.from.offset;
    job->job.before = UINT64_MAX;
    job->job.count_max = UINT32_MAX;
    job->job.bytes_max = shard->options->replay_bytes_max;
    job->job.is_all_or_nothing = true;
    enum rc rc = ask(shard, job);
    if (rc != RC_OK) job_free(shard, job);
    return rc;
}

enum rc channel_log_read(struct shard *shard, struct channel_log *log, struct query *query,
                         channel_log_page_reader *page)
{
    assert(owner_is_me(&shard->owner));
    struct log_job *job = job_new(shard, log, STORE_READ);
    if (job == NULL) return RC_ENOMEM;
    job->query = query;
    job->page = page;
    job->job.since = query->page.since;
    job->job.before = query->page.before;
    job->job.count_max = query->page.limit;
    job->job.bytes_max = shard->options->replay_bytes_max;
    job->job.is_from_end = query->page.is_from_end;
    enum rc rc = ask(shard, job);
    if (rc != RC_OK) job_free(shard, job);
    return rc;
}

/* ---- answers ---- */

static void window_read(struct shard *shard, struct log_job *job)
{
    struct channel_log *log = job->log;
    bool is_known = job->job.rc == RC_OK || job->job.rc == RC_ENOENT;
    if (is_known) channel_log_fill(shard, log, &job->job);
    job_free(shard, job);
    channel_log_go_on(shard, log, is_known ? LOG_READY : LOG_FAILED);
}

/* What stands behind appends is bounded like what waits for the store, apart from it: it is there when that is full. */
static bool has_room_behind(const struct shard *shard, const struct message *message)
{
    return shard->home.behind_count < shard->options->store_jobs_max &&
           shard->home.behind_bytes + history_message_bytes(message) <= shard->options->store_bytes_max;
}

static bool put_behind(struct shard *shard, struct channel_log *log, const struct log_behind *put)
{
    struct log_job *job = log->last_append;
    if (job == NULL || !has_room_behind(shard, put->message)) return false;
    struct log_behind *behind = malloc(sizeof *behind);
    if (behind == NULL) return false;
    shard->home.behind_count++;
    shard->home.behind_bytes += history_message_bytes(put->message);
    *behind = *put;
    *job->behind_end = behind;
    job->behind_end = &behind->next;
    return true;
}

bool channel_log_lose_behind(struct shard *shard, struct channel_log *log, struct message *message)
{
    assert(owner_is_me(&shard->owner));
    return put_behind(shard, log, &(struct log_behind){.message = message, .is_loss = true});
}

bool channel_log_pass_behind(struct shard *shard, struct channel_log *log, struct message *message,
                             struct query *query, struct receipt *receipt)
{
    assert(owner_is_me(&shard->owner));
    return put_behind(shard, log, &(struct log_behind){.message = message, .query = query, .receipt = receipt});
}

/* The first of the list, taken off it; the caller frees. */
static struct log_behind *take_behind(struct shard *shard, struct log_behind **list)
{
    struct log_behind *behind = *list;
    *list = behind->next;
    shard->home.behind_count--;
    shard->home.behind_bytes -= history_message_bytes(behind->message);
    return behind;
}

static void send_behind(struct shard *shard, struct channel_log *log, struct log_behind *list)
{
    while (list != NULL) {
        struct log_behind *behind = take_behind(shard, &list);
        if (behind->is_loss) {
            channel_log_send_unkept(shard, log, behind->message);
        } else {
            home_pass_on(shard, log->roster->channel, behind->message, behind->query, behind->receipt);
        }
        free(behind);
    }
}

void channel_log_refuse(struct shard *shard, struct channel_log *log, enum rc rc, struct message *message,
                        struct query *query, struct receipt *receipt)
{
    assert(owner_is_me(&shard->owner));
    bool is_behind = false;
    if (query == NULL) {
        log_warn("a message goes out that its channel's history cannot keep: %s", rc_text(rc));
        is_behind = log != NULL && channel_log_lose_behind(shard, log, message);
    }
    if (!is_behind) channel_log_refuse_now(shard, log, rc, message, query, receipt);
}

static void appended(struct shard *shard, struct log_job *job)
{
    struct channel_log *log = job->log;
    struct message *placed = job->job.message, *message = job->message;
    struct query *query = job->query;
    struct receipt *receipt = job->receipt;
    enum rc rc = job->job.rc;
    job->job.message = job->message = NULL;
    if (log->last_append == job) log->last_append = NULL;
    if (rc == RC_OK) log->stored_whole_from = job->job.whole_from;
    if (rc == RC_OK) log->is_stored = true;
    struct log_behind *behind = job->behind;
    job->behind = NULL;
    job_free(shard, job);
    log->jobs++; /* it stays until what stands behind has gone */
    channel_log_count_waiting(shard, placed, false);
    if (rc == RC_OK) {
        message_drop(&shard->counters, message);
        channel_log_kept(shard, log, placed, query, receipt);
    } else {
        message_drop(&shard->counters, placed);
        channel_log_refuse_now(shard, log, rc, message, query, receipt);
    }
    send_behind(shard, log, behind);
    if (--log->jobs == 0) channel_log_set_timer(shard, log);
}

static void loss_noted(struct shard *shard, struct log_job *job)
{
    struct channel_log *log = job->log;
    log->is_saving = false;
    if (job->job.rc == RC_OK) log->stored_whole_from = job->job.whole_from;
    job_free(shard, job);
    channel_log_set_timer(shard, log);
}

/* What the store has for a reader; NULL: out of memory, or not all that is wanted. */
static struct message *run_of(struct shard *shard, const struct store_job *job)
{
    if (job->since + 1 < job->first) return NULL;
    return channel_log_run_of(shard, job->channel, job->since, job->messages, job->messages_count);
}

static void replay_read(struct shard *shard, struct log_job *job)
{
    struct join *join = job->join;
    join->is_looked_up = true;
    if (job->job.rc == RC_OK) join->stored = run_of(shard, &job->job);
    job_free(shard, job);
    channel_log_take_again(shard, &(struct letter){.join = join, .kind = LETTER_SUBSCRIBE});
}

static void page_read(struct shard *shard, struct log_job *job)
{
    struct query *query = job->query;
    enum rc rc = job->page(job->log, query, &job->job);
    channel_log_set_timer(shard, job->log);
    job_free(shard, job);
    home_query_done(shard, query, rc);
}

static void take_answer(struct shard *shard, struct log_job *job)
{
    TAILQ_REMOVE(&shard->home.store_jobs, &job->job, entry);
    job->log->jobs--;
    trace_note(&shard->trace, (struct trace_event){.kind = TRACE_STORED, .number = (uint32_t)job->job.rc});
    if (job->job.kind == STORE_APPEND) {
        appended(shard, job);
    } else if (job->job.kind == STORE_LOSS) {
        loss_noted(shard, job);
    } else if (job->join != NULL) {
        replay_read(shard, job);
    } else if (job->query != NULL) {
        page_read(shard, job);
    } else {
        window_read(shard, job);
    }
}

void channel_log_take_answers(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    struct store_job *job;
    if (shard->store == NULL) return;
    while ((job = store_receive(shard->store, shard->index)) != NULL) {
        take_answer(shard, (struct log_job *)job);
    }
}

/* Gives up a query and those that wait for its receipt: nobody will be answered any more. */
static void drop_waiting(struct shard *shard, struct query *query, struct receipt *receipt)
{
    while (receipt != NULL && receipt->waiting != NULL) {
        struct query *waiting = receipt->waiting;
        receipt->waiting = waiting->next;
        query_free(&shard->counters, waiting);
    }
    query_free(&shard->counters, query);
}

static void drop_behind(struct shard *shard, struct log_behind *list)
{
    while (list != NULL) {
        struct log_behind *behind = take_behind(shard, &list);
        message_drop(&shard->counters, behind->message);
        drop_waiting(shard, behind->query, behind->receipt);
        free(behind);
    }
}

void channel_log_end(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    while (!TAILQ_EMPTY(&shard->home.store_jobs)) {
        struct log_job *job = (struct log_job *)TAILQ_FIRST(&shard->home.store_jobs);
        TAILQ_REMOVE(&shard->home.store_jobs, &job->job, entry);
        drop_waiting(shard, job->query, job->receipt);
        join_free(&shard->counters, job->join);
        drop_behind(shard, job->behind);
        if (job->job.kind == STORE_APPEND) channel_log_count_waiting(shard, job->job.message, false);
        job_free(shard, job);
    }
}
