/* server/home/broker_read.c - asking for what was kept, and what becomes of the answer.
 *
 * Not obvious: the answer to who resumes may be ahead of what the home has been told of the channel. That part is left
 * out: it comes on its own, to this reader as to all. */
#include "server/home/broker_read.h"

#include "core/channel.h"
#include "core/join.h"
#include "core/letter.h"
#include "core/message.h"
#include "core/query.h"
#include "core/roster.h"
#include "server/home/broker.h"
#include "server/home/broker_job.h"
#include "server/home/broker_state.h"
#include "server/home/channel_log.h"
#include "server/home/home_answer.h"
#include "server/home/home_roster.h"
#include "server/shard/shard.h"

#include <assert.h>

/* ---- who resumes ---- */

static enum rc resume(struct shard *shard, struct roster *roster, struct join *join)
{
    struct broker_job *job = broker_job_new(shard, CLUSTER_READ, &roster->channel->name, roster->rule);
    if (job == NULL) return RC_ENOMEM;
    job->broker = roster->broker;
    job->join = join;
    job->job.from = join->recover.from;
    job->job.before = UINT64_MAX;
    job->job.count_max = UINT32_MAX;
    job->job.bytes_max = shard->options->replay_bytes_max;
    job->job.is_all_or_nothing = true;
    return broker_job_ask(shard, job);
}

enum rc broker_look_up(struct shard *shard, struct roster *roster, struct join *join)
{
    assert(owner_is_me(&shard->owner));
    enum rc rc = broker_enter(shard, roster, join);
    const struct position *from = &join->recover.from;
    if (rc != RC_OK) return rc;
    const struct channel_log *log = roster->log;
    if (log == NULL || !position_is_set(from) || join->is_looked_up) return RC_OK;
    if (!channel_log_is_whole(log, from) || history_has_all_behind(&log->window, from->offset)) return RC_OK;
    join->is_looked_up = true; /* also if it cannot be asked for: the client is told that it cannot resume */
    return resume(shard, roster, join) == RC_OK ? RC_PENDING : RC_OK;
}

/* How many of the messages the home has been told of too. */
static uint32_t count_told(const struct cluster_job *job, const struct history *window)
{
    uint32_t count = 0;
    while (count < job->messages_count && job->messages[count]->offset <= window->last.offset) {
        count++;
    }
    return count;
}

/* NULL: not all that is wanted is there, or out of memory. */
static struct message *run_of(struct shard *shard, const struct roster *roster, const struct cluster_job *job)
{
    const struct channel_log *log = roster->log;
    bool is_whole = job->rc == RC_OK && position_is_of(&job->position, job->from.epoch);
    if (!is_whole || job->from.offset + 1 < job->first) return NULL;
    if (log == NULL || !position_is_of(&log->window.last, job->from.epoch)) return NULL;
    uint32_t count = count_told(job, &log->window);
    return channel_log_run_of(shard, job->channel, job->from.offset, job->messages, count);
}

static void resume_read(struct shard *shard, struct broker_job *job)
{
    struct join *join = job->join;
    struct roster *roster = job->broker->roster;
    join->stored = run_of(shard, roster, &job->job);
    broker_job_free(shard, job);
    channel_log_take_again(shard, &(struct letter){.join = join, .kind = LETTER_SUBSCRIBE});
    broker_look(shard, roster);
    home_drop_if_unused(shard, roster->channel);
}

/* ---- pages ---- */

enum rc broker_read_page(struct shard *shard, struct query *query, broker_page_reader *page)
{
    assert(owner_is_me(&shard->owner));
    const struct query_page *asked = &query->page;
    struct broker_job *job = broker_job_new(shard, CLUSTER_READ, &query->name, shard_rule(shard, &query->name));
    if (job == NULL) return RC_ENOMEM;
    job->query = query;
    job->page = page;
    job->job.from.offset = asked->since;
    memcpy(job->job.from.epoch, asked->epoch, sizeof job->job.from.epoch);
    job->job.before = asked->before;
    job->job.count_max = asked->limit;
    job->job.bytes_max = shard->options->replay_bytes_max;
    job->job.is_from_end = asked->is_from_end;
    enum rc rc = broker_job_ask(shard, job);
    return rc == RC_OK || rc == RC_ENOMEM ? rc : RC_ECLUSTER;
}

static void page_read(struct shard *shard, struct broker_job *job)
{
    struct query *query = job->query;
    enum rc rc = job->page(query, &job->job);
    broker_job_free(shard, job);
    home_query_done(shard, query, rc);
}

void broker_was_read(struct shard *shard, struct broker_job *job)
{
    assert(owner_is_me(&shard->owner));
    if (job->join != NULL) {
        resume_read(shard, job);
    } else {
        page_read(shard, job);
    }
}
