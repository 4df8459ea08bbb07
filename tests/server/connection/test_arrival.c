/* tests/server/connection/test_arrival.c - who a client is, before anything of it is read. */
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
