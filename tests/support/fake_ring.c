/* tests/support/fake_ring.c - net/ring.h again, without a kernel: asked for, submitted, completed. */
#include "tests/support/fake_ring.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- life ---- */

enum rc ring_probe(char *line_r, size_t line_size)
{
    snprintf(line_r, line_size, "no io_uring: a fake one");
    return RC_OK;
}

enum rc ring_new(struct ring **ring_r, const struct ring_setup *setup, char *reason_r, size_t reason_size)
{
    (void)reason_r, (void)reason_size;
    struct ring *ring = calloc(1, sizeof *ring);
    assert(ring != NULL);
    ring->setup = *setup;
    ring->setup.submissions = 64; /* short, so that chunks and full queues are met */
    ring->slots = calloc(setup->slots, sizeof ring->slots[0]);
    ring->asked = calloc(ring->setup.submissions, sizeof ring->asked[0]);
    ring->failures = calloc(setup->slots + ring->setup.submissions, sizeof ring->failures[0]);
    ring->lent = calloc(setup->buffers, sizeof ring->lent[0]);
    assert(ring->slots != NULL && ring->asked != NULL && ring->failures != NULL && ring->lent != NULL);
    ring->watched = -1;
    *ring_r = ring;
    fake_kernel_add(ring);
    return RC_OK;
}

void ring_free(struct ring *ring)
{
    if (ring == NULL) return;
    for (uint32_t i = ring->done_first; i < ring->done_count; i++) {
        if (ring->done[i].has_buffer) ring_give_back(ring, ring->done[i].buffer);
    }
    assert(ring->lent_count == 0);
    for (uint32_t i = 0; i < ring->slots_used; i++) {
        if (ring->slots[i].socket != NULL) ring->slots[i].socket->has_server_closed = true;
    }
    free(ring->slots);
    free(ring->asked);
    free(ring->failures);
    free(ring->done);
    free(ring->lent);
    free(ring);
}

enum rc ring_enable(struct ring *ring)
{
    (void)ring; /* its thread is met in its first ring_wait(): until then it does what no other can see */
    return RC_OK;
}

int ring_descriptor(const struct ring *ring)
{
    return fake_kernel_descriptor(ring);
}

uint64_t ring_overflows(const struct ring *ring)
{
    (void)ring;
    return 0;
}

/* ---- submitting ---- */

static void submit_send(struct ring *ring, const struct asked *asked)
{
    struct fake_slot *slot = &ring->slots[asked->slot];
    assert(slot->socket != NULL);
    int32_t result = fake_socket_send(slot->socket, asked->bytes, asked->count);
    slot->was_sent_to = false;
    if (result > 0) fake_has_sent((size_t)result);
    if (result == (int32_t)asked->count) return;
    ring->failures[ring->failures_count++] = (struct send_failure){.index = asked->life, .result = result};
}

static void submit_cancel(struct ring *ring, const struct asked *asked)
{
    struct fake_slot *slot = &ring->slots[asked->slot];
    struct completion last = {
        .kind = asked->cancelled, .slot = asked->slot, .life = asked->life, .result = -ECANCELED};
    bool *is_under_way = &slot->is_receiving;
    uint32_t life = slot->receive_life;
    if (asked->cancelled == OP_ACCEPT) {
        is_under_way = &ring->is_accepting[asked->slot];
        life = 0;
    } else if (asked->cancelled == OP_WRITABLE) {
        is_under_way = &slot->is_awaiting;
        life = slot->writable_life;
    }
    if (!*is_under_way || life != asked->life) last = (struct completion){.kind = OP_CANCEL, .result = -ENOENT};
    if (life == asked->life) *is_under_way = false;
    fake_ring_complete(ring, last);
}

static void submit_close(struct ring *ring, struct fake_slot *slot)
{
    (void)ring;
    assert(slot->socket != NULL && !slot->is_receiving && !slot->is_awaiting && !slot->is_shutting);
    assert(slot->peer == NULL);
    slot->socket->has_server_closed = true;
    *slot = (struct fake_slot){0};
}

static void submit_one(struct ring *ring, const struct asked *asked)
{
    struct fake_slot *slot = &ring->slots[asked->slot];
    switch (asked->kind) {
    case OP_ACCEPT:
        ring->is_accepting[asked->slot] = true;
        break;
    case OP_RECEIVE:
        assert(slot->socket != NULL && !slot->is_receiving);
        slot->is_receiving = true;
        slot->receive_life = asked->life;
        slot->receives_once = asked->is_once;
        break;
    case OP_SEND:
        submit_send(ring, asked);
        break;
    case OP_WRITABLE:
        assert(slot->socket != NULL && !slot->is_awaiting);
        slot->is_awaiting = true;
        slot->writable_life = asked->life;
        break;
    case OP_UNACKED:
        assert(slot->socket != NULL);
        fake_ring_complete(ring, (struct completion){.kind = OP_UNACKED,
                                                     .slot = asked->slot,
                                                     .life = asked->life,
                                                     .result = (int32_t)slot->socket->to_client.count});
        break;
    case OP_PEER:
        assert(slot->socket != NULL && slot->peer == NULL);
        slot->peer = asked->peer;
        slot->peer_bytes = (uint32_t)asked->count;
        slot->peer_life = asked->life;
        break;
    case OP_CANCEL:
        submit_cancel(ring, asked);
        break;
    case OP_SHUTDOWN:
        assert(slot->socket != NULL);
        slot->is_shutting = true;
        slot->shutdown_life = asked->life;
        break;
    case OP_CLOSE:
        submit_close(ring, slot);
        break;
    case OP_DOORBELL:
        if (fake_random(20) == 0) { /* the kernel had no memory for it: the sender is told */
            fake_ring_complete(ring,
                               (struct completion){.kind = OP_DOORBELL, .slot = asked->slot, .result = -ENOMEM});
        } else {
            fake_ring_complete(fake_kernel_ring((int)asked->slot), (struct completion){.kind = OP_DOORBELL});
        }
        break;
    case OP_SIGNAL:
        ring->watched = (int)asked->slot;
        break;
    case OP_KINDS_MAX:
        assert(false);
    }
}

static void submit(struct ring *ring)
{
    for (uint32_t i = 0; i < ring->asked_count; i++) {
        submit_one(ring, &ring->asked[i]);
    }
    ring->asked_count = 0;
}

/* ---- asking ---- */

static void ask(struct ring *ring, struct asked asked)
{
    if (ring->asked_count == ring->setup.submissions) submit(ring);
    ring->asked[ring->asked_count++] = asked;
}

void ring_accept(struct ring *ring, int listener, uint32_t tag)
{
    assert(listener >= 0 && tag < LISTENERS_MAX);
    ring->accepts_one[tag] = false;
    ask(ring, (struct asked){.kind = OP_ACCEPT, .slot = tag});
}

void ring_accept_one(struct ring *ring, int listener, uint32_t tag)
{
    ring_accept(ring, listener, tag);
    ring->accepts_one[tag] = true;
}

void ring_accept_from(struct ring *ring, int listener, uint32_t tag, struct ring_peer *peer)
{
    fake_peer(&peer->address);
    ring_accept_one(ring, listener, tag);
}

static void cancel(struct ring *ring, enum op_kind kind, uint32_t slot, uint32_t life)
{
    ask(ring, (struct asked){.kind = OP_CANCEL, .cancelled = kind, .slot = slot, .life = life});
}

void ring_cancel_accept(struct ring *ring, uint32_t tag)
{
    cancel(ring, OP_ACCEPT, tag, 0);
}

void ring_receive(struct ring *ring, uint32_t slot, uint32_t life)
{
    ask(ring, (struct asked){.kind = OP_RECEIVE, .slot = slot, .life = life});
}

void ring_receive_once(struct ring *ring, uint32_t slot, uint32_t life)
{
    ask(ring, (struct asked){.kind = OP_RECEIVE, .slot = slot, .life = life, .is_once = true});
}

void ring_cancel_receive(struct ring *ring, uint32_t slot, uint32_t life)
{
    cancel(ring, OP_RECEIVE, slot, life);
}

void ring_give_back(struct ring *ring, uint16_t buffer)
{
    assert(ring->lent[buffer] != NULL);
    free(ring->lent[buffer]);
    ring->lent[buffer] = NULL;
    ring->lent_count--;
}

void ring_send(struct ring *ring, uint32_t slot, uint32_t index, const uint8_t *bytes, size_t count)
{
    assert(ring_send_room(ring) > 0 && !ring->slots[slot].was_sent_to && count > 0);
    ring->slots[slot].was_sent_to = true;
    ask(ring, (struct asked){.kind = OP_SEND, .slot = slot, .life = index, .bytes = bytes, .count = count});
}

uint32_t ring_send_room(const struct ring *ring)
{
    return ring->setup.submissions - ring->asked_count;
}

uint32_t ring_submit_sends(struct ring *ring, struct send_failure *failures_r)
{
    submit(ring);
    uint32_t count = ring->failures_count;
    for (uint32_t i = 0; i < count; i++) {
        failures_r[i] = ring->failures[i];
    }
    ring->failures_count = 0;
    return count;
}

void ring_await_writable(struct ring *ring, uint32_t slot, uint32_t life)
{
    ask(ring, (struct asked){.kind = OP_WRITABLE, .slot = slot, .life = life});
}

void ring_cancel_writable(struct ring *ring, uint32_t slot, uint32_t life)
{
    cancel(ring, OP_WRITABLE, slot, life);
}

void ring_ask_unacked(struct ring *ring, uint32_t slot, uint32_t life)
{
    ask(ring, (struct asked){.kind = OP_UNACKED, .slot = slot, .life = life});
}

void ring_ask_peer(struct ring *ring, uint32_t slot, uint32_t life, void *address_r, uint32_t bytes)
{
    ask(ring, (struct asked){.kind = OP_PEER, .slot = slot, .life = life, .peer = address_r, .count = bytes});
}

void ring_shutdown(struct ring *ring, uint32_t slot, uint32_t life)
{
    ask(ring, (struct asked){.kind = OP_SHUTDOWN, .slot = slot, .life = life});
}

void ring_close(struct ring *ring, uint32_t slot)
{
    ask(ring, (struct asked){.kind = OP_CLOSE, .slot = slot});
}

void ring_doorbell(struct ring *ring, int other_descriptor)
{
    ask(ring, (struct asked){.kind = OP_DOORBELL, .slot = (uint32_t)other_descriptor});
}

void ring_watch(struct ring *ring, int descriptor)
{
    ask(ring, (struct asked){.kind = OP_SIGNAL, .slot = (uint32_t)descriptor});
}

/* ---- completing ---- */

void fake_ring_complete(struct ring *ring, struct completion completion)
{
    if (ring->done_count == ring->done_capacity) {
        ring->done_capacity = 2 * ring->done_capacity + 64;
        ring->done = reallocarray(ring->done, ring->done_capacity, sizeof ring->done[0]);
        assert(ring->done != NULL);
    }
    ring->done[ring->done_count++] = completion;
}

/* The longest waiting connection to a listener; backlog_count: none. */
static uint32_t next_in_backlog(const struct ring *ring, uint32_t listener)
{
    uint32_t next = 0;
    while (next < ring->backlog_count && ring->backlog[next]->listener != listener) {
        next++;
    }
    return next;
}

bool fake_ring_has_events(const struct ring *ring)
{
    if (ring->done_first < ring->done_count) return true;
    for (uint32_t listener = 0; listener < LISTENERS_MAX; listener++) {
        if (ring->is_accepting[listener] && next_in_backlog(ring, listener) < ring->backlog_count) return true;
    }
    for (uint32_t i = 0; i < ring->slots_used; i++) {
        const struct fake_slot *slot = &ring->slots[i];
        if (slot->is_receiving && fake_socket_is_readable(slot->socket)) return true;
        if (slot->is_awaiting && fake_socket_is_writable(slot->socket)) return true;
        if (slot->is_shutting || slot->peer != NULL) return true;
    }
    return false;
}

static uint32_t free_slot(const struct ring *ring)
{
    uint32_t slot = fake_random(2) ? 0 : fake_random(ring->setup.slots);
    for (uint32_t tried = 0; ring->slots[slot].socket != NULL; tried++) {
        assert(tried < ring->setup.slots);
        slot = (slot + 1) % ring->setup.slots;
    }
    return slot;
}

static void complete_accepts(struct ring *ring, uint32_t listener)
{
    uint32_t next;
    while (ring->is_accepting[listener] && (next = next_in_backlog(ring, listener)) < ring->backlog_count) {
        uint32_t slot = free_slot(ring);
        ring->slots[slot].socket = ring->backlog[next];
        if (slot >= ring->slots_used) ring->slots_used = slot + 1;
        ring->backlog_count--;
        memmove(&ring->backlog[next], &ring->backlog[next + 1],
                (ring->backlog_count - next) * sizeof ring->backlog[0]);
        ring->is_accepting[listener] = !ring->accepts_one[listener] && fake_random(10) > 0;
        fake_ring_complete(ring, (struct completion){.kind = OP_ACCEPT,
                                                     .slot = listener,
                                                     .result = (int32_t)slot,
                                                     .more = ring->is_accepting[listener]});
    }
}

/* Lends a buffer with the next bytes; a short piece as often as a whole one. */
static void lend(struct ring *ring, struct fake_slot *slot, struct completion *completion)
{
    size_t most = slot->socket->to_server.count;
    if (most > ring->setup.buffer_bytes) most = ring->setup.buffer_bytes;
    size_t count = fake_random(2) ? most : 1 + fake_random((uint32_t)most);
    uint16_t id = (uint16_t)fake_random(ring->setup.buffers);
    while (ring->lent[id] != NULL) {
        id = (uint16_t)((id + 1) % ring->setup.buffers);
    }
    ring->lent[id] = reallocarray(NULL, 1, count);
    ring->lent_count++;
    completion->result = (int32_t)fake_pipe_take(&slot->socket->to_server, ring->lent[id], count);
    completion->has_buffer = true;
    completion->buffer = id;
    completion->bytes = bytes_of(ring->lent[id], count);
    /* Now and then the kernel ends a receive for reasons of its own. */
    completion->more = fake_random(20) > 0 && !slot->receives_once;
}

static void complete_receive(struct ring *ring, uint32_t index)
{
    struct fake_slot *slot = &ring->slots[index];
    struct completion completion = {.kind = OP_RECEIVE, .slot = index, .life = slot->receive_life};
    if (slot->socket->is_reset) {
        completion.result = -ECONNRESET;
    } else if (slot->socket->to_server.count > 0 && ring->lent_count == ring->setup.buffers) {
        completion.result = -ENOBUFS;
    } else if (slot->socket->to_server.count > 0) {
        lend(ring, slot, &completion);
    }
    slot->is_receiving = completion.more;
    fake_ring_complete(ring, completion);
}

/* Another thread of the kernel does it, some time later. */
static void complete_shutdown(struct ring *ring, uint32_t index)
{
    struct fake_slot *slot = &ring->slots[index];
    slot->is_shutting = false;
    slot->socket->has_server_shutdown = true;
    fake_ring_complete(ring, (struct completion){.kind = OP_SHUTDOWN, .slot = index, .life = slot->shutdown_life});
}

/* The kernel answers at once; here some time later, so that whoever asked is seen to wait. */
static void complete_peer(struct ring *ring, uint32_t index)
{
    struct fake_slot *slot = &ring->slots[index];
    int32_t result = fake_socket_peer(slot->socket, slot->peer, slot->peer_bytes);
    slot->peer = NULL;
    fake_ring_complete(
        ring, (struct completion){.kind = OP_PEER, .slot = index, .life = slot->peer_life, .result = result});
}

static void complete_writable(struct ring *ring, uint32_t index)
{
    struct fake_slot *slot = &ring->slots[index];
    if (!slot->is_awaiting || !fake_socket_is_writable(slot->socket)) return;
    slot->is_awaiting = false;
    fake_ring_complete(
        ring, (struct completion){.kind = OP_WRITABLE, .slot = index, .life = slot->writable_life, .result = 4});
}

/* A bounded number of what has happened, from a random slot on; the rest at the next wait. */
static void complete_events(struct ring *ring)
{
    uint32_t room = 1 + fake_random(fake_random(2) ? 8 : 200);
    uint32_t first = ring->slots_used > 0 ? fake_random(ring->slots_used) : 0;
    for (uint32_t listener = 0; listener < LISTENERS_MAX; listener++) {
        complete_accepts(ring, listener);
    }
    for (uint32_t i = 0; i < ring->slots_used && room > 0; i++) {
        uint32_t index = (first + i) % ring->slots_used;
        struct fake_slot *slot = &ring->slots[index];
        if (first % 2 == 0) complete_writable(ring, index); /* else what comes is seen first */
        for (; slot->is_receiving && fake_socket_is_readable(slot->socket) && room > 0; room--) {
            complete_receive(ring, index);
        }
        if (slot->is_shutting && fake_random(3) == 0) complete_shutdown(ring, index);
        if (slot->peer != NULL && fake_random(2)) complete_peer(ring, index);
        complete_writable(ring, index);
    }
}

int ring_wait(struct ring *ring, uint64_t timeout_ms)
{
    submit(ring);
    assert(ring->failures_count == 0); /* somebody has sent and not asked how it went */
    bool is_taken = ring->done_first == ring->done_count;
    assert(!is_taken || ring->lent_count == 0); /* a buffer is lent for one turn */
    ring->wake_at_ms = fake_now_ms() + timeout_ms;
    fake_kernel_wait(ring);
    if (is_taken) complete_events(ring);
    return 0;
}

bool ring_next(struct ring *ring, struct completion *completion_r)
{
    if (ring->done_first == ring->done_count) {
        ring->done_first = ring->done_count = 0;
        return false;
    }
    *completion_r = ring->done[ring->done_first++];
    return true;
}
