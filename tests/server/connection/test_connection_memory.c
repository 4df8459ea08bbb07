/* tests/server/connection/test_connection_memory.c - connections that find no memory now and then: who cannot be served
 * is told or ended, its component hears of the end, nothing is lost, and who comes next is served.
 *
 * Method: the same few clients again and again, while the n-th allocation fails, for each n; then while about one in a
 * few does, by a seed. */
#include "tests/support/connection_case.h"
#include "tests/support/scarce_turns.h"
#include "tests/support/sized.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* The shard goes on, with less memory. */
static void run(void)
{
    scarce_chance = chance;
    scarce_one_in = 8;
    case_run();
    scarce_one_in = 0;
}

static void finish_errand(void)
{
    struct connection *connection = case_connection(0);
    if (connection->errand != NULL) case_errand_done(case_shard, connection);
}

/* Each request is answered in its turn, or the client's end is what it hears. */
static void ask_and_answer(void)
{
    struct fake_socket *socket = case_connect(CASE_SEND_BUFFER);
    case_write(socket, CASE_GET("/answer") "GET /a");
    run();
    case_write(socket, "sk HTTP/1.1\r\nHost: x\r\n\r\n" CASE_GET("/answer"));
    run();
    scarce_one_in = 8;
    case_act(finish_errand);
    scarce_one_in = 0;
    case_write(socket, CASE_GET("/last"));
    run();
    fake_shutdown(socket);
    run();
    const char *calls = case_calls(), *heard = case_read(socket);
    bool is_served = strcmp(calls, "/answer /ask /answer /last ") == 0;
    cr_assert_eq(case_connection(0)->state, CONNECTION_FREE);
    cr_assert(fake_is_at_end(socket), "allocation %u: %s", fails_at, calls);
    bool is_whole = strcmp(heard, CASE_OK "HTTP/1.1 202 Accepted\r\n\r\n" CASE_OK CASE_OK) == 0;
    bool is_told = case_counter(counter_of_close(CLOSE_HTTP_DONE)) == 1; /* that it was served to the end */
    cr_assert_eq(is_told, is_served && is_whole, "allocation %u: %s, %s", fails_at, calls, heard);
}

#define CLOSING_MS   6000
#define LONG         400 /* of these it takes one at a time */
#define LONG_ECHOES  4
#define MESSAGES     "/ws open message:echo with the request message:echo in two "
#define LONG_MESSAGE "message*400 "

/* All that it says comes back, or its end is what it hears. */
static void talk(void)
{
    static char heard[8000];
    size_t count = 0;
    uint32_t failures = scarce_failures;
    struct fake_socket *socket = case_connect(500);
    case_write(socket, CASE_UPGRADE("/ws"));
    case_text(socket, "echo with the request");
    run();
    case_frame(socket, FRAME_TEXT, false, "echo in ", 8);
    run();
    case_frame(socket, FRAME_PING, true, "ping", 4);
    case_frame(socket, FRAME_CONTINUATION, true, "two", 3);
    run();
    for (uint32_t i = 0; i < LONG_ECHOES; i++) {
        case_say_long(socket, LONG);
        run();
    }
    case_close(socket, 1000);
    for (uint32_t i = 0; i < 20; i++) {
        count += (size_t)snprintf(heard + count, sizeof heard - count, "%s", case_read(socket));
        run();
    }
    if (!fake_is_at_end(socket)) case_pass(CLOSING_MS); /* what the client said last may have found no memory */
    const char *calls = case_calls();
    bool is_served = strstr(calls, "last close:PEER_CLOSED ") != NULL;
    bool is_ended = strstr(calls, " open ") == NULL || strstr(calls, "close:NO_MEMORY ") != NULL;
    cr_assert(fake_is_at_end(socket), "allocation %u: %s", fails_at, calls);
    cr_assert(is_served != is_ended, "allocation %u: %s", fails_at, calls);
    if (is_ended) return;
    cr_assert_str_eq(calls, MESSAGES LONG_MESSAGE LONG_MESSAGE LONG_MESSAGE LONG_MESSAGE "last close:PEER_CLOSED ");
    const char *body = strstr(heard, "\r\n\r\n") + 4;
    size_t bytes = 2 + strlen("echo with the request") + 2 + strlen("ping") + 2 + strlen("echo in two") +
                   LONG_ECHOES * (4 + LONG) + 4;
    /* Without memory for the close frame it is cut off; but whoever gets one has got all before it. */
    bool is_closed = strlen(body) > 4 && strcmp(body + strlen(body) - 4, "....") == 0;
    cr_assert(is_closed || scarce_failures > failures, "allocation %u: %s", fails_at, body);
    if (is_closed) cr_assert_eq(strlen(body), bytes, "allocation %u: %s", fails_at, body);
}

/* With memory again who comes is served. */
static void check(void)
{
    struct fake_socket *socket = case_open(CASE_SEND_BUFFER);
    case_text(socket, "echo 1");
    case_run();
    cr_assert_str_eq(case_read(socket), "..echo 1");
    case_end();
    case_calls();
}

static void morning(void)
{
    case_begin(CASE_FLAGS("--ping-ms", "1h"));
    ask_and_answer();
    talk();
    talk();
    check();
}

Test(connection_memory, any_allocation_may_fail, .timeout = 240)
{
    uint32_t failures = play_each(morning);
    cr_expect_gt(failures, 25, "%u", failures);
}

static void close_first(void)
{
    connection_close(case_shard, case_connection(0), CLOSE_SERVER_STOP);
}

static void say_farewell(void)
{
    case_begin(CASE_FLAGS());
    struct fake_socket *socket = case_open(CASE_SEND_BUFFER);
    case_last_words = "farewell";
    scarce_chance = chance;
    scarce_one_in = 8;
    case_act(close_first);
    scarce_one_in = 0;
    case_last_words = NULL;
    const char *calls = case_calls();
    bool is_said = strcmp(calls, "goodbye:SERVER_STOP after:1000 close:SERVER_STOP ") == 0;
    cr_assert(is_said || strcmp(calls, "goodbye:SERVER_STOP after:1000 close:NO_MEMORY ") == 0, "%u: %s", fails_at,
              calls);
    cr_assert(is_said || scarce_failures > 0);
    case_read(socket);
    cr_assert_eq(fake_is_at_end(socket), scarce_failures > 0, "allocation %u", fails_at);
    case_end();
}

/* Whoever cannot be told why it is closed is closed all the same. */
Test(connection_memory, last_words_may_fail, .timeout = 60)
{
    play_each(say_farewell);
    cr_expect_gt(fails_at, 2);
}

Test(connection_memory, many_may_fail, .timeout = 300)
{
    for (uint64_t i = 1; i <= sized(30, 1000); i++) {
        seed = i;
        morning();
    }
    cr_expect_gt(scarce_failures, 60, "%u", scarce_failures);
}
