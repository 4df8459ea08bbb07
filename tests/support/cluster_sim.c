/* tests/support/cluster_sim.c - streams, subscriptions and connections, as Redis and a network have them. */
#include "tests/support/cluster_sim.h"

#include "tests/support/cluster_sim_private.h"

#include <stdio.h>
#include <stdlib.h>

static const char *names[SIM_CHANNELS] = {"one", "two", "three", "plain"};

static struct name name_of_channel(uint32_t channel)
{
    return name_of(0, text_of(names[channel]));
}

static uint32_t channel_of_name(const struct name *name)
{
    uint32_t channel = 0;
    while (!text_equals(name_text(name), text_of(names[channel])))
        channel++;
    return channel;
}

struct teller {
    struct sim *sim;
    uint32_t node;
};

static struct teller tellers[SIM_NODES];

static void tell(void *self, struct cluster_channel *channel, const struct cluster_told *told)
{
    struct teller *teller = self;
    sim_judge_told(teller->sim, &teller->sim->nodes[teller->node], channel, told);
}

struct sim *sim_new(enum sim_fault fault, uint32_t nodes, uint32_t messages_max)
{
    const struct cluster_channels_limits limits = {
        .kept_bytes_max = 4096,
        .kept_bytes_each_max = 2048,
        .gap_bytes_max = 400 * sizeof(uint32_t),
        .grace_ms = 10000,
        .grace_max = 2,
        .audits_per_s = 50,
    };
    struct sim *sim = calloc(1, sizeof *sim);
    sim->fault = fault;
    sim->nodes_count = nodes;
    sim->now_ms = sim->generation = 1000000;
    sim->texts_count = 1;
    sim->texts_max = messages_max + 1;
    sim->texts = calloc(sim->texts_max, sizeof *sim->texts);
    for (uint32_t i = 0; i < nodes; i++) {
        struct sim_node *node = &sim->nodes[i];
        tellers[i] = (struct teller){sim, i};
        node->channels = cluster_channels_new(&limits, &node->counters, tell, &tellers[i]);
        node->pushes = calloc(SIM_QUEUE_MAX, sizeof *node->pushes);
        node->questions = calloc(SIM_QUEUE_MAX, sizeof *node->questions);
        for (uint32_t j = 0; j < SIM_CHANNELS; j++)
            node->readers[j].has_seen = calloc(sim->texts_max, sizeof(bool));
        cluster_channels_set_generation(node->channels, sim->generation, sim->now_ms);
    }
    return sim;
}

void sim_free(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->nodes_count; i++) {
        struct sim_node *node = &sim->nodes[i];
        for (uint32_t j = 0; j < node->questions_count; j++)
            free(node->questions[j].entries);
        cluster_channels_free(node->channels);
        free(node->pushes);
        free(node->questions);
        for (uint32_t j = 0; j < SIM_CHANNELS; j++)
            free(node->readers[j].has_seen);
    }
    for (uint32_t i = 0; i < SIM_CHANNELS; i++)
        free(sim->streams[i].entries);
    free(sim->texts);
    free(sim);
}

static bool did(struct sim *sim)
{
    sim->clock++;
    return true;
}

/* ---- homes ---- */

static void enter(struct sim *sim, uint32_t node, uint32_t channel, bool is_opened)
{
    struct name name = name_of_channel(channel);
    bool is_numbered = channel != SIM_CHANNELS - 1;
    const struct cluster_entering entering = {.serial = ++sim->serial,
                                              .is_numbered = is_numbered,
                                              .is_cached = channel == 1 || (!is_numbered && is_opened),
                                              .is_opened = is_numbered && is_opened};
    struct cluster_channel *entered = cluster_channels_get(sim->nodes[node].channels, &name);
    sim->nodes[node].readers[channel].is_waiting = true;
    cluster_channels_enter(sim->nodes[node].channels, entered, &entering, sim->now_ms);
}

bool sim_enter(struct sim *sim, uint32_t node, uint32_t channel, bool is_opened)
{
    struct sim_reader *reader = &sim->nodes[node].readers[channel];
    if (reader->is_wanted) return false;
    *reader = (struct sim_reader){.is_wanted = true, .has_seen = reader->has_seen};
    memset(reader->has_seen, 0, sim->texts_max);
    enter(sim, node, channel, is_opened);
    return did(sim);
}

bool sim_enter_again(struct sim *sim, uint32_t node, uint32_t channel)
{
    if (!sim->nodes[node].readers[channel].is_in) return false;
    enter(sim, node, channel, true);
    return did(sim);
}

bool sim_give_up(struct sim *sim, uint32_t node, uint32_t channel)
{
    struct sim_reader *reader = &sim->nodes[node].readers[channel];
    if (!reader->is_waiting) return false;
    struct name name = name_of_channel(channel);
    cluster_channels_give_up(sim->nodes[node].channels, &name, sim->now_ms);
    if (reader->is_waiting) sim_fault(sim, "given up, and not told so");
    return did(sim);
}

bool sim_leave(struct sim *sim, uint32_t node, uint32_t channel)
{
    struct sim_reader *reader = &sim->nodes[node].readers[channel];
    if (!reader->is_wanted) return false;
    struct name name = name_of_channel(channel);
    cluster_channels_leave(sim->nodes[node].channels, &name, sim->now_ms);
    if (reader->is_waiting) sim_fault(sim, "left, and not told so");
    *reader = (struct sim_reader){.has_seen = reader->has_seen};
    return did(sim);
}

/* ---- publishing ---- */

static void put_push(struct sim *sim, struct sim_node *node, const struct sim_push *push)
{
    if (node->pushes_count == SIM_QUEUE_MAX)
        sim_fault(sim, "a test fills the queue");
    else
        node->pushes[(node->pushes_from + node->pushes_count++) % SIM_QUEUE_MAX] = *push;
}

static void push_to_all(struct sim *sim, const struct sim_push *push)
{
    for (uint32_t i = 0; i < sim->nodes_count; i++) {
        struct sim_node *node = &sim->nodes[i];
        if (!node->is_subscribed[push->channel]) continue;
        put_push(sim, node, push);
    }
}

static bool stream_has(const struct sim_stream *stream, uint32_t text)
{
    for (uint32_t i = 0; i < stream->count; i++) {
        if (stream->entries[i].text == text) return true;
    }
    return false;
}

static struct stream_id append(struct sim_stream *stream, struct stream_id id, uint32_t text)
{
    stream->entries = realloc(stream->entries, (stream->count + 1) * sizeof *stream->entries);
    stream->entries[stream->count++] = (struct sim_entry){.id = id, .text = text};
    if (stream->epoch_least <= id.epoch) stream->epoch_least = id.epoch + 1;
    return id;
}

/* The id that comes next, with the entry that begins an epoch where that is due. */
static struct stream_id next_id(struct sim *sim, struct sim_stream *stream)
{
    struct stream_id last = stream->count > 0 ? stream->entries[stream->count - 1].id : (struct stream_id){0};
    if (last.epoch < sim->generation) {
        last = (struct stream_id){.epoch = sim->now_ms > sim->generation ? sim->now_ms : sim->generation};
        if (last.epoch < stream->epoch_least && sim->fault != SIM_SAME_GENERATION) last.epoch = stream->epoch_least;
        append(stream, last, 0);
    }
    return (struct stream_id){.epoch = last.epoch, .offset = last.offset + 1};
}

/* The script, as far as it is needed. */
static void publish(struct sim *sim, uint32_t channel, struct sim_call *call, bool is_repeat)
{
    struct sim_stream *stream = &sim->streams[channel];
    struct sim_push push = {.channel = channel};
    for (uint32_t i = 0; i < call->count; i++) {
        uint32_t text = call->texts[i];
        if (is_repeat && call->is_placed && stream_has(stream, text)) continue;
        if (is_repeat && sim->fault == SIM_NO_TOKENS) sim->texts[text].counter = ++sim->counters[0] + (1 << 20);
        sim->texts[text].clock = sim->clock;
        struct sim_entry entry = {.text = text};
        if (call->is_placed) entry.id = append(stream, next_id(sim, stream), text);
        push.entries[push.count++] = entry;
        stream->last = entry;
    }
    if (push.count > 0) push_to_all(sim, &push);
}

bool sim_publish(struct sim *sim, uint32_t publisher, uint32_t channel, uint32_t count, bool is_placed)
{
    if (sim->texts_count + count > sim->texts_max) return false;
    is_placed = is_placed && channel != SIM_CHANNELS - 1;
    struct sim_call *call = &sim->calls[publisher][channel];
    *call = (struct sim_call){.count = count, .is_placed = is_placed};
    did(sim);
    for (uint32_t i = 0; i < count; i++) {
        call->texts[i] = sim->texts_count++;
        sim->texts[call->texts[i]] = (struct sim_text){
            .channel = channel,
            .node = 1 + publisher,
            .counter = ++sim->counters[publisher],
            .first_clock = sim->clock,
            .is_placed = is_placed,
        };
    }
    publish(sim, channel, call, false);
    return true;
}

bool sim_repeat(struct sim *sim, uint32_t publisher, uint32_t channel)
{
    struct sim_call *call = &sim->calls[publisher][channel];
    if (call->count == 0 || !call->is_placed) return false;
    did(sim);
    publish(sim, channel, call, true);
    call->count = 0;
    return true;
}

/* ---- connections ---- */

static bool send_names(struct sim *sim, struct sim_node *node)
{
    struct cluster_channel *sent[CLUSTER_NAMES_MAX];
    bool is_subscribe;
    uint32_t count = cluster_channels_names(node->channels, sent, &is_subscribe, sim->now_ms);
    if (count == 0) return false;
    for (uint32_t i = 0; i < count; i++)
        node->names[node->names_count++] = (struct sim_name){channel_of_name(&sent[i]->name), is_subscribe};
    return true;
}

bool sim_send(struct sim *sim, uint32_t index)
{
    struct sim_node *node = &sim->nodes[index];
    bool has_sent = send_names(sim, node);
    struct cluster_question question;
    while (node->questions_count < SIM_QUEUE_MAX &&
           cluster_channels_question(node->channels, &question, sim->now_ms)) {
        node->questions[node->questions_count++] = (struct sim_question){.question = question};
        has_sent = true;
    }
    return has_sent && did(sim);
}

bool sim_redis_takes_names(struct sim *sim, uint32_t index)
{
    struct sim_node *node = &sim->nodes[index];
    if (node->names_count == 0) return false;
    for (uint32_t i = 0; i < node->names_count; i++) {
        const struct sim_name *name = &node->names[i];
        node->is_subscribed[name->channel] = name->is_subscribe;
        put_push(sim, node, &(struct sim_push){.channel = name->channel, .is_subscribe = name->is_subscribe});
    }
    node->names_count = 0;
    return did(sim);
}

static void entries_of(const struct sim *sim, const struct sim_entry *from, uint32_t count, struct cluster_entry *to)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct sim_text *text = &sim->texts[from[i].text];
        to[i] = (struct cluster_entry){.id = from[i].id};
        if (from[i].text == 0) continue;
        to[i].node = text->node;
        to[i].counter = text->counter;
        to[i].record = (struct text){(const char *)&from[i].text, sizeof from[i].text};
    }
}

bool sim_node_takes_push(struct sim *sim, uint32_t index)
{
    struct sim_node *node = &sim->nodes[index];
    if (node->pushes_count == 0) return false;
    did(sim);
    struct sim_push push = node->pushes[node->pushes_from];
    node->pushes_from = (node->pushes_from + 1) % SIM_QUEUE_MAX;
    node->pushes_count--;
    struct name name = name_of_channel(push.channel);
    struct cluster_entry entries[SIM_BATCH_MAX];
    entries_of(sim, push.entries, push.count, entries);
    if (push.count > 0)
        cluster_channels_push(node->channels, &name, entries, push.count, sim->now_ms);
    else if (cluster_channels_acknowledged(node->channels, &name, push.is_subscribe, sim->now_ms) != RC_OK)
        sim_fault(sim, "an acknowledgement of %s was not expected", names[push.channel]);
    return true;
}

static uint32_t read_stream(const struct sim_stream *stream, const struct cluster_question *question,
                            struct sim_entry *entries)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < stream->count && count < question->count_max; i++) {
        if (!stream_id_is_behind(&question->from, &stream->entries[i].id)) entries[count++] = stream->entries[i];
    }
    return count;
}

bool sim_redis_takes_question(struct sim *sim, uint32_t index)
{
    struct sim_node *node = &sim->nodes[index];
    uint32_t i = 0;
    while (i < node->questions_count && node->questions[i].is_answered)
        i++;
    if (i == node->questions_count) return false;
    struct sim_question *asked = &node->questions[i];
    struct sim_stream *stream = &sim->streams[channel_of_name(&asked->question.channel->name)];
    asked->entries = calloc(asked->question.count_max, sizeof *asked->entries);
    asked->is_answered = true;
    if (asked->question.kind == QUESTION_OPEN) next_id(sim, stream);
    if (asked->question.kind == QUESTION_READ) {
        asked->count = read_stream(stream, &asked->question, asked->entries);
    } else if (asked->question.kind == QUESTION_LAST) {
        asked->count = stream->last.text > 0;
        asked->entries[0] = stream->last;
    } else if (asked->question.kind != QUESTION_LAST_MS && stream->count > 0) {
        asked->count = 1;
        asked->entries[0] = stream->entries[stream->count - 1];
    }
    return did(sim);
}

static struct sim_question take_question(struct sim_node *node)
{
    struct sim_question first = node->questions[0];
    node->questions_count--;
    memmove(node->questions, node->questions + 1, node->questions_count * sizeof first);
    return first;
}

bool sim_node_takes_answer(struct sim *sim, uint32_t index)
{
    struct sim_node *node = &sim->nodes[index];
    if (node->questions_count == 0 || !node->questions[0].is_answered) return false;
    did(sim);
    struct sim_question asked = take_question(node);
    struct cluster_entry *entries = calloc(asked.count + 1, sizeof *entries);
    entries_of(sim, asked.entries, asked.count, entries);
    cluster_channels_answer(node->channels, &asked.question, entries, asked.count, sim->now_ms);
    free(entries);
    free(asked.entries);
    return true;
}

static bool give_back(struct sim *sim, uint32_t index, bool is_refused)
{
    struct sim_node *node = &sim->nodes[index];
    if (node->questions_count == 0) return false;
    struct sim_question asked = take_question(node);
    free(asked.entries);
    cluster_channels_unanswered(node->channels, &asked.question, is_refused, sim->now_ms);
    return did(sim);
}

bool sim_node_takes_error(struct sim *sim, uint32_t node)
{
    return give_back(sim, node, true);
}

/* ---- accidents ---- */

bool sim_end_a(struct sim *sim, uint32_t node)
{
    for (uint32_t count = sim->nodes[node].questions_count; count > 0; count--)
        give_back(sim, node, false);
    return did(sim);
}

bool sim_end_b(struct sim *sim, uint32_t index)
{
    struct sim_node *node = &sim->nodes[index];
    node->pushes_count = node->names_count = 0;
    memset(node->is_subscribed, 0, sizeof node->is_subscribed);
    cluster_channels_end(node->channels, sim->now_ms);
    return did(sim);
}

bool sim_unsubscribe_unasked(struct sim *sim, uint32_t index, uint32_t channel)
{
    struct sim_node *node = &sim->nodes[index];
    if (!node->is_subscribed[channel] || node->names_count > 0) return false;
    node->is_subscribed[channel] = false;
    put_push(sim, node, &(struct sim_push){.channel = channel});
    return did(sim);
}

bool sim_delete(struct sim *sim, uint32_t channel)
{
    sim->streams[channel].count = 0;
    sim->streams[channel].last.text = 0;
    sim->now_ms += 10;
    return did(sim);
}

bool sim_flush(struct sim *sim)
{
    for (uint32_t i = 0; i < SIM_CHANNELS; i++)
        sim_delete(sim, i);
    return true;
}

bool sim_trim(struct sim *sim, uint32_t channel, uint32_t kept)
{
    struct sim_stream *stream = &sim->streams[channel];
    if (stream->count <= kept) return false;
    memmove(stream->entries, stream->entries + stream->count - kept, kept * sizeof *stream->entries);
    stream->count = kept;
    return did(sim);
}

bool sim_restart(struct sim *sim, uint32_t forgotten)
{
    sim->now_ms += 100;
    for (uint32_t i = 0; i < SIM_CHANNELS; i++) {
        sim->streams[i].count -= sim->streams[i].count < forgotten ? sim->streams[i].count : forgotten;
        sim->streams[i].last.text = 0;
    }
    for (uint32_t i = 0; i < sim->nodes_count; i++) {
        sim_end_b(sim, i);
        sim_end_a(sim, i);
    }
    if (sim->fault != SIM_SAME_GENERATION) sim->generation = sim->now_ms;
    for (uint32_t i = 0; i < sim->nodes_count; i++)
        cluster_channels_set_generation(sim->nodes[i].channels, sim->generation, sim->now_ms);
    return did(sim);
}

bool sim_wait(struct sim *sim, uint64_t ms)
{
    sim->now_ms += ms;
    for (uint32_t i = 0; i < sim->nodes_count; i++)
        cluster_channels_tick(sim->nodes[i].channels, sim->now_ms);
    return did(sim);
}

/* ---- rest ---- */

static bool go_on(struct sim *sim, uint32_t node)
{
    bool sent = sim_send(sim, node), named = sim_redis_takes_names(sim, node);
    bool pushed = sim_node_takes_push(sim, node), asked = sim_redis_takes_question(sim, node);
    return sim_node_takes_answer(sim, node) || sent || named || pushed || asked;
}

void sim_settle(struct sim *sim)
{
    for (uint32_t round = 0; round < 5; round++) {
        uint32_t steps = 0;
        for (uint32_t i = 0; i < sim->nodes_count; i++) {
            while (go_on(sim, i)) {
                if (++steps == 20000) {
                    sim_fault(sim, "it goes on and on");
                    return;
                }
            }
        }
        sim_wait(sim, 11000);
    }
}

struct cluster_channel *sim_channel(const struct sim *sim, uint32_t node, uint32_t channel)
{
    struct name name = name_of_channel(channel);
    return cluster_channels_find(sim->nodes[node].channels, &name);
}

struct cluster_channels *sim_channels(const struct sim *sim, uint32_t node)
{
    return sim->nodes[node].channels;
}

struct counters *sim_counters(struct sim *sim, uint32_t node)
{
    return &sim->nodes[node].counters;
}

uint32_t sim_losses(const struct sim *sim, uint32_t node, uint32_t channel)
{
    return sim->nodes[node].readers[channel].losses;
}

uint32_t sim_messages(const struct sim *sim, uint32_t node, uint32_t channel)
{
    return sim->nodes[node].readers[channel].messages;
}

uint32_t sim_published(const struct sim *sim)
{
    return sim->texts_count - 1;
}

bool sim_is_in(const struct sim *sim, uint32_t node, uint32_t channel)
{
    return sim->nodes[node].readers[channel].is_in;
}
