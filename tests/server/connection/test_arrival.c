/* tests/server/connection/test_arrival.c - who a client is, before anything of it is read; headers of proxies. */
#include "server/connection/arrival.h"

#include "server/connection/peer.h"
#include "tests/support/connection_case.h"
#include "tests/support/fake_socket.h"

#include <criterion/criterion.h>
#include <string.h>

static const char *const asking[] = {"--log-level", "debug", NULL};
static char address[IP_TEXT_MAX];

static void tell_address(void)
{
    connection_address(case_shard, case_connection(0), address);
}

/* Of the first client, as the shard's thread sees it. */
static const char *address_of_first(void)
{
    case_act(tell_address);
    return address;
}

Test(arrival, a_client_has_the_address_that_it_comes_from, .timeout = 20)
{
    case_begin(asking);
    struct fake_socket *socket = case_connect_from("192.0.2.9", 49152, CASE_GET("/answer"));
    cr_expect_str_eq(address_of_first(), "192.0.2.9:49152");
    cr_expect_str_eq(case_read(socket), CASE_OK);
    case_end();
}

Test(arrival, nobody_asks_where_nobody_wants_to_know, .timeout = 20)
{
    case_begin(CASE_FLAGS());
    cr_expect_null(case_shard->peers.table);
    struct fake_socket *socket = case_connect_from("192.0.2.9", 49152, CASE_GET("/answer"));
    cr_expect_str_eq(address_of_first(), "-");
    cr_expect_str_eq(case_read(socket), CASE_OK);
    case_end();
}

Test(arrival, where_the_kernel_does_not_tell_clients_are_served_all_the_same, .timeout = 20)
{
    fake_kernel_hides_peers();
    case_begin(asking);
    struct fake_socket *socket = case_connect_from("192.0.2.9", 49152, CASE_GET("/answer"));
    cr_expect_str_eq(address_of_first(), "-");
    cr_expect_str_eq(case_read(socket), CASE_OK);
    case_end();
}

/* The listener is one of IPv4: of IPv6 there is more than it asks for, and no port of a length that fits. */
Test(arrival, a_question_that_the_kernel_refuses_leaves_the_address_unknown, .timeout = 20)
{
    case_begin(asking);
    struct fake_socket *socket = fake_connect(case_shard->ring, CASE_SEND_BUFFER);
    socket->address.ss_family = AF_UNIX;
    case_write(socket, CASE_GET("/answer"));
    case_run();
    cr_expect_str_eq(case_read(socket), CASE_OK);
    fake_reset(socket);
    case_end();
    fake_socket_free(socket);
}

/* Each seed cuts it elsewhere. */
Test(arrival, who_has_gone_before_it_is_known_leaves_nothing, .timeout = 60)
{
    case_begin(asking);
    for (int i = 0; i < 40; i++) {
        struct fake_socket *socket = case_connect_from("192.0.2.9", 1, CASE_GET("/answer"));
        fake_reset(socket);
        case_run();
    }
    cr_expect_eq(case_counter(COUNTER_connections_accepted), 40);
    case_end();
}

static void finish_all(void)
{
    for (uint32_t slot = 0; slot < case_shard->slots_used; slot++) {
        connection_finish(case_shard, &case_shard->connections[slot], CLOSE_SERVER_STOP);
    }
}

Test(arrival, one_that_is_ended_while_the_kernel_is_asked_is_closed_when_it_has_answered, .timeout = 20)
{
    bool was_seen = false;
    case_begin(asking);
    for (int i = 0; i < 40 && !was_seen; i++) {
        struct fake_socket *socket = fake_connect(case_shard->ring, CASE_SEND_BUFFER);
        while (case_shard->slots_used == 0 || case_counter(COUNTER_connections_open) == 0) {
            fake_kernel_step(fake_now_ms() + 1);
        }
        for (uint32_t slot = 0; slot < case_shard->slots_used; slot++) {
            was_seen = was_seen || case_shard->connections[slot].state == CONNECTION_ARRIVING;
        }
        case_act(finish_all);
        cr_expect_eq(case_counter(COUNTER_connections_open), 0);
        cr_expect(fake_is_at_end(socket));
        fake_socket_free(socket);
    }
    cr_expect(was_seen);
    case_end();
}

/* ---- proxies ---- */

#define V2   "\r\n\r\n\0\r\nQUIT\n"
#define TCP4 "\xc0\x00\x02\x07\x0a\x00\x00\x01\xc0\x00\x01\xbb"

static const char *const behind_proxies[] = {"--proxy-protocol", "--log-level", "debug", NULL};

/* A client whose proxy writes these bytes, in pieces of so many, and then its request. */
static struct fake_socket *proxied(const char *header, size_t count, size_t piece)
{
    struct fake_socket *socket = case_connect(CASE_SEND_BUFFER);
    for (size_t i = 0; i < count; i += piece) {
        fake_write(socket, header + i, piece < count - i ? piece : count - i);
        case_run();
    }
    case_write(socket, CASE_GET("/answer"));
    case_run();
    return socket;
}

Test(arrival, a_header_of_either_kind_says_who_it_is_however_it_is_cut, .timeout = 60)
{
    static const char v1[] = "PROXY TCP4 192.0.2.7 10.0.0.1 49152 443\r\n";
    static const char v2[] = V2 "\x21\x11\x00\x12" TCP4 "\x04\x00\x03"
                                "abc";
    for (size_t piece = 1; piece < sizeof v1; piece++) {
        case_begin(behind_proxies);
        struct fake_socket *socket = proxied(v1, sizeof v1 - 1, piece);
        cr_expect_str_eq(address_of_first(), "192.0.2.7:49152");
        cr_expect_str_eq(case_read(socket), CASE_OK);
        case_end();
        case_begin(behind_proxies);
        socket = proxied(v2, sizeof v2 - 1, piece);
        cr_expect_str_eq(address_of_first(), "192.0.2.7:49152");
        cr_expect_str_eq(case_read(socket), CASE_OK);
        case_end();
    }
}

Test(arrival, a_proxy_that_speaks_for_itself_keeps_its_address, .timeout = 20)
{
    static const char local[] = V2 "\x20\x00\x00\x02xy";
    case_begin(behind_proxies);
    struct fake_socket *socket = proxied(local, sizeof local - 1, sizeof local);
    cr_assert_str_eq(case_read(socket), CASE_OK);
    cr_expect(strncmp(address_of_first(), "127.0.0.1:", 10) == 0, "%s", address);
    case_end();
}

Test(arrival, a_header_is_enough_where_the_kernel_does_not_tell, .timeout = 20)
{
    static const char v1[] = "PROXY TCP6 2001:db8::1 ::1 5 443\r\n";
    fake_kernel_hides_peers();
    case_begin(behind_proxies);
    proxied(v1, sizeof v1 - 1, sizeof v1);
    cr_expect_str_eq(address_of_first(), "[2001:db8::1]:5");
    case_end();
}

Test(arrival, what_begins_without_a_header_is_refused, .timeout = 20)
{
    case_begin(behind_proxies);
    struct fake_socket *socket = case_connect_from("192.0.2.9", 1, CASE_GET("/answer"));
    const char *answer = case_read(socket);
    cr_expect(strncmp(answer, "HTTP/1.1 400 ", 13) == 0, "%s", answer);
    cr_expect_str_eq(case_calls(), "refuse:400 ");
    fake_shutdown(socket);
    case_run();
    cr_expect_eq(case_counter(counter_of_close(CLOSE_BAD_PROXY)), 1);
    socket = case_connect_from("192.0.2.9", 1, "PROXY TCP4 192.0.2.7 10.0.0.1");
    cr_expect_str_eq(case_read(socket), "");
    case_write(socket, " x\r\n");
    case_run();
    cr_expect(strncmp(case_read(socket), "HTTP/1.1 400 ", 13) == 0);
    case_end();
}

Test(arrival, only_trusted_proxies_may_send_a_header_once_there_are_any, .timeout = 20)
{
    static const char v1[] = "PROXY TCP4 203.0.113.5 10.0.0.1 49152 443\r\n" CASE_GET("/answer");
    case_begin(CASE_FLAGS("--proxy-protocol", "--trusted-proxies", "192.0.2.0/24"));
    struct fake_socket *socket = case_connect_from("192.0.2.9", 1, v1);
    cr_expect_str_eq(address_of_first(), "203.0.113.5:49152");
    cr_expect_str_eq(case_read(socket), CASE_OK);
    socket = case_connect_from("198.51.100.9", 1, v1);
    cr_expect(strncmp(case_read(socket), "HTTP/1.1 400 ", 13) == 0);
    case_end();
}

Test(arrival, a_header_that_does_not_come_whole_ends_the_connection, .timeout = 20)
{
    case_begin(behind_proxies);
    struct fake_socket *silent = case_connect_from("192.0.2.9", 1, "PROXY ");
    struct fake_socket *gone = case_connect_from("192.0.2.9", 2, "PROXY TCP4");
    fake_shutdown(gone);
    case_run();
    cr_expect(fake_is_at_end(gone));
    cr_expect_eq(case_counter(counter_of_close(CLOSE_PEER_GONE)), 1);
    cr_expect_not(fake_is_at_end(silent));
    case_pass(11000);
    cr_expect(fake_is_at_end(silent));
    cr_expect_eq(case_counter(counter_of_close(CLOSE_HANDSHAKE_TIMEOUT)), 1);
    case_end();
}
