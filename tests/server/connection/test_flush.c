/* tests/server/connection/test_flush.c - what a connection has to say leaves in order and whole, however little its
 * socket takes at a time; who takes too little is closed, and nobody else notices. */
#include "server/connection/flush.h"

#include "core/batch.h"
#include "tests/support/connection_case.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct connection *first(void)
{
    return case_connection(0);
}

static char heard[40000]; /* so far */
static size_t heard_count;

/* Takes what has come. */
static void hear(struct fake_socket *socket)
{
    heard_count += (size_t)snprintf(heard + heard_count, sizeof heard - heard_count, "%s", case_read(socket));
}

Test(flush, all_that_is_said_comes_in_order_through_the_smallest_socket, .timeout = 60)
{
    static const size_t buffers[] = {1, 7, 64, 1000, CASE_SEND_BUFFER};
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++) {
        static char expected[10000];
        size_t expected_count = 0;
        heard_count = 0;
        case_begin(CASE_FLAGS("--ping-ms", "1h", "--outbox-age-ms-max", "1h"));
        struct fake_socket *socket = case_connect(buffers[i]);
        case_write(socket, CASE_UPGRADE("/ws"));
        case_run();
        while (strstr(heard, "\r\n\r\n") == NULL) {
            hear(socket);
            case_run();
        }
        heard_count = 0;
        for (uint32_t k = 0; k < 200; k++) {
            char text[20];
            snprintf(text, sizeof text, "echo %u", k);
            expected_count +=
                (size_t)snprintf(expected + expected_count, sizeof expected - expected_count, "..%s", text);
            case_text(socket, text);
            if (k % 7 == 0) case_run();
            if (k % 11 == 0) hear(socket);
        }
        for (uint32_t turns = 0; turns < 4000 && heard_count < expected_count; turns++) {
            case_run();
            hear(socket);
        }
        cr_expect_str_eq(heard, expected, "%zu bytes at a time", buffers[i]);
        cr_expect_eq(case_counter(COUNTER_outbox_bytes), 0);
        case_end();
    }
}

/* One send takes what several messages of a turn are. */
Test(flush, the_messages_of_a_turn_leave_together, .timeout = 30)
{
    case_begin(CASE_FLAGS());
    struct fake_socket *socket = case_open(CASE_SEND_BUFFER);
    uint64_t sends = case_counter(COUNTER_sends);
    for (uint32_t i = 0; i < 50; i++) {
        case_text(socket, "echo x");
    }
    case_run();
    cr_expect_eq(strlen(case_read(socket)), 50 * 8);
    cr_expect_lt(case_counter(COUNTER_sends) - sends, 10, "%lu", case_counter(COUNTER_sends) - sends);
    case_end();
}

Test(flush, a_pong_goes_ahead_of_messages_that_wait, .timeout = 30)
{
    case_begin(CASE_FLAGS("--ping-ms", "1h"));
    struct fake_socket *socket = case_open(1000);
    for (uint32_t i = 0; i < 5; i++) {
        case_say_long(socket, 3000);
        case_run();
    }
    cr_expect(first()->is_awaiting);
    case_frame(socket, FRAME_PING, true, "PONG", 4);
    case_run();
    for (uint32_t turns = 0; turns < 100; turns++) {
        hear(socket);
        case_run();
    }
    cr_expect_eq(heard_count, 5 * 3004 + 6);
    const char *pong = strstr(heard, "PONG");
    cr_assert_not_null(pong);
    cr_expect_lt(pong - heard, 2 * 3004 + 6, "behind what had begun only");
    case_end();
}

Test(flush, a_slow_reader_is_closed_alone, .timeout = 60)
{
    case_begin(CASE_FLAGS("--outbox-bytes-max", "16KiB", "--ping-ms", "1h", "--close-ms-max", "1s"));
    struct fake_socket *slow = case_open(2000), *quick = case_open(CASE_SEND_BUFFER);
    size_t came = 0;
    for (uint32_t i = 0; i < 40; i++) {
        if (first()->state == CONNECTION_OPEN) case_say_long(slow, 1000);
        case_say_long(quick, 1000);
        case_run();
        came += strlen(case_read(quick));
        cr_expect_leq(case_counter(COUNTER_outbox_bytes), 16384 + 2 * 1100);
    }
    cr_expect_eq(came, 40 * 1004);
    cr_expect_not_null(strstr(case_calls(), "goodbye:SLOW_READER error:SLOW_READER close:SLOW_READER "));
    cr_expect_eq(case_connection(1)->state, CONNECTION_OPEN);
    for (uint32_t i = 0; i < 20; i++) {
        hear(slow);
        case_run();
    }
    cr_expect_not_null(strstr(heard, "outbox full"), "what had begun, then why");
    case_end();
}

/* An end of the socket during a send is no fault of ours. */
Test(flush, what_is_said_to_one_who_is_gone_is_given_back, .timeout = 30)
{
    case_begin(CASE_FLAGS("--ping-ms", "1h"));
    for (uint32_t i = 0; i < 10; i++) {
        struct fake_socket *socket = case_open(1000);
        for (uint32_t k = 0; k < 5; k++) {
            case_say_long(socket, 3000);
            if (k % 2 == i % 2) case_run();
        }
        fake_reset(socket);
        case_run();
        cr_expect_eq(first()->state, CONNECTION_FREE);
        cr_expect_eq(case_counter(COUNTER_outbox_bytes), 0);
    }
    case_end();
}

static void say_to_first(void)
{
    connection_say(case_shard, first(), batch_of_static("..", 2, case_shard->now_ms));
}

/* Not read, as one that is paused, it is only heard of by a send. */
Test(flush, a_send_that_fails_is_a_socket_that_failed, .timeout = 30)
{
    case_begin(CASE_FLAGS());
    struct fake_socket *socket = case_open(CASE_SEND_BUFFER);
    case_pause();
    fake_reset(socket);
    case_run();
    cr_expect_str_eq(case_calls(), "");
    case_act(say_to_first);
    cr_expect_str_eq(case_calls(), "error:PEER_RESET close:PEER_RESET ");
    case_resume();
    cr_expect_eq(first()->state, CONNECTION_FREE);
    case_end();
}
