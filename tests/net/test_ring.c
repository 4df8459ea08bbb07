/* tests/net/test_ring.c - the ring's promises, kept by the real kernel over loopback.
 *
 * Where io_uring is not allowed every test is skipped and says so. */
#include "net/ring.h"

#include "net/listener.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#define LONG_MS      5000 /* longer than anything takes here, so that a missing completion fails the test */
#define BUFFERS      16
#define BUFFER_BYTES 256

static struct ring *ring;
static int listener = -1;
static struct sockaddr_storage address;

static struct ring *make_ring_with(uint32_t slots, uint32_t completions, uint32_t buffers, uint32_t buffer_bytes)
{
    char reason[RING_REASON_BYTES];
    struct ring *made;
    struct ring_setup setup = {.submissions = 64,
                               .completions = completions,
                               .slots = slots,
                               .buffers = buffers,
                               .buffer_bytes = buffer_bytes};
    cr_assert_eq(ring_new(&made, &setup, reason, sizeof reason), RC_OK, "%s", reason);
    return made;
}

static struct ring *make_ring(uint32_t slots, uint32_t completions)
{
    return make_ring_with(slots, completions, BUFFERS, BUFFER_BYTES);
}

static void set_up(void)
{
    char line[RING_REASON_BYTES];
    if (ring_probe(line, sizeof line) != RC_OK) {
        fprintf(stderr, "test_ring: SKIPPED: %s\n", line);
        cr_skip("io_uring cannot be used here");
    }
    address = (struct sockaddr_storage){.ss_family = AF_INET};
    ((struct sockaddr_in *)&address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cr_assert_eq(listener_claim(&address, &listener, line, sizeof line), RC_OK);
    ring = make_ring(64, 1024);
    cr_assert_eq(ring_enable(ring), RC_OK);
    ring_accept(ring, listener, 3);
}

static void tear_down(void)
{
    ring_free(ring);
    if (listener >= 0) close(listener);
}

TestSuite(ring, .init = set_up, .fini = tear_down, .timeout = 20);

/* The next completion, waiting for it; of kind OP_KINDS_MAX when none comes within that time. */
static struct completion next_within(uint64_t ms)
{
    struct completion completion = {.kind = OP_KINDS_MAX};
    if (ring_next(ring, &completion)) return completion;
    for (uint64_t waited = 0; waited <= ms; waited += 10) {
        ring_wait(ring, ms > 0 ? 10 : 0);
        if (ring_next(ring, &completion)) return completion;
    }
    return completion;
}

static struct completion expect(enum op_kind kind)
{
    struct completion completion = next_within(LONG_MS);
    cr_assert_eq(completion.kind, kind, "%s instead of %s, result %d", op_name(completion.kind), op_name(kind),
                 completion.result);
    return completion;
}

static void expect_nothing(void)
{
    struct completion completion = next_within(30);
    cr_assert_eq(completion.kind, OP_KINDS_MAX, "%s came, result %d", op_name(completion.kind), completion.result);
}

/* A client's socket, and the slot of its other end. */
static int connect_one(uint32_t *slot_r)
{
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(client, (struct sockaddr *)&address, sizeof(struct sockaddr_in)), 0);
    struct completion accepted = expect(OP_ACCEPT);
    cr_assert_geq(accepted.result, 0);
    cr_expect_eq(accepted.slot, 3, "the listener's tag");
    *slot_r = (uint32_t)accepted.result;
    return client;
}

static uint32_t send_one(uint32_t slot, const void *bytes, size_t count, struct send_failure *failure_r)
{
    ring_send(ring, slot, 77, bytes, count);
    return ring_submit_sends(ring, failure_r);
}

/* ---- accepting, receiving ---- */

Test(ring, connections_come_into_slots_of_their_own)
{
    uint32_t slots[10];
    int clients[10];
    for (int i = 0; i < 10; i++) {
        clients[i] = connect_one(&slots[i]);
        for (int k = 0; k < i; k++) {
            cr_assert_neq(slots[i], slots[k]);
        }
    }
    ring_cancel_accept(ring, 3);
    struct completion last = expect(OP_ACCEPT);
    cr_expect_eq(last.result, -ECANCELED);
    cr_expect_not(last.more);
    for (int i = 0; i < 10; i++) {
        close(clients[i]);
    }
}

/* Writes, and ends with RST or FIN, all before the ring is looked at. */
static void write_and_go(int client, bool with_reset)
{
    struct linger linger = {.l_onoff = with_reset, .l_linger = 0};
    cr_assert_eq(write(client, "last words", 10), 10);
    setsockopt(client, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(client);
}

static void expect_last_words(bool with_reset)
{
    struct completion words = expect(OP_RECEIVE), end = words;
    cr_expect_eq(words.result, 10);
    if (words.has_buffer) ring_give_back(ring, words.buffer);
    if (words.more) end = expect(OP_RECEIVE);
    cr_expect_eq(end.result, with_reset ? -ECONNRESET : 0);
    cr_expect_not(end.more);
}

/* What was there before the receive is heard to its end: a poll that began later would wait for what has happened. */
Test(ring, last_words_and_an_end_are_heard_though_both_came_before_the_receive)
{
    for (int with_reset = 0; with_reset < 2; with_reset++) {
        uint32_t slot;
        int client = connect_one(&slot);
        write_and_go(client, with_reset);
        ring_receive(ring, slot, 1);
        expect_last_words(with_reset);
        ring_close(ring, slot);
    }
}

/* Completions that a submit of sends has kept aside in every turn hold back nothing else. */
Test(ring, what_is_kept_aside_in_each_turn_starves_nobody)
{
    uint32_t slot;
    struct send_failure failure;
    struct completion completion;
    int client = connect_one(&slot);
    ring_receive(ring, slot, 1);
    expect_nothing();
    cr_assert_eq(write(client, "x", 1), 1);
    for (int turn = 0; turn < 10; turn++) {
        ring_cancel_receive(ring, slot, 99); /* completes at once: there is none */
        ring_submit_sends(ring, &failure);
        ring_wait(ring, 0);
        while (ring_next(ring, &completion)) {
            if (completion.kind != OP_RECEIVE) continue;
            ring_give_back(ring, completion.buffer);
            close(client);
            return;
        }
    }
    cr_expect(false, "not heard");
}

Test(ring, what_a_client_writes_arrives_in_lent_buffers_and_then_its_end)
{
    uint32_t slot;
    int client = connect_one(&slot);
    uint8_t sent[2000], got[2000];
    size_t count = 0;
    for (size_t i = 0; i < sizeof sent; i++) {
        sent[i] = (uint8_t)(i * 7);
    }
    cr_assert_eq(write(client, sent, sizeof sent), sizeof sent);
    shutdown(client, SHUT_WR);
    ring_receive(ring, slot, 5);
    for (;;) {
        struct completion completion = expect(OP_RECEIVE);
        cr_assert_eq(completion.slot, slot);
        cr_assert_eq(completion.life, 5);
        if (completion.result == 0) {
            cr_expect_not(completion.more);
            break;
        }
        cr_assert_gt(completion.result, 0);
        cr_assert(completion.has_buffer && completion.bytes.count == (size_t)completion.result);
        cr_assert_leq(completion.result, BUFFER_BYTES);
        memcpy(got + count, completion.bytes.at, completion.bytes.count);
        completion.bytes.at[0] = 0xff; /* writable */
        count += completion.bytes.count;
        ring_give_back(ring, completion.buffer);
        if (!completion.more) ring_receive(ring, slot, 5);
    }
    cr_assert_eq(count, sizeof sent);
    cr_expect_arr_eq(got, sent, sizeof sent);
    close(client);
}

Test(ring, a_receive_once_takes_no_more_than_a_buffer)
{
    uint32_t slot;
    int client = connect_one(&slot);
    static const uint8_t bytes[3 * BUFFER_BYTES];
    cr_assert_eq(write(client, bytes, sizeof bytes), sizeof bytes);
    shutdown(client, SHUT_WR);
    for (size_t got = 0; got < sizeof bytes;) {
        ring_receive_once(ring, slot, 5);
        struct completion completion = expect(OP_RECEIVE);
        cr_assert(completion.has_buffer && !completion.more);
        cr_assert(completion.result > 0 && completion.result <= BUFFER_BYTES);
        cr_assert_eq(completion.life, 5);
        got += (size_t)completion.result;
        ring_give_back(ring, completion.buffer);
    }
    ring_receive_once(ring, slot, 5);
    cr_expect_eq(expect(OP_RECEIVE).result, 0, "the end");
    close(client);
}

static bool is_linux(unsigned long least, unsigned long least_minor)
{
    struct utsname kernel;
    char *end;
    cr_assert_eq(uname(&kernel), 0);
    unsigned long major = strtoul(kernel.release, &end, 10), minor = strtoul(end + 1, NULL, 10);
    return major > least || (major == least && minor >= least_minor);
}

/* Goal: who sends on and on keeps others waiting for the time of 8 KiB.
 * Method: the flood's bytes are there before the other one's byte, in buffers of which the kernel fills 32 in a row. */
Test(ring, who_sends_much_is_received_from_in_turn_with_others)
{
    enum { LARGE = 1024, AT_ONCE = 8192 };
    if (!is_linux(6, 17)) cr_skip("the kernel takes no bound for what one receive brings");
    ring_free(ring);
    ring = make_ring_with(64, 1024, 64, LARGE);
    cr_assert_eq(ring_enable(ring), RC_OK);
    ring_accept(ring, listener, 3);
    uint32_t slots[2], before = 0;
    int flood = connect_one(&slots[0]), other = connect_one(&slots[1]);
    for (int i = 0; i < 2; i++) {
        ring_receive(ring, slots[i], 1);
    }
    expect_nothing(); /* both are waited for */
    static const uint8_t bytes[32 * LARGE];
    cr_assert_eq(write(flood, bytes, sizeof bytes), sizeof bytes);
    cr_assert_eq(write(other, bytes, 1), 1);
    for (struct completion completion; (completion = expect(OP_RECEIVE)).slot == slots[0];) {
        cr_assert_gt(completion.result, 0);
        before += (uint32_t)completion.result;
        ring_give_back(ring, completion.buffer);
    }
    cr_expect_leq(before, AT_ONCE, "%u", before);
    close(flood);
    close(other);
}

Test(ring, without_buffers_a_receive_says_so_and_goes_on_when_asked_again)
{
    uint32_t slot;
    int client = connect_one(&slot);
    static const uint8_t bytes[(BUFFERS + 4) * BUFFER_BYTES];
    cr_assert_eq(write(client, bytes, sizeof bytes), sizeof bytes);
    ring_receive(ring, slot, 1);
    uint16_t lent[BUFFERS];
    uint32_t count = 0;
    size_t got = 0;
    struct completion completion;
    for (;;) {
        completion = expect(OP_RECEIVE);
        if (completion.result == -ENOBUFS) break;
        cr_assert_gt(completion.result, 0);
        cr_assert_lt(count, BUFFERS);
        got += (size_t)completion.result;
        lent[count++] = completion.buffer; /* kept: soon none is left */
        if (!completion.more) ring_receive(ring, slot, 1);
    }
    cr_expect_eq(count, BUFFERS);
    cr_expect_not(completion.more);
    for (uint32_t i = 0; i < count; i++) {
        ring_give_back(ring, lent[i]);
    }
    ring_receive(ring, slot, 1);
    while (got < sizeof bytes) {
        completion = expect(OP_RECEIVE);
        cr_assert_gt(completion.result, 0);
        got += (size_t)completion.result;
        ring_give_back(ring, completion.buffer);
        if (!completion.more) ring_receive(ring, slot, 1);
    }
    close(client);
}

Test(ring, a_cancelled_receive_completes_for_the_last_time_with_its_own_life)
{
    uint32_t slot;
    int client = connect_one(&slot);
    ring_receive(ring, slot, 8);
    expect_nothing();
    ring_cancel_receive(ring, slot, 7); /* of an earlier life: not this one */
    struct completion completion = expect(OP_CANCEL);
    cr_expect_eq(completion.result, -ENOENT);
    ring_cancel_receive(ring, slot, 8);
    completion = expect(OP_RECEIVE);
    cr_expect_eq(completion.result, -ECANCELED);
    cr_expect_eq(completion.life, 8);
    cr_expect_not(completion.more);
    cr_expect_eq(write(client, "x", 1), 1);
    expect_nothing();
    close(client);
}

/* ---- sending ---- */

Test(ring, a_send_that_goes_whole_leaves_no_word)
{
    uint32_t slot;
    char got[8] = {0};
    struct send_failure failure;
    int client = connect_one(&slot);
    cr_expect_eq(send_one(slot, "hello", 5, &failure), 0);
    cr_expect_eq(read(client, got, sizeof got), 5);
    cr_expect_str_eq(got, "hello");
    expect_nothing();
    close(client);
}

Test(ring, a_short_send_tells_the_exact_count_and_writable_when_to_go_on)
{
    uint32_t slot;
    struct send_failure failure;
    int client = connect_one(&slot);
    enum { LARGE = 16 << 20 };
    uint8_t *bytes = malloc(LARGE);
    for (uint32_t i = 0; i < LARGE; i++) {
        bytes[i] = (uint8_t)(i * 2654435761u >> 24);
    }
    cr_assert_eq(send_one(slot, bytes, LARGE, &failure), 1);
    cr_expect_eq(failure.index, 77);
    cr_assert(failure.result > 0 && failure.result < LARGE, "%d", failure.result);
    uint32_t sent = (uint32_t)failure.result;
    /* Acknowledgements may free a little room behind the short send. */
    while (send_one(slot, bytes + sent, LARGE - sent, &failure) == 1 && failure.result > 0) {
        sent += (uint32_t)failure.result;
    }
    cr_expect_eq(failure.result, -EAGAIN);
    ring_await_writable(ring, slot, 4);
    expect_nothing();

    uint8_t *got = malloc(sent);
    for (uint32_t at = 0; at < sent;) {
        ssize_t count = read(client, got + at, sent - at);
        cr_assert_gt(count, 0);
        at += (uint32_t)count;
    }
    cr_expect(memcmp(got, bytes, sent) == 0, "the count is what went, not one byte more or less");
    struct completion writable = expect(OP_WRITABLE);
    cr_expect_eq(writable.slot, slot);
    cr_expect_eq(writable.life, 4);
    cr_expect_eq(send_one(slot, "on", 2, &failure), 0);
    cr_expect_eq(recv(client, got, 2, MSG_WAITALL), 2);
    free(got);
    free(bytes);
    close(client);
}

Test(ring, a_send_to_one_who_is_gone_fails_and_raises_no_signal)
{
    uint32_t slot;
    struct send_failure failure;
    int client = connect_one(&slot);
    struct linger linger = {.l_onoff = 1}; /* close with RST */
    setsockopt(client, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(client);
    ring_await_writable(ring, slot, 1); /* until the RST has come */
    expect(OP_WRITABLE);
    cr_assert_eq(send_one(slot, "x", 1, &failure), 1);
    cr_expect(failure.result == -ECONNRESET || failure.result == -EPIPE, "%d", failure.result);
    cr_assert_eq(send_one(slot, "x", 1, &failure), 1);
    cr_expect_eq(failure.result, -EPIPE);
}

/* Method: completions of other kinds are in the queue when the failures of sends are looked for. */
Test(ring, looking_for_failures_keeps_other_completions_in_order)
{
    uint32_t slot;
    int client = connect_one(&slot);
    struct send_failure failures[4];
    ring_receive(ring, slot, 1);
    expect_nothing();
    cr_assert_eq(write(client, "a", 1), 1);
    ring_cancel_receive(ring, 50, 1);                /* no such receive: an OP_CANCEL completes at once */
    ring_send(ring, 60, 0, (const uint8_t *)"x", 1); /* a free slot */
    ring_cancel_receive(ring, 51, 1);
    ring_send(ring, slot, 1, (const uint8_t *)"y", 1);
    ring_send(ring, 61, 2, (const uint8_t *)"z", 1);
    cr_assert_eq(ring_submit_sends(ring, failures), 2);
    cr_expect(failures[0].index == 0 && failures[0].result == -EBADF);
    cr_expect(failures[1].index == 2 && failures[1].result == -EBADF);
    uint32_t cancels = 0, receives = 0;
    for (int i = 0; i < 3; i++) {
        struct completion completion = next_within(LONG_MS);
        cancels += completion.kind == OP_CANCEL;
        receives += completion.kind == OP_RECEIVE && completion.result == 1 && completion.bytes.at[0] == 'a';
        if (completion.has_buffer) ring_give_back(ring, completion.buffer);
    }
    cr_expect_eq(cancels, 2);
    cr_expect_eq(receives, 1);
    expect_nothing();
    close(client);
}

/* Goal: a send that failed is told at once, however many completions nobody has taken yet. */
Test(ring, failures_are_found_behind_more_completions_than_can_be_kept_aside)
{
    struct send_failure failures[4];
    struct completion completion;
    uint32_t cancels = 0;
    ring_free(ring);
    ring = make_ring(8, 64);
    cr_assert_eq(ring_enable(ring), RC_OK);
    for (uint32_t i = 0; i < 100; i++) {
        ring_cancel_receive(ring, 1, i);
        if (i % 20 == 19) cr_assert_eq(ring_submit_sends(ring, failures), 0);
    }
    for (uint32_t i = 0; i < 3; i++) {
        cr_assert_eq(send_one(5, "x", 1, failures), 1, "try %u", i); /* a free slot */
        cr_expect_eq(failures[0].result, -EBADF);
    }
    while ((completion = next_within(0)).kind != OP_KINDS_MAX) {
        cr_assert_eq(completion.kind, OP_CANCEL);
        cancels += completion.result == -ENOENT;
    }
    cr_expect_eq(cancels, 100);
}

Test(ring, more_is_asked_for_than_the_queue_holds)
{
    uint32_t room = ring_send_room(ring);
    cr_expect_leq(room, 64);
    for (uint32_t i = 0; i < 1000; i++) {
        ring_cancel_receive(ring, 1, i);
    }
    for (uint32_t i = 0; i < 1000; i++) {
        cr_assert_eq(expect(OP_CANCEL).result, -ENOENT);
    }
}

/* ---- ending ---- */

Test(ring, a_closed_slot_is_used_again_and_its_peer_sees_the_end)
{
    char byte;
    bool is_used[64] = {false}, is_again = false;
    for (int i = 0; i < 200; i++) { /* three times as many as there are slots */
        uint32_t slot;
        int client = connect_one(&slot);
        is_again = is_again || is_used[slot];
        is_used[slot] = true;
        ring_close(ring, slot);
        ring_wait(ring, 0);
        cr_assert_eq(read(client, &byte, 1), 0);
        close(client);
    }
    cr_expect(is_again);
    expect_nothing();
}

Test(ring, shutdown_sends_the_end_completes_and_still_receives)
{
    uint32_t slot, shutdowns = 0, receives = 0;
    char byte;
    int client = connect_one(&slot);
    ring_receive(ring, slot, 9);
    ring_shutdown(ring, slot, 9);
    ring_wait(ring, 0);
    cr_expect_eq(read(client, &byte, 1), 0);
    cr_assert_eq(write(client, "!", 1), 1);
    for (int i = 0; i < 2; i++) {
        struct completion completion = next_within(LONG_MS);
        cr_expect(completion.slot == slot && completion.life == 9);
        shutdowns += completion.kind == OP_SHUTDOWN && completion.result == 0;
        receives += completion.kind == OP_RECEIVE && completion.result == 1;
        if (completion.has_buffer) ring_give_back(ring, completion.buffer);
    }
    cr_expect_eq(shutdowns, 1);
    cr_expect_eq(receives, 1);
    expect_nothing();
    close(client);
}

/* ---- waking ---- */

Test(ring, every_write_to_a_watched_eventfd_is_seen)
{
    int descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ring_watch(ring, descriptor);
    expect_nothing();
    for (int i = 0; i < 3; i++) {
        uint64_t one = 1;
        cr_assert_eq(write(descriptor, &one, sizeof one), sizeof one);
        struct completion completion = expect(OP_SIGNAL);
        if (!completion.more) ring_watch(ring, descriptor);
    }
    close(descriptor);
}

static struct ring *other;

static void *ring_it(void *count)
{
    struct completion completion;
    cr_assert_eq(ring_enable(other), RC_OK);
    for (uintptr_t i = 0; i < (uintptr_t)count; i++) {
        ring_doorbell(other, ring_descriptor(ring));
        ring_wait(other, 0);
        while (ring_next(other, &completion)) {
            cr_assert_eq(completion.result, -ENOMEM, "only that may go wrong");
            ring_doorbell(other, (int)completion.slot);
        }
    }
    ring_wait(other, 0);
    return NULL;
}

Test(ring, a_doorbell_wakes_a_ring_that_sleeps)
{
    pthread_t thread;
    struct completion completion;
    other = make_ring(1, 1024);
    cr_assert_eq(pthread_create(&thread, NULL, ring_it, (void *)1), 0);
    cr_assert_eq(ring_wait(ring, LONG_MS), 0);
    cr_assert(ring_next(ring, &completion), "not woken");
    cr_expect_eq(completion.kind, OP_DOORBELL);
    cr_expect_eq(completion.result, 0);
    pthread_join(thread, NULL);
    ring_free(other);
}

/* Goal: one turn sees all that has come, though the kernel hands out no more than 20 at a call. */
Test(ring, one_wait_is_enough_for_more_than_20_completions)
{
    pthread_t thread;
    struct completion completion;
    uint32_t count = 0;
    other = make_ring(1, 1024);
    cr_assert_eq(pthread_create(&thread, NULL, ring_it, (void *)200), 0);
    pthread_join(thread, NULL);
    cr_assert_eq(ring_wait(ring, LONG_MS), 0);
    while (ring_next(ring, &completion)) {
        cr_assert_eq(completion.kind, OP_DOORBELL);
        count++;
    }
    cr_expect_eq(count, 200);
    ring_free(other);
}

Test(ring, waiting_ends_after_its_time)
{
    struct completion completion;
    cr_expect_eq(ring_wait(ring, 1), 0);
    cr_expect_not(ring_next(ring, &completion));
    cr_expect_eq(ring_overflows(ring), 0);
}
