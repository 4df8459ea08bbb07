/* bench/floor.c - ringcast-floor: the least that a broadcasting server can do with io_uring, as a yardstick.
 *
 *     ringcast-floor PORT        (127.0.0.1; 0: the kernel chooses; prints the port it listens on)
 *
 * One thread, one set of connections, every frame to everyone, its sender too. All frames of a turn are joined into
 * one block, sent once to each connection with sends that leave no completion (net/ring.c says why that is safe).
 * No channels, no limits, no timers, no checks: whatever comes is taken for what ringcast-load or a like client
 * sends, whole unfragmented frames of 64 KiB at most, and the handshake is answered with the answer to the example
 * key of RFC 6455 1.3. Not for any use but measuring. What a server costs beyond this is the price of being one. */
#include "core/bytes.h"
#include "core/span.h"
#include "net/frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum {
    SLOTS_MAX = 1 << 20,
    BUFFERS = 256,
    BUFFER_BYTES = 4096,
    CHUNK_SENDS = 256, /* in one submit */
    FETCH_ITEMS = 20,  /* that the kernel hands out a call */
    FETCHES_MAX = 16,  /* calls for one turn */
};

enum operation { ACCEPT, RECEIVE, SEND, SEND_REST };

/* What a turn looks at of every slot; the rest is rare. */
enum state { CLOSED, OPEN, BLOCKED };

/* Spans: what did not fit into a socket or has not come whole. */
struct client {
    struct span *to_send; /* while BLOCKED: all that follows what is being sent */
    struct span *sending;
    struct span *received; /* the start of a frame */
};

static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

static struct io_uring uring;
static struct io_uring_buf_ring *lent;
static uint8_t buffers[BUFFERS][BUFFER_BYTES];
static struct client *clients;
static uint8_t *states;     /* of each slot; the kernel gives out low slots first */
static uint32_t slots_used; /* slots from here on were never used */
static struct span *joined; /* frames of this turn */

/* Ends the program when a step of the set-up failed with -errno, and passes on its result otherwise. */
static int must(const char *step, int result)
{
    if (result >= 0) return result;
    fprintf(stderr, "ringcast-floor: %s: %s\n", step, strerror(-result));
    exit(1);
}

static void add(struct span **span, const void *bytes, size_t count)
{
    must("memory", span_append(span, bytes, (uint32_t)count) == RC_OK ? 0 : -ENOMEM);
}

/* Busy and "again" pass; what else the kernel refuses it would refuse for ever. */
static void enter(int result)
{
    must("io_uring_enter", result == -EBUSY || result == -EAGAIN || result == -EINTR ? 0 : result);
}

static struct io_uring_sqe *take_sqe(enum operation operation, uint32_t slot, uint8_t flags)
{
    struct io_uring_sqe *sqe;
    while ((sqe = io_uring_get_sqe(&uring)) == NULL) {
        enter(io_uring_submit(&uring));
    }
    sqe->user_data = (uint64_t)operation << 32 | slot;
    sqe->flags = flags;
    return sqe;
}

static void send_rest(uint32_t slot)
{
    struct client *client = &clients[slot];
    span_free(&client->sending);
    client->sending = client->to_send;
    client->to_send = NULL;
    if (states[slot] == BLOCKED) states[slot] = client->sending != NULL ? BLOCKED : OPEN;
    if (client->sending == NULL) return;
    struct io_uring_sqe *sqe = take_sqe(SEND_REST, slot, IOSQE_FIXED_FILE);
    io_uring_prep_send(sqe, (int)slot, client->sending->bytes, client->sending->count, MSG_NOSIGNAL | MSG_WAITALL);
}

/* A send fell short, told by a completion while the block is still there. */
static void on_short(uint32_t slot, int result)
{
    uint32_t went = result > 0 ? (uint32_t)result : 0;
    if (result < 0 && result != -EAGAIN) return; /* its receive will say that it is gone */
    states[slot] = BLOCKED;
    add(&clients[slot].to_send, joined->bytes + went, joined->count - went);
    send_rest(slot);
}

static void submit_chunk(void)
{
    struct io_uring_cqe *cqe;
    unsigned head;
    enter(io_uring_submit(&uring));
    /* Failed sends are looked for in place, and made void; all else waits for the next turn. */
    io_uring_for_each_cqe(&uring, head, cqe)
    {
        if (cqe->user_data >> 32 != SEND || (uint32_t)cqe->user_data == UINT32_MAX) continue;
        on_short((uint32_t)cqe->user_data, cqe->res);
        cqe->user_data = (uint64_t)SEND << 32 | UINT32_MAX;
    }
}

static void send_joined(void)
{
    uint32_t in_chunk = 0;
    for (uint32_t slot = 0; slot < slots_used; slot++) {
        if (states[slot] == BLOCKED) add(&clients[slot].to_send, joined->bytes, joined->count);
        if (states[slot] != OPEN) continue;
        struct io_uring_sqe *sqe = take_sqe(SEND, slot, IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS);
        io_uring_prep_send(sqe, (int)slot, joined->bytes, joined->count, MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL);
        if (++in_chunk % CHUNK_SENDS == 0) submit_chunk();
    }
    submit_chunk();
    joined->count = 0;
}

/* One frame at the front of `in`, joined without its mask; false: it is not whole. */
static bool take_frame(struct bytes *in)
{
    struct bytes at = *in;
    uint8_t header[FRAME_HEADER_BYTES_MAX], opcode = bytes_u8(&at) & 0x0f;
    uint64_t count = bytes_u8(&at) & 0x7f;
    if (count == 126) count = bytes_u16(&at);
    if (count == 127) count = bytes_u64(&at);
    const uint8_t *key = bytes_take(&at, 4);
    uint8_t *payload = bytes_take(&at, count);
    if (at.ran_short) return false;
    uint32_t mask;
    memcpy(&mask, key, sizeof mask);
    *in = at;
    if (opcode > FRAME_BINARY) return true; /* control frames say nothing to others */
    frame_unmask(payload, count, mask, 0);
    add(&joined, header, frame_header_write(header, (enum frame_opcode)opcode, count));
    add(&joined, payload, count);
    return true;
}

static void take_frames(struct client *client, struct bytes in)
{
    struct span *begun = client->received;
    client->received = NULL;
    if (begun != NULL) {
        add(&begun, in.at, in.count);
        in = bytes_of(begun->bytes, begun->count);
    }
    while (take_frame(&in)) {
    }
    if (in.count > 0) add(&client->received, in.at, in.count);
    span_free(&begun);
}

static void receive(uint32_t slot)
{
    struct io_uring_sqe *sqe = take_sqe(RECEIVE, slot, IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT);
    io_uring_prep_recv_multishot(sqe, (int)slot, NULL, 0, 0);
    sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
}

static void open_client(uint32_t slot)
{
    struct io_uring_sqe *sqe = take_sqe(SEND, UINT32_MAX, IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS);
    io_uring_prep_send(sqe, (int)slot, answer, sizeof answer - 1, MSG_NOSIGNAL | MSG_WAITALL);
    states[slot] = OPEN;
    if (slot >= slots_used) slots_used = slot + 1;
}

static void close_client(uint32_t slot)
{
    states[slot] = CLOSED;
    span_free(&clients[slot].received);
    span_free(&clients[slot].to_send);
    struct io_uring_sqe *sqe = take_sqe(SEND, UINT32_MAX, IOSQE_CQE_SKIP_SUCCESS);
    io_uring_prep_close_direct(sqe, slot);
}

static void on_received(uint32_t slot, const struct io_uring_cqe *cqe)
{
    if (cqe->flags & IORING_CQE_F_BUFFER) {
        uint16_t buffer = (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
        if (states[slot] == CLOSED) {
            open_client(slot); /* a request comes in one piece from those this is for */
        } else {
            take_frames(&clients[slot], bytes_of(buffers[buffer], (size_t)cqe->res));
        }
        io_uring_buf_ring_add(lent, buffers[buffer], BUFFER_BYTES, buffer, BUFFERS - 1, 0);
        io_uring_buf_ring_advance(lent, 1);
    }
    if (cqe->res == 0 || (cqe->res < 0 && cqe->res != -ENOBUFS)) {
        close_client(slot);
    } else if (!(cqe->flags & IORING_CQE_F_MORE)) {
        receive(slot);
    }
}

static void accept_on(int listener)
{
    struct io_uring_sqe *sqe = take_sqe(ACCEPT, (uint32_t)listener, 0);
    io_uring_prep_multishot_accept_direct(sqe, listener, NULL, NULL, 0);
}

static void complete(const struct io_uring_cqe *cqe)
{
    enum operation operation = (enum operation)(cqe->user_data >> 32);
    uint32_t slot = (uint32_t)cqe->user_data;
    if (operation == RECEIVE) on_received(slot, cqe);
    if (operation == SEND_REST) send_rest(slot);
    if (operation != ACCEPT) return;
    if (cqe->res >= 0) receive((uint32_t)cqe->res);
    if (!(cqe->flags & IORING_CQE_F_MORE)) accept_on((int)slot);
}

static uint32_t take_completions(void)
{
    struct io_uring_cqe *cqe;
    uint32_t taken = 0;
    for (; io_uring_peek_cqe(&uring, &cqe) == 0; taken++) {
        struct io_uring_cqe copy = *cqe;
        io_uring_cqe_seen(&uring, cqe);
        complete(&copy);
    }
    return taken;
}

static void turn(void)
{
    enter(io_uring_submit_and_wait(&uring, 1));
    for (int i = 0; take_completions() >= FETCH_ITEMS && i < FETCHES_MAX; i++) {
        enter(io_uring_get_events(&uring));
    }
    if (joined != NULL && joined->count > 0) send_joined();
}

static int listen_on(uint16_t port)
{
    int one = 1, listener = must("socket", socket(AF_INET, SOCK_STREAM, 0));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t bytes = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* connections inherit it */
    must("bind", bind(listener, (const struct sockaddr *)&address, bytes) == 0 ? 0 : -errno);
    must("listen", listen(listener, 4096) == 0 ? 0 : -errno);
    getsockname(listener, (struct sockaddr *)&address, &bytes);
    printf("ringcast-floor listening on ws://127.0.0.1:%u\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

static void set_up(void)
{
    int result = 0;
    struct rlimit limit = {0};
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                              IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE,
                                     .cq_entries = 65536};
    getrlimit(RLIMIT_NOFILE, &limit); /* bounds the table; the process itself needs few descriptors */
    uint32_t slots = limit.rlim_max < SLOTS_MAX ? (uint32_t)limit.rlim_max : SLOTS_MAX;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    clients = calloc(slots, sizeof clients[0]);
    states = calloc(slots, sizeof states[0]);
    must("memory", clients != NULL && states != NULL ? 0 : -ENOMEM);
    must("io_uring", io_uring_queue_init_params(4096, &uring, &params));
    must("table of sockets", io_uring_register_files_sparse(&uring, slots));
    io_uring_register_ring_fd(&uring);
    lent = io_uring_setup_buf_ring(&uring, BUFFERS, 0, 0, &result);
    must("receive buffers", result);
    for (int i = 0; i < BUFFERS; i++) {
        io_uring_buf_ring_add(lent, buffers[i], BUFFER_BYTES, (uint16_t)i, BUFFERS - 1, i);
    }
    io_uring_buf_ring_advance(lent, BUFFERS);
}

int main(int argc, char **argv)
{
    char *end;
    unsigned long port = argc == 2 ? strtoul(argv[1], &end, 10) : ULONG_MAX;
    if (port > UINT16_MAX || *end != '\0') {
        fprintf(stderr, "usage: ringcast-floor PORT\n");
        return 2;
    }
    set_up();
    accept_on(listen_on((uint16_t)port));
    for (;;) {
        turn();
    }
}
