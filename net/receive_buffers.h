/* net/receive_buffers.h - the buffers a ring's receives are filled into, lent by the kernel and given back.
 *
 * The kernel takes a buffer only when bytes have come, so idle connections hold none. All of them are touched at the
 * start: a fixed cost of a shard rather than a growing one.
 * Threads:   the ring's. Bounds: count buffers, a power of two up to 32768 (kernel 5.19). */
#pragma once

#include "core/rc.h"

#include <liburing.h>
#include <stdint.h>

struct receive_buffers {
    struct io_uring_buf_ring *queue; /* shared with the kernel */
    uint8_t *memory;
    uint32_t count;
    uint32_t buffer_bytes;
    uint32_t given_back; /* not yet shown to the kernel */
};

/* Registers buffer group 0 with the ring. On error nothing is left; *errno_r is the kernel's. */
enum rc receive_buffers_init(struct receive_buffers *buffers, struct io_uring *ring, uint32_t count,
                             uint32_t buffer_bytes, int *errno_r);
/* After io_uring_queue_exit(): the kernel may write into them until then. Accepts a zeroed struct. */
void receive_buffers_fini(struct receive_buffers *buffers);

static inline uint8_t *receive_buffers_at(const struct receive_buffers *buffers, uint16_t id)
{
    return buffers->memory + (size_t)id * buffers->buffer_bytes;
}

/* The buffer may be filled again once receive_buffers_show() was called. */
void receive_buffers_give_back(struct receive_buffers *buffers, uint16_t id);
/* Shows the kernel all that were given back, in one step. */
void receive_buffers_show(struct receive_buffers *buffers);
