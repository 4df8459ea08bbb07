/* bench/load/load_ring.c - set up, ask and hear one io_uring of a client. */
#include "bench/load/load_ring.h"

#include "bench/clock.h"
#include "net/refusal.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define SUBMISSIONS 4096
#define COMPLETIONS 32768
#define BUFFERS_MAX 2048u
#define FETCH_ITEMS \
    20 /* the kernel hands out at most this many pending items a call (6.13), then wants to be asked */

static enum rc refuse(struct load_ring *ring, const char *call, int error, char *reason, size_t size)
{
    refusal_of_io_uring(call, error, reason, size);
    load_ring_fini(ring);
    return error == ENOMEM ? RC_ENOMEM : RC_EKERNEL;
}

static int lend_buffers(struct load_ring *ring, uint32_t buffer_bytes, uint32_t buffers_bytes)
{
    int result;
    ring->buffer_bytes = buffer_bytes;
    ring->buffers_max = BUFFERS_MAX;
    while ((uint64_t)ring->buffers_max * buffer_bytes > buffers_bytes) {
        ring->buffers_max /= 2;
    }
    ring->buffers = malloc((size_t)ring->buffers_max * buffer_bytes);
    if (ring->buffers == NULL) return -ENOMEM;
    ring->lent = io_uring_setup_buf_ring(&ring->uring, ring->buffers_max, 0, 0, &result);
    if (ring->lent == NULL) return result;
    for (uint32_t i = 0; i < ring->buffers_max; i++) {
        io_uring_buf_ring_add(ring->lent, ring->buffers + (size_t)i * buffer_bytes, buffer_bytes, (uint16_t)i,
                              io_uring_buf_ring_mask(ring->buffers_max), (int)i);
    }
    io_uring_buf_ring_advance(ring->lent, (int)ring->buffers_max);
    return 0;
}

static bool is_passing(int result)
{
    return result >= 0 || result == -ETIME || result == -EINTR || result == -EBUSY || result == -EAGAIN;
}

static struct io_uring_sqe *take_sqe(struct load_ring *ring)
{
    struct io_uring_sqe *sqe;
    while ((sqe = io_uring_get_sqe(&ring->uring)) == NULL && ring->error == 0) {
        int result = io_uring_submit(&ring->uring);
        if (!is_passing(result)) ring->error = -result;
    }
    return sqe != NULL ? sqe : &ring->nowhere;
}

enum rc load_ring_init(struct load_ring *ring, uint32_t slots_max, uint32_t buffer_bytes, uint32_t buffers_bytes,
                       char *reason, size_t size)
{
    *ring = (struct load_ring){0};
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                              IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE,
                                     .cq_entries = COMPLETIONS};
    int result = io_uring_queue_init_params(SUBMISSIONS, &ring->uring, &params);
    if (result < 0) return refuse(ring, "io_uring_setup", -result, reason, size);
    ring->is_set_up = true;
    io_uring_register_ring_fd(&ring->uring);
    if ((result = io_uring_register_files_sparse(&ring->uring, slots_max)) < 0) {
        return refuse(ring, "io_uring_register", -result, reason, size);
    }
    if ((result = lend_buffers(ring, buffer_bytes, buffers_bytes)) < 0) {
        return refuse(ring, "io_uring_register", -result, reason, size);
    }
    io_uring_prep_nop(take_sqe(ring)); /* the third call, tried before anything depends on it */
    result = load_ring_wait(ring, NS_PER_SECOND);
    if (result != 0) return refuse(ring, "io_uring_enter", result, reason, size);
    io_uring_cq_advance(&ring->uring, io_uring_cq_ready(&ring->uring));
    return RC_OK;
}

void load_ring_fini(struct load_ring *ring)
{
    if (ring->lent != NULL) io_uring_free_buf_ring(&ring->uring, ring->lent, ring->buffers_max, 0);
    if (ring->is_set_up) io_uring_queue_exit(&ring->uring);
    free(ring->buffers);
    *ring = (struct load_ring){0};
}

/* ---- asking ---- */

enum rc load_ring_adopt(struct load_ring *ring, uint32_t slot, int socket)
{
    int result = io_uring_register_files_update(&ring->uring, slot, &socket, 1);
    close(socket);
    return result == 1 ? RC_OK : RC_EKERNEL;
}

static void address_to(struct io_uring_sqe *sqe, enum load_event_kind kind, uint32_t slot)
{
    sqe->flags |= IOSQE_FIXED_FILE;
    sqe->user_data = (uint64_t)kind << 32 | slot;
}

void load_ring_connect(struct load_ring *ring, uint32_t slot, const struct sockaddr *address, socklen_t bytes)
{
    struct io_uring_sqe *sqe = take_sqe(ring);
    io_uring_prep_connect(sqe, (int)slot, address, bytes);
    address_to(sqe, LOAD_CONNECTED, slot);
}

void load_ring_receive(struct load_ring *ring, uint32_t slot)
{
    struct io_uring_sqe *sqe = take_sqe(ring);
    io_uring_prep_recv_multishot(sqe, (int)slot, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
    address_to(sqe, LOAD_RECEIVED, slot);
}

void load_ring_receive_some(struct load_ring *ring, uint32_t slot, uint32_t bytes_max)
{
    struct io_uring_sqe *sqe = take_sqe(ring);
    io_uring_prep_recv(sqe, (int)slot, NULL, bytes_max < ring->buffer_bytes ? bytes_max : ring->buffer_bytes, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
    address_to(sqe, LOAD_RECEIVED, slot);
}

void load_ring_send(struct load_ring *ring, uint32_t slot, const void *bytes, size_t count)
{
    struct io_uring_sqe *sqe = take_sqe(ring);
    io_uring_prep_send(sqe, (int)slot, bytes, count, MSG_NOSIGNAL | MSG_WAITALL);
    address_to(sqe, LOAD_SENT, slot);
}

void load_ring_shutdown(struct load_ring *ring, uint32_t slot)
{
    struct io_uring_sqe *sqe = take_sqe(ring);
    io_uring_prep_shutdown(sqe, (int)slot, SHUT_RDWR);
    address_to(sqe, LOAD_SHUT, slot);
}

int load_ring_descriptor(const struct load_ring *ring)
{
    return ring->uring.ring_fd;
}

void load_ring_doorbell(struct load_ring *ring, int other_descriptor)
{
    struct io_uring_sqe *sqe = take_sqe(ring);
    io_uring_prep_msg_ring(sqe, other_descriptor, 0, (uint64_t)LOAD_DOORBELL << 32, 0);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = (uint64_t)LOAD_DOORBELL << 32; /* a failed one wakes ourselves, and is rung again next turn */
}

/* ---- hearing ---- */

int load_ring_wait(struct load_ring *ring, uint64_t timeout_ns)
{
    if (ring->error != 0) return ring->error;
    struct io_uring_cqe *cqe;
    struct __kernel_timespec timeout = {.tv_sec = (int64_t)(timeout_ns / NS_PER_SECOND),
                                        .tv_nsec = (int64_t)(timeout_ns % NS_PER_SECOND)};
    int result = timeout_ns == 0 ? io_uring_submit_and_get_events(&ring->uring)
                                 : io_uring_submit_and_wait_timeout(&ring->uring, &cqe, 1, &timeout, NULL);
    ring->taken = 0;
    if (!is_passing(result)) ring->error = -result;
    return ring->error;
}

bool load_ring_next(struct load_ring *ring, struct load_event *event)
{
    struct io_uring_cqe *cqe;
    if (io_uring_peek_cqe(&ring->uring, &cqe) != 0) {
        bool has_more = ring->taken >= FETCH_ITEMS || io_uring_cq_has_overflow(&ring->uring);
        ring->taken = 0;
        if (!has_more || io_uring_get_events(&ring->uring) < 0 || io_uring_peek_cqe(&ring->uring, &cqe) != 0) {
            return false;
        }
    }
    ring->taken++;
    *event = (struct load_event){.kind = (enum load_event_kind)(cqe->user_data >> 32),
                                 .slot = (uint32_t)cqe->user_data,
                                 .result = cqe->res,
                                 .more = (cqe->flags & IORING_CQE_F_MORE) != 0,
                                 .has_buffer = (cqe->flags & IORING_CQE_F_BUFFER) != 0};
    if (event->has_buffer) {
        event->buffer = (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
        event->bytes =
            bytes_of(ring->buffers + (size_t)event->buffer * ring->buffer_bytes, cqe->res > 0 ? (size_t)cqe->res : 0);
    }
    io_uring_cqe_seen(&ring->uring, cqe);
    return true;
}

void load_ring_give_back(struct load_ring *ring, const struct load_event *event)
{
    if (!event->has_buffer) return;
    io_uring_buf_ring_add(ring->lent, ring->buffers + (size_t)event->buffer * ring->buffer_bytes, ring->buffer_bytes,
                          event->buffer, io_uring_buf_ring_mask(ring->buffers_max), 0);
    io_uring_buf_ring_advance(ring->lent, 1);
}
