/* tests/server/connection/test_connection.c - the life of one client with neither channels nor protocols: requests,
 * opening, messages, and every way to an end, in which the component hears what has happened, once. */
#include "server/connection/connection.h"

#include "server/connection/receive.h"
#include "tests/support/connection_case.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEXT "HTTP/1.1 202 Accepted\r\n\r\n"

static struct connection *first(void)
{
    return case_connection(0);
}

/* ---- requests ---- */

Test(connection, requests_are_served_one_after_the_other, .timeout = 30)
{
    case_begin(CASE_FLAGS("--keep-alive-ms", "5s"));
    struct fake_socket *socket = case_connect(CASE_SEND_BUFFER);
    cr_expect_eq(first()->state, CONNECTION_REQUEST);
    case_write(socket, CASE_GET("/answer") CASE_GET("/answer") "GET /ans");
    case_run();
    cr_expect_str_eq(case_read(socket), CASE_OK CASE_OK);
    cr_expect_str_eq(case_calls(), "/answer /answer ");
    case_write(socket, "wer HTTP/1.1\r\nHost: x\r\n\r\n");
    case_run();
    cr_expect_str_eq(case_read(socket), CASE_OK);
    case_pass(4500);
    cr_expect_not(fake_is_at_end(socket));
    case_pass(600);
    cr_expect(fake_is_at_end(socket), "no other came in time");
    fake_shutdown(socket);
    case_run();
    cr_expect_eq(case_counter(counter_of_close(CLOSE_HTTP_DONE)), 1, "which is nobody's fault");
    cr_expect_str_eq(case_read(socket), "");
    case_end();
}

Test(connection, the_last_answer_goes_before_the_end, .timeout = 30)
{
    case_begin(CASE_FLAGS());
    struct fake_socket *socket = case_connect(CASE_SEND_BUFFER);
    case_write(socket, CASE_GET("/last") CASE_GET("/answer"));
    case_run();
    cr_expect_str_eq(case_read(socket), CASE_OK);
    cr_expect(fake_is_at_end(socket));
    cr_expect_str_eq(case_calls(), "/last ", "what comes behind it is not taken");
    cr_expect_eq(first()->state, CONNECTION_LINGERING, "until the peer has ended too");
    fake_shutdown(socket);
    case_run();
    cr_expect_eq(first()->state, CONNECTION_FREE);
    cr_expect_eq(case_counter(counter_of_close(CLOSE_HTTP_DONE)), 1);
    case_connect(CASE_SEND_BUFFER);
    case_write(socket = case_connect(CASE_SEND_BUFFER), CASE_GET("/nothing"));
    case_run();
    cr_expect_str_eq(case_read(socket), "HTTP/1.1 404 Not Found\r\n\r\n");
    case_pass(3000);
    cr_expect_eq(case_counter(counter_of_close(CLOSE_HTTP_REFUSED)), 1, "one who does not end is not waited for");
    case_end();
}

Test(connection, a_request_that_does_not_come_is_not_waited_for, .timeout = 30)
{
    static const char *const texts[] = {"", "GET /ans", "GET /answer HTTP/1.1\r\nHost: x\r\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        case_begin(CASE_FLAGS("--handshake-ms-max", "2s"));
        struct fake_socket *socket = case_connect(CASE_SEND_BUFFER);
        case_write(socket, texts[i]);
        case_pass(1800);
        cr_expect_not(fake_is_at_end(socket));
        case_pass(400);
        cr_expect(fake_is_at_end(socket));
        cr_expect_eq(case_counter(counter_of_close(CLOSE_HANDSHAKE_TIMEOUT)), 1);
        case_end();
    }
}

/* A peer that has sent its FIN may only have closed its half. */
Test(connection, who_ends_behind_a_request_still_gets_its_answer, .timeout = 30)
{
    case_begin(CASE_FLAGS());
    struct fake_socket *socket = case_connect(CASE_SEND_BUFFER);
    case_write(socket, CASE_GET("/answer"));
    fake_shutdown(socket);
    case_run();
    cr_expect_str_eq(case_read(socket), CASE_OK);
    cr_expect(fake_is_at_end(socket));
    cr_expect_eq(first()->state, CONNECTION_FREE);
    cr_expect_eq(case_counter(counter_of_close(CLOSE_PEER_GONE)), 1);
    case_end();
}

/* ---- errands ---- */

static void finish_errand(void)
{
    case_errand_done(case_shard, first());
}

Test(connection, what_comes_during_an_errand_waits_for_its_end, .timeout = 30)
{
    case_begin(CASE_FLAGS());
    struct fake_socket *socket = case_connect(CASE_SEND_BUFFER);
    case_write(socket, CASE_GET("/ask") CASE_GET("/answer"));
    case_run();
    case_write(socket, CASE_GET("/last"));
    case_run();
    cr_expect_eq(first()->state, CONNECTION_ANSWERING);
    cr_expect_str_eq(case_calls(), "/ask ");
    cr_expect_str_eq(case_read(socket), "");
    case_act(finish_errand);
    cr_expect_str_eq(case_calls(), "/answer /last ");
    cr_expect_str_eq(case_read(socket), NEXT CASE_OK CASE_OK);
    case_end();
}

/* Its FIN came first; the answer goes out all the same. */
Test(connection, an_errands_answer_reaches_who_has_closed_its_half, .timeout = 30)
{
    case_begin(CASE_FLAGS());
    struct fake_socket *socket = case_connect(CASE_SEND_BUFFER);
    case_write(socket, CASE_GET("/ask"));
    fake_shutdown(socket);
    case_run();
    cr_expect_eq(first()->state, CONNECTION_ANSWERING);
    case_act(finish_errand);
    cr_expect_str_eq(case_read(socket), NEXT);
    cr_expect(fake_is_at_end(socket));
    cr_expect_eq(first()->state, CONNECTION_FREE);
    cr_expect_str_eq(case_calls(), "/ask ", "not abandoned");
    case_end();
}

Test(connection, an_errand_that_takes_too_long_is_told, .timeout = 30)
{
    case_begin(CASE_FLAGS("--handshake-ms-max", "2s"));
    struct fake_socket *socket = case_connect(CASE_SEND_BUFFER);
    case_write(socket, CASE_GET("/ask") CASE_GET("/answer"));
    case_pass(1800);
    cr_expect_str_eq(case_calls(), "/ask ");
    case_pass(400);
    cr_expect_str_eq(case_calls(), "late /answer ", "and the next request is served");
    cr_expect_str_eq(case_read(socket), "HTTP/1.1 504 Gateway Timeout\r\n\r\n" CASE_OK);
    case_end();
}

Test(connection, an_errand_is_abandoned_when_its_client_is_gone, .timeout = 30)
{
    case_begin(CASE_FLAGS());
    struct fake_socket *socket = case_connect(CASE_SEND_BUFFER);
    case_write(socket, CASE_GET("/ask"));
    case_run();
    case_calls();
    fake_reset(socket);
    case_run();
    cr_expect_str_eq(case_calls(), "abandoned ");
    cr_expect_eq(first()->state, CONNECTION_FREE);
    cr_expect_eq(case_counter(counter_of_close(CLOSE_PEER_RESET)), 1);
    case_end();
}

/* One that sends on and on meanwhile is not read, so what it sends takes none of our memory. */
Test(connection, who_sends_on_during_an_errand_is_not_read, .timeout = 30)
{
    static char junk[8001];
    case_begin(CASE_FLAGS("--head-bytes-max", "1KiB"));
    struct fake_socket *socket = case_connect(CASE_SEND_BUFFER);
    memset(junk, 'x', sizeof junk - 1);
    case_write(socket, CASE_GET("/ask"));
    case_run();
    for (uint32_t i = 0; i < 10; i++) {
        case_write(socket, junk);
        case_run();
    }
    cr_expect(first()->is_choked);
    cr_expect_lt(case_counter(COUNTER_bytes_received), 40000);
    case_act(finish_errand);
    cr_expect_str_eq(case_read(socket), NEXT "HTTP/1.1 501 Not Implemented\r\n\r\n");
    cr_expect(first()->is_receiving, "unread, what it has sent would be a reset of the answer");
    case_end();
}

/* ---- opening ---- */

Test(connection, a_websocket_opens_and_messages_reach_its_component, .timeout = 30)
{
    case_begin(CASE_FLAGS());
    struct fake_socket *socket = case_connect(CASE_SEND_BUFFER);
    case_write(socket, CASE_UPGRADE("/ws"));
    case_text(socket, "echo 1"); /* in the same breath */
    case_run();
    cr_expect_eq(first()->state, CONNECTION_OPEN);
    const char *heard = case_read(socket);
    cr_expect_not_null(strstr(heard, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "%s", heard);
    cr_expect_not_null(strstr(heard, "\r\n\r\n..echo 1"), "behind the 101: %s", heard);
    cr_expect_str_eq(case_calls(), "/ws open message:echo 1 ");
    case_frame(socket, FRAME_TEXT, false, "he", 2);
    case_frame(socket, FRAME_PING, true, "now", 3);
    case_frame(socket, FRAME_CONTINUATION, false, "", 0);
    case_run();
    cr_expect_str_eq(case_calls(), "", "it is not whole");
    cr_expect_str_eq(case_read(socket), "..now", "a pong goes in between");
    case_frame(socket, FRAME_CONTINUATION, true, "llo", 3);
    case_frame(socket, FRAME_BINARY, true, "", 0);
    case_run();
    cr_expect_str_eq(case_calls(), "message:hello message: ");
    cr_expect_eq(case_counter(COUNTER_messages_received), 3);
    case_end();
}

static void open_first(void)
{
    receive_opened(case_shard, first());
}

/* JOINING: its component has not let it in yet. */
Test(connection, what_comes_before_it_is_open_waits, .timeout = 30)
{
    case_begin(CASE_FLAGS());
    struct fake_socket *socket = case_connect(CASE_SEND_BUFFER);
    case_write(socket, CASE_UPGRADE("/ws/later"));
    case_text(socket, "echo 1");
    case_run();
    case_text(socket, "echo 2");
    case_run();
    cr_expect_eq(first()->state, CONNECTION_JOINING);
    cr_expect_str_eq(case_calls(), "/ws/later open ");
    cr_expect_str_eq(case_read(socket), "");
    case_act(open_first);
    cr_expect_str_eq(case_calls(), "message:echo 1 message:echo 2 ");
    cr_expect_not_null(strstr(case_read(socket), "\r\n\r\n..echo 1..echo 2"));
    case_end();
}

Test(connection, too_much_before_it_is_open_is_refused, .timeout = 30)
{
    static char junk[3001];
    case_begin(CASE_FLAGS("--head-bytes-max", "1KiB"));
    struct fake_socket *socket = case_connect(CASE_SEND_BUFFER);
    memset(junk, 'x', sizeof junk - 1);
    case_write(socket, CASE_UPGRADE("/ws/later"));
    case_run();
    case_write(socket, junk);
    case_run();
    cr_expect_str_eq(case_calls(), "/ws/later open refuse:400 error:HTTP_REFUSED close:HTTP_REFUSED ");
    cr_expect_str_eq(case_read(socket), "HTTP/1.1 400 Bad Request\r\n\r\n");
    cr_expect(fake_is_at_end(socket));
    case_end();
}

Test(connection, a_component_may_refuse_or_never_answer, .timeout = 30)
{
    case_begin(CASE_FLAGS("--handshake-ms-max", "2s"));
    case_open_rc = RC_EINVAL;
    struct fake_socket *socket = case_connect(CASE_SEND_BUFFER);
    case_write(socket, CASE_UPGRADE("/ws"));
    case_run();
    case_open_rc = RC_OK;
    cr_expect_str_eq(case_read(socket), "HTTP/1.1 403 Forbidden\r\n\r\n");
    cr_expect_str_eq(case_calls(), "/ws open ", "no close where nothing was open");
    fake_shutdown(socket);
    case_run();
    socket = case_connect(CASE_SEND_BUFFER);
    case_write(socket, CASE_UPGRADE("/ws/later"));
    case_pass(2200);
    cr_expect(fake_is_at_end(socket));
    cr_expect_str_eq(case_calls(), "/ws/later open error:HANDSHAKE_TIMEOUT close:HANDSHAKE_TIMEOUT ");
    case_end();
}

/* ---- ends ---- */

Test(connection, a_peers_close_is_answered_with_its_code, .timeout = 30)
{
    case_begin(CASE_FLAGS());
    struct fake_socket *socket = case_open(CASE_SEND_BUFFER);
    case_text(socket, "echo 1");
    case_close(socket, 4711);
    case_text(socket, "behind it");
    case_run();
    uint8_t heard[20];
    cr_assert_eq(fake_read(socket, heard, sizeof heard), 8 + 4);
    cr_expect_arr_eq(heard + 8, "\x88\x02\x12\x67", 4);
    cr_expect(fake_is_at_end(socket));
    cr_expect_str_eq(case_calls(), "message:echo 1 last close:PEER_CLOSED ");
    cr_expect_eq(first()->state, CONNECTION_FREE);
    case_end();
}

static void settle(void)
{
    connection_settled(case_shard, first());
}

Test(connection, a_close_waits_for_what_the_peer_is_still_to_hear, .timeout = 30)
{
    for (uint32_t comes = 0; comes < 2; comes++) {
        case_begin(CASE_FLAGS("--close-ms-max", "3s"));
        case_has_unanswered = true;
        struct fake_socket *socket = case_open(CASE_SEND_BUFFER);
        case_close(socket, 1000);
        case_run();
        cr_expect_eq(first()->state, CONNECTION_SETTLING);
        cr_expect_str_eq(case_calls(), "last ");
        cr_expect_str_eq(case_read(socket), "");
        if (comes) case_act(settle);
        case_pass(comes ? 0 : 3200);
        cr_expect_str_eq(case_calls(), "close:PEER_CLOSED ");
        cr_expect_eq(strlen(case_read(socket)), 4);
        cr_expect(fake_is_at_end(socket));
        case_has_unanswered = false;
        case_end();
    }
}

static void close_first(void)
{
    connection_close(case_shard, first(), CLOSE_SERVER_STOP);
    connection_close(case_shard, first(), CLOSE_SILENT); /* the first reason counts */
}

Test(connection, our_close_waits_for_the_peers, .timeout = 30)
{
    for (uint32_t answers = 0; answers < 2; answers++) {
        case_begin(CASE_FLAGS("--close-ms-max", "3s"));
        struct fake_socket *socket = case_open(CASE_SEND_BUFFER);
        case_act(close_first);
        cr_expect_str_eq(case_calls(), "goodbye:SERVER_STOP after:1000 close:SERVER_STOP ");
        uint8_t heard[200];
        cr_assert_gt(fake_read(socket, heard, sizeof heard), 4);
        cr_expect_arr_eq(heard + 2, "\x03\xe9", 2, "1001");
        cr_expect_eq(first()->state, CONNECTION_CLOSING);
        case_text(socket, "too late");
        if (answers) case_close(socket, 1001);
        case_run();
        cr_expect_eq(fake_is_at_end(socket), answers == 1);
        case_pass(3200);
        cr_expect(fake_is_at_end(socket));
        cr_expect_str_eq(case_calls(), "", "once");
        cr_expect_eq(case_counter(counter_of_close(CLOSE_SERVER_STOP)), 1);
        case_end();
    }
}

Test(connection, its_component_has_the_last_word, .timeout = 30)
{
    case_begin(CASE_FLAGS());
    struct fake_socket *socket = case_open(CASE_SEND_BUFFER);
    case_last_words = "farewell";
    case_act(close_first);
    case_last_words = NULL;
    const char *heard = case_read(socket);
    cr_expect(strncmp(heard, "..farewell.", 11) == 0, "and then the close frame: %s", heard);
    cr_expect_not_null(strstr(heard, "server is going away, retry_after_ms=1000"));
    case_end();
}

Test(connection, what_is_no_frame_ends_with_the_code_that_says_so, .timeout = 30)
{
    static const struct {
        const char *bytes;
        size_t count;
        const char *code, *calls;
    } rows[] = {
        {"\x81\x01x", 3, "\x03\xea", "goodbye:BAD_FRAME error:BAD_FRAME close:BAD_FRAME "}, /* not masked */
        {"\xc1\x80xxxx", 6, "\x03\xea", "goodbye:BAD_FRAME error:BAD_FRAME close:BAD_FRAME "},
        {"\x81\x81\0\0\0\0\xff", 7, "\x03\xef", "goodbye:BAD_TEXT error:BAD_TEXT close:BAD_TEXT "},
        {"\x82\xfe\x03\xe9xxxx", 8, "\x03\xf1", "goodbye:TOO_BIG error:TOO_BIG close:TOO_BIG "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t heard[200];
        case_begin(CASE_FLAGS("--message-bytes-max", "1000"));
        struct fake_socket *socket = case_open(CASE_SEND_BUFFER);
        case_text(socket, "echo before");
        fake_write(socket, rows[i].bytes, rows[i].count);
        case_text(socket, "echo behind");
        case_run();
        size_t count = fake_read(socket, heard, sizeof heard);
        cr_assert_gt(count, 17, "row %zu", i);
        cr_expect_arr_eq(heard + 2, "echo before", 11);
        cr_expect_eq(heard[13], 0x88, "row %zu", i);
        cr_expect_arr_eq(heard + 15, rows[i].code, 2, "row %zu: %u", i, heard[15] << 8 | heard[16]);
        cr_expect(fake_is_at_end(socket));
        const char *calls = case_calls();
        cr_expect(strncmp(calls, "message:echo before last ", 25) == 0 && strcmp(calls + 25, rows[i].calls) == 0,
                  "row %zu: %s", i, calls);
        case_end();
    }
}

Test(connection, a_socket_that_ends_or_fails_is_told_as_what_it_was, .timeout = 30)
{
    case_begin(CASE_FLAGS());
    struct fake_socket *ends = case_open(CASE_SEND_BUFFER);
    case_text(ends, "echo 1");
    fake_shutdown(ends);
    case_run();
    cr_expect_str_eq(case_read(ends), "..echo 1");
    cr_expect(fake_is_at_end(ends));
    cr_expect_str_eq(case_calls(), "message:echo 1 close:PEER_GONE ");
    struct fake_socket *fails = case_open(CASE_SEND_BUFFER);
    fake_reset(fails);
    case_run();
    cr_expect_str_eq(case_calls(), "error:PEER_RESET close:PEER_RESET ");
    cr_expect_eq(first()->state, CONNECTION_FREE);
    case_end();
}

/* ---- not reading ---- */

Test(connection, one_that_is_paused_is_not_read_until_it_is_resumed, .timeout = 30)
{
    case_begin(CASE_FLAGS());
    struct fake_socket *socket = case_open(CASE_SEND_BUFFER), *other = case_open(CASE_SEND_BUFFER);
    case_pause();
    for (uint32_t i = 0; i < 20; i++) {
        case_text(socket, "m");
        case_run();
    }
    case_text(other, "other");
    case_run();
    cr_expect_str_eq(case_calls(), "message:other ");
    case_resume();
    const char *calls = case_calls();
    cr_expect_eq(strlen(calls), 20 * strlen("message:m "), "%s", calls);
    case_pause();
    case_text(socket, "last");
    fake_reset(socket);
    case_run();
    case_resume();
    cr_expect_not_null(strstr(case_calls(), "close:PEER_RESET "));
    case_end();
}

/* ---- slots ---- */

Test(connection, more_than_there_is_room_for_wait_outside, .timeout = 30)
{
    case_begin(CASE_FLAGS("--connections-max", "3"));
    struct fake_socket *sockets[5];
    for (uint32_t i = 0; i < 5; i++) {
        sockets[i] = case_connect(CASE_SEND_BUFFER);
        case_write(sockets[i], CASE_GET("/answer"));
    }
    case_run();
    uint32_t answered = 0;
    for (uint32_t i = 0; i < 5; i++) {
        answered += strcmp(case_read(sockets[i]), CASE_OK) == 0;
    }
    cr_expect_eq(answered, 3);
    cr_expect_eq(case_counter(COUNTER_connections_open), 3);
    fake_reset(sockets[0]);
    fake_reset(sockets[1]);
    case_pass(1000);
    for (uint32_t i = 3; i < 5; i++) {
        bool is_refused = fake_is_at_end(sockets[i]); /* it came in the same breath as the last that had room */
        cr_expect(is_refused || strcmp(case_read(sockets[i]), CASE_OK) == 0, "%u", i);
    }
    case_end();
}

Test(connection, more_in_one_breath_than_there_is_room_for_are_closed, .timeout = 30)
{
    case_begin(CASE_FLAGS("--connections-max", "3"));
    struct fake_socket *sockets[8];
    for (uint32_t i = 0; i < 8; i++) {
        sockets[i] = fake_connect(case_shard->ring, CASE_SEND_BUFFER);
    }
    case_run();
    cr_expect_eq(case_counter(COUNTER_connections_open), 3);
    uint64_t refused = case_counter(counter_of_close(CLOSE_REFUSED));
    cr_expect_gt(refused, 0);
    for (uint32_t i = 0; i < 8; i++) {
        refused -= fake_is_at_end(sockets[i]);
        fake_reset(sockets[i]);
    }
    cr_expect_eq(refused, 0);
    case_pass(1000);
    case_end();
    for (uint32_t i = 0; i < 8; i++) {
        fake_socket_free(sockets[i]);
    }
}

/* What is still said of the last life of a slot does not concern the next. */
Test(connection, a_slot_is_used_again_with_a_life_of_its_own, .timeout = 60)
{
    case_begin(CASE_FLAGS());
    uint32_t lives[64] = {0}, again = 0;
    for (uint32_t i = 0; i < 30; i++) {
        struct fake_socket *socket = case_open(CASE_SEND_BUFFER);
        const struct connection *connection = case_connection(i);
        uint32_t slot = shard_slot(case_shard, connection);
        cr_expect_eq(connection->life, lives[slot] + 1);
        again += lives[slot]++ > 0;
        for (uint32_t k = 0; k < 20; k++) {
            case_text(socket, "echo 1");
        }
        if (i % 2 == 0) fake_reset(socket);
        if (i % 2 != 0) fake_shutdown(socket);
        case_run();
        cr_expect_eq(connection->state, CONNECTION_FREE);
        cr_expect_null(strstr(case_calls(), "close:NONE"));
    }
    cr_expect_gt(again, 5);
    cr_expect_eq(case_counter(COUNTER_connections_accepted), 30);
    case_end();
}

Test(connection, what_has_come_in_part_is_given_back, .timeout = 30)
{
    case_begin(CASE_FLAGS());
    struct fake_socket *socket = case_open(CASE_SEND_BUFFER);
    case_frame(socket, FRAME_TEXT, false, "half a message", 14);
    fake_write(socket, "\x89\x84\1\2\3\4pi", 8);
    case_run();
    fake_reset(socket);
    case_run();
    cr_expect_str_eq(case_calls(), "error:PEER_RESET close:PEER_RESET ");
    cr_expect_eq(first()->state, CONNECTION_FREE);
    case_end();
}
