/* bench/pieces/bench_cluster.c - what a node does with what comes from Redis: a push that is next, up to the event
 * that its home is told; and channels that are subscribed and checked again when Redis
 * is back, with nothing missed. Redis' own time, and the connections', are not in it. */
#include "bench/pieces/bench.h"
#include "bench/pieces/pieces.h"
#include "core/message.h"
#include "server/cluster/cluster_job.h"
#include "server/cluster/cluster_reader.h"
#include "server/cluster/record.h"
#include "server/config/history_rule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANNELS    1000
#define COMING_BACK 10000
#define PUSHES      (UINT64_C(1) << 20)
#define TEXT_BYTES  200
#define PUSH_BYTES  400
#define EPOCH       UINT64_C(1700000000000)
#define KEPT_BYTES  (64 << 20)

struct node {
    struct counters counters;
    struct cluster_reader *reader;
    struct cluster_job *jobs;
    struct name *names;
    char (*texts)[24];
    char (*keys)[48];
    uint64_t *offsets;
    uint32_t channels;
    uint64_t pushes;
    uint64_t number; /* of the last */
    uint64_t now_ms;
    uint64_t hash;
    char record[PUSH_BYTES];
    size_t record_bytes;
};

static void note_done(void *self, struct cluster_job *job)
{
    struct node *node = self;
    node->hash = bench_mix(node->hash, (uint64_t)job->rc);
}

static void note_event(void *self, struct cluster_event *event)
{
    struct node *node = self;
    node->hash = bench_mix(node->hash, event->messages_count + event->messages[0]->frame_bytes[FORM_RAW]);
    cluster_event_free(&node->counters, event);
}

static void note_number(void *self, const struct name *name, uint64_t number)
{
    struct node *node = self;
    node->hash = bench_mix(node->hash, number + name->length);
}

static void note_entered(void *self, const struct name *name, struct text app, uint32_t shard, uint32_t serial)
{
    struct node *node = self;
    node->hash = bench_mix(node->hash, name->length + app.count + shard + serial);
}

static void note_other(void *self, const struct name *name, struct text push)
{
    (void)self, (void)name, (void)push;
}

/* ---- what Redis would say ---- */

static redisReply text_reply(const char *at, size_t count)
{
    return (redisReply){.type = REDIS_REPLY_STRING, .str = (char *)(uintptr_t)at, .len = count};
}

static void acknowledge(struct node *node, uint32_t i)
{
    redisReply kind = text_reply("subscribe", 9), key = text_reply(node->keys[i], strlen(node->keys[i]));
    redisReply count = {.type = REDIS_REPLY_INTEGER, .integer = 1};
    redisReply *parts[] = {&kind, &key, &count};
    redisReply reply = {.type = REDIS_REPLY_ARRAY, .elements = 3, .element = parts};
    cluster_reader_pushed(node->reader, &reply, node->now_ms);
}

/* The answer: the entry at this offset alone. */
static void answer(struct node *node, const struct cluster_reader_call *call, uint64_t offset)
{
    char id[48];
    int id_bytes = snprintf(id, sizeof id, "%llu-%llu", (unsigned long long)EPOCH, (unsigned long long)offset);
    redisReply id_reply = text_reply(id, (size_t)id_bytes), t = text_reply("t", 1), d = text_reply("d", 1);
    redisReply time = text_reply("1700000000000", 13), record = text_reply(node->record, node->record_bytes);
    redisReply *values[] = {&t, &time, &d, &record};
    redisReply fields = {.type = REDIS_REPLY_ARRAY, .elements = 4, .element = values};
    redisReply *parts[] = {&id_reply, &fields};
    redisReply entry = {.type = REDIS_REPLY_ARRAY, .elements = 2, .element = parts};
    redisReply *entries[] = {&entry};
    redisReply reply = {.type = REDIS_REPLY_ARRAY, .elements = 1, .element = entries};
    cluster_reader_answered(node->reader, call, &reply, node->now_ms);
}

/* All that is to be sent is answered. */
static void go_on(struct node *node)
{
    struct cluster_reader_call call;
    while (cluster_reader_next_names(node->reader, node->now_ms, &call)) {
        for (size_t i = 1; i < call.words_count; i++) {
            const char *number = memchr(call.words[i].at, '-', call.words[i].count);
            acknowledge(node, (uint32_t)strtoul(number + 1, NULL, 10));
        }
        while (cluster_reader_next(node->reader, node->now_ms, &call)) {
            uint64_t offset = call.question.from.offset;
            answer(node, &call, offset > 0 ? offset : 1);
        }
    }
}

/* ---- pieces ---- */

/* In the record's token: a node's numbers ascend. */
static void set_number(char *record, uint64_t number)
{
    for (int i = 0; i < 8; i++)
        record[8 + i] = (char)(number >> (56 - 8 * i));
}

static uint64_t run_pushes(void *context)
{
    struct node *node = context;
    char push[PUSH_BYTES];
    node->hash = 0;
    for (uint64_t i = 0; i < node->pushes; i++) {
        uint32_t channel = (uint32_t)(i % node->channels);
        int head = snprintf(push, sizeof push, "%llu-%llu 1700000000000 1 ", (unsigned long long)EPOCH,
                            (unsigned long long)++node->offsets[channel]);
        memcpy(push + head, node->record, node->record_bytes);
        set_number(push + head, ++node->number);
        redisReply kind = text_reply("message", 7),
                   key = text_reply(node->keys[channel], strlen(node->keys[channel]));
        redisReply text = text_reply(push, (size_t)head + node->record_bytes);
        redisReply *parts[] = {&kind, &key, &text};
        redisReply reply = {.type = REDIS_REPLY_ARRAY, .elements = 3, .element = parts};
        cluster_reader_pushed(node->reader, &reply, node->now_ms);
    }
    return node->hash;
}

static uint64_t run_coming_back(void *context)
{
    struct node *node = context;
    node->hash = 0;
    cluster_reader_ended(node->reader, node->now_ms);
    go_on(node);
    return node->hash;
}

static void tear_down(struct node *node)
{
    if (node->reader != NULL) cluster_reader_give_up(node->reader);
    cluster_reader_free(node->reader);
    free(node->jobs);
    free(node->names);
    free(node->texts);
    free(node->keys);
    free(node->offsets);
    free(node);
}

static enum rc make_record(struct node *node)
{
    uint8_t frame[4 + TEXT_BYTES] = {0x81, 126, 0, TEXT_BYTES};
    memset(frame + 4, 'x', TEXT_BYTES);
    struct name name = name_of(0, text_of("room"));
    struct message *message = message_new_of(&node->counters, &name, FORM_RAW, sizeof frame);
    if (message == NULL) return RC_ENOMEM;
    memcpy(message_frame(message, FORM_RAW), frame, sizeof frame);
    node->record_bytes = record_bytes(message);
    record_write(node->record, message, RECORD_MESSAGE, (struct record_token){.node = 9, .number = 1});
    message_drop(&node->counters, message);
    return RC_OK;
}

static void enter(struct node *node, uint32_t i)
{
    static const struct history_rule rule = {.size = 100, .ttl = 1000};
    int bytes = snprintf(node->texts[i], sizeof node->texts[i], "room-%u", (unsigned)i);
    snprintf(node->keys[i], sizeof node->keys[i], "rc:m:{app:%s}", node->texts[i]);
    node->names[i] = name_of(0, (struct text){node->texts[i], (size_t)bytes});
    node->offsets[i] = 1;
    node->jobs[i] = (struct cluster_job){
        .item.kind = CLUSTER_ENTER, .app = "app", .channel = &node->names[i], .rule = &rule, .serial = i};
    cluster_reader_ask(node->reader, &node->jobs[i], node->now_ms);
}

/* All channels are read. NULL: out of memory. */
static struct node *set_up(uint32_t channels)
{
    struct node *node = calloc(1, sizeof *node);
    if (node == NULL) return NULL;
    const struct cluster_reader_settings settings = {
        .prefix = text_of("rc"),
        .node = 7,
        .limits = {.kept_bytes_max = KEPT_BYTES, .kept_bytes_each_max = KEPT_BYTES, .gap_bytes_max = KEPT_BYTES},
        .counters = &node->counters,
        .done = note_done,
        .event = note_event,
        .came_back = note_number,
        .entered = note_entered,
        .other = note_other,
        .self = node,
    };
    node->channels = channels;
    node->now_ms = 1;
    node->reader = cluster_reader_new(&settings);
    node->jobs = calloc(channels, sizeof *node->jobs);
    node->names = calloc(channels, sizeof *node->names);
    node->texts = calloc(channels, sizeof *node->texts);
    node->keys = calloc(channels, sizeof *node->keys);
    node->offsets = calloc(channels, sizeof *node->offsets);
    bool has_all = node->reader != NULL && node->jobs != NULL && node->names != NULL && node->texts != NULL &&
                   node->keys != NULL && node->offsets != NULL && make_record(node) == RC_OK;
    for (uint32_t i = 0; has_all && i < channels; i++)
        enter(node, i);
    if (has_all) {
        go_on(node);
        return node;
    }
    tear_down(node);
    return NULL;
}

static void measure(struct bench *bench, const char *name, uint64_t (*run)(void *context), uint32_t channels,
                    uint64_t pushes)
{
    if (!bench_wants(bench, name)) return;
    struct node *node = set_up(channels);
    if (node == NULL) {
        bench_unable(bench, name, RC_ENOMEM);
        return;
    }
    node->pushes = pushes;
    bench_measure(bench, &(struct bench_piece){.name = name,
                                               .operations = pushes > 0 ? pushes : channels,
                                               .bytes = pushes * TEXT_BYTES,
                                               .run = run,
                                               .context = node});
    tear_down(node);
}

void bench_cluster(struct bench *bench)
{
    measure(bench, "cluster/push", run_pushes, CHANNELS, bench_size(bench, PUSHES));
    measure(bench, "cluster/come_back", run_coming_back, (uint32_t)bench_size(bench, COMING_BACK), 0);
}
