/* tests/server/connection/test_deadline.c - time at a connection alone: silence, pings, readers that take nothing. */
#include "server/connection/deadline.h"

#include "tests/support/connection_case.h"

#include <criterion/criterion.h>
#include <string.h>

static struct connection *first(void)
{
    return case_connection(0);
}

static void pong(struct fake_socket *socket)
{
    case_frame(socket, FRAME_PONG, true, "", 0);
    case_run();
}

Test(deadline, who_is_silent_is_pinged_and_who_answers_stays, .timeout = 30)
{
    case_begin(CASE_FLAGS("--ping-ms", "10s", "--pong-ms-max", "3s"));
    struct fake_socket *socket = case_open(CASE_SEND_BUFFER);
    for (uint32_t i = 0; i < 5; i++) {
        case_pass(8900);
        cr_expect_str_eq(case_read(socket), "", "%u", i);
        case_pass(2300);
        cr_expect_str_eq(case_read(socket), "..", "a ping");
        pong(socket);
    }
    cr_expect_eq(case_counter(COUNTER_pings_sent), 5);
    cr_expect_eq(first()->state, CONNECTION_OPEN);
    case_end();
}

Test(deadline, who_says_something_is_not_pinged, .timeout = 30)
{
    case_begin(CASE_FLAGS("--ping-ms", "10s", "--pong-ms-max", "3s"));
    struct fake_socket *socket = case_open(CASE_SEND_BUFFER);
    for (uint32_t i = 0; i < 10; i++) {
        case_pass(8000);
        case_text(socket, "here");
        case_run();
    }
    cr_expect_eq(case_counter(COUNTER_pings_sent), 0);
    case_end();
}

Test(deadline, who_answers_no_ping_is_gone, .timeout = 30)
{
    case_begin(CASE_FLAGS("--ping-ms", "10s", "--pong-ms-max", "3s", "--close-ms-max", "2s"));
    struct fake_socket *socket = case_open(CASE_SEND_BUFFER);
    case_pass(11200);
    cr_expect_str_eq(case_read(socket), "..");
    cr_expect_str_eq(case_calls(), "");
    case_pass(3200);
    cr_expect_str_eq(case_calls(), "goodbye:SILENT error:SILENT close:SILENT ");
    cr_expect_gt(strlen(case_read(socket)), 4, "told in case it hears");
    case_pass(2200);
    cr_expect(fake_is_at_end(socket));
    cr_expect_eq(first()->state, CONNECTION_FREE);
    case_end();
}

/* ---- readers ---- */

static void say_much(struct fake_socket *socket, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        case_say_long(socket, 1000);
        case_run();
    }
}

Test(deadline, who_takes_nothing_for_too_long_is_closed_and_who_keeps_up_is_not, .timeout = 60)
{
    for (uint32_t reads = 0; reads < 2; reads++) {
        case_begin(CASE_FLAGS("--outbox-age-ms-max", "8s", "--ping-ms", "1h", "--close-ms-max", "1s"));
        struct fake_socket *socket = case_open(4000);
        say_much(socket, 20);
        for (uint32_t i = 0; i < 9; i++) {
            uint8_t bytes[3000];
            if (reads) fake_read(socket, bytes, sizeof bytes);
            case_pass(1000);
        }
        cr_expect_eq(first()->state == CONNECTION_OPEN, reads == 1);
        cr_expect_eq(strstr(case_calls(), "close:STALE_READER ") != NULL, reads == 0);
        case_end();
    }
}

/* Its answers to requests lie there: it is given time as long as it takes some, and none of its requests is taken. */
Test(deadline, answers_that_nobody_reads_are_not_kept_for_ever, .timeout = 60)
{
    case_begin(CASE_FLAGS("--outbox-age-ms-max", "8s", "--keep-alive-ms", "1h"));
    struct fake_socket *socket = case_connect(50);
    for (uint32_t i = 0; i < 20; i++) {
        case_write(socket, CASE_GET("/answer"));
        case_run();
    }
    const char *calls = case_calls();
    cr_expect_lt(strlen(calls), 20 * strlen("/answer "), "%s", calls);
    case_pass(7000);
    cr_expect_eq(first()->state, CONNECTION_REQUEST);
    case_read(socket);
    case_pass(7000);
    cr_expect_eq(first()->state, CONNECTION_REQUEST, "it took some");
    case_pass(5000);
    cr_expect_eq(first()->state, CONNECTION_FREE);
    cr_expect_eq(case_counter(counter_of_close(CLOSE_STALE_READER)), 1);
    case_end();
}

/* A few bytes now and then are a sign of life, also while the kernel has no room for more of ours. */
Test(deadline, answers_that_are_read_slowly_are_waited_for, .timeout = 60)
{
    uint8_t bytes[30];
    case_begin(CASE_FLAGS("--outbox-age-ms-max", "8s"));
    struct fake_socket *socket = case_connect(400);
    for (uint32_t i = 0; i < 30; i++) {
        case_write(socket, CASE_GET("/answer"));
    }
    case_run();
    for (uint32_t i = 0; i < 5; i++) {
        case_pass(2000);
        cr_assert_eq(fake_read(socket, bytes, sizeof bytes), sizeof bytes);
        cr_expect_eq(first()->state, CONNECTION_REQUEST);
    }
    case_pass(2000);
    cr_expect_eq(first()->state, CONNECTION_REQUEST);
    case_pass(8000);
    cr_expect_eq(first()->state, CONNECTION_FREE);
    case_end();
}
