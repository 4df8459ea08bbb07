/* server/store/store_append.c - one message more in the durable log, or one that is missing.
 *
 * Not obvious: the message's frame is taken apart again, so that the database holds what people can read: the decoded
 * texts. That costs the store's thread a little and the shards nothing. */
#include "core/message.h"
#include "net/frame.h"
#include "net/json.h"
#include "server/config/history_rule.h"
#include "server/store/store_channel.h"
#include "server/store/store_evict.h"
#include "server/store/store_job.h"
#include "server/store/store_log.h"
#include "server/store/store_retention.h"
#include "server/system/log.h"

#include <assert.h>
#include <string.h>

/* What a frame says, as long as the document lives. */
struct parts {
    yyjson_doc *document;
    struct text name;
    struct text data;
    struct text user_id; /* at == NULL: none */
};

static struct text member_text(yyjson_val *object, const char *name)
{
    yyjson_val *value;
    json_member(object, name, &value);
    return json_text(value);
}

/* RC_OK, RC_ENOMEM, or RC_ESTORE: it is no event of ours. Only with RC_OK there is a document. */
static enum rc take_apart(const struct message *message, struct parts *parts)
{
    assert(message_has(message, FORM_EVENT));
    const uint8_t *frame = message_frame(message, FORM_EVENT);
    size_t header = frame_header_bytes(frame);
    struct text payload = {(const char *)frame + header, message->frame_bytes[FORM_EVENT] - header};
    *parts = (struct parts){0};
    enum rc rc = json_read(payload, &parts->document, NULL);
    if (rc != RC_OK) return rc == RC_ENOMEM ? RC_ENOMEM : RC_ESTORE;
    yyjson_val *event = yyjson_doc_get_root(parts->document);
    parts->name = member_text(event, "event");
    parts->data = member_text(event, "data");
    parts->user_id = member_text(event, "user_id");
    if (parts->name.at != NULL && parts->data.at != NULL) return RC_OK;
    yyjson_doc_free(parts->document);
    return RC_ESTORE;
}

/* ---- the channel ---- */

static enum rc delete_messages(struct store_log *log, const struct store_channel *channel)
{
    store_bind_number(log, STORE_SQL_MESSAGES_DELETE, 1, (uint64_t)channel->id);
    store_bind_number(log, STORE_SQL_MESSAGES_DELETE, 2, STORE_NUMBER_MAX);
    return store_run(log, STORE_SQL_MESSAGES_DELETE);
}

static enum rc delete_keys(struct store_log *log, const struct store_channel *channel)
{
    enum rc rc = RC_OK;
    for (enum receipt_owner owner = 0; rc == RC_OK && owner < RECEIPT_OWNERS_MAX; owner++) {
        store_bind_keys(log, STORE_SQL_KEYS_DELETE, 1, channel, owner);
        store_bind_number(log, STORE_SQL_KEYS_DELETE, 2, STORE_NUMBER_MAX);
        rc = store_run(log, STORE_SQL_KEYS_DELETE);
    }
    return rc;
}

/* Another history begins: what was stored under the old epoch means nothing to those who know the new one. */
static enum rc begin_epoch(struct store_log *log, struct store_channel *channel, const char *epoch)
{
    enum rc rc = delete_messages(log, channel);
    if (rc == RC_OK) rc = delete_keys(log, channel);
    *channel = (struct store_channel){.id = channel->id,
                                      .sweep_ms = STORE_NUMBER_MAX,
                                      .sweep_ms_saved = channel->sweep_ms_saved,
                                      .eviction_saved = channel->eviction_saved};
    memcpy(channel->epoch, epoch, sizeof channel->epoch);
    return rc;
}

/* The channel as the job knows it: made, or begun anew, if it must be. */
static enum rc channel_of(struct store_log *log, const struct store_job *job, uint64_t now_ms,
                          struct store_channel **channel_r)
{
    enum rc rc = store_channel_find(log, job, channel_r);
    if (rc == RC_ENOENT) rc = store_channel_make(log, job, channel_r);
    if (rc != RC_OK) return rc;
    struct store_channel *channel = *channel_r;
    if (strcmp(channel->epoch, job->epoch) == 0) return RC_OK;
    bool is_new = channel->epoch[0] == '\0';
    if (!is_new && store_forget_at_ms(channel->last_ms, job->rule->ttl) > now_ms) {
        log_warn("channel %.*s of app %s begins anew, epoch %s after %s: its %llu stored messages are deleted",
                 (int)job->channel->length, job->channel->text, job->app, job->epoch, channel->epoch,
                 (unsigned long long)channel->count);
    }
    return begin_epoch(log, channel, job->epoch);
}

/* ---- the message ---- */

static enum rc add_message(struct store_log *log, const struct store_channel *channel, const struct message *message,
                           const struct parts *parts)
{
    const enum store_statement add = STORE_SQL_MESSAGE_ADD;
    store_bind_number(log, add, 1, (uint64_t)channel->id);
    store_bind_number(log, add, 2, message->offset);
    store_bind_number(log, add, 3, message->time_ms);
    store_bind_number(log, add, 4, message->frame_bytes[FORM_EVENT]);
    store_bind_text(log, add, 5, parts->name);
    store_bind_text(log, add, 6, parts->user_id);
    store_bind_text(log, add, 7, parts->data);
    return store_run(log, add);
}

static enum rc add_key(struct store_log *log, const struct store_channel *channel, const struct store_job *job)
{
    if (job->key[0] == '\0') return RC_OK;
    store_bind_keys(log, STORE_SQL_KEY_ADD, 1, channel, receipt_owner_of(text_of(job->key)));
    store_bind_number(log, STORE_SQL_KEY_ADD, 2, job->message->offset);
    store_bind_number(log, STORE_SQL_KEY_ADD, 3, job->message->time_ms);
    store_bind_text(log, STORE_SQL_KEY_ADD, 4, text_of(job->key));
    return store_run(log, STORE_SQL_KEY_ADD);
}

static void note_sweep(struct store_channel *channel, uint64_t at_ms)
{
    if (at_ms < channel->sweep_ms) channel->sweep_ms = at_ms;
}

/* What the channel's row says of it. */
static void note_message(struct store_channel *channel, const struct store_job *job, uint64_t now_ms)
{
    const struct message *message = job->message;
    if (channel->ttl_ms != job->rule->ttl)
        note_sweep(channel, now_ms); /* it may be less: look when the oldest goes */
    channel->ttl_ms = job->rule->ttl;
    note_sweep(channel, message->time_ms + channel->ttl_ms);
    if (job->key[0] != '\0') note_sweep(channel, message->time_ms + RECEIPT_MS);
    channel->whole_from = job->whole_from;
    channel->last = message->offset;
    channel->last_ms = message->time_ms;
    channel->count++;
    channel->bytes += message->frame_bytes[FORM_EVENT];
}

static enum rc append(struct store_log *log, struct store_job *job, const struct parts *parts, uint64_t now_ms)
{
    assert(job->message->offset > 0);
    struct store_channel *channel;
    enum rc rc = channel_of(log, job, now_ms, &channel);
    if (rc != RC_OK) return rc;
    if (job->message->offset <= channel->last) {
        log_error("channel %.*s of app %s has offset %llu already, so another message of that place is not "
                  "stored (last %llu): this is an error in ringcast",
                  (int)job->channel->length, job->channel->text, job->app, (unsigned long long)job->message->offset,
                  (unsigned long long)channel->last);
        job->rc = RC_ESTORE;
        return RC_OK;
    }
    rc = store_evict_note(log, channel, job->message);
    if (rc == RC_OK) rc = add_message(log, channel, job->message, parts);
    if (rc == RC_OK) rc = add_key(log, channel, job);
    if (rc != RC_OK) return rc;
    note_message(channel, job, now_ms);
    store_channel_changed(log, channel);
    return store_trim(log, channel, job->rule, now_ms);
}

enum rc store_log_lose(struct store_log *log, struct store_job *job)
{
    assert(job->kind == STORE_LOSS);
    struct store_channel *channel;
    enum rc rc = store_channel_find(log, job, &channel);
    job->rc = RC_OK;
    if (rc == RC_ENOENT) return RC_OK;
    if (rc != RC_OK || strcmp(channel->epoch, job->epoch) != 0) return rc;
    channel->whole_from = job->whole_from;
    store_channel_changed(log, channel);
    return RC_OK;
}

enum rc store_log_append(struct store_log *log, struct store_job *job, uint64_t now_ms)
{
    assert(job->kind == STORE_APPEND && message_has(job->message, FORM_EVENT));
    struct parts parts;
    job->rc = take_apart(job->message, &parts);
    if (job->rc == RC_ESTORE) {
        log_error("a message of channel %.*s of app %s is no event: this is an error in ringcast",
                  (int)job->channel->length, job->channel->text, job->app);
    }
    if (job->rc != RC_OK) return RC_OK;
    enum rc rc = append(log, job, &parts, now_ms);
    yyjson_doc_free(parts.document);
    return rc;
}
