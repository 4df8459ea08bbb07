/* tests/server/cluster/test_sentinel_answer.c - what Sentinels say of a master, and which of them counts. */
#include "server/cluster/sentinel_answer.h"

#include "server/cluster/redis_reader.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static enum rc read_text(const char *text, struct sentinel_answer *answer)
{
    struct redis_reader *reader = redis_reader_new(10000);
    redisReply *reply;
    cr_assert_eq(redis_reader_feed(reader, text, strlen(text)), RC_OK);
    cr_assert_eq(redis_reader_next(reader, &reply), RC_OK, "%s", text);
    enum rc rc = sentinel_answer_read(reply, answer);
    freeReplyObject(reply);
    redis_reader_free(reader);
    return rc;
}

Test(sentinel_answer, has_place_and_epoch_among_much_else, .timeout = 10)
{
    struct sentinel_answer answer;
    char place[REDIS_PLACE_TEXT_MAX];
    cr_assert_eq(
        read_text("*10\r\n$4\r\nname\r\n$2\r\nip\r\n$2\r\nip\r\n$8\r\n10.0.0.7\r\n$4\r\nport\r\n$4\r\n6380\r\n"
                  "$5\r\nflags\r\n$6\r\nmaster\r\n$12\r\nconfig-epoch\r\n$2\r\n41\r\n",
                  &answer),
        RC_OK);
    cr_expect_eq(answer.epoch, 41);
    cr_expect_str_eq(redis_place_format(&answer.place, place), "10.0.0.7:6380");
}

Test(sentinel_answer, may_be_none, .timeout = 10)
{
    static const struct {
        const char *text;
        enum rc rc;
    } cases[] = {
        {"-ERR No such master with that name\r\n", RC_ENOENT},
        {"*-1\r\n", RC_ENOENT},
        {"+OK\r\n", RC_EPROTO},
        {"*0\r\n", RC_EPROTO},
        {"*1\r\n$2\r\nip\r\n", RC_EPROTO},
        {"*2\r\n:1\r\n:2\r\n", RC_EPROTO},
        {"*4\r\n$2\r\nip\r\n$1\r\nh\r\n$4\r\nport\r\n$1\r\n7\r\n", RC_EPROTO},
        {"*6\r\n$2\r\nip\r\n$1\r\nh\r\n$4\r\nport\r\n$1\r\n0\r\n$12\r\nconfig-epoch\r\n$1\r\n1\r\n", RC_EPROTO},
        {"*6\r\n$2\r\nip\r\n$1\r\nh\r\n$4\r\nport\r\n$5\r\n65536\r\n$12\r\nconfig-epoch\r\n$1\r\n1\r\n", RC_EPROTO},
        {"*6\r\n$2\r\nip\r\n$3\r\na b\r\n$4\r\nport\r\n$1\r\n1\r\n$12\r\nconfig-epoch\r\n$1\r\n1\r\n", RC_EPROTO},
        {"*6\r\n$2\r\nip\r\n$1\r\nh\r\n$4\r\nport\r\n$1\r\n1\r\n$12\r\nconfig-epoch\r\n$2\r\n-1\r\n", RC_EPROTO},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sentinel_answer answer = {.epoch = 7};
        cr_expect_eq(read_text(cases[i].text, &answer), cases[i].rc, "%s", cases[i].text);
        cr_expect_eq(answer.epoch, 7);
    }
}

Test(sentinel_answer, with_the_highest_epoch_counts, .timeout = 10)
{
    struct sentinel_answer answers[3] = {{.epoch = 4}, {.epoch = 9}, {.epoch = 4}};
    cr_expect(sentinel_answer_best(answers, (const bool[]){false, false, false}, 3) == NULL);
    cr_expect_eq(sentinel_answer_best(answers, (const bool[]){true, true, true}, 3), &answers[1]);
    cr_expect_eq(sentinel_answer_best(answers, (const bool[]){true, false, true}, 3), &answers[0]);
    cr_expect_eq(sentinel_answer_best(answers, (const bool[]){false, false, true}, 3), &answers[2]);
    cr_expect(sentinel_answer_best(answers, NULL, 0) == NULL);
}
