/* tests/support/fake_ring.h - the inside of a fake ring, for the two halves of the fake kernel: fake_ring.c, which is
 * asked and answers, and fake_kernel.c, which decides when and whose turn it is. */
#pragma once

#include "net/ring.h"
#include "tests/support/fake_socket.h"

#define FAKE_DESCRIPTOR 1000 /* of the first ring; no real descriptor is meant */
#define LISTENERS_MAX   4

struct fake_slot {
    struct fake_socket *socket; /* NULL: free */
    bool receives_once, is_receiving, is_awaiting, is_shutting, was_sent_to;
    void *peer; /* where its address goes; NULL: it is not asked for */
    uint32_t peer_bytes, peer_life;
    uint32_t receive_life, writable_life, shutdown_life;
};

/* What is asked for and not yet submitted. */
struct asked {
    enum op_kind kind;
    enum op_kind cancelled; /* CANCEL: of what */
    uint32_t slot, life;
    bool is_once; /* RECEIVE */
    void *peer;   /* PEER; of `count` bytes */
    const uint8_t *bytes;
    size_t count;
};

/* Of the thread that uses a ring. */
enum thread_state { THREAD_UNBORN, THREAD_WAITS, THREAD_RUNS, THREAD_ENDED };

struct ring {
    struct ring_setup setup;
    struct fake_slot *slots;
    uint32_t slots_used;
    struct asked *asked;
    uint32_t asked_count;
    struct send_failure *failures;
    uint32_t failures_count;
    struct completion *done; /* the completion queue */
    uint32_t done_first, done_count, done_capacity;
    uint8_t **lent; /* by buffer id; NULL: free */
    uint32_t lent_count;
    struct fake_socket *backlog[1024];
    uint32_t backlog_count;
    bool is_accepting[LISTENERS_MAX];
    bool accepts_one[LISTENERS_MAX];
    int watched; /* -1: nothing */
    uint64_t wake_at_ms;
    enum thread_state state; /* under `baton` */
};

/* Puts a completion into the queue. */
void fake_ring_complete(struct ring *ring, struct completion completion);
/* Would a wait return at once? */
bool fake_ring_has_events(const struct ring *ring);

/* So many bytes have gone into a socket. */
void fake_has_sent(size_t bytes);

/* A new ring stands in a list, whose index makes its descriptor. */
void fake_kernel_add(struct ring *ring);
struct ring *fake_kernel_ring(int descriptor);
int fake_kernel_descriptor(const struct ring *ring);
/* The calling thread stands still until its ring is chosen. */
void fake_kernel_wait(struct ring *ring);
