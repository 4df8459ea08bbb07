/* bench/load/load_start.c - begins a connection, and asks for what it has to read. */
#include "bench/load/load.h"

#include "bench/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#define SLOW_BUFFER      4096 /* what a slow reader's kernel takes for it, before doubling it */
#define READS_PER_SECOND 10u

static bool bind_source(struct load *load, int descriptor, uint32_t slot)
{
    int one = 1;
    uint32_t first = load->options->source_first;
    uint32_t number = layout_number(&load->layout, load->first + slot);
    if (first == 0) return true;
    struct sockaddr_in source = {.sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl(first + number / LOAD_ADDRESS_CONNECTIONS)};
    /* The port is chosen at connect, when the whole four-tuple is known, and not kept from other destinations. */
    setsockopt(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(descriptor, (const struct sockaddr *)&source, sizeof source) == 0) return true;
    char text[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &source.sin_addr, text, sizeof text);
    return load_fail(load, LOAD_UNABLE, "cannot connect from %s: %s", text, strerror(errno));
}

bool load_start(struct load *load, uint32_t slot)
{
    int one = 1, small = SLOW_BUFFER;
    const struct load_options *options = load->options;
    uint32_t number = layout_number(&load->layout, load->first + slot);
    const struct load_address *server = &options->servers[number % options->servers_count];
    int descriptor = socket(server->socket.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return load_fail(load, LOAD_UNABLE, "no socket for connection %u: %s", slot, strerror(errno));
    if (!bind_source(load, descriptor, slot)) {
        close(descriptor);
        return false;
    }
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (load->connections[slot].kind == LOAD_SLOW) {
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    }
    if (load_ring_adopt(&load->ring, slot, descriptor) != RC_OK) {
        return load_fail(load, LOAD_UNABLE, "no place in io_uring's table for connection %u", slot);
    }
    load_ring_connect(&load->ring, slot, (const struct sockaddr *)&server->socket, server->bytes);
    return true;
}

uint32_t load_piece_bytes(const struct load *load)
{
    uint32_t bytes = load->options->slow_bytes / READS_PER_SECOND;
    return bytes > 0 ? bytes : 1;
}

void load_receive(struct load *load, uint32_t slot)
{
    struct load_connection *connection = &load->connections[slot];
    if (connection->stage == LOAD_CLOSED) return;
    if (connection->kind != LOAD_SLOW) {
        load_ring_receive(&load->ring, slot);
    } else if (connection->stage < LOAD_OPEN || load->slow_catch_up) {
        load_ring_receive_some(&load->ring, slot, UINT32_MAX);
        connection->is_reading = true;
    } else {
        double wait_ns = (double)load_piece_bytes(load) * (double)NS_PER_SECOND / load->options->slow_bytes;
        connection->read_at_ns = clock_ns() + (uint64_t)wait_ns;
        if (connection->read_at_ns < load->slow_due_ns) load->slow_due_ns = connection->read_at_ns;
    }
}
