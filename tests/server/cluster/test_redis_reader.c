/* tests/server/cluster/test_redis_reader.c - replies, cut anywhere, and what is no reply or too large a one. */
#include "server/cluster/redis_reader.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX 100000

/* A reply as one line, as redis-cli has it. */
static void print(FILE *out, const redisReply *reply)
{
    switch (reply->type) {
    case REDIS_REPLY_STRING:
        fprintf(out, "\"%.*s\"", (int)reply->len, reply->str);
        return;
    case REDIS_REPLY_STATUS:
        fprintf(out, "+%s", reply->str);
        return;
    case REDIS_REPLY_ERROR:
        fprintf(out, "-%s", reply->str);
        return;
    case REDIS_REPLY_INTEGER:
        fprintf(out, "%lld", reply->integer);
        return;
    case REDIS_REPLY_NIL:
        fputs("nil", out);
        return;
    default:
        break;
    }
    fputc('[', out);
    for (size_t i = 0; i < reply->elements; i++) {
        if (i > 0) fputc(' ', out);
        print(out, reply->element[i]);
    }
    fputc(']', out);
}

/* All replies of a text that comes in two parts, and how it ends. */
static enum rc read_all(const char *text, size_t count, size_t cut, char *shown, size_t size)
{
    struct redis_reader *reader = redis_reader_new(BYTES_MAX);
    FILE *out = fmemopen(shown, size, "w");
    cr_assert(reader != NULL && out != NULL);
    enum rc rc = RC_MORE;
    for (int part = 0; part < 2 && rc == RC_MORE; part++) {
        cr_assert_eq(redis_reader_feed(reader, text + (part == 0 ? 0 : cut), part == 0 ? cut : count - cut), RC_OK);
        redisReply *reply;
        while ((rc = redis_reader_next(reader, &reply)) == RC_OK) {
            print(out, reply);
            fputc(';', out);
            freeReplyObject(reply);
        }
    }
    fclose(out);
    redis_reader_free(reader);
    return rc;
}

Test(redis_reader, reads_the_same_wherever_the_bytes_are_cut, .timeout = 20)
{
    static const char replies[] = "+OK\r\n-ERR no\r\n:-42\r\n$3\r\na\r\n\r\n$-1\r\n$0\r\n\r\n*0\r\n*-1\r\n"
                                  "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n*2\r\n:1\r\n*1\r\n$-1\r\n+PONG\r\n";
    for (size_t cut = 0; cut < sizeof replies; cut++) {
        char shown[400];
        cr_assert_eq(read_all(replies, sizeof replies - 1, cut, shown, sizeof shown), RC_MORE, "%zu", cut);
        cr_expect_str_eq(shown, "+OK;-ERR no;-42;\"a\r\n\";nil;\"\";[];nil;[\"message\" \"c\" [1 [nil]]];+PONG;");
    }
}

Test(redis_reader, refuses_what_is_no_reply, .timeout = 20)
{
    static const char *const cases[] = {
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "\x15\x03\x01\0\x02",
        ":x\r\n",
        "$x\r\n",
        "$-2\r\n",
        "*-2\r\n",
        "%1\r\n+a\r\n+b\r\n",
        "_\r\n",
        "#t\r\n",
        ",1.5\r\n",
        "~1\r\n+a\r\n",
        ">1\r\n+a\r\n",
        "(1\r\n",
        "=5\r\ntxt:a\r\n",
        "*2\r\n+a\r\n#t\r\n",
        "*1\r\n%1\r\n+a\r\n+b\r\n",
        "!3\r\nERR\r\n",
        "$0000000000000000000000000000000000000000",
        "*9\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t cut = 0; cut <= strlen(cases[i]); cut++) {
            char shown[100] = "";
            cr_expect_eq(read_all(cases[i], strlen(cases[i]), cut, shown, sizeof shown), RC_EPROTO, "%zu at %zu", i,
                         cut);
            cr_expect_str_empty(shown);
        }
    }
}

Test(redis_reader, takes_arrays_in_arrays_up_to_a_depth, .timeout = 20)
{
    char text[100] = "", shown[100];
    for (int depth = 1; depth <= REDIS_DEPTH_MAX + 1; depth++) {
        memcpy(text + 4 * (depth - 1), "*1\r\n:1\r\n", sizeof "*1\r\n:1\r\n");
        cr_expect_eq(read_all(text, strlen(text), 0, shown, sizeof shown),
                     depth <= REDIS_DEPTH_MAX ? RC_MORE : RC_EPROTO, "%d", depth);
    }
}

Test(redis_reader, makes_no_room_for_what_is_only_said_to_come, .timeout = 20)
{
    static const char *const cases[] = {"*2147483647\r\n", "*100000000\r\n", "*12501\r\n", "*1\r\n*12501\r\n"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char shown[100];
        cr_expect_eq(read_all(cases[i], strlen(cases[i]), 0, shown, sizeof shown), RC_ETOOBIG, "%s", cases[i]);
    }
}

/* Feeds the same slice until the reader has had enough; says how much that was. */
static size_t feed_until(struct redis_reader *reader, const char *slice, size_t count, enum rc expected)
{
    size_t fed = 0;
    redisReply *reply;
    enum rc rc = RC_MORE;
    while (rc == RC_MORE) {
        cr_assert_lt(fed, 10 * BYTES_MAX);
        redis_reader_feed(reader, slice, count);
        fed += count;
        rc = redis_reader_next(reader, &reply);
    }
    cr_expect_eq(rc, expected);
    cr_expect_str_neq(redis_reader_fault(reader), "");
    cr_expect_eq(redis_reader_next(reader, &reply), expected, "it stays so");
    return fed;
}

Test(redis_reader, ends_what_does_not_end, .timeout = 20)
{
    static const struct {
        const char *begin, *slice;
    } cases[] = {
        {"$99999999\r\n", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
        {"+", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
        {"*3000\r\n", "$4\r\nabcd\r\n*0\r\n"},
        {"*9000\r\n", ":1\r\n"},
        {"*1000\r\n", "$-1\r\n"},
        {"-ERR ", "\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct redis_reader *reader = redis_reader_new(i == 4 ? 20000 : BYTES_MAX);
        redisReply *reply;
        cr_assert(reader != NULL);
        redis_reader_feed(reader, cases[i].begin, strlen(cases[i].begin));
        cr_assert_eq(redis_reader_next(reader, &reply), RC_MORE);
        size_t fed = feed_until(reader, cases[i].slice, strlen(cases[i].slice), RC_ETOOBIG);
        cr_expect_leq(fed, BYTES_MAX + 64);
        redis_reader_free(reader);
    }
}

Test(redis_reader, counts_each_reply_anew, .timeout = 20)
{
    char reply_text[BYTES_MAX / 2];
    struct redis_reader *reader = redis_reader_new(BYTES_MAX);
    cr_assert(reader != NULL);
    int head = snprintf(reply_text, sizeof reply_text, "$%d\r\n", 40000);
    memset(reply_text + head, 'x', 40000);
    memcpy(reply_text + head + 40000, "\r\n", 2);
    for (int i = 0; i < 20; i++) {
        redisReply *reply;
        cr_assert_eq(redis_reader_feed(reader, reply_text, (size_t)head + 40002), RC_OK);
        cr_assert_eq(redis_reader_next(reader, &reply), RC_OK, "%s", redis_reader_fault(reader));
        cr_expect_eq(reply->len, 40000);
        freeReplyObject(reply);
    }
    redis_reader_free(reader);
}
