/* server/home/broker.c - the life of a channel at the cluster: from its first reader on this node to the last. */
#include "server/home/broker.h"

#include "core/channel.h"
#include "core/join.h"
#include "core/letter.h"
#include "core/message.h"
#include "core/roster.h"
#include "server/home/broker_job.h"
#include "server/home/broker_state.h"
#include "server/home/channel_log.h"
#include "server/home/channel_log_bound.h"
#include "server/home/home_kept.h"
#include "server/home/home_people_state.h"
#include "server/home/home_roster.h"
#include "server/shard/shard.h"
#include "server/system/log.h"

#include <assert.h>
#include <stdlib.h>

static struct broker *broker_of(struct roster *roster)
{
    if (roster->broker != NULL) return roster->broker;
    struct broker *broker = malloc(sizeof *broker);
    if (broker == NULL) return NULL;
    *broker = (struct broker){.roster = roster};
    broker->waiting_end = &broker->waiting;
    return roster->broker = broker;
}

static void be_leaver(struct shard *shard, struct broker *broker, bool is_leaver)
{
    if (is_leaver && !broker->is_leaver) TAILQ_INSERT_TAIL(&shard->home.leavers, broker, leaver);
    if (!is_leaver && broker->is_leaver) TAILQ_REMOVE(&shard->home.leavers, broker, leaver);
    broker->is_leaver = is_leaver;
}

static void free_if_idle(struct shard *shard, struct broker *broker)
{
    if (broker->state != BROKER_OUT || broker->jobs > 0 || broker->waiting != NULL || broker->is_failing) return;
    be_leaver(shard, broker, false);
    broker->roster->broker = NULL;
    free(broker);
}

/* ---- entering ---- */

static enum rc ask_to_enter(struct shard *shard, struct broker *broker, bool needs_position)
{
    const struct roster *roster = broker->roster;
    struct broker_job *job = broker_job_new(shard, CLUSTER_ENTER, &roster->channel->name, roster->rule);
    if (job == NULL) return RC_ENOMEM;
    bool is_new = broker->state == BROKER_OUT;
    uint32_t serial = is_new ? shard->home.entered + 1 : broker->serial;
    job->broker = broker;
    job->job.serial = serial;
    job->job.needs_position = needs_position;
    if (broker_job_ask(shard, job) != RC_OK) return RC_ECLUSTER;
    broker->serial = serial;
    if (is_new) {
        shard->home.entered = serial;
        broker->state = BROKER_ENTERING;
        broker->position = BROKER_POSITION_UNASKED;
    }
    if (needs_position) broker->position = BROKER_POSITION_ASKED;
    return RC_OK;
}

static enum rc wait_for_answer(struct broker *broker, struct join *join)
{
    struct broker_wait *wait = malloc(sizeof *wait);
    if (wait == NULL) return RC_ENOMEM;
    *wait = (struct broker_wait){.join = join};
    *broker->waiting_end = wait;
    broker->waiting_end = &wait->next;
    return RC_PENDING;
}

static bool has_position(const struct roster *roster)
{
    return roster->log != NULL && position_is_set(&roster->log->window.last);
}

/* Does the join need a position that is still to be asked for, or under way? */
static bool lacks_position(const struct broker *broker, const struct join *join)
{
    const struct roster *roster = broker->roster;
    if (!join->recover.is_asked || roster->rule == NULL || has_position(roster)) return false;
    return broker->position != BROKER_POSITION_ANSWERED;
}

enum rc broker_enter(struct shard *shard, struct roster *roster, struct join *join)
{
    assert(owner_is_me(&shard->owner));
    struct broker *broker = broker_of(roster);
    if (broker == NULL) return RC_ENOMEM;
    if (broker->is_failing) return broker->rc;
    bool needs_position = lacks_position(broker, join), is_in = broker->state == BROKER_IN;
    if (is_in && !needs_position) return RC_OK;
    bool is_asked = is_in ? broker->position == BROKER_POSITION_ASKED : broker->state == BROKER_ENTERING;
    enum rc rc = is_asked ? RC_OK : ask_to_enter(shard, broker, needs_position);
    if (rc == RC_OK) rc = wait_for_answer(broker, join);
    if (rc == RC_PENDING) return rc;
    free_if_idle(shard, broker);
    return is_in ? RC_OK : rc; /* without a position it can still be read */
}

/* ---- leaving ---- */

/* Nobody is there, nor on the way in. */
static bool is_to_be_left(const struct broker *broker)
{
    bool is_empty = broker->roster->interests_count == 0 && broker->waiting == NULL;
    return is_empty && broker->state == BROKER_IN && broker->jobs == 0;
}

/* False: it cannot be asked for now. */
static bool leave(struct shard *shard, struct broker *broker)
{
    struct roster *roster = broker->roster;
    struct broker_job *job = broker_job_new(shard, CLUSTER_LEAVE, &roster->channel->name, NULL);
    if (job == NULL) return false;
    job->broker = broker;
    job->job.serial = broker->serial;
    if (broker_job_ask(shard, job) != RC_OK) return false;
    broker->state = BROKER_OUT;
    be_leaver(shard, broker, false);
    if (roster->log != NULL) channel_log_forget(shard, roster->log);
    home_forget_kept(shard, roster);
    home_people_forget(roster);
    home_set_timer(shard, roster);
    return true;
}

void broker_look(struct shard *shard, struct roster *roster)
{
    assert(owner_is_me(&shard->owner));
    struct broker *broker = roster->broker;
    if (broker == NULL) return;
    if (is_to_be_left(broker) && !leave(shard, broker)) be_leaver(shard, broker, true);
    free_if_idle(shard, broker);
}

void broker_leave_again(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    struct broker *broker;
    while ((broker = TAILQ_FIRST(&shard->home.leavers)) != NULL) {
        if (is_to_be_left(broker) && !leave(shard, broker)) return;
        be_leaver(shard, broker, false); /* who has come meanwhile will leave again */
    }
}

/* ---- answers ---- */

static void take_kept(struct shard *shard, struct roster *roster, const struct cluster_job *job)
{
    if (job->kept != NULL && job->cache_ms > 0) home_keep_event(shard, roster->channel, job->kept, job->cache_ms);
}

static void take_position(struct shard *shard, struct roster *roster, const struct position *position)
{
    struct channel_log *log;
    if (!position_is_set(position) || roster->rule == NULL || has_position(roster)) return;
    if (channel_log_open(shard, roster, &log) == RC_OK) channel_log_move(shard, log, position);
}

/* Those who waited want in again; who still needs something waits anew. */
static void go_on(struct shard *shard, struct broker *broker)
{
    struct broker_wait *waiting = broker->waiting;
    broker->waiting = NULL;
    broker->waiting_end = &broker->waiting;
    broker->jobs++; /* it stays until all have gone on */
    while (waiting != NULL) {
        struct broker_wait *wait = waiting;
        waiting = wait->next;
        channel_log_take_again(shard, &(struct letter){.join = wait->join, .kind = LETTER_SUBSCRIBE});
        free(wait);
    }
    broker->jobs--;
}

void broker_entered(struct shard *shard, struct broker_job *job)
{
    assert(owner_is_me(&shard->owner));
    struct broker *broker = job->broker;
    struct roster *roster = broker->roster;
    enum rc rc = job->job.rc;
    assert(broker->state != BROKER_OUT && job->job.serial == broker->serial);
    if (job->job.needs_position) broker->position = BROKER_POSITION_ANSWERED;
    if (rc != RC_OK) log_warn("a channel is not entered: %s", rc_text(rc));
    if (broker->state == BROKER_ENTERING) broker->state = rc == RC_OK ? BROKER_IN : BROKER_OUT;
    if (rc == RC_OK) {
        take_kept(shard, roster, &job->job);
        take_position(shard, roster, &job->job.position);
    }
    broker_job_free(shard, job);
    broker->is_failing = broker->state == BROKER_OUT;
    broker->rc = rc == RC_ENOMEM ? rc : RC_ECLUSTER;
    go_on(shard, broker);
    broker->is_failing = false;
    broker_look(shard, roster);
    home_drop_if_unused(shard, roster->channel);
}

void broker_left(struct shard *shard, struct broker_job *job)
{
    assert(owner_is_me(&shard->owner));
    struct roster *roster = job->broker->roster;
    broker_job_free(shard, job);
    broker_look(shard, roster);
    home_drop_if_unused(shard, roster->channel);
}

void broker_free(struct shard *shard, struct roster *roster)
{
    assert(owner_is_me(&shard->owner));
    struct broker *broker = roster->broker;
    if (broker == NULL) return;
    while (broker->waiting != NULL) {
        struct broker_wait *wait = broker->waiting;
        broker->waiting = wait->next;
        join_free(&shard->counters, wait->join);
        free(wait);
    }
    be_leaver(shard, broker, false);
    roster->broker = NULL;
    free(broker);
}
