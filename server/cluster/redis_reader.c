/* server/cluster/redis_reader.c - hiredis' reader with functions of our own around its objects, which count. */
#include "server/cluster/redis_reader.h"

#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES_MAX 32 /* of a type, a length and an end of line */

#if HIREDIS_MAJOR == 0
typedef int element_count;
#else
typedef size_t element_count;
#endif

struct redis_reader {
    redisReader *hiredis;
    redisReplyObjectFunctions own, theirs;
    size_t bytes_max;
    size_t object_bytes; /* of the reply that has not come whole */
    enum rc fault;       /* RC_OK: none */
    const char *fault_text;
};

static enum rc fail(struct redis_reader *reader, enum rc fault, const char *text)
{
    if (reader->fault == RC_OK) {
        reader->fault = fault;
        reader->fault_text = text;
    }
    return reader->fault;
}

/* ---- what hiredis calls for each part of a reply; NULL ends it ---- */

static bool has_room(struct redis_reader *reader, size_t bytes)
{
    size_t room = reader->bytes_max - reader->object_bytes;
    if (bytes > room || sizeof(redisReply) > room - bytes) {
        fail(reader, RC_ETOOBIG, "more than a reply may have");
        return false;
    }
    reader->object_bytes += bytes + sizeof(redisReply);
    return true;
}

static void *refuse_type(const redisReadTask *task)
{
    fail(task->privdata, RC_EPROTO, "a type that version 2 of the protocol has not");
    return NULL;
}

static void *make_string(const redisReadTask *task, char *text, size_t count)
{
    struct redis_reader *reader = task->privdata;
    if (task->type != REDIS_REPLY_STRING && task->type != REDIS_REPLY_STATUS && task->type != REDIS_REPLY_ERROR)
        return refuse_type(task);
    return has_room(reader, count + 1) ? reader->theirs.createString(task, text, count) : NULL;
}

static int depth_of(const redisReadTask *task)
{
    int depth = 1;
    for (; task->parent != NULL; task = task->parent)
        depth++;
    return depth;
}

static void *make_array(const redisReadTask *task, element_count elements)
{
    struct redis_reader *reader = task->privdata;
    if (task->type != REDIS_REPLY_ARRAY) return refuse_type(task);
    if (depth_of(task) > REDIS_DEPTH_MAX) {
        fail(reader, RC_EPROTO, "arrays nested too deep");
        return NULL;
    }
    if ((size_t)elements > reader->bytes_max / sizeof(redisReply *)) {
        fail(reader, RC_ETOOBIG, "more elements than a reply may have");
        return NULL;
    }
    return has_room(reader, (size_t)elements * sizeof(redisReply *)) ? reader->theirs.createArray(task, elements)
                                                                     : NULL;
}

static void *make_integer(const redisReadTask *task, long long integer)
{
    struct redis_reader *reader = task->privdata;
    return has_room(reader, 0) ? reader->theirs.createInteger(task, integer) : NULL;
}

static void *make_nil(const redisReadTask *task)
{
    struct redis_reader *reader = task->privdata;
    if (task->type == REDIS_REPLY_NIL) return refuse_type(task); /* version 2 has it as a string or array of -1 */
    return has_room(reader, 0) ? reader->theirs.createNil(task) : NULL;
}

#if HIREDIS_MAJOR > 0
static void *make_double(const redisReadTask *task, double number, char *text, size_t count)
{
    (void)number, (void)text, (void)count;
    return refuse_type(task);
}

static void *make_bool(const redisReadTask *task, int is_true)
{
    (void)is_true;
    return refuse_type(task);
}
#endif

/* ---- life ---- */

struct redis_reader *redis_reader_new(size_t bytes_max)
{
    struct redis_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) return NULL;
    reader->bytes_max = bytes_max;
    reader->fault_text = "";
    reader->hiredis = redisReaderCreate();
    if (reader->hiredis == NULL) {
        free(reader);
        return NULL;
    }
    reader->theirs = *reader->hiredis->fn;
    reader->own = reader->theirs;
    reader->own.createString = make_string;
    reader->own.createArray = make_array;
    reader->own.createInteger = make_integer;
    reader->own.createNil = make_nil;
#if HIREDIS_MAJOR > 0
    reader->own.createDouble = make_double;
    reader->own.createBool = make_bool;
#endif
    reader->hiredis->fn = &reader->own;
    reader->hiredis->privdata = reader;
    return reader;
}

void redis_reader_free(struct redis_reader *reader)
{
    if (reader == NULL) return;
    redisReaderFree(reader->hiredis);
    free(reader);
}

enum rc redis_reader_feed(struct redis_reader *reader, const void *bytes, size_t count)
{
    if (reader->fault != RC_OK) return RC_OK; /* next() says so */
    if (redisReaderFeed(reader->hiredis, bytes, count) == REDIS_OK) return RC_OK;
    return fail(reader, RC_ENOMEM, "out of memory");
}

/* Of the part that has not come whole; -1: none has begun. */
static int type_of_rest(const redisReader *hiredis)
{
    if (hiredis->ridx < 0) return -1;
#if HIREDIS_MAJOR == 0
    return hiredis->rstack[hiredis->ridx].type;
#else
    return hiredis->task[hiredis->ridx]->type;
#endif
}

/* What waits for the rest of a line, which hiredis looks for anew each time, or of a string. */
static enum rc check_rest(struct redis_reader *reader)
{
    const redisReader *hiredis = reader->hiredis;
    size_t rest = hiredis->len - hiredis->pos;
    int type = type_of_rest(hiredis);
    if (type == REDIS_REPLY_STRING && rest >= HEADER_BYTES_MAX &&
        memchr(hiredis->buf + hiredis->pos, '\n', HEADER_BYTES_MAX) == NULL)
        return fail(reader, RC_EPROTO, "a string without a length");
    if (type != REDIS_REPLY_STRING && rest > REDIS_LINE_BYTES_MAX)
        return fail(reader, RC_ETOOBIG, "a line without an end");
    if (rest > reader->bytes_max || reader->object_bytes > reader->bytes_max - rest)
        return fail(reader, RC_ETOOBIG, "more than a reply may have");
    return RC_MORE;
}

static enum rc fail_as_hiredis(struct redis_reader *reader)
{
    if (reader->hiredis->err == REDIS_ERR_OOM) return fail(reader, RC_ENOMEM, "out of memory");
    return fail(reader, RC_EPROTO, reader->hiredis->errstr);
}

enum rc redis_reader_next(struct redis_reader *reader, redisReply **reply_r)
{
    void *reply = NULL;
    *reply_r = NULL;
    if (reader->fault != RC_OK) return reader->fault;
    if (redisReaderGetReply(reader->hiredis, &reply) != REDIS_OK) return fail_as_hiredis(reader);
    if (reply == NULL) return check_rest(reader);
    reader->object_bytes = 0;
    *reply_r = reply;
    return RC_OK;
}

const char *redis_reader_fault(const struct redis_reader *reader)
{
    return reader->fault_text;
}
