/* server/cluster/cluster_import.c - entries of streams, sent in numbers and answered later. */
#include "server/cluster/cluster_import.h"

#include "core/message.h"
#include "server/cluster/cluster_key.h"
#include "server/cluster/record.h"
#include "server/cluster/redis_access.h"
#include "server/cluster/redis_link.h"
#include "server/cluster/script_call.h"
#include "server/cluster/stream_id.h"
#include "server/config/history_rule.h"
#include "server/system/clock.h"

#include <assert.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define OUT_BYTES_MAX   ((size_t)64 << 20)
#define REPLY_BYTES_MAX ((size_t)1 << 20)
#define UNANSWERED_MAX  1000
#define POLL_MS         100
#define NUMBER_BYTES    21

struct cluster_import {
    struct redis_link *link;
    struct redis_access *access;
    struct redis_url url;
    struct text prefix;
    uint64_t silent_ms_max;
    uint64_t generation;
    struct record_token token;
    uint64_t unanswered;
    char *reason;
    size_t reason_size;

    char stream_memory[CLUSTER_KEY_BYTES_MAX];
    struct text stream; /* of the channel that was begun; at == NULL: none is */
    uint64_t ttl_ms;
    uint64_t newest; /* offset of the message written last */
    char *record;
    size_t record_capacity;
};

__attribute__((format(printf, 2, 3))) static enum rc refuse(struct cluster_import *import, const char *format, ...)
{
    va_list words;
    va_start(words, format);
    vsnprintf(import->reason, import->reason_size, format, words);
    va_end(words);
    return RC_EINVAL;
}

/* ---- Redis, waited for ---- */

static enum rc link_refuse(struct cluster_import *import)
{
    return refuse(import, "%s", redis_link_reason(import->link));
}

/* Lets the link get on for a moment. */
static enum rc get_on(struct cluster_import *import)
{
    struct pollfd wait = {.fd = redis_link_fd(import->link), .events = redis_link_events(import->link)};
    poll(&wait, 1, redis_link_has_input(import->link) ? 0 : POLL_MS);
    redis_link_run(import->link, wait.revents, monotonic_ms());
    return RC_OK;
}

static enum rc look_at_end(struct cluster_import *import)
{
    redis_link_watch(import->link, monotonic_ms(), import->silent_ms_max);
    return redis_link_end(import->link) == REDIS_END_NONE ? RC_OK : link_refuse(import);
}

static enum rc connect_to(struct cluster_import *import)
{
    enum rc rc = RC_OK;
    redis_link_open(import->link, monotonic_ms());
    while (rc == RC_OK && redis_link_state(import->link) != REDIS_LINK_OPEN) {
        rc = look_at_end(import);
        if (rc == RC_OK) rc = get_on(import);
    }
    return rc;
}

/* The next reply; the caller frees it. */
static enum rc receive(struct cluster_import *import, redisReply **reply_r)
{
    enum rc rc;
    while ((rc = redis_link_receive(import->link, reply_r)) != RC_OK) {
        if ((rc = look_at_end(import)) != RC_OK || (rc = get_on(import)) != RC_OK) return rc;
    }
    import->unanswered--;
    if ((*reply_r)->type != REDIS_REPLY_ERROR) return RC_OK;
    rc = refuse(import, "Redis refuses: %.200s", (*reply_r)->str);
    freeReplyObject(*reply_r);
    return rc;
}

static enum rc drain(struct cluster_import *import, uint64_t unanswered_max)
{
    redisReply *reply;
    enum rc rc = RC_OK;
    while (rc == RC_OK && import->unanswered > unanswered_max) {
        if ((rc = receive(import, &reply)) == RC_OK) freeReplyObject(reply);
    }
    return rc;
}

static enum rc send_words(struct cluster_import *import, const struct text *words, size_t count)
{
    enum rc rc = drain(import, UNANSWERED_MAX);
    if (rc == RC_OK) rc = redis_link_send(import->link, words, count);
    if (rc == RC_EFULL) {
        rc = drain(import, 0);
        if (rc == RC_OK) rc = redis_link_send(import->link, words, count);
    }
    if (rc == RC_OK) import->unanswered++;
    if (rc == RC_EFULL) return refuse(import, "a message is larger than what can be sent at once");
    return rc == RC_EBUSY ? link_refuse(import) : rc;
}

/* Sends a command and waits for its reply, with all before it; the caller frees it. */
static enum rc ask(struct cluster_import *import, const struct text *words, size_t count, redisReply **reply_r)
{
    enum rc rc = send_words(import, words, count);
    if (rc == RC_OK) rc = drain(import, 1);
    return rc == RC_OK ? receive(import, reply_r) : rc;
}

static enum rc ask_number(struct cluster_import *import, const struct text *words, size_t count, uint64_t *number_r)
{
    redisReply *reply;
    enum rc rc = ask(import, words, count, &reply);
    if (rc != RC_OK) return rc;
    if (reply->type == REDIS_REPLY_INTEGER) {
        *number_r = (uint64_t)reply->integer;
    } else if (reply->type == REDIS_REPLY_STRING) {
        *number_r = strtoull(reply->str, NULL, 10);
    } else {
        rc = refuse(import, "Redis does not answer with a number");
    }
    freeReplyObject(reply);
    return rc;
}

/* ---- before the first channel ---- */

/* How many elements the reply to a command has. */
static enum rc ask_length(struct cluster_import *import, const struct text *words, size_t count, size_t *length_r)
{
    redisReply *reply;
    enum rc rc = ask(import, words, count, &reply);
    if (rc != RC_OK) return rc;
    *length_r = reply->type == REDIS_REPLY_ARRAY ? reply->elements : 0;
    freeReplyObject(reply);
    return RC_OK;
}

static enum rc find_nobody(struct cluster_import *import)
{
    char memory[CLUSTER_KEY_BYTES_MAX], now[NUMBER_BYTES];
    redisReply *time;
    size_t nodes = 0;
    uint64_t now_ms = 0;
    enum rc rc = ask(import, (const struct text[]){text_of("TIME")}, 1, &time);
    if (rc != RC_OK) return rc;
    if (time->type == REDIS_REPLY_ARRAY && time->elements == 2 && time->element[0]->type == REDIS_REPLY_STRING)
        now_ms = strtoull(time->element[0]->str, NULL, 10) * 1000;
    freeReplyObject(time);
    snprintf(now, sizeof now, "%llu", (unsigned long long)now_ms);
    const struct text words[] = {text_of("ZRANGEBYSCORE"), cluster_key_nodes(memory, import->prefix), text_of(now),
                                 text_of("+inf")};
    rc = ask_length(import, words, sizeof words / sizeof words[0], &nodes);
    if (rc != RC_OK || nodes == 0) return rc;
    return refuse(
        import,
        "%zu nodes use this Redis with redis_prefix %.*s: stop them first; of one that was killed the lease "
        "has to be over",
        nodes, (int)import->prefix.count, import->prefix.at);
}

/* The same number that nodes will have, as long as Redis lives: an epoch that begins with it is not over for them. */
static enum rc ask_generation(struct cluster_import *import)
{
    char memory[CLUSTER_KEY_BYTES_MAX];
    struct script_call call;
    struct text tag = text_of(CLUSTER_TAG_ALONE);
    script_call_generation(&call, cluster_key_generation(memory, import->prefix, tag),
                           text_of(redis_link_server(import->link)->replid), 0);
    call.words[0] = text_of("EVAL");
    call.words[1] = script_text(SCRIPT_GENERATION);
    return ask_number(import, call.words, call.words_count, &import->generation);
}

static enum rc read_url(struct cluster_import *import, const struct options *options)
{
    const struct text_list *urls = &options->redis;
    if (urls->count == 0) return refuse(import, "there is no --redis: say into which Redis it is to be brought");
    if (urls->count > 1) return refuse(import, "of several --redis none is where all channels belong: give one");
    enum rc rc = redis_url_read(urls->items[0], &import->url, import->reason, import->reason_size);
    if (rc != RC_OK || import->url.kind == REDIS_ALONE) return rc;
    return refuse(import, "give the address of the master itself, redis://HOST:PORT");
}

enum rc cluster_import_open(struct cluster_import **import_r, const struct options *options, char *reason,
                            size_t reason_size)
{
    struct cluster_import *import = *import_r = calloc(1, sizeof *import);
    if (import == NULL) return RC_ENOMEM;
    import->reason = reason;
    import->reason_size = reason_size;
    import->prefix = text_of(options->redis_prefix);
    import->silent_ms_max = options->redis_silent_ms_max;
    while (getrandom(&import->token.node, sizeof import->token.node, 0) < 0) {
    }
    enum rc rc = read_url(import, options);
    if (rc == RC_OK) rc = scripts_init();
    if (rc == RC_OK) rc = redis_access_new(&import->access, options, reason, reason_size);
    if (rc != RC_OK) return rc;
    const struct redis_target target = {.place = import->url.places[0],
                                        .is_tls = import->url.is_tls,
                                        .database = import->url.database,
                                        .user = import->url.user,
                                        .name = "ringcast-migrate",
                                        .access = import->access};
    import->link = redis_link_new(&target, &(struct redis_limits){OUT_BYTES_MAX, REPLY_BYTES_MAX});
    if (import->link == NULL) return RC_ENOMEM;
    rc = connect_to(import);
    if (rc == RC_OK) rc = find_nobody(import);
    return rc == RC_OK ? ask_generation(import) : rc;
}

void cluster_import_close(struct cluster_import *import)
{
    if (import == NULL) return;
    bool is_open = import->link != NULL && redis_link_state(import->link) == REDIS_LINK_OPEN;
    if (is_open && import->stream.at != NULL) { /* what is there of it is not all */
        redisReply *reply;
        const struct text words[] = {text_of("DEL"), import->stream};
        char unheard[64];
        import->reason = unheard; /* the first one counts */
        import->reason_size = sizeof unheard;
        if (ask(import, words, 2, &reply) == RC_OK) freeReplyObject(reply);
    }
    redis_link_free(import->link);
    redis_access_free(import->access);
    free(import->record);
    free(import);
}

/* ---- a channel ---- */

/* XADD at that offset; `time` and `record` are NULL for the entry with which the epoch begins. */
static enum rc add(struct cluster_import *import, uint64_t offset, const char *time, const struct text *record)
{
    char id[STREAM_ID_BYTES_MAX];
    struct text words[] = {text_of("XADD"),
                           import->stream,
                           stream_id_write(id, &(struct stream_id){import->generation, offset}),
                           text_of("k"),
                           text_of(""),
                           text_of("d"),
                           {0}};
    if (record == NULL) return send_words(import, words, 5);
    words[3] = text_of("t");
    words[4] = text_of(time);
    words[6] = *record;
    return send_words(import, words, 7);
}

enum rc cluster_import_begin(struct cluster_import *import, struct text app, struct text channel,
                             const struct history_rule *rule)
{
    assert(import->stream.at == NULL);
    size_t entries = 0;
    struct text stream = cluster_key_of(import->stream_memory, import->prefix, CLUSTER_KEY_STREAM, app, channel);
    const struct text words[] = {text_of("XREVRANGE"), stream,           text_of("+"),
                                 text_of("-"),         text_of("COUNT"), text_of("1")};
    enum rc rc = ask_length(import, words, sizeof words / sizeof words[0], &entries);
    if (rc != RC_OK) return rc;
    if (entries != 0) return RC_ENOENT;
    import->stream = stream;
    import->ttl_ms = rule->ttl;
    import->newest = 0;
    return add(import, 0, NULL, NULL);
}

enum rc cluster_import_message(struct cluster_import *import, const struct message *message)
{
    assert(import->stream.at != NULL && message->offset > import->newest);
    char time[NUMBER_BYTES];
    size_t bytes = record_bytes(message);
    if (bytes > import->record_capacity) {
        char *grown = realloc(import->record, bytes);
        if (grown == NULL) return RC_ENOMEM;
        import->record = grown;
        import->record_capacity = bytes;
    }
    import->token.number++;
    record_write(import->record, message, RECORD_MESSAGE, import->token);
    snprintf(time, sizeof time, "%llu", (unsigned long long)message->time_ms);
    import->newest = message->offset;
    return add(import, message->offset, time, &(struct text){import->record, bytes});
}

enum rc cluster_import_end(struct cluster_import *import, uint64_t last)
{
    assert(import->stream.at != NULL && last >= import->newest);
    char id[STREAM_ID_BYTES_MAX], ttl[NUMBER_BYTES];
    enum rc rc = RC_OK;
    if (last > import->newest) {
        const struct text words[] = {text_of("XSETID"), import->stream,
                                     stream_id_write(id, &(struct stream_id){import->generation, last})};
        rc = send_words(import, words, 3);
    }
    snprintf(ttl, sizeof ttl, "%llu", (unsigned long long)import->ttl_ms);
    const struct text words[] = {text_of("PEXPIRE"), import->stream, text_of(ttl)};
    if (rc == RC_OK) rc = send_words(import, words, 3);
    if (rc == RC_OK) rc = drain(import, 0);
    if (rc == RC_OK) import->stream = (struct text){0};
    return rc;
}
