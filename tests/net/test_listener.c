/* tests/net/test_listener.c - ports that are free, taken, shared between shards, and not ours to have. */
#include "net/listener.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

static struct sockaddr_storage loopback(int family, uint16_t port)
{
    struct sockaddr_storage address = {.ss_family = (sa_family_t)family};
    if (family == AF_INET6) {
        ((struct sockaddr_in6 *)&address)->sin6_addr = in6addr_loopback;
        ((struct sockaddr_in6 *)&address)->sin6_port = htons(port);
    } else {
        ((struct sockaddr_in *)&address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ((struct sockaddr_in *)&address)->sin_port = htons(port);
    }
    return address;
}

static uint16_t port_of(const struct sockaddr_storage *address)
{
    return ntohs(((const struct sockaddr_in *)address)->sin_port); /* at the same place in both families */
}

static char reason[256];

static int open_one(const struct sockaddr_storage *address)
{
    int descriptor = -1;
    cr_assert_eq(listener_open(address, &descriptor, reason, sizeof reason), RC_OK, "%s", reason);
    return descriptor;
}

static int option_of(int descriptor, int level, int name)
{
    int value = -1;
    socklen_t bytes = sizeof value;
    getsockopt(descriptor, level, name, &value, &bytes);
    return value;
}

Test(listener, port_0_becomes_a_port_that_all_shards_can_share, .timeout = 10)
{
    static const int families[] = {AF_INET, AF_INET6};
    for (int i = 0; i < 2; i++) {
        struct sockaddr_storage address = loopback(families[i], 0);
        if (listener_check(&address, reason, sizeof reason) != RC_OK && families[i] == AF_INET6) continue;
        cr_assert_neq(port_of(&address), 0);
        int first = open_one(&address), second = open_one(&address);
        cr_expect_neq(first, second);
        close(first);
        close(second);
    }
}

Test(listener, a_port_that_somebody_listens_on_is_refused_with_a_cure, .timeout = 10)
{
    struct sockaddr_storage address = loopback(AF_INET, 0);
    cr_assert_eq(listener_check(&address, reason, sizeof reason), RC_OK);
    int taken = open_one(&address);
    /* With SO_REUSEPORT a second server of the same user could share it: the check is stricter. */
    cr_expect_eq(listener_check(&address, reason, sizeof reason), RC_EBUSY);
    cr_expect_not_null(strstr(reason, "in use"));
    cr_expect_not_null(strstr(reason, "--listen"));
    close(taken);
    cr_expect_eq(listener_check(&address, reason, sizeof reason), RC_OK, "free again");
}

Test(listener, an_address_of_another_machine_is_refused_with_a_cure, .timeout = 10)
{
    struct sockaddr_storage address = loopback(AF_INET, 0);
    ((struct sockaddr_in *)&address)->sin_addr.s_addr = htonl(0xc0000201); /* 192.0.2.1, RFC 5737 */
    cr_expect_eq(listener_check(&address, reason, sizeof reason), RC_EKERNEL);
    cr_expect_not_null(strstr(reason, "0.0.0.0"));
    int descriptor = -1;
    cr_expect_eq(listener_open(&address, &descriptor, reason, sizeof reason), RC_EKERNEL);
    cr_expect_eq(descriptor, -1);
}

Test(listener, connections_inherit_nodelay_and_programs_do_not_inherit_it, .timeout = 10)
{
    struct sockaddr_storage address = loopback(AF_INET, 0);
    cr_assert_eq(listener_check(&address, reason, sizeof reason), RC_OK);
    int listener = open_one(&address), client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(client, (struct sockaddr *)&address, sizeof(struct sockaddr_in)), 0);
    int accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    cr_expect_eq(option_of(accepted, IPPROTO_TCP, TCP_NODELAY), 1);
    cr_expect_eq(option_of(listener, SOL_SOCKET, SO_REUSEPORT), 1);
    cr_expect(fcntl(listener, F_GETFD) & FD_CLOEXEC);
    close(accepted);
    close(client);
    close(listener);
}
