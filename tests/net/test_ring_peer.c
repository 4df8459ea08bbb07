/* tests/net/test_ring_peer.c - the kernel tells who is at the other end of a socket that it has accepted.
 *
 * Where io_uring is not allowed, or the kernel does not tell, the tests are skipped and say so. */
#include "net/ring.h"

#include "net/listener.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static struct ring *ring;
static int listener = -1;
static struct sockaddr_storage address;

static void set_up(void)
{
    char line[RING_REASON_BYTES];
    struct ring_setup setup = {.submissions = 8, .completions = 64, .slots = 8, .buffers = 16, .buffer_bytes = 256};
    if (ring_probe(line, sizeof line) != RC_OK || !ring_tells_peers()) {
        fprintf(stderr, "test_ring_peer: SKIPPED: %s\n", line);
        cr_skip("io_uring cannot be used here, or does not tell");
    }
    address = (struct sockaddr_storage){.ss_family = AF_INET};
    ((struct sockaddr_in *)&address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cr_assert_eq(listener_claim(&address, &listener, line, sizeof line), RC_OK);
    cr_assert_eq(ring_new(&ring, &setup, line, sizeof line), RC_OK, "%s", line);
    cr_assert_eq(ring_enable(ring), RC_OK);
    ring_accept(ring, listener, 0);
}

static void tear_down(void)
{
    ring_free(ring);
    if (listener >= 0) close(listener);
}

TestSuite(ring_peer, .init = set_up, .fini = tear_down, .timeout = 20);

static struct completion expect(enum op_kind kind)
{
    struct completion completion;
    while (!ring_next(ring, &completion)) {
        ring_wait(ring, 100);
    }
    cr_assert_eq(completion.kind, kind, "%s, result %d", op_name(completion.kind), completion.result);
    return completion;
}

/* A client's socket, and the slot of its other end. */
static int connect_one(uint32_t *slot_r)
{
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(client, (struct sockaddr *)&address, sizeof(struct sockaddr_in)), 0);
    *slot_r = (uint32_t)expect(OP_ACCEPT).result;
    return client;
}

static int32_t ask(uint32_t slot, void *address_r, uint32_t bytes)
{
    ring_ask_peer(ring, slot, 9, address_r, bytes);
    struct completion told = expect(OP_PEER);
    cr_expect(told.slot == slot && told.life == 9);
    return told.result;
}

Test(ring_peer, the_address_at_the_other_end_is_told_also_of_who_has_gone)
{
    struct sockaddr_in own, told = {0};
    const struct linger reset = {.l_onoff = 1};
    socklen_t bytes = sizeof own;
    uint32_t slot;
    int client = connect_one(&slot);
    cr_assert_eq(getsockname(client, (struct sockaddr *)&own, &bytes), 0);
    cr_expect_eq(ask(slot, &told, sizeof told), (int32_t)sizeof told);
    cr_expect(told.sin_family == AF_INET && told.sin_port == own.sin_port);
    cr_expect_eq(told.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(client);
    told = (struct sockaddr_in){0};
    cr_expect_eq(ask(slot, &told, sizeof told), (int32_t)sizeof told);
    cr_expect_eq(told.sin_port, own.sin_port);
}

Test(ring_peer, more_bytes_than_the_family_has_are_refused)
{
    struct sockaddr_in6 told;
    uint32_t slot;
    int client = connect_one(&slot);
    cr_expect_eq(ask(slot, &told, sizeof told), -EINVAL);
    close(client);
}
