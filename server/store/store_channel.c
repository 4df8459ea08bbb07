/* server/store/store_channel.c - the channels' rows, of which those used lately stay in memory.
 *
 * A channel's row is written once in a transaction, however many messages it got: when another channel needs the
 * slot, or before the commit. */
#include "server/store/store_channel.h"

#include "server/store/store_job.h"

#include <assert.h>
#include <string.h>

void store_channel_load(const struct store_log *log, enum store_statement row, struct store_channel *channel_r)
{
    struct text epoch = store_text(log, row, 1);
    *channel_r = (struct store_channel){
        .id = (int64_t)store_number(log, row, 0),
        .last = store_number(log, row, 2),
        .last_ms = store_number(log, row, 3),
        .ttl_ms = store_number(log, row, 4),
        .count = store_number(log, row, 5),
        .bytes = store_number(log, row, 6),
        .sweep_ms = store_number(log, row, 7),
        .sweep_ms_saved = store_number(log, row, 7),
        .whole_from = store_number(log, row, 8),
        .is_room = store_number(log, row, 9) != 0,
        .first_ms = store_number(log, row, 10),
        .eviction_saved = store_number(log, row, 10),
    };
    size_t bytes = epoch.count < EPOCH_BYTES ? epoch.count : EPOCH_BYTES;
    if (epoch.at != NULL) memcpy(channel_r->epoch, epoch.at, bytes);
}

/* To a quarter at most, so that the index changes seldom. */
static uint64_t rounded(uint64_t bytes)
{
    int shift = bytes < 4 ? 0 : 61 - __builtin_clzll(bytes);
    return bytes >> shift << shift;
}

uint64_t store_eviction(const struct store_channel *channel)
{
    if (channel->count == 0) return STORE_NUMBER_MAX;
    return channel->is_room ? channel->first_ms : STORE_NUMBER_MAX - 1 - rounded(channel->bytes);
}

/* By itself, and seldom: an index wants it too. */
static enum rc save_indexed(struct store_log *log, const struct store_channel *channel, enum store_statement set,
                            uint64_t value, uint64_t *saved)
{
    if (value == *saved) return RC_OK;
    *saved = value;
    store_bind_number(log, set, 1, (uint64_t)channel->id);
    store_bind_number(log, set, 2, value);
    return store_run(log, set);
}

enum rc store_channel_save(struct store_log *log, struct store_channel *channel)
{
    const enum store_statement save = STORE_SQL_CHANNEL_SAVE;
    store_bind_number(log, save, 1, (uint64_t)channel->id);
    store_bind_text(log, save, 2, text_of(channel->epoch));
    store_bind_number(log, save, 3, channel->last);
    store_bind_number(log, save, 4, channel->last_ms);
    store_bind_number(log, save, 5, channel->ttl_ms);
    store_bind_number(log, save, 6, channel->count);
    store_bind_number(log, save, 7, channel->bytes);
    store_bind_number(log, save, 8, channel->whole_from);
    store_bind_number(log, save, 9, channel->is_room);
    enum rc rc = store_run(log, save);
    if (rc == RC_OK)
        rc = save_indexed(log, channel, STORE_SQL_CHANNEL_SET_SWEEP, channel->sweep_ms, &channel->sweep_ms_saved);
    if (rc == RC_OK)
        rc = save_indexed(log, channel, STORE_SQL_CHANNEL_SET_EVICTION, store_eviction(channel),
                          &channel->eviction_saved);
    return rc;
}

static enum rc save_slot(struct store_log *log, struct store_slot *slot)
{
    if (!slot->is_changed) return RC_OK;
    slot->is_changed = false;
    return store_channel_save(log, &slot->channel);
}

static struct store_slot *slot_of(struct store_log *log, const struct name *name)
{
    return &log->slots[name->hash % STORE_CHANNELS];
}

static void take_slot(struct store_slot *slot, const struct name *name)
{
    assert(name->length <= sizeof slot->text);
    memcpy(slot->text, name->text, name->length);
    slot->name = *name;
    slot->name.text = slot->text;
}

enum rc store_channel_find(struct store_log *log, const struct store_job *job, struct store_channel **channel_r)
{
    struct store_slot *slot = slot_of(log, job->channel);
    *channel_r = &slot->channel;
    if (slot->name.text != NULL && name_equals(&slot->name, job->channel)) return RC_OK;
    store_bind_text(log, STORE_SQL_CHANNEL_FIND, 1, text_of(job->app));
    store_bind_text(log, STORE_SQL_CHANNEL_FIND, 2, name_text(job->channel));
    enum rc rc = store_step(log, STORE_SQL_CHANNEL_FIND);
    if (rc != RC_OK) return rc;
    rc = save_slot(log, slot);
    if (rc == RC_OK) {
        store_channel_load(log, STORE_SQL_CHANNEL_FIND, &slot->channel);
        take_slot(slot, job->channel);
    }
    store_reset(log, STORE_SQL_CHANNEL_FIND);
    return rc;
}

enum rc store_channel_make(struct store_log *log, const struct store_job *job, struct store_channel **channel_r)
{
    struct store_slot *slot = slot_of(log, job->channel);
    store_bind_text(log, STORE_SQL_CHANNEL_ADD, 1, text_of(job->app));
    store_bind_text(log, STORE_SQL_CHANNEL_ADD, 2, name_text(job->channel));
    enum rc rc = save_slot(log, slot);
    if (rc == RC_OK) rc = store_run(log, STORE_SQL_CHANNEL_ADD);
    if (rc != RC_OK) return rc;
    slot->channel = (struct store_channel){.id = sqlite3_last_insert_rowid(log->file.db)};
    take_slot(slot, job->channel);
    *channel_r = &slot->channel;
    return RC_OK;
}

void store_channel_changed(struct store_log *log, struct store_channel *channel)
{
    struct store_slot *slot = (struct store_slot *)channel; /* its first member */
    assert(slot >= log->slots && slot < log->slots + STORE_CHANNELS);
    slot->is_changed = true;
    if (slot->is_listed) return;
    slot->is_listed = true;
    slot->next = log->changed;
    log->changed = slot;
}

enum rc store_channels_save(struct store_log *log)
{
    enum rc rc = RC_OK;
    for (; log->changed != NULL && rc == RC_OK; log->changed = log->changed->next) {
        log->changed->is_listed = false;
        rc = save_slot(log, log->changed);
    }
    return rc;
}

void store_channels_forget(struct store_log *log)
{
    for (uint32_t i = 0; i < STORE_CHANNELS; i++) {
        struct store_slot *slot = &log->slots[i];
        slot->name.text = NULL;
        slot->is_changed = slot->is_listed = false;
    }
    log->changed = NULL;
}
