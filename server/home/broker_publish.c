/* server/home/broker_publish.c - from a home to the cluster, and what becomes of the answer. */
#include "server/home/broker_publish.h"

#include "core/message.h"
#include "core/query.h"
#include "server/config/app.h"
#include "server/home/broker_job.h"
#include "server/home/channel_log_window.h"
#include "server/home/home_answer.h"
#include "server/home/home_follow.h"
#include "server/home/home_hook.h"
#include "server/protocol/event.h"
#include "server/shard/post.h"
#include "server/shard/shard.h"
#include "server/system/log.h"

#include <assert.h>

/* None: query_new_behind(). */
static bool has_bytes(const struct message *message)
{
    for (enum form form = 0; form < FORMS_MAX; form++) {
        if (message_has(message, form)) return true;
    }
    return false;
}

/* It is not published, and nobody who waits could be told. */
static void drop(struct shard *shard, enum rc rc, struct message *message)
{
    counter_add(&shard->counters, COUNTER_cluster_dropped, 1);
    log_warn("a message is dropped: %s", rc_text(rc));
    if (message->origin == ORIGIN_CLIENT) {
        post_send(shard, message->publisher.shard, LETTER_UNPUBLISHED, message);
    } else {
        message_drop(&shard->counters, message);
    }
}

/* Takes over both. */
static void refuse(struct shard *shard, enum rc rc, struct message *message, struct query *query)
{
    static const struct position nowhere;
    if (rc != RC_EFULL && rc != RC_ENOMEM) rc = RC_ECLUSTER;
    home_follow_refused(shard, message, rc);
    if (query == NULL) {
        drop(shard, rc, message);
        return;
    }
    message_drop(&shard->counters, message);
    home_answer_publish(shard, query, NULL, rc, &nowhere);
}

static struct broker_job *publish_job(struct shard *shard, struct message *message, struct query *query,
                                      const struct history_rule *rule)
{
    struct broker_job *job = broker_job_new(shard, CLUSTER_PUBLISH, &message->channel, rule);
    if (job == NULL) return NULL;
    job->query = query;
    job->job.message = message;
    job->job.is_for_history = rule != NULL;
    if (message->is_kept) job->job.cache_ms = shard_app(shard, message->channel.app)->cache_ms;
    if (query != NULL) memcpy(job->job.key, query->key, sizeof job->job.key);
    return job;
}

enum rc broker_publish(struct shard *shard, struct message *message, struct query *query,
                       const struct history_rule *rule)
{
    assert(owner_is_me(&shard->owner));
    enum rc rc = RC_EFULL;
    if (rule != NULL && !message_has(message, FORM_EVENT)) message = event_of_raw(&shard->counters, message);
    bool is_short = rule != NULL && !message_has(message, FORM_EVENT);
    if (is_short) rc = RC_ENOMEM;
    if (!is_short && channel_log_has_room(shard, message)) {
        struct broker_job *job = publish_job(shard, message, query, rule);
        rc = job != NULL ? broker_job_ask(shard, job) : RC_ENOMEM;
    }
    if (rc != RC_OK) refuse(shard, rc, message, query);
    return post_deliveries_wait(shard) ? RC_PENDING : RC_OK;
}

/* It has its place: for all nodes this one alone counts it, and tells backends. */
static void tell(struct shard *shard, const struct message *message, const struct position *position)
{
    counter_add(&shard->counters, COUNTER_messages_published, 1);
    if (message->origin == ORIGIN_CLIENT) home_tell_client_event(shard, message);
    if (message->origin == ORIGIN_ROOM && position_is_set(position)) home_tell_room_message(shard, message, position);
}

void broker_published(struct shard *shard, struct broker_job *job)
{
    assert(owner_is_me(&shard->owner));
    struct message *message = job->job.message;
    struct query *query = job->query;
    struct position position = job->job.position;
    enum rc rc = job->job.rc;
    bool is_repeat = job->job.is_repeat;
    job->job.message = NULL;
    broker_job_free(shard, job);
    if (rc != RC_OK) {
        refuse(shard, rc, message, query);
        return;
    }
    if (is_repeat) {
        counter_add(&shard->counters, COUNTER_repeats, 1);
        home_follow_refused(shard, message, RC_PENDING);
    } else if (has_bytes(message)) {
        tell(shard, message, &position);
    }
    message_drop(&shard->counters, message);
    home_answer_publish(shard, query, NULL, RC_OK, &position);
}
