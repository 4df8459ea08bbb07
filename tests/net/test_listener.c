/* tests/net/test_listener.c - ports that are free, taken, shared between shards, and not ours to have. */
#include "net/listener.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/un.h>
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

static int claim(struct sockaddr_storage *address)
{
    int descriptor = -1;
    cr_assert_eq(listener_claim(address, &descriptor, reason, sizeof reason), RC_OK, "%s", reason);
    return descriptor;
}

static int join(const struct sockaddr_storage *address)
{
    int descriptor = -1;
    cr_assert_eq(listener_join(address, &descriptor, reason, sizeof reason), RC_OK, "%s", reason);
    return descriptor;
}

static enum rc try_to_claim(struct sockaddr_storage address)
{
    int descriptor = -1;
    enum rc rc = listener_claim(&address, &descriptor, reason, sizeof reason);
    cr_expect_eq(descriptor >= 0, rc == RC_OK);
    if (rc == RC_OK) close(descriptor);
    return rc;
}

static int client_of(const struct sockaddr_storage *address)
{
    bool is_v6 = address->ss_family == AF_INET6;
    int client = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int failed = connect(client, (const struct sockaddr *)address,
                         is_v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
    cr_assert_eq(failed, 0);
    return client;
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
        if (try_to_claim(address) != RC_OK && families[i] == AF_INET6) continue;
        int first = claim(&address), second = join(&address), third = join(&address);
        cr_assert_neq(port_of(&address), 0);
        cr_expect_neq(first, second);
        close(first);
        close(second);
        close(third);
    }
}

/* The one that claimed the address was no socket of SO_REUSEPORT when it began to listen. */
Test(listener, connections_are_spread_over_the_first_and_those_that_joined, .timeout = 10)
{
    struct sockaddr_storage address = loopback(AF_INET, 0);
    int listeners[3] = {claim(&address), join(&address), join(&address)};
    uint32_t counts[3] = {0};
    int clients[120];
    for (int i = 0; i < 120; i++)
        clients[i] = client_of(&address);
    for (int i = 0; i < 3; i++) {
        int accepted;
        fcntl(listeners[i], F_SETFL, O_NONBLOCK);
        while ((accepted = accept4(listeners[i], NULL, NULL, SOCK_CLOEXEC)) >= 0) {
            counts[i]++;
            close(accepted);
        }
    }
    cr_expect_eq(counts[0] + counts[1] + counts[2], 120);
    for (int i = 0; i < 3; i++)
        cr_expect_gt(counts[i], 0, "listener %d", i);
    for (int i = 0; i < 120; i++)
        close(clients[i]);
    for (int i = 0; i < 3; i++)
        close(listeners[i]);
}

Test(listener, an_address_is_claimed_once_and_held, .timeout = 10)
{
    struct sockaddr_storage address = loopback(AF_INET, 0);
    int first = claim(&address);
    cr_expect_eq(try_to_claim(address), RC_EBUSY, "two servers that start at once");
    cr_expect_not_null(strstr(reason, "in use"));
    cr_expect_not_null(strstr(reason, "--listen"));
    int second = join(&address);
    cr_expect_eq(try_to_claim(address), RC_EBUSY);
    close(first);
    cr_expect_eq(try_to_claim(address), RC_EBUSY, "a shard still has it");
    close(second);
    cr_expect_eq(try_to_claim(address), RC_OK, "free again");
}

/* A network of this test's own, where IPv6 is for IPv6 only unless a socket says otherwise. False where that is not
 * permitted. */
static bool enter_network_of_ipv6_only(void)
{
    struct ifreq loopback_up = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return false;
    int setting = open("/proc/sys/net/ipv6/bindv6only", O_WRONLY | O_CLOEXEC);
    int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool is_made = write(setting, "1", 1) == 1 && ioctl(any, SIOCSIFFLAGS, &loopback_up) == 0;
    close(setting);
    close(any);
    return is_made;
}

Test(listener, all_ipv6_addresses_are_all_ipv4_ones_too, .timeout = 10)
{
    if (!enter_network_of_ipv6_only()) cr_skip_test("no network of its own is permitted here");
    struct sockaddr_storage all = {.ss_family = AF_INET6}; /* in6addr_any, port 0 */
    int listener = -1;
    if (listener_claim(&all, &listener, reason, sizeof reason) != RC_OK) cr_skip_test("no IPv6 here");
    cr_expect_eq(option_of(listener, IPPROTO_IPV6, IPV6_V6ONLY), 0);
    struct sockaddr_storage four = loopback(AF_INET, port_of(&all));
    close(client_of(&four));
    cr_expect_eq(try_to_claim(four), RC_EBUSY);
    close(listener);
}

Test(listener, an_address_of_another_machine_is_refused_with_a_cure, .timeout = 10)
{
    struct sockaddr_storage address = loopback(AF_INET, 0);
    ((struct sockaddr_in *)&address)->sin_addr.s_addr = htonl(0xc0000201); /* 192.0.2.1, RFC 5737 */
    cr_expect_eq(try_to_claim(address), RC_EKERNEL);
    cr_expect_not_null(strstr(reason, "0.0.0.0"));
    int descriptor = -1;
    cr_expect_eq(listener_join(&address, &descriptor, reason, sizeof reason), RC_EKERNEL);
    cr_expect_eq(descriptor, -1);
}

Test(listener, connections_inherit_nodelay_and_programs_do_not_inherit_it, .timeout = 10)
{
    struct sockaddr_storage address = loopback(AF_INET, 0);
    int listener = claim(&address), client = client_of(&address);
    int accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    cr_expect_eq(option_of(accepted, IPPROTO_TCP, TCP_NODELAY), 1);
    cr_expect_eq(option_of(listener, SOL_SOCKET, SO_REUSEPORT), 1);
    cr_expect(fcntl(listener, F_GETFD) & FD_CLOEXEC);
    close(accepted);
    close(client);
    close(listener);
}

/* Goal: between the last accept and the close nobody is let in, who would be reset by it. */
Test(listener, at_the_end_who_has_connected_is_heard_and_nobody_new, .timeout = 10)
{
    static const int families[] = {AF_INET, AF_INET6};
    for (int i = 0; i < 2; i++) {
        char byte = 0;
        struct sockaddr_storage address = loopback(families[i], 0);
        if (try_to_claim(address) != RC_OK && families[i] == AF_INET6) continue;
        int listener = claim(&address), early = client_of(&address);
        listener_refuse_new(listener);
        int late = socket(families[i], SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        socklen_t bytes = families[i] == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
        cr_assert_eq(connect(late, (const struct sockaddr *)&address, bytes), -1);
        cr_expect_eq(errno, EINPROGRESS);
        cr_assert_eq(send(early, "x", 1, 0), 1);
        int accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        cr_assert_geq(accepted, 0);
        cr_expect_eq(recv(accepted, &byte, 1, 0), 1);
        cr_expect_eq(send(accepted, "y", 1, 0), 1);
        cr_expect_eq(recv(early, &byte, 1, 0), 1);
        cr_expect_eq(byte, 'y');
        fcntl(listener, F_SETFL, O_NONBLOCK);
        cr_expect_eq(accept4(listener, NULL, NULL, 0), -1, "loopback would have brought the late one by now");
        cr_expect_eq(send(late, "x", 1, MSG_NOSIGNAL), -1);
        int open[] = {listener, early, late, accepted};
        for (size_t k = 0; k < sizeof open / sizeof open[0]; k++)
            close(open[k]);
    }
}

/* ---- sockets of others ---- */

static int foreign(int family, int type)
{
    struct sockaddr_storage address = loopback(family, 0);
    int descriptor = socket(family, type, 0);
    cr_assert_eq(bind(descriptor, (struct sockaddr *)&address, sizeof(struct sockaddr_in)), 0);
    return descriptor;
}

Test(listener, a_socket_that_listens_is_adopted_and_shared, .timeout = 10)
{
    struct sockaddr_storage address;
    int passed = foreign(AF_INET, SOCK_STREAM), shared = -1;
    cr_assert_eq(listen(passed, 10), 0);
    cr_assert_eq(listener_adopt(passed, &address, reason, sizeof reason), RC_OK, "%s", reason);
    cr_expect_eq(address.ss_family, AF_INET);
    cr_expect_gt(port_of(&address), 0);
    cr_expect(fcntl(passed, F_GETFD) & FD_CLOEXEC);
    cr_assert_eq(listener_share(passed, &shared, reason, sizeof reason), RC_OK, "%s", reason);
    cr_expect(fcntl(shared, F_GETFD) & FD_CLOEXEC);
    int clients[] = {client_of(&address), client_of(&address)}, accepted[2];
    accepted[0] = accept4(passed, NULL, NULL, SOCK_CLOEXEC);
    accepted[1] = accept4(shared, NULL, NULL, SOCK_CLOEXEC);
    for (int i = 0; i < 2; i++) {
        cr_expect_eq(option_of(accepted[i], IPPROTO_TCP, TCP_NODELAY), 1);
        close(accepted[i]);
        close(clients[i]);
    }
    close(shared);
    close(passed);
}

static int unix_listener(const char *path, socklen_t bytes)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
    if (path != NULL) memcpy(address.sun_path, path, strlen(path));
    unlink(address.sun_path);
    cr_assert_eq(bind(descriptor, (struct sockaddr *)&address, bytes), 0);
    cr_assert_eq(listen(descriptor, 10), 0);
    return descriptor;
}

Test(listener, a_unix_socket_with_a_whole_path_is_adopted, .timeout = 5)
{
    char path[64];
    struct sockaddr_storage address;
    snprintf(path, sizeof path, "/tmp/ringcast-test-listener-%d", (int)getpid());
    int passed = unix_listener(path, sizeof(struct sockaddr_un));
    int nameless = unix_listener(NULL, sizeof(sa_family_t)); /* the kernel gives it an abstract name */
    cr_assert_eq(listener_adopt(passed, &address, reason, sizeof reason), RC_OK, "%s", reason);
    cr_expect_eq(address.ss_family, AF_UNIX);
    cr_expect_str_eq(((struct sockaddr_un *)&address)->sun_path, path);
    cr_expect_eq(listener_adopt(nameless, &address, reason, sizeof reason), RC_EINVAL);
    cr_expect_str_eq(reason, "is a unix socket without a whole path");
    unlink(path);
    close(passed);
    close(nameless);
}

Test(listener, what_does_not_listen_for_tcp_is_not_adopted, .timeout = 10)
{
    struct sockaddr_storage address;
    int pair[2], file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    int others[] = {foreign(AF_INET, SOCK_STREAM), foreign(AF_INET, SOCK_DGRAM), pair[0], pair[1], file, 999};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        reason[0] = '\0';
        cr_expect_eq(listener_adopt(others[i], &address, reason, sizeof reason), RC_EINVAL, "row %zu", i);
        cr_expect_str_eq(reason, "is no TCP socket that listens, nor a unix one");
        close(others[i]);
    }
}
