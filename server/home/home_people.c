/* server/home/home_people.c - members and numbers of this node to the cluster, those of all nodes from it. */
#include "server/home/home_people.h"

#include "core/channel.h"
#include "core/join.h"
#include "core/message.h"
#include "core/presence.h"
#include "core/query.h"
#include "core/roster.h"
#include "server/cluster/people_event.h"
#include "server/config/app.h"
#include "server/home/home_answer.h"
#include "server/home/home_deliver.h"
#include "server/home/home_event.h"
#include "server/home/home_hook.h"
#include "server/home/home_people_job.h"
#include "server/home/home_people_state.h"
#include "server/home/home_roster.h"
#include "server/shard/shard.h"
#include "server/system/log.h"

#include <assert.h>
#include <stdlib.h>

static struct home_people *people_of(struct roster *roster)
{
    if (roster->people == NULL) roster->people = calloc(1, sizeof *roster->people);
    return roster->people;
}

/* ---- this node's ---- */

static bool is_full(struct shard *shard, const struct roster *roster, struct text user_id)
{
    if (roster->presence == NULL) return false;
    bool is_full = presence_count(roster->presence) >= shard_app(shard, roster->channel->name.app)->members_max ||
                   presence_snapshot_bytes(roster->presence) > HOME_SNAPSHOT_BYTES_MAX;
    return is_full && !presence_has(roster->presence, user_id);
}

/* Who came and went is told at once, so nothing of it is kept. */
static void forget_changes(struct presence *own)
{
    struct presence_change change;
    while (presence_take_change(own, &change)) {
    }
}

static bool ask_member(struct shard *shard, const struct roster *roster, enum people_wish wish, struct text user_id,
                       struct text info)
{
    struct people_job job = {.wish = wish, .name = roster->channel->name, .user_id = user_id, .info = info};
    return home_people_put(shard, &job);
}

enum rc home_people_admit(struct shard *shard, struct roster *roster, const struct join *join)
{
    assert(owner_is_me(&shard->owner));
    struct home_people *people = people_of(roster);
    if (people == NULL) return RC_ENOMEM;
    if (people->own == NULL && (people->own = presence_new()) == NULL) return RC_ENOMEM;
    if (is_full(shard, roster, join->user_id)) return RC_EFULL;
    enum rc rc = presence_join(people->own, join->user_id, (struct text){0});
    if (rc != RC_OK) return rc == RC_PENDING ? RC_OK : rc;
    bool is_asked = ask_member(shard, roster, PEOPLE_JOIN, join->user_id, join->user_info);
    if (!is_asked) presence_leave(people->own, join->user_id);
    forget_changes(people->own);
    return is_asked ? RC_OK : RC_ENOMEM;
}

void home_people_dismiss(struct shard *shard, struct roster *roster, struct text user_id)
{
    assert(owner_is_me(&shard->owner));
    struct home_people *people = roster->people;
    if (!presence_leave(people->own, user_id)) return;
    if (!ask_member(shard, roster, PEOPLE_PART, user_id, (struct text){0})) {
        people->is_unsure = true;
        home_settle_later(shard, roster);
    }
    forget_changes(people->own);
}

/* The cluster did not hear of one who left: it hears that all have, and who is there; whose info it has. */
static bool tell_own(struct shard *shard, struct roster *roster)
{
    struct home_people *people = roster->people;
    uint32_t index = 0;
    struct text user_id, nothing = text_of("");
    if (!people->is_unsure) return true;
    if (!ask_member(shard, roster, PEOPLE_PART, nothing, nothing)) return false;
    while (presence_next(people->own, &index, &user_id)) {
        if (!ask_member(shard, roster, PEOPLE_JOIN, user_id, nothing)) return false;
    }
    people->is_unsure = false;
    return true;
}

static uint64_t count_of(const struct roster *roster)
{
    return roster->type.is_user ? roster->counts[FORM_EVENT] : roster_subscribers(roster);
}

enum rc home_people_changed(struct shard *shard, struct roster *roster)
{
    assert(owner_is_me(&shard->owner));
    if (people_of(roster) == NULL) return RC_ENOMEM;
    home_settle_later(shard, roster);
    return RC_OK;
}

static bool tell_count(struct shard *shard, struct roster *roster)
{
    struct people_job job = {.wish = PEOPLE_COUNT, .name = roster->channel->name, .count = count_of(roster)};
    if (roster->people->told == job.count) return true;
    if (!home_people_put(shard, &job)) return false;
    roster->people->told = job.count;
    return true;
}

static bool is_unused(const struct roster *roster)
{
    const struct home_people *people = roster->people;
    return roster->interests_count == 0 && people->told == 0 && !people->is_unsure && people->waiting == NULL;
}

bool home_people_settle(struct shard *shard, struct roster *roster)
{
    assert(owner_is_me(&shard->owner));
    if (roster->people == NULL) return true;
    if (!tell_own(shard, roster) || !tell_count(shard, roster)) return false;
    if (is_unused(roster)) home_people_free(shard, roster);
    return true;
}

/* ---- who waits ---- */

/* Is what the join needs known? */
static bool is_ready(const struct roster *roster, const struct join *join)
{
    const struct home_people *people = roster->people;
    if (join->form == FORM_WATCH) return people->has_sum;
    if (join->user_id.at == NULL) return true;
    return people->has_members && roster->presence != NULL && presence_has(roster->presence, join->user_id);
}

bool home_people_wait(struct shard *shard, struct roster *roster, struct join *join)
{
    assert(owner_is_me(&shard->owner));
    struct home_people *people = roster->people;
    if (is_ready(roster, join)) {
        if (join->form == FORM_WATCH) join->is_online = people->sum > 0;
        return false;
    }
    if (people->waiting == NULL) people->waiting_until_ms = shard->now_ms + PEOPLE_WAIT_MS;
    join->next = people->waiting;
    people->waiting = join;
    home_set_timer(shard, roster);
    return true;
}

/* Those who need not wait any more join now, and are answered at the end of the turn. */
static void release(struct shard *shard, struct roster *roster)
{
    struct home_people *people = roster->people;
    struct join **link = &people->waiting, *join, **end = &roster->joiners;
    while (*end != NULL)
        end = &(*end)->next;
    while ((join = *link) != NULL) {
        if (!is_ready(roster, join)) {
            link = &join->next;
            continue;
        }
        *link = join->next;
        join->next = NULL;
        if (join->form == FORM_WATCH) join->is_online = people->sum > 0;
        *end = join;
        end = &join->next;
    }
    home_set_timer(shard, roster);
    home_settle_later(shard, roster);
}

struct join *home_people_late(struct shard *shard, struct roster *roster)
{
    assert(owner_is_me(&shard->owner));
    if (home_people_due_ms(roster) > shard->now_ms) return NULL;
    struct join *late = roster->people->waiting;
    roster->people->waiting = NULL;
    return late;
}

/* ---- what is told ---- */

void home_people_back(struct shard *shard, struct people_job *job)
{
    assert(owner_is_me(&shard->owner));
    TAILQ_REMOVE(&shard->home.people_asked, &job->job, entry);
    enum rc rc = job->job.rc;
    if (job->query != NULL) {
        bool is_published =
            job->query->kind == QUERY_PUBLISH; /* which is done, whether it is known for whom or not */
        home_query_done(shard, job->query, is_published ? RC_OK : rc);
    } else if (rc != RC_OK) {
        log_error("the other nodes do not hear of who came: %s", rc_text(rc));
    }
    free(job);
}

static void take_change(struct roster *roster, const struct people_change *change)
{
    struct presence *all = roster->presence;
    if (change->has_left && presence_has(all, change->user_id)) presence_leave(all, change->user_id);
    if (!change->has_joined || presence_has(all, change->user_id)) return;
    struct text info = change->info.count > 0 ? change->info : (struct text){0};
    if (presence_join(all, change->user_id, info) != RC_OK) {
        log_error("out of memory: a channel's subscribers are not told of a member");
    }
}

static void take_members(struct shard *shard, struct roster *roster, const struct people_event *event)
{
    if (roster->presence == NULL && (roster->presence = presence_new()) == NULL) {
        log_error("out of memory: a channel's subscribers are not told of its members");
        return;
    }
    for (uint32_t i = 0; i < event->changes_count; i++) {
        take_change(roster, &event->changes[i]);
    }
    roster->people->has_members = roster->people->has_members || event->is_last;
    if (event->is_last) release(shard, roster);
    if (!home_settle_later(shard, roster)) home_tell_members(shard, roster);
}

static void take_sum(struct shard *shard, struct roster *roster, uint64_t sum)
{
    struct home_people *people = roster->people;
    bool was_online = people->sum > 0, is_first = !people->has_sum;
    people->sum = sum;
    people->has_sum = true;
    if (roster->type.is_user) {
        if (!is_first && was_online != (sum > 0)) home_tell_user(shard, roster, sum > 0);
        if (is_first) release(shard, roster);
    } else if (shard_app(shard, roster->channel->name.app)->subscription_counts && !roster->type.is_presence) {
        roster->has_count_changed = home_settle_later(shard, roster) || roster->has_count_changed;
    }
}

static void terminate(struct shard *shard, const struct roster *roster)
{
    static const uint32_t no_frames[FORMS_MAX];
    struct message *message = message_new(&shard->counters, &roster->channel->name, no_frames);
    if (message != NULL) {
        home_terminate(shard, message);
    } else {
        log_error("out of memory: a user's connections are not closed");
    }
}

void home_people_told(struct shard *shard, struct roster *roster, struct people_event *event)
{
    assert(owner_is_me(&shard->owner));
    if (event->kind == PEOPLE_NEWS) {
        home_tell_news(shard, event->app,
                       &(struct webhook_event){.kind = event->news,
                                               .channel = name_text(&event->channel),
                                               .user_id = event->user_id,
                                               .count = (uint32_t)event->count});
    } else if (roster != NULL && roster->people != NULL) {
        if (event->kind == PEOPLE_MEMBERS) take_members(shard, roster, event);
        if (event->kind == PEOPLE_SUM) take_sum(shard, roster, event->count);
        if (event->kind == PEOPLE_TERMINATE) terminate(shard, roster);
    }
    free(event);
}

void home_people_free(struct shard *shard, struct roster *roster)
{
    assert(owner_is_me(&shard->owner));
    struct home_people *people = roster->people;
    if (people == NULL) return;
    for (struct join *join = people->waiting, *next; join != NULL; join = next) {
        next = join->next;
        join_free(&shard->counters, join);
    }
    presence_free(people->own);
    free(people);
    roster->people = NULL;
}
