/* server/home/history_page.c - choosing and writing the items of a page. */
#include "server/home/history_page.h"

#include "core/channel.h"
#include "core/letter.h"
#include "core/message.h"
#include "core/query.h"
#include "core/roster.h"
#include "core/span.h"
#include "server/cluster/cluster_job.h"
#include "server/config/history_rule.h"
#include "server/home/broker_read.h"
#include "server/home/channel_log.h"
#include "server/home/channel_log_store.h"
#include "server/home/home_roster.h"
#include "server/shard/shard.h"
#include "server/store/store.h"

#include <assert.h>
#include <stdio.h>

/* Messages beside each other, in their order, and what there is around them. */
struct page {
    struct message *const *messages;
    uint32_t count;
    bool has_more;
    bool is_complete; /* nothing is missing between `since` and the first */
};

/* ---- writing ---- */

static enum rc append_item(struct span **span, const struct message *message, bool is_first)
{
    char head[60], tail[60];
    snprintf(head, sizeof head, "%s{\"offset\":%llu,\"name\":", is_first ? "" : ",",
             (unsigned long long)message->offset);
    snprintf(tail, sizeof tail, ",\"time_ms\":%llu", (unsigned long long)message->time_ms);
    enum rc rc = span_append_text(span, text_of(head));
    if (rc == RC_OK) rc = span_append_text(span, message_part_text(message, message->event_name));
    if (rc == RC_OK) rc = span_append_text(span, text_of(",\"data\":"));
    if (rc == RC_OK) rc = span_append_text(span, message_part_text(message, message->data));
    if (rc == RC_OK) rc = span_append_text(span, text_of(tail));
    if (rc == RC_OK && message->user_id.bytes > 0) {
        rc = span_append_text(span, text_of(",\"user_id\":"));
        if (rc == RC_OK) rc = span_append_text(span, message_part_text(message, message->user_id));
    }
    return rc == RC_OK ? span_append_text(span, text_of("}")) : rc;
}

/* `last`: where the channel's history stands. */
static enum rc write_page(struct query *query, const struct position *last, const struct page *page)
{
    char head[160];
    const char *complete = query->page.is_from_end ? ""
                           : page->is_complete     ? "\"complete\":true,"
                                                   : "\"complete\":false,";
    snprintf(head, sizeof head, "\"epoch\":\"%s\",\"offset\":%llu,\"more\":%s,%s\"items\":[", last->epoch,
             (unsigned long long)last->offset, page->has_more ? "true" : "false", complete);
    enum rc rc = span_append_text(&query->text, text_of(head));
    for (uint32_t i = 0; rc == RC_OK && i < page->count; i++) {
        rc = append_item(&query->text, page->messages[i], i == 0);
    }
    return rc == RC_OK ? span_append_text(&query->text, text_of("]")) : rc;
}

/* Is all there that came since, if the messages from there on are? */
static bool is_whole(const struct query_page *asked, const struct channel_log *log)
{
    return !asked->is_of_other_epoch && asked->since >= log->whole_from && asked->since <= log->window.last.offset;
}

/* ---- from the window ---- */

/* Indices of the window's messages, from `first` up to `end`. */
struct range {
    uint32_t first;
    uint32_t end;
};

/* Chooses at least one message, then as many as fit. */
static struct range choose(const struct shard *shard, const struct history *window, const struct query_page *asked)
{
    uint64_t bytes = 0, bytes_max = shard->options->replay_bytes_max;
    struct range all = {.first = history_behind(window, asked->since)};
    all.end = asked->before == UINT64_MAX ? window->count : history_behind(window, asked->before - 1);
    if (all.end < all.first) all.end = all.first;
    struct range some = asked->is_from_end ? (struct range){all.end, all.end} : (struct range){all.first, all.first};
    while (some.end - some.first < asked->limit) {
        bool is_last = asked->is_from_end ? some.first == all.first : some.end == all.end;
        if (is_last) break;
        const struct message *next = history_at(window, asked->is_from_end ? some.first - 1 : some.end);
        bytes += history_message_bytes(next);
        if (bytes > bytes_max && some.end > some.first) break;
        if (asked->is_from_end) {
            some.first--;
        } else {
            some.end++;
        }
    }
    return some;
}

static enum rc write_range(struct query *query, const struct channel_log *log, struct range range)
{
    const struct history *window = &log->window;
    struct message *messages[HISTORY_ITEMS_MAX];
    struct page page = {.messages = messages, .count = range.end - range.first};
    for (uint32_t i = 0; i < page.count; i++) {
        messages[i] = history_at(window, range.first + i);
    }
    page.is_complete = query->page.since >= window->forgotten && is_whole(&query->page, log);
    page.has_more = range.end < window->count;
    if (query->page.is_from_end) {
        bool is_stored = log->is_end && window->forgotten > 0;
        page.has_more = range.first > 0 || is_stored;
    }
    return write_page(query, &window->last, &page);
}

/* Has the window all that is asked for, or is there nothing but the window? */
static bool is_in_window(const struct channel_log *log, const struct query_page *asked, struct range range)
{
    const struct history *window = &log->window;
    if (!log->is_end || window->forgotten == 0) return true;
    if (!asked->is_from_end) return asked->since >= window->forgotten;
    return range.first > 0 || range.end - range.first >= asked->limit;
}

/* ---- from the store ---- */

static enum rc page_stored(const struct channel_log *log, struct query *query, const struct store_job *job)
{
    struct page page = {.messages = job->messages, .count = job->messages_count};
    if (job->rc != RC_OK && job->rc != RC_ENOENT) return job->rc;
    uint64_t since = query->page.since;
    bool is_kept = job->rc == RC_OK ? since + 1 >= job->first : since >= log->window.last.offset;
    page.is_complete = is_kept && is_whole(&query->page, log);
    if (page.count > 0 && query->page.is_from_end) {
        page.has_more = page.messages[0]->offset > job->first;
    } else if (page.count > 0) {
        page.has_more = page.messages[page.count - 1]->offset < log->window.last.offset;
    }
    return write_page(query, &log->window.last, &page);
}

/* ---- either ---- */

/* Offsets of another epoch mean nothing in this one: all of it is new. */
static void look_at_epoch(struct query_page *asked, const struct position *last)
{
    asked->is_of_other_epoch = asked->epoch[0] != '\0' && !position_is_of(last, asked->epoch);
    if (asked->is_of_other_epoch) asked->since = 0;
}

static enum rc answer(struct shard *shard, struct channel_log *log, struct query *query)
{
    struct query_page *asked = &query->page;
    look_at_epoch(asked, &log->window.last);
    struct range range = choose(shard, &log->window, asked);
    if (is_in_window(log, asked, range)) return write_range(query, log, range);
    enum rc rc = channel_log_read(shard, log, query, page_stored);
    return rc == RC_OK ? RC_PENDING : rc;
}

/* ---- from the cluster ---- */

static enum rc page_of_cluster(struct query *query, const struct cluster_job *job)
{
    struct query_page *asked = &query->page;
    struct page page = {.messages = job->messages, .count = job->messages_count};
    const struct position *last = &job->position;
    if (job->rc != RC_OK) return job->rc;
    look_at_epoch(asked, last);
    bool is_there = asked->since <= last->offset && asked->since + 1 >= job->first;
    page.is_complete = !asked->is_of_other_epoch && is_there;
    if (page.count > 0 && asked->is_from_end) {
        page.has_more = page.messages[0]->offset > job->first;
    } else if (page.count > 0) {
        page.has_more = page.messages[page.count - 1]->offset < last->offset;
    }
    return write_page(query, last, &page);
}

/* The window, if the channel is read here and all is in it. */
static enum rc answer_in_cluster(struct shard *shard, struct query *query)
{
    const struct channel *channel = hub_find(&shard->hub, &query->name);
    struct channel_log *log = channel != NULL ? channel->roster->log : NULL;
    struct query_page *asked = &query->page;
    if (log != NULL && position_is_set(&log->window.last)) {
        struct query_page as_asked = *asked;
        look_at_epoch(asked, &log->window.last);
        struct range range = choose(shard, &log->window, asked);
        if (is_in_window(log, asked, range)) return write_range(query, log, range);
        *asked = as_asked;
    }
    enum rc rc = broker_read_page(shard, query, page_of_cluster);
    return rc == RC_OK ? RC_PENDING : rc;
}

enum rc history_page(struct shard *shard, struct query *query)
{
    assert(owner_is_me(&shard->owner));
    struct channel_log *log;
    if (shard_rule(shard, &query->name) == NULL) return RC_ENOENT;
    if (shard->cluster != NULL) return answer_in_cluster(shard, query);
    struct channel *channel = shard_make_channel(shard, &query->name);
    if (channel == NULL) return RC_ENOMEM;
    enum rc rc = channel_log_open(shard, channel->roster, &log);
    if (rc == RC_PENDING) {
        rc = channel_log_wait(shard, log, &(struct letter){.query = query, .kind = LETTER_ASK});
        return rc == RC_OK ? RC_PENDING : rc;
    }
    if (rc == RC_OK) rc = answer(shard, log, query);
    home_drop_if_unused(shard, channel);
    return rc;
}
