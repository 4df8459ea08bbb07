/* bench/load/load_ring.h - a client's io_uring: connect, receive and send on direct descriptors.
 *
 * Not net/ring, which accepts and whose sends are a server's. Threads: one, from load_ring_init() on.
 * Slots: chosen by the caller, from 0 below slots_max. Bytes to send stay valid until the send completes. */
#pragma once

#include "core/bytes.h"
#include "core/rc.h"

#include <liburing.h>
#include <sys/socket.h>

enum load_event_kind {
    LOAD_CONNECTED, /* result 0, or -errno */
    LOAD_RECEIVED,  /* result > 0: bytes, 0: end of the stream, < 0: -errno; without more, ask again */
    LOAD_SENT,      /* result: bytes that went, all or as many as before an error; or -errno */
    LOAD_SHUT,      /* after load_ring_shutdown(): it no more looks at the slot */
    LOAD_DOORBELL,  /* another thread's ring wants this one to wake up; or nothing at all */
};

struct load_event {
    enum load_event_kind kind;
    uint32_t slot;
    int32_t result;
    bool more;
    struct bytes bytes; /* RECEIVED: lent until load_ring_give_back() */
    uint16_t buffer;
    bool has_buffer;
};

struct load_ring {
    struct io_uring uring;
    struct io_uring_buf_ring *lent;
    uint8_t *buffers;
    uint32_t buffers_max; /* power of two */
    uint32_t buffer_bytes;
    uint32_t taken; /* from the completion queue since the kernel was last asked */
    int error;      /* errno, once the kernel refuses to go on; what is asked for then goes nowhere */
    struct io_uring_sqe nowhere;
    bool is_set_up;
};

/* `buffer_bytes`: of each receive buffer; `buffers_bytes`: of all together. On errors nothing is left and reason_r
 * says why in one line. */
enum rc load_ring_init(struct load_ring *ring, uint32_t slots_max, uint32_t buffer_bytes, uint32_t buffers_bytes,
                       char *reason_r, size_t reason_size);
void load_ring_fini(struct load_ring *ring);

/* Moves a socket into a slot, in the place of another that has ended; the process's descriptor is closed, also on
 * errors. */
enum rc load_ring_adopt(struct load_ring *ring, uint32_t slot, int socket);

/* `address` stays valid until the next wait. */
void load_ring_connect(struct load_ring *ring, uint32_t slot, const struct sockaddr *address, socklen_t bytes);
void load_ring_receive(struct load_ring *ring, uint32_t slot);
/* Like load_ring_receive(), of at most so many bytes. */
void load_ring_receive_some(struct load_ring *ring, uint32_t slot, uint32_t bytes_max);
/* Completes when all went or the connection failed. At most one send to a slot at a time. */
void load_ring_send(struct load_ring *ring, uint32_t slot, const void *bytes, size_t count);

/* Ends a connection in both directions; its receive then completes with the end of the stream. The kernel looks at the
 * slot at any time until LOAD_SHUT: what is adopted there before may be shut down instead. */
void load_ring_shutdown(struct load_ring *ring, uint32_t slot);

/* By which other rings ring this one's doorbell; a constant that other threads may read. */
int load_ring_descriptor(const struct load_ring *ring);
void load_ring_doorbell(struct load_ring *ring, int other_descriptor);

/* Submits, and waits for an event or for timeout_ns. 0, or an errno: the kernel refuses to go on. */
int load_ring_wait(struct load_ring *ring, uint64_t timeout_ns);
/* The next event without waiting. */
bool load_ring_next(struct load_ring *ring, struct load_event *event_r);
void load_ring_give_back(struct load_ring *ring, const struct load_event *event);
