/* tests/fuzz/fuzz_redis_reader.c - any bytes as replies of Redis, whole and cut in two anywhere: the same replies come
 * out, and the same end.
 *
 * Aborts when a cut changes what is read, or when something that version 2 of the protocol has not comes out. */
#include "server/cluster/redis_reader.h"

#include "tests/fuzz/fuzz.h"

#define REPLY_BYTES_MAX 4096

/* What was read: a sum over all of it, and how it ended. */
struct reading {
    uint64_t sum;
    enum rc end;
};

static uint64_t mix(uint64_t sum, uint64_t value)
{
    return (sum ^ value) * UINT64_C(1099511628211);
}

static uint64_t take(uint64_t sum, const redisReply *reply)
{
    FUZZ_CHECK(reply->type >= REDIS_REPLY_STRING && reply->type <= REDIS_REPLY_ERROR);
    sum = mix(sum, (uint64_t)reply->type);
    if (reply->type == REDIS_REPLY_INTEGER) sum = mix(sum, (uint64_t)reply->integer);
    if (reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS || reply->type == REDIS_REPLY_ERROR) {
        FUZZ_CHECK(reply->len <= REPLY_BYTES_MAX && reply->str[reply->len] == '\0');
        for (size_t i = 0; i < reply->len; i++)
            sum = mix(sum, (unsigned char)reply->str[i]);
    }
    if (reply->type != REDIS_REPLY_ARRAY) return sum;
    FUZZ_CHECK(reply->elements <= REPLY_BYTES_MAX);
    sum = mix(sum, reply->elements);
    for (size_t i = 0; i < reply->elements; i++)
        sum = take(sum, reply->element[i]);
    return sum;
}

static struct reading read_all(struct bytes input, size_t cut)
{
    struct redis_reader *reader = redis_reader_new(REPLY_BYTES_MAX);
    struct reading reading = {.end = RC_MORE};
    if (reader == NULL) abort();
    for (int part = 0; part < 2 && reading.end == RC_MORE; part++) {
        redisReply *reply;
        const uint8_t *from = part == 0 ? input.at : input.at + cut;
        FUZZ_CHECK(redis_reader_feed(reader, from, part == 0 ? cut : input.count - cut) == RC_OK);
        while ((reading.end = redis_reader_next(reader, &reply)) == RC_OK) {
            reading.sum = take(reading.sum, reply);
            freeReplyObject(reply);
        }
    }
    FUZZ_CHECK(reading.end == RC_MORE || redis_reader_fault(reader)[0] != '\0');
    redis_reader_free(reader);
    return reading;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t count)
{
    struct bytes slice = fuzz_slice(input, count);
    struct reading whole = read_all(slice, count);
    for (size_t cut = 0; cut < count; cut++) {
        struct reading parts = read_all(slice, cut);
        /* What is too large, or no string of a length, may be seen at the cut, before what is wrong behind it. */
        FUZZ_CHECK(parts.sum == whole.sum && rc_is_error(parts.end) == rc_is_error(whole.end));
    }
    free(slice.at);
    return 0;
}
