/* bench/load/load_connect.c - opens all connections, at the pace asked for or as fast as answers come. */
#include "bench/load/load.h"

#include "bench/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#define HANDSHAKES_MAX 256u /* in flight, of all threads: fewer than any listener's backlog */
#define SLOW_BUFFER    4096 /* what a slow reader's kernel takes for it, before doubling it */
#define SILENCE_NS_MAX (10 * NS_PER_SECOND)
#define WAIT_NS_MAX    (NS_PER_SECOND / 10)

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
    int descriptor = socket(options->server.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
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
    load_ring_connect(&load->ring, slot, (const struct sockaddr *)&options->server, options->server_bytes);
    return true;
}

/* How many connections the ramp allows to have been started by now. */
static uint32_t ramp_allows(const struct load *load, uint64_t passed_ns)
{
    if (load->options->ramp == 0) return load->slots;
    double pace = (double)load->options->ramp * load->members / load->options->connections;
    double allowed = 1 + (double)passed_ns * pace / (double)NS_PER_SECOND;
    return allowed < load->slots ? (uint32_t)allowed : load->slots;
}

bool load_connect(struct load *load)
{
    uint32_t all = load->slots, most = HANDSHAKES_MAX / load->options->threads;
    uint64_t begun_ns = clock_ns();
    load->heard_ns = begun_ns;
    while (load->open < all) {
        uint64_t now_ns = clock_ns();
        uint32_t allowed = ramp_allows(load, now_ns - begun_ns);
        if (load->started == load->open) load->heard_ns = now_ns; /* nobody owes an answer: the ramp is slow */
        while (load->started < allowed && load->started - load->open < most) {
            if (!load_start(load, load->started++)) return false;
        }
        bool waits_for_ramp = load->started == allowed && allowed < all;
        if (!load_turn(load, waits_for_ramp ? NS_PER_SECOND / 1000 : WAIT_NS_MAX)) return false;
        if (clock_ns() - load->heard_ns > SILENCE_NS_MAX) {
            return load_fail(load, LOAD_UNABLE, "the server answers no more: %u of %u connections are open",
                             load->open, all);
        }
    }
    return true;
}
