/* tests/support/fake_socket.h - the inside of a fake connection, for the two files of the fake kernel. */
#pragma once

#include "tests/support/fake_kernel.h"

#include <sys/socket.h>

struct fake_pipe {
    uint8_t *bytes;
    size_t first;
    size_t count;
    size_t capacity;
};

struct fake_socket {
    struct fake_pipe to_server;
    struct fake_pipe to_client;
    size_t send_buffer;              /* bound of to_client */
    uint32_t listener;               /* that it has connected to */
    struct sockaddr_storage address; /* its own */
    bool has_client_shutdown;
    bool is_reset;
    bool has_server_shutdown;
    bool has_server_closed;
};

/* The server's side. Bytes taken, or -errno. */
int32_t fake_socket_send(struct fake_socket *socket, const uint8_t *bytes, size_t count);
/* Writes its address, of so many bytes, as getsockopt() with SO_PEERNAME does. Their number, or -errno. */
int32_t fake_socket_peer(const struct fake_socket *socket, void *address_r, uint32_t bytes);
/* Takes up to count bytes out. */
size_t fake_pipe_take(struct fake_pipe *pipe, void *bytes, size_t count);
/* Where a client comes from. */
void fake_peer(struct sockaddr_storage *address_r);
/* Would a poll for POLLOUT complete? */
bool fake_socket_is_writable(const struct fake_socket *socket);
/* Would a receive complete? */
bool fake_socket_is_readable(const struct fake_socket *socket);
