/* server/home/home.c - joining and leaving at a channel's home.
 *
 * Not obvious: members who join in one turn are answered at its end. Those who are there already are told first who
 * came and who went in this turn, all in one batch, and nothing of one who went and came back; then those who join get
 * one snapshot that has them all, made once, and nothing that came before it. */
#include "server/home/home.h"

#include "core/channel.h"
#include "core/join.h"
#include "core/letter.h"
#include "core/message.h"
#include "core/presence.h"
#include "core/receipts.h"
#include "core/roster.h"
#include "server/config/app.h"
#include "server/config/history_rule.h"
#include "server/home/broker.h"
#include "server/home/broker_job.h"
#include "server/home/broker_read.h"
#include "server/home/channel_log.h"
#include "server/home/channel_log_store.h"
#include "server/home/home_event.h"
#include "server/home/home_follow.h"
#include "server/home/home_answer.h"
#include "server/home/home_greeting.h"
#include "server/home/home_hook.h"
#include "server/home/home_kept.h"
#include "server/home/home_people.h"
#include "server/home/home_people_job.h"
#include "server/home/home_people_state.h"
#include "server/home/home_roster.h"
#include "server/shard/post.h"
#include "server/shard/shard.h"

#include <assert.h>
#include <stdlib.h>

#define COUNT_AT_ONCE_MAX  100                /* more subscribers are told their number only once in COUNT_EVERY_MS */

/* ---- the turn's end ---- */

static void count_changed(struct shard *shard, struct roster *roster)
{
    const struct app *app = shard_app(shard, roster->channel->name.app);
    if (shard->cluster != NULL) home_people_changed(shard, roster);
    if (shard->cluster != NULL || roster->type.is_presence || roster->type.is_user) return;
    bool is_wanted = app->subscription_counts || app_has_webhook(app, WEBHOOK_subscription_count);
    if (is_wanted && home_settle_later(shard, roster)) roster->has_count_changed = true;
}

static void tell_count(struct shard *shard, struct roster *roster)
{
    if (!roster->has_count_changed) return;
    bool is_crowd = home_subscribers(roster) > COUNT_AT_ONCE_MAX;
    if (!is_crowd || roster->told_ms == 0 || shard->now_ms >= roster->told_ms + COUNT_EVERY_MS) {
        roster->has_count_changed = false;
        roster->told_ms = shard->now_ms;
        home_tell_count(shard, roster);
    }
    home_set_timer(shard, roster);
}

/* ---- joining ---- */

static void answer(struct shard *shard, struct join *join)
{
    home_follow_came(shard, join);
    post_send(shard, join->from, LETTER_SUBSCRIBED, join);
}

/* Who came and went is told at the end of the turn; at once, if there is no memory to remember that. */
static void members_changed(struct shard *shard, struct roster *roster)
{
    if (!home_settle_later(shard, roster)) home_tell_members(shard, roster);
}

static bool is_member(const struct join *join)
{
    return join->user_id.at != NULL;
}

/* RC_PENDING: was a member already. */
static enum rc admit_member(struct shard *shard, struct roster *roster, const struct join *join)
{
    const struct app *app = shard_app(shard, join->channel.app);
    if (roster->presence == NULL && (roster->presence = presence_new()) == NULL) return RC_ENOMEM;
    bool is_full = presence_count(roster->presence) >= app->members_max;
    if (presence_snapshot_bytes(roster->presence) > HOME_SNAPSHOT_BYTES_MAX) is_full = true;
    if (is_full && !presence_has(roster->presence, join->user_id)) return RC_EFULL;
    return presence_join(roster->presence, join->user_id, join->user_info);
}

/* Where there are other nodes they are told of who came, and tell it; nothing of it is told here. */
static enum rc admit_among_nodes(struct shard *shard, struct roster *roster, struct join *join)
{
    enum rc rc = home_people_changed(shard, roster);
    if (rc == RC_OK && is_member(join)) rc = home_people_admit(shard, roster, join);
    if (rc != RC_OK) return rc;
    if (roster_add(roster, join->from, join->form) != RC_OK) {
        if (is_member(join)) home_people_dismiss(shard, roster, join->user_id);
        return RC_ENOMEM;
    }
    join->roster = roster;
    return RC_OK;
}

static enum rc admit(struct shard *shard, struct roster *roster, struct join *join)
{
    if (shard->cluster != NULL) return admit_among_nodes(shard, roster, join);
    enum rc member = is_member(join) ? admit_member(shard, roster, join) : RC_PENDING;
    if (rc_is_error(member)) return member;
    bool was_occupied = roster_subscribers(roster) > 0, was_online = roster->counts[FORM_EVENT] > 0;
    if (roster_add(roster, join->from, join->form) != RC_OK) {
        if (is_member(join)) presence_leave(roster->presence, join->user_id);
        return RC_ENOMEM;
    }
    join->roster = roster;
    join->is_online = was_online;
    if (!was_occupied && roster_subscribers(roster) > 0) home_tell_occupied(shard, roster, true);
    if (member == RC_OK) members_changed(shard, roster);
    if (roster->type.is_user && !was_online && join->form == FORM_EVENT) home_tell_user(shard, roster, true);
    count_changed(shard, roster);
    return RC_OK;
}

/* Counts a subscriber no more: whom it concerns is told. `user_id` with at == NULL: it was no member. */
static void dismiss(struct shard *shard, struct roster *roster, uint32_t from, enum form form, struct text user_id)
{
    assert(roster->counts[form] > 0);
    roster_remove(roster, from, form);
    home_follow_left(shard, roster, from);
    if (shard->cluster != NULL) {
        if (user_id.at != NULL) home_people_dismiss(shard, roster, user_id);
    } else if (user_id.at != NULL && presence_leave(roster->presence, user_id)) {
        members_changed(shard, roster);
    }
    if (form == FORM_WATCH) {
        if (shard->cluster != NULL) home_people_changed(shard, roster);
        broker_look(shard, roster);
        return;
    }
    if (shard->cluster == NULL && roster_subscribers(roster) == 0) {
        home_tell_members(shard, roster); /* backends hear of the last member before they hear that it was the last */
        home_tell_occupied(shard, roster, false);
    }
    bool is_offline = roster->type.is_user && roster->counts[FORM_EVENT] == 0;
    if (is_offline && shard->cluster == NULL) home_tell_user(shard, roster, false);
    count_changed(shard, roster);
    bool is_last = roster->log != NULL && roster_subscribers(roster) == 0;
    if (is_last && channel_log_left(shard, roster->log)) home_set_timer(shard, roster);
    broker_look(shard, roster);
}

/* Answers a join with its greeting. Who could not be greeted is out again, and knows it. */
static void greet(struct shard *shard, struct roster *roster, struct join *join, enum rc rc, struct message *greeting)
{
    if (rc != RC_OK) {
        dismiss(shard, roster, join->from, join->form, join->user_id);
        join->rc = rc;
        home_drop_if_unused(shard, roster->channel); /* one who waits here keeps it, one elsewhere does not */
    } else if (greeting != NULL && join->form == FORM_EVENT) {
        message_hold(greeting, 1);
        join->greeting = greeting;
        if (position_is_set(&join->recover.from)) {
            counter_add(&shard->counters, join->is_recovered ? COUNTER_resumes : COUNTER_resumes_refused, 1);
        }
    }
    answer(shard, join);
}

static void greet_now(struct shard *shard, struct roster *roster, struct join *join)
{
    struct message *greeting = NULL;
    home_tell_members(shard, roster); /* before a snapshot that has them */
    enum rc rc = join->form == FORM_EVENT ? home_greeting(shard, roster, join, &greeting) : RC_OK;
    greet(shard, roster, join, rc, greeting);
    if (greeting != NULL) message_drop(&shard->counters, greeting);
}

/* What the join needs of the channel's history before it can be answered. RC_PENDING: it comes back later. */
static enum rc look_up(struct shard *shard, struct roster *roster, struct join *join)
{
    struct channel_log *log;
    const struct position *from = &join->recover.from;
    if (shard->cluster != NULL) return broker_look_up(shard, roster, join);
    enum rc rc = channel_log_open(shard, roster, &log);
    if (rc == RC_PENDING) {
        rc = channel_log_wait(shard, log, &(struct letter){.join = join, .kind = LETTER_SUBSCRIBE});
        return rc == RC_OK ? RC_PENDING : rc;
    }
    if (rc != RC_OK) return rc == RC_ENOMEM ? rc : RC_OK; /* without history it is a channel like any other */
    bool is_in_store = position_is_set(from) && channel_log_is_whole(log, from) && log->rule->durable &&
                       !history_has_all_behind(&log->window, from->offset);
    if (!is_in_store || join->is_looked_up) return RC_OK;
    join->is_looked_up = true; /* also if the store cannot be asked: the client is told that it cannot resume */
    return channel_log_resume(shard, log, join) == RC_OK ? RC_PENDING : RC_OK;
}

void home_subscribe(struct shard *shard, uint32_t from, struct join *join)
{
    assert(owner_is_me(&shard->owner));
    assert(hub_home(&shard->hub, &join->channel) == shard->index);
    join->from = from;
    struct channel *channel = shard_make_channel(shard, &join->channel);
    join->rc = channel != NULL ? look_up(shard, channel->roster, join) : RC_ENOMEM;
    if (join->rc == RC_PENDING) return;
    if (join->rc == RC_OK) join->rc = admit(shard, channel->roster, join);
    if (join->rc != RC_OK) {
        if (channel != NULL) broker_look(shard, channel->roster);
        if (channel != NULL) home_drop_if_unused(shard, channel);
        answer(shard, join);
    } else if (shard->cluster != NULL && home_people_wait(shard, channel->roster, join)) {
        return;
    } else if (is_member(join) && home_settle_later(shard, channel->roster)) {
        join->next = channel->roster->joiners;
        channel->roster->joiners = join;
    } else {
        greet_now(shard, channel->roster, join);
    }
}

void home_unsubscribe(struct shard *shard, uint32_t from, struct join *join)
{
    assert(owner_is_me(&shard->owner));
    assert(hub_home(&shard->hub, &join->channel) == shard->index);
    struct channel *channel = hub_find(&shard->hub, &join->channel);
    assert(channel != NULL && channel->roster != NULL);
    dismiss(shard, channel->roster, from, join->form, join->user_id);
    join_free(&shard->counters, join);
    home_drop_if_unused(shard, channel);
}

void home_leave(struct shard *shard, uint32_t from, struct roster *roster, enum form form)
{
    assert(owner_is_me(&shard->owner));
    assert(roster->channel->roster == roster);
    dismiss(shard, roster, from, form, (struct text){0});
    home_drop_if_unused(shard, roster->channel);
}

/* ---- settling ---- */

/* Takes those who joined, in the order they came. */
static struct join *take_joiners(struct roster *roster)
{
    struct join *joiners = NULL;
    while (roster->joiners != NULL) {
        struct join *join = roster->joiners;
        roster->joiners = join->next;
        join->next = joiners;
        joiners = join;
    }
    return joiners;
}

/* Greets all who joined in this turn. One who is gone already, or cannot be greeted, leaves while the others are being
 * greeted: who is greeted after that has not heard of it, and gets a snapshot of its own. Those who ask
 * for the same share a greeting. */
static void greet_joiners(struct shard *shard, struct roster *roster)
{
    struct join *joiners = take_joiners(roster);
    struct message *greeting = NULL;
    struct recover made_for = {0};
    bool is_recovered = false;
    enum rc rc = RC_OK;
    uint32_t members = 0;
    while (joiners != NULL) {
        struct join *join = joiners;
        joiners = join->next;
        if (join->stored != NULL) { /* no other has missed the same */
            greet_now(shard, roster, join);
            continue;
        }
        bool is_same = members == home_users_of(roster) && recover_equals(&join->recover, &made_for);
        if (greeting == NULL || !is_same) {
            if (greeting != NULL) message_drop(&shard->counters, greeting);
            made_for = join->recover;
            members = home_users_of(roster);
            home_tell_members(shard, roster); /* who is not in this one is told of to those who had the last */
            rc = home_greeting(shard, roster, join, &greeting);
            is_recovered = join->is_recovered;
        }
        join->is_recovered = is_recovered;
        greet(shard, roster, join, rc, greeting);
    }
    if (greeting != NULL) message_drop(&shard->counters, greeting);
}

/* False: it is to be settled again. */
static bool settle(struct shard *shard, struct roster *roster)
{
    assert(roster->is_settling);
    home_tell_members(shard, roster);
    greet_joiners(shard, roster);
    tell_count(shard, roster);
    return home_people_settle(shard, roster);
}

void home_settle(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    /* Settling one may concern another, which then stands behind it in the list. */
    for (uint32_t i = 0; i < shard->home.settling_count; i++) {
        struct roster *roster = shard->home.settling[i];
        bool is_settled = settle(shard, roster); /* marked as settling meanwhile, so that it cannot go */
        roster->is_settling = false;
        bool has_changes = roster->presence != NULL && presence_has_changes(roster->presence);
        if (has_changes || roster->joiners != NULL || !is_settled) home_settle_later(shard, roster);
        home_drop_if_unused(shard, roster->channel);
    }
    shard->home.settling_count = 0;
}

/* ---- time ---- */

void home_timer(struct shard *shard, struct roster *roster)
{
    assert(owner_is_me(&shard->owner));
    assert(!timer_is_set(&roster->timer));
    if (roster->kept != NULL && roster->kept_until_ms <= shard->now_ms) home_forget_kept(shard, roster);
    if (roster->log != NULL) channel_log_run(shard, roster->log);
    tell_count(shard, roster);
    for (struct join *late = home_people_late(shard, roster), *next; late != NULL; late = next) {
        next = late->next;
        greet(shard, roster, late, RC_ECLUSTER, NULL);
    }
    home_set_timer(shard, roster);
    home_drop_if_unused(shard, roster->channel);
}

void home_end(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    uint32_t bucket = 0;
    struct channel *channel = NULL;
    channel_log_end(shard);
    broker_job_end(shard);
    home_people_end(shard);
    receipts_free(shard->home.receipts);
    shard->home.receipts = NULL;
    while ((channel = hub_next(&shard->hub, &bucket, channel)) != NULL) {
        struct roster *roster = channel->roster;
        if (roster == NULL) continue;
        for (struct join *join = take_joiners(roster), *next; join != NULL; join = next) {
            next = join->next;
            join_free(&shard->counters, join);
        }
        home_forget_kept(shard, roster);
        if (roster->log != NULL) channel_log_free(shard, roster->log);
        broker_free(shard, roster);
        home_people_free(shard, roster);
        timer_clear(&shard->home.timers, &roster->timer);
    }
}
