/* tests/support/cluster_sim_judge.c - was each home told everything once, in order, or that something may be
 * missing? */
#include "tests/support/cluster_sim_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const channel_words[SIM_CHANNELS] = {"one", "two", "three", "plain"};

void sim_fault(struct sim *sim, const char *format, ...)
{
    if (sim->faults++ > 0) return;
    int at = snprintf(sim->first_fault, sizeof sim->first_fault, "step %llu: ", (unsigned long long)sim->clock);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sim->first_fault + at, sizeof sim->first_fault - (size_t)at, format, arguments);
    va_end(arguments);
}

static void see(struct sim *sim, struct sim_reader *reader, uint32_t channel, const struct cluster_entry *entry)
{
    uint32_t text;
    memcpy(&text, entry->record.at, sizeof text);
    if (sim->texts[text].channel != channel) sim_fault(sim, "message %u is of another channel", text);
    if (reader->has_seen[text]) sim_fault(sim, "message %u came twice", text);
    reader->has_seen[text] = true;
    reader->messages++;
    if (entry->id.epoch == 0) return;
    const struct stream_id *at = &reader->position;
    bool is_first = at->epoch == 0 && entry->id.offset == 1;
    if (!is_first && !stream_id_is_next(&entry->id, at))
        sim_fault(sim, "%llu-%llu came behind %llu-%llu", (unsigned long long)entry->id.epoch,
                  (unsigned long long)entry->id.offset, (unsigned long long)at->epoch,
                  (unsigned long long)at->offset);
    reader->position = entry->id;
}

/* Should this home have got it, or be told of its loss? What was published before it came is no business of its. */
static bool is_due(const struct sim *sim, const struct sim_reader *reader, uint32_t text)
{
    const struct sim_text *published = &sim->texts[text];
    return !reader->has_seen[text] && published->first_clock > reader->entered_clock &&
           published->clock > reader->lost_clock;
}

/* Places that moved without a message: each was there before, or is known to be lost. */
static void skip_to(struct sim *sim, struct sim_reader *reader, uint32_t channel, const struct stream_id *place)
{
    const struct sim_stream *stream = &sim->streams[channel];
    for (uint32_t i = 0; i < stream->count; i++) {
        const struct sim_entry *entry = &stream->entries[i];
        if (entry->text == 0 || entry->id.epoch != place->epoch || stream_id_is_behind(&entry->id, place)) continue;
        if (stream_id_is_behind(&entry->id, &reader->position) && is_due(sim, reader, entry->text))
            sim_fault(sim, "message %u was passed over", entry->text);
    }
    reader->position = *place;
}

void sim_judge_told(struct sim *sim, struct sim_node *node, const struct cluster_channel *told_of,
                    const struct cluster_told *told)
{
    uint32_t channel = 0;
    while (!text_equals(name_text(&told_of->name), text_of(channel_words[channel])))
        channel++;
    struct sim_reader *reader = &node->readers[channel];
    if (!reader->is_wanted) sim_fault(sim, "%s is told though its home has left", channel_words[channel]);
    if (told->kind == CLUSTER_TOLD_ENTERED) {
        if (!reader->is_waiting) sim_fault(sim, "entered though it did not wait");
        if (!reader->is_in) reader->entered_clock = sim->clock;
        if (reader->is_in && reader->position.epoch > 0 && !stream_id_equals(&told->position, &reader->position))
            sim_fault(sim, "entered again, at another place");
        reader->is_in = true;
        reader->is_waiting = false;
        reader->position = told->position;
    } else if (told->kind == CLUSTER_TOLD_LEFT) {
        if (!reader->is_waiting) sim_fault(sim, "left though it did not wait");
        reader->is_waiting = false;
        reader->is_wanted = reader->is_in;
    } else if (!reader->is_in) {
        sim_fault(sim, "told something before it was in");
    } else if (told->kind == CLUSTER_TOLD_LOST) {
        reader->losses++;
        reader->position = told->position;
        if (sim->fault != SIM_LOSSES_UNTOLD) reader->lost_clock = sim->clock;
    } else {
        for (uint32_t i = 0; i < told->count; i++)
            see(sim, reader, channel, &told->entries[i]);
        if (!stream_id_equals(&told->position, &reader->position) && channel != SIM_CHANNELS - 1)
            skip_to(sim, reader, channel, &told->position);
    }
}

static void judge_reader(struct sim *sim, uint32_t node, uint32_t channel)
{
    struct sim_reader *reader = &sim->nodes[node].readers[channel];
    if (!reader->is_wanted) return;
    if (!reader->is_in || reader->is_waiting) {
        sim_fault(sim, "node %u waits for %s for ever", node, channel_words[channel]);
        return;
    }
    for (uint32_t i = 1; i < sim->texts_count; i++) {
        const struct sim_text *text = &sim->texts[i];
        if (text->channel != channel || !text->is_placed || !is_due(sim, reader, i)) continue;
        sim_fault(sim, "node %u: message %u of %s is missing, and was not told so", node, i, channel_words[channel]);
    }
    const struct sim_stream *stream = &sim->streams[channel];
    if (stream->count == 0 || stream->entries[stream->count - 1].id.epoch < sim->generation) return;
    const struct stream_id *last = &stream->entries[stream->count - 1].id;
    bool is_only_begun = last->offset == 0 && reader->position.epoch == 0;
    if (!is_only_begun && !stream_id_equals(last, &reader->position))
        sim_fault(sim, "node %u: %s ends at %llu-%llu, and not at %llu-%llu", node, channel_words[channel],
                  (unsigned long long)reader->position.epoch, (unsigned long long)reader->position.offset,
                  (unsigned long long)last->epoch, (unsigned long long)last->offset);
}

uint32_t sim_judge(struct sim *sim, const char **first_r)
{
    for (uint32_t node = 0; node < sim->nodes_count; node++) {
        for (uint32_t channel = 0; channel < SIM_CHANNELS; channel++)
            judge_reader(sim, node, channel);
    }
    if (first_r != NULL) *first_r = sim->first_fault;
    return sim->faults;
}
