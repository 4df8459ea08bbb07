/* server/cluster/cluster_channels.c - a chained table, and a channel's way through its states.
 *
 *     OUT -- names --> ENTERING -- acknowledged --> READING, BEHIND or IN (server/cluster/cluster_channel_take.h)
 *     nobody reads: grace -- tick --> names --> LEAVING -- acknowledged --> gone, or OUT again
 *     the connection ends: OUT, but for those that nobody reads, which go */
#include "server/cluster/cluster_channels.h"

#include "server/cluster/cluster_audit.h"
#include "server/cluster/cluster_channel_take.h"
#include "server/cluster/cluster_channels_state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_MIN   64
#define GRACE_UNIT_MS  100
#define QUESTIONS_EACH 8 /* sent for one channel and not answered, of which one counts */

/* ---- the table ---- */

struct cluster_channels *cluster_channels_new(const struct cluster_channels_limits *limits, struct counters *counters,
                                              cluster_tell *tell, void *self)
{
    struct cluster_channels *channels = calloc(1, sizeof *channels);
    if (channels == NULL) return NULL;
    channels->limits = *limits;
    channels->context = (struct cluster_channel_context){
        .tell = tell,
        .self = self,
        .counters = counters,
        .kept_bytes_max = limits->kept_bytes_max,
        .kept_bytes_each_max = limits->kept_bytes_each_max,
        .gap_bytes_max = limits->gap_bytes_max,
        .asking = STAILQ_HEAD_INITIALIZER(channels->context.asking),
    };
    channels->capacity = CAPACITY_MIN;
    channels->table = calloc(channels->capacity, sizeof(struct cluster_channel *));
    for (uint32_t level = 0; level < LEVELS; level++)
        TAILQ_INIT(&channels->subscribe[level]);
    TAILQ_INIT(&channels->unsubscribe);
    TAILQ_INIT(&channels->grace);
    if (channels->table != NULL) return channels;
    free(channels);
    return NULL;
}

static void channel_free(struct cluster_channels *channels, struct cluster_channel *channel)
{
    assert(channel->of_home == NULL);
    cluster_channel_drop_all_kept(&channels->context, channel);
    cluster_senders_fini(&channel->senders);
    free(channel);
}

void cluster_channels_free(struct cluster_channels *channels)
{
    if (channels == NULL) return;
    for (uint32_t i = 0; i < channels->capacity; i++) {
        while (channels->table[i] != NULL) {
            struct cluster_channel *channel = channels->table[i];
            channels->table[i] = channel->next;
            channel_free(channels, channel);
        }
    }
    counter_set(channels->context.counters, COUNTER_cluster_channels, 0);
    free(channels->table);
    free(channels);
}

static struct cluster_channel **place_of(const struct cluster_channels *channels, const struct name *name)
{
    struct cluster_channel **place = &channels->table[name->hash & (channels->capacity - 1)];
    while (*place != NULL && !name_equals(&(*place)->name, name))
        place = &(*place)->next;
    return place;
}

struct cluster_channel *cluster_channels_find(const struct cluster_channels *channels, const struct name *name)
{
    return *place_of(channels, name);
}

struct cluster_channel *cluster_channels_next(const struct cluster_channels *channels,
                                              const struct cluster_channel *channel)
{
    uint32_t bucket = channel != NULL ? (uint32_t)(channel->name.hash & (channels->capacity - 1)) : UINT32_MAX;
    struct cluster_channel *next = channel != NULL ? channel->next : NULL;
    while (next == NULL && ++bucket < channels->capacity)
        next = channels->table[bucket];
    return next;
}

uint32_t cluster_channels_count(const struct cluster_channels *channels)
{
    return channels->count;
}

uint64_t cluster_channels_hint(const struct cluster_channels *channels, const struct name *name)
{
    const struct cluster_channel *channel = cluster_channels_find(channels, name);
    return channel != NULL ? channel->position.epoch : 0;
}

bool cluster_channels_is_told(const struct cluster_channels *channels, const struct name *name,
                              const struct stream_id *place)
{
    const struct cluster_channel *channel = cluster_channels_find(channels, name);
    if (channel == NULL || !channel->is_told) return true;
    return place->epoch > 0 && channel->is_numbered && !stream_id_is_behind(place, &channel->position);
}

/* Without the memory for a larger table, the old one goes on with longer chains. */
static void grow(struct cluster_channels *channels)
{
    uint32_t capacity = 2 * channels->capacity;
    struct cluster_channel **table = calloc(capacity, sizeof(struct cluster_channel *));
    if (table == NULL) return;
    for (uint32_t i = 0; i < channels->capacity; i++) {
        while (channels->table[i] != NULL) {
            struct cluster_channel *channel = channels->table[i];
            channels->table[i] = channel->next;
            struct cluster_channel **place = &table[channel->name.hash & (capacity - 1)];
            channel->next = *place;
            *place = channel;
        }
    }
    free(channels->table);
    channels->table = table;
    channels->capacity = capacity;
}

static void count_channels(struct cluster_channels *channels, uint32_t count)
{
    channels->count = count;
    counter_set(channels->context.counters, COUNTER_cluster_channels, count);
}

static struct cluster_channel *make(struct cluster_channels *channels, const struct name *name)
{
    if (channels->count >= channels->capacity) grow(channels);
    struct cluster_channel *channel = malloc(sizeof *channel + name->length);
    if (channel == NULL) return NULL;
    char *text = (char *)(channel + 1);
    memcpy(text, name->text, name->length);
    struct cluster_channel **place = place_of(channels, name);
    *channel = (struct cluster_channel){.name = *name, .next = *place, .record_bytes = CLUSTER_PAGE_BYTES_MAX / 1024};
    channel->name.text = text;
    *place = channel;
    count_channels(channels, channels->count + 1);
    return channel;
}

/* ---- queues ---- */

static struct cluster_channel_list *list_of(struct cluster_channels *channels, const struct cluster_channel *channel)
{
    if (channel->queue == QUEUE_GRACE) return &channels->grace;
    if (channel->queue == QUEUE_UNSUBSCRIBE) return &channels->unsubscribe;
    return &channels->subscribe[channel->level];
}

static void unqueue(struct cluster_channels *channels, struct cluster_channel *channel)
{
    if (channel->queue == QUEUE_NONE) return;
    TAILQ_REMOVE(list_of(channels, channel), channel, queued);
    channels->grace_count -= channel->queue == QUEUE_GRACE;
    channel->queue = QUEUE_NONE;
}

static void enqueue(struct cluster_channels *channels, struct cluster_channel *channel,
                    enum cluster_channel_queue queue)
{
    unqueue(channels, channel);
    channel->queue = queue;
    channel->level =
        (uint8_t)(channel->is_waiting ? LEVELS - 1 : cluster_channel_level(channel, channels->context.now_ms));
    TAILQ_INSERT_TAIL(list_of(channels, channel), channel, queued);
    channels->grace_count += queue == QUEUE_GRACE;
}

static bool is_wanted(const struct cluster_channel *channel)
{
    return channel->is_waiting || channel->is_told;
}

/* Frees it if nothing is under way for it. */
static void drop_if_unused(struct cluster_channels *channels, struct cluster_channel *channel)
{
    if (channel->state != CHANNEL_OUT || is_wanted(channel)) return;
    unqueue(channels, channel);
    if (channel->questions > 0 || channel->is_asking) return;
    cluster_audit_forget(channels, channel);
    *place_of(channels, &channel->name) = channel->next;
    count_channels(channels, channels->count - 1);
    channel_free(channels, channel);
}

/* Nothing that is known of it will be needed. */
static void forget(struct cluster_channels *channels, struct cluster_channel *channel)
{
    cluster_channel_unask(channel);
    cluster_channel_drop_all_kept(&channels->context, channel);
    cluster_senders_fini(&channel->senders);
    cluster_audit_forget(channels, channel);
    channel->position = (struct stream_id){0};
    channel->is_loss_due = channel->is_unsure = channel->is_opened = false;
}

/* ---- homes ---- */

static void set_numbered(struct cluster_channels *channels, struct cluster_channel *channel, bool is_numbered)
{
    if (channel->is_numbered == is_numbered) return;
    channel->is_numbered = is_numbered;
    channel->position = (struct stream_id){0};
    if (channel->state < CHANNEL_READING || channel->state == CHANNEL_LEAVING) return;
    cluster_channel_unask(channel);
    cluster_channel_drop_all_kept(&channels->context, channel);
    cluster_channel_begin(&channels->context, channel);
}

struct cluster_channel *cluster_channels_get(struct cluster_channels *channels, const struct name *name)
{
    struct cluster_channel *channel = cluster_channels_find(channels, name);
    return channel != NULL ? channel : make(channels, name);
}

void cluster_channels_enter(struct cluster_channels *channels, struct cluster_channel *channel,
                            const struct cluster_entering *entering, uint64_t now_ms)
{
    channels->context.now_ms = now_ms;
    channel->shard = entering->shard;
    channel->serial = entering->serial;
    channel->is_cached = entering->is_cached;
    channel->is_opened |= entering->is_opened;
    channel->is_waiting = true;
    if (channel->state == CHANNEL_OUT)
        enqueue(channels, channel, QUEUE_SUBSCRIBE);
    else
        unqueue(channels, channel);
    set_numbered(channels, channel, entering->is_numbered);
    cluster_channel_enter(&channels->context, channel);
}

static void end_grace(struct cluster_channels *channels, struct cluster_channel *channel)
{
    enqueue(channels, channel, QUEUE_UNSUBSCRIBE);
}

static void begin_grace(struct cluster_channels *channels, struct cluster_channel *channel)
{
    channel->grace_until_ds =
        (uint32_t)((channels->context.now_ms + channels->limits.grace_ms + GRACE_UNIT_MS - 1) / GRACE_UNIT_MS);
    enqueue(channels, channel, QUEUE_GRACE);
    if (channels->grace_count > channels->limits.grace_max) end_grace(channels, TAILQ_FIRST(&channels->grace));
}

static void tell_left(struct cluster_channels *channels, struct cluster_channel *channel)
{
    const struct cluster_told told = {.kind = CLUSTER_TOLD_LEFT};
    if (!channel->is_waiting) return;
    channel->is_waiting = false;
    channels->context.tell(channels->context.self, channel, &told);
}

static void leave(struct cluster_channels *channels, struct cluster_channel *channel)
{
    channel->is_told = channel->is_loss_due = false;
    tell_left(channels, channel);
    if (channel->state == CHANNEL_OUT)
        drop_if_unused(channels, channel);
    else if (channel->state != CHANNEL_LEAVING)
        begin_grace(channels, channel);
}

void cluster_channels_leave(struct cluster_channels *channels, const struct name *name, uint64_t now_ms)
{
    channels->context.now_ms = now_ms;
    struct cluster_channel *channel = cluster_channels_find(channels, name);
    if (channel != NULL && is_wanted(channel)) leave(channels, channel);
}

void cluster_channels_give_up(struct cluster_channels *channels, const struct name *name, uint64_t now_ms)
{
    channels->context.now_ms = now_ms;
    struct cluster_channel *channel = cluster_channels_find(channels, name);
    if (channel == NULL || !channel->is_waiting) return;
    if (channel->is_told)
        tell_left(channels, channel);
    else
        leave(channels, channel);
}

/* ---- names ---- */

static struct cluster_channel_list *busiest(struct cluster_channels *channels)
{
    for (uint32_t level = LEVELS; level-- > 0;) {
        if (!TAILQ_EMPTY(&channels->subscribe[level])) return &channels->subscribe[level];
    }
    return NULL;
}

static uint32_t take_names(struct cluster_channels *channels, struct cluster_channel_list *list, bool is_subscribe,
                           struct cluster_channel **names_r, uint32_t count)
{
    struct cluster_channel *channel;
    while (count < CLUSTER_NAMES_MAX && (channel = TAILQ_FIRST(list)) != NULL) {
        unqueue(channels, channel);
        if (!is_subscribe) forget(channels, channel);
        channel->state = is_subscribe ? CHANNEL_ENTERING : CHANNEL_LEAVING;
        names_r[count++] = channel;
    }
    return count;
}

/* Who comes goes before who leaves. */
uint32_t cluster_channels_names(struct cluster_channels *channels, struct cluster_channel **names_r,
                                bool *is_subscribe_r, uint64_t now_ms)
{
    channels->context.now_ms = now_ms;
    if (channels->unacknowledged > 0) return 0;
    uint32_t count = 0;
    struct cluster_channel_list *list;
    while (count < CLUSTER_NAMES_MAX && (list = busiest(channels)) != NULL)
        count = take_names(channels, list, true, names_r, count);
    *is_subscribe_r = count > 0;
    if (count == 0) count = take_names(channels, &channels->unsubscribe, false, names_r, 0);
    channels->unacknowledged = count;
    return count;
}

static enum rc entered(struct cluster_channels *channels, struct cluster_channel *channel)
{
    if (channel->state != CHANNEL_ENTERING) return RC_EPROTO;
    channels->unacknowledged--;
    cluster_channel_begin(&channels->context, channel);
    return RC_OK;
}

/* Also unasked: then it is entered again, and what came meanwhile is read. When both crossed, the second finds
 * nothing to be done. */
static enum rc left(struct cluster_channels *channels, struct cluster_channel *channel)
{
    if (channel->state < CHANNEL_READING) return RC_OK;
    channels->unacknowledged -= channel->state == CHANNEL_LEAVING;
    cluster_channel_end(&channels->context, channel);
    if (is_wanted(channel))
        enqueue(channels, channel, QUEUE_SUBSCRIBE);
    else
        drop_if_unused(channels, channel);
    return RC_OK;
}

enum rc cluster_channels_acknowledged(struct cluster_channels *channels, const struct name *name, bool is_subscribe,
                                      uint64_t now_ms)
{
    channels->context.now_ms = now_ms;
    struct cluster_channel *channel = cluster_channels_find(channels, name);
    if (channel == NULL) return is_subscribe ? RC_EPROTO : RC_OK;
    return is_subscribe ? entered(channels, channel) : left(channels, channel);
}

/* Calls it for each channel, which it may free. */
static void for_each(struct cluster_channels *channels,
                     void (*visit)(struct cluster_channels *, struct cluster_channel *))
{
    struct cluster_channel *next = cluster_channels_next(channels, NULL);
    while (next != NULL) {
        struct cluster_channel *channel = next;
        next = cluster_channels_next(channels, channel);
        visit(channels, channel);
    }
}

static void end(struct cluster_channels *channels, struct cluster_channel *channel)
{
    cluster_audit_forget(channels, channel);
    if (channel->state == CHANNEL_OUT) return;
    cluster_channel_end(&channels->context, channel);
    if (is_wanted(channel))
        enqueue(channels, channel, QUEUE_SUBSCRIBE);
    else
        drop_if_unused(channels, channel);
}

void cluster_channels_end(struct cluster_channels *channels, uint64_t now_ms)
{
    channels->context.now_ms = now_ms;
    channels->unacknowledged = 0;
    for_each(channels, end);
}

static void forget_places(struct cluster_channels *channels, struct cluster_channel *channel)
{
    cluster_audit_forget(channels, channel);
    cluster_channel_forget(&channels->context, channel);
}

void cluster_channels_set_generation(struct cluster_channels *channels, uint64_t generation, uint64_t now_ms)
{
    channels->context.now_ms = now_ms;
    if (generation == channels->context.generation) return;
    channels->context.generation = generation;
    for_each(channels, forget_places);
}

/* ---- what comes ---- */

void cluster_channels_push(struct cluster_channels *channels, const struct name *name,
                           const struct cluster_entry *entries, uint32_t count, uint64_t now_ms)
{
    channels->context.now_ms = now_ms;
    struct cluster_channel *channel = cluster_channels_find(channels, name);
    if (channel != NULL) cluster_channel_push(&channels->context, channel, entries, count);
}

/* ---- questions ---- */

static uint32_t page_of(const struct cluster_channel *channel)
{
    uint32_t count = CLUSTER_PAGE_BYTES_MAX / (channel->record_bytes + 1);
    if (count < 2) return 2; /* the one that is there already, and a next one */
    return count < CLUSTER_PAGE_COUNT_MAX ? count : CLUSTER_PAGE_COUNT_MAX;
}

static struct cluster_question question_of(const struct cluster_channels *channels, struct cluster_channel *channel)
{
    bool is_read = channel->question == QUESTION_READ;
    struct cluster_question question = {
        .kind = channel->question,
        .channel = channel,
        .serial = channel->question_serial,
        .count_max = is_read ? page_of(channel) : 1,
        .from = channel->position,
    };
    if (is_read && question.from.epoch == 0) question.from.epoch = channels->context.generation;
    return question;
}

bool cluster_channels_question(struct cluster_channels *channels, struct cluster_question *question_r,
                               uint64_t now_ms)
{
    channels->context.now_ms = now_ms;
    struct cluster_channel *channel;
    while ((channel = STAILQ_FIRST(&channels->context.asking)) != NULL) {
        STAILQ_REMOVE_HEAD(&channels->context.asking, asking);
        channel->is_asking = false;
        if (channel->question != QUESTION_NONE && !channel->is_question_sent && channel->questions < QUESTIONS_EACH) {
            *question_r = question_of(channels, channel);
            channel->is_question_sent = true;
            channel->questions++;
            cluster_kept_mark_asked_over(&channel->kept);
            return true;
        }
        drop_if_unused(channels, channel);
    }
    return false;
}

/* Whether its answer counts. */
static bool take_back(struct cluster_channels *channels, const struct cluster_question *question, uint64_t now_ms)
{
    channels->context.now_ms = now_ms;
    struct cluster_channel *channel = question->channel;
    assert(channel->questions > 0);
    channel->questions--;
    if (channel->question != QUESTION_NONE && channel->question_serial == question->serial) return true;
    if (channel->question != QUESTION_NONE && !channel->is_question_sent)
        cluster_channel_ask(&channels->context, channel, channel->question); /* there may have been too many */
    drop_if_unused(channels, channel);
    return false;
}

void cluster_channels_answer(struct cluster_channels *channels, const struct cluster_question *question,
                             const struct cluster_entry *entries, uint32_t count, uint64_t now_ms)
{
    if (!take_back(channels, question, now_ms)) return;
    struct cluster_channel *channel = question->channel;
    if (question->kind == QUESTION_AUDIT) {
        cluster_channel_unask(channel);
        cluster_audit_answer(channels, channel, question, count > 0 ? entries : NULL);
    } else {
        cluster_channel_answer(&channels->context, channel, question, entries, count);
    }
}

void cluster_channels_unanswered(struct cluster_channels *channels, const struct cluster_question *question,
                                 bool is_refused, uint64_t now_ms)
{
    if (!take_back(channels, question, now_ms)) return;
    struct cluster_channel *channel = question->channel;
    bool is_hopeless = is_refused && question->kind == QUESTION_OPEN;
    channel->is_opened &= !is_hopeless;
    if (question->kind == QUESTION_AUDIT)
        cluster_channel_unask(channel);
    else
        cluster_channel_ask(&channels->context, channel, is_hopeless ? QUESTION_POSITION : question->kind);
}

/* ---- time ---- */

void cluster_channels_tick(struct cluster_channels *channels, uint64_t now_ms)
{
    channels->context.now_ms = now_ms;
    struct cluster_channel *channel;
    while ((channel = TAILQ_FIRST(&channels->grace)) != NULL && channel->grace_until_ds <= now_ms / GRACE_UNIT_MS)
        end_grace(channels, channel);
    cluster_audit_tick(channels);
}
