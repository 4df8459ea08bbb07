/* net/receive_buffers.c - a provided-buffer ring (IORING_REGISTER_PBUF_RING). */
#include "net/receive_buffers.h"

#include <assert.h>
#include <errno.h>
#include <sys/mman.h>

#define GROUP 0

static void *map(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    return memory != MAP_FAILED ? memory : NULL;
}

enum rc receive_buffers_init(struct receive_buffers *buffers, struct io_uring *ring, uint32_t count,
                             uint32_t buffer_bytes, int *errno_r)
{
    assert(count > 0 && (count & (count - 1)) == 0 && buffer_bytes > 0);
    *buffers = (struct receive_buffers){.count = count, .buffer_bytes = buffer_bytes};
    buffers->memory = map((size_t)count * buffer_bytes);
    buffers->queue = map(count * sizeof(struct io_uring_buf));
    if (buffers->memory == NULL || buffers->queue == NULL) {
        receive_buffers_fini(buffers);
        *errno_r = ENOMEM;
        return RC_ENOMEM;
    }
    struct io_uring_buf_reg registration = {
        .ring_addr = (uintptr_t)buffers->queue, .ring_entries = count, .bgid = GROUP};
    int result = io_uring_register_buf_ring(ring, &registration, 0);
    if (result != 0) {
        receive_buffers_fini(buffers);
        *errno_r = -result;
        return result == -ENOMEM ? RC_ENOMEM : RC_EKERNEL;
    }
    io_uring_buf_ring_init(buffers->queue);
    for (uint32_t id = 0; id < count; id++) {
        receive_buffers_give_back(buffers, (uint16_t)id);
    }
    receive_buffers_show(buffers);
    return RC_OK;
}

void receive_buffers_fini(struct receive_buffers *buffers)
{
    if (buffers->queue != NULL) munmap(buffers->queue, buffers->count * sizeof(struct io_uring_buf));
    if (buffers->memory != NULL) munmap(buffers->memory, (size_t)buffers->count * buffers->buffer_bytes);
    *buffers = (struct receive_buffers){0};
}

void receive_buffers_give_back(struct receive_buffers *buffers, uint16_t id)
{
    assert(id < buffers->count && buffers->given_back < buffers->count);
    io_uring_buf_ring_add(buffers->queue, receive_buffers_at(buffers, id), buffers->buffer_bytes, id,
                          io_uring_buf_ring_mask(buffers->count), (int)buffers->given_back);
    buffers->given_back++;
}

void receive_buffers_show(struct receive_buffers *buffers)
{
    if (buffers->given_back == 0) return;
    io_uring_buf_ring_advance(buffers->queue, (int)buffers->given_back);
    buffers->given_back = 0;
}
