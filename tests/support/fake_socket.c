/* tests/support/fake_socket.c - two pipes with a bound on one of them. */
#include "tests/support/fake_socket.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static void pipe_put(struct fake_pipe *pipe, const void *bytes, size_t count)
{
    if (pipe->first + pipe->count + count > pipe->capacity) {
        size_t capacity = 2 * (pipe->count + count);
        uint8_t *larger = reallocarray(NULL, 1, capacity);
        assert(larger != NULL);
        if (pipe->count > 0) memcpy(larger, pipe->bytes + pipe->first, pipe->count);
        free(pipe->bytes);
        *pipe = (struct fake_pipe){.bytes = larger, .count = pipe->count, .capacity = capacity};
    }
    if (count > 0) memcpy(pipe->bytes + pipe->first + pipe->count, bytes, count);
    pipe->count += count;
}

size_t fake_pipe_take(struct fake_pipe *pipe, void *bytes, size_t count)
{
    if (count > pipe->count) count = pipe->count;
    if (count > 0) memcpy(bytes, pipe->bytes + pipe->first, count);
    pipe->first += count;
    pipe->count -= count;
    return count;
}

int32_t fake_socket_send(struct fake_socket *socket, const uint8_t *bytes, size_t count)
{
    if (socket->is_reset) return -ECONNRESET;
    if (socket->has_server_shutdown) return -EPIPE;
    size_t room = socket->send_buffer - socket->to_client.count;
    if (room == 0 && count > 0) return -EAGAIN;
    if (count > room) count = room;
    pipe_put(&socket->to_client, bytes, count);
    return (int32_t)count;
}

int32_t fake_socket_peer(const struct fake_socket *socket, void *address_r, uint32_t bytes)
{
    uint32_t most = socket->address.ss_family == AF_INET    ? sizeof(struct sockaddr_in)
                    : socket->address.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                            : sizeof(sa_family_t);
    if (bytes > most) return -EINVAL;
    memcpy(address_r, &socket->address, bytes);
    return (int32_t)bytes;
}

bool fake_socket_is_writable(const struct fake_socket *socket)
{
    return socket->is_reset || socket->to_client.count <= socket->send_buffer / 2;
}

bool fake_socket_is_readable(const struct fake_socket *socket)
{
    return socket->is_reset || socket->has_client_shutdown || socket->to_server.count > 0;
}

void fake_socket_free(struct fake_socket *socket)
{
    if (socket == NULL) return;
    free(socket->to_server.bytes);
    free(socket->to_client.bytes);
    free(socket);
}

void fake_write(struct fake_socket *socket, const void *bytes, size_t count)
{
    if (!socket->is_reset && !socket->has_server_closed) pipe_put(&socket->to_server, bytes, count);
}

size_t fake_read(struct fake_socket *socket, void *bytes, size_t room)
{
    return fake_pipe_take(&socket->to_client, bytes, room);
}

bool fake_is_at_end(const struct fake_socket *socket)
{
    bool is_over = socket->has_server_shutdown || socket->has_server_closed;
    return socket->is_reset || (is_over && socket->to_client.count == 0);
}

void fake_shutdown(struct fake_socket *socket)
{
    socket->has_client_shutdown = true;
}

void fake_reset(struct fake_socket *socket)
{
    socket->is_reset = true;
}
