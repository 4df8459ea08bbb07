/* net/ring.c - set up, submit, wait, drain one io_uring.
 *
 * Not obvious: a send leaves no completion when it went whole (IOSQE_CQE_SKIP_SUCCESS). That is safe only together
 * with MSG_WAITALL, which makes a short send a failure, and MSG_DONTWAIT, which reports it at once instead of
 * waiting; the copy into the socket is over when the submit returns, so shared frames need no completion to be let
 * go. */
#include "net/ring.h"

#include "net/receive_buffers.h"
#include "net/refusal.h"

#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* With deferred task work one call to the kernel runs at most 20 pending items (kernel 6.13); a turn that got so many
 * asks again, this often at most, so that one send carries all that a busy turn has for a connection. */
#define FETCH_ITEMS      20
#define FETCHES_PER_TURN 16
#define PROBE_OPS        256
#define FAILURES_MAX     100 /* calls in a row that fail as none should: it is for good */

/* What one receive may take in all before it ends, and others have their turn. Kernels before 6.17 refuse to be told,
 * and take 32 buffers in a row. */
#define RECEIVE_BYTES_AT_ONCE 8192

struct ring {
    struct io_uring uring;
    struct receive_buffers buffers;
    /* Completions met while only failed sends were looked for; taken before those in the completion queue. */
    struct io_uring_cqe *deferred;
    uint32_t deferred_max;
    uint32_t deferred_count;
    uint32_t deferred_next;
    uint32_t taken;   /* from the completion queue since the last call to the kernel */
    uint32_t fetches; /* calls to fetch more in this turn */
    uint64_t overflows;
    uint32_t receive_bytes_at_once; /* 0: the kernel refuses it */
    uint32_t failures;              /* of calls to the kernel, in a row */
    int error;                      /* errno, once they fail for good */
    struct io_uring_sqe nowhere;    /* takes what is asked for from then on */
    bool is_set_up;
    bool is_drained; /* ring_next() has found none since the last wait */
};

static unsigned setup_flags(void)
{
    return IORING_SETUP_SINGLE_ISSUER   /* one thread per ring: the kernel takes no lock for others */
           | IORING_SETUP_DEFER_TASKRUN /* completions are made when we ask, not by interrupting us */
           | IORING_SETUP_SUBMIT_ALL    /* one refused operation does not hold back those behind it */
           | IORING_SETUP_CQSIZE        /* room for an accept storm and a burst of receives */
           | IORING_SETUP_CLAMP;        /* sizes beyond the kernel's are cut, not refused */
}

/* ---- whether it can be used here ---- */

static enum rc refuse(const char *call, int error, char *reason, size_t size)
{
    refusal_of_io_uring(call, error, reason, size);
    return error == ENOMEM ? RC_ENOMEM : RC_EKERNEL;
}

/* Something that this kernel lacks, NULL, or an error of the call. */
static int find_missing(struct io_uring *uring, const char **missing_r)
{
    static const struct {
        unsigned op;
        const char *name;
    } needed[] = {{IORING_OP_ACCEPT, "ACCEPT"},     {IORING_OP_RECV, "RECV"},
                  {IORING_OP_SEND, "SEND"},         {IORING_OP_POLL_ADD, "POLL_ADD"},
                  {IORING_OP_CLOSE, "CLOSE"},       {IORING_OP_ASYNC_CANCEL, "ASYNC_CANCEL"},
                  {IORING_OP_MSG_RING, "MSG_RING"}, {IORING_OP_SHUTDOWN, "SHUTDOWN"}};
    struct io_uring_probe *probe = calloc(1, sizeof *probe + PROBE_OPS * sizeof probe->ops[0]);
    int result = probe != NULL ? io_uring_register_probe(uring, probe, PROBE_OPS) : -ENOMEM;
    for (size_t i = 0; result == 0 && i < sizeof needed / sizeof needed[0]; i++) {
        if (!io_uring_opcode_supported(probe, (int)needed[i].op)) *missing_r = needed[i].name;
    }
    if (!(uring->features & IORING_FEAT_EXT_ARG)) *missing_r = "EXT_ARG";
    if (!(uring->features & IORING_FEAT_CQE_SKIP)) *missing_r = "CQE_SKIP";
    free(probe);
    return result;
}

/* Lets one operation that does nothing complete. 0 or -errno. */
static int complete_no_op(struct io_uring *uring)
{
    int result;
    io_uring_prep_nop(io_uring_get_sqe(uring));
    do {
        result = io_uring_submit_and_wait(uring, 1);
    } while (result == -EINTR);
    return result < 0 ? result : 0;
}

enum rc ring_probe(char *line_r, size_t line_size)
{
    struct io_uring uring;
    struct utsname system;
    const char *missing = NULL;
    struct io_uring_params params = {.flags = setup_flags(), .cq_entries = 64};
    int result = io_uring_queue_init_params(8, &uring, &params);
    if (result < 0) return refuse("io_uring_setup", -result, line_r, line_size);
    const char *call = "io_uring_register";
    result = find_missing(&uring, &missing);
    if (result == 0) {
        call = "io_uring_enter";
        result = complete_no_op(&uring);
    }
    io_uring_queue_exit(&uring);
    if (result < 0) return refuse(call, -result, line_r, line_size);
    uname(&system);
    if (missing != NULL) {
        snprintf(line_r, line_size, "io_uring of kernel %s lacks %s: run Linux 6.1 or newer", system.release,
                 missing);
        return RC_EKERNEL;
    }
    snprintf(line_r, line_size,
             "io_uring of kernel %s: single issuer, deferred task work, direct descriptors, provided buffers, "
             "features 0x%x",
             system.release, params.features);
    return RC_OK;
}

/* ---- life ---- */

void ring_library(char *text_r, size_t size)
{
    snprintf(text_r, size, "liburing %d.%d", io_uring_major_version(), io_uring_minor_version());
}

enum rc ring_new(struct ring **ring_r, const struct ring_setup *setup, char *reason_r, size_t reason_size)
{
    int error = ENOMEM;
    struct ring *ring = calloc(1, sizeof *ring);
    if (ring == NULL) return refuse("calloc", ENOMEM, reason_r, reason_size);
    /* Disabled: made here, where errors can be told, and enabled by the thread that will use it. */
    struct io_uring_params params = {.flags = setup_flags() | IORING_SETUP_R_DISABLED,
                                     .cq_entries = setup->completions};
    int result = io_uring_queue_init_params(setup->submissions, &ring->uring, &params);
    if (result < 0) {
        free(ring);
        return refuse("io_uring_setup", -result, reason_r, reason_size);
    }
    ring->is_set_up = true;
    ring->deferred_max = params.cq_entries;
    ring->deferred = malloc(ring->deferred_max * sizeof ring->deferred[0]);
    if (ring->deferred == NULL) goto fail;
    result = io_uring_register_files_sparse(&ring->uring, setup->slots);
    if (result == -EMFILE) {
        snprintf(reason_r, reason_size,
                 "a table of %u connections is more than this process may have descriptors: raise RLIMIT_NOFILE "
                 "(ulimit -n, LimitNOFILE=) or lower --connections-max",
                 setup->slots);
        ring_free(ring);
        return RC_EKERNEL;
    }
    if (result < 0) {
        error = -result;
        goto fail;
    }
    if (receive_buffers_init(&ring->buffers, &ring->uring, setup->buffers, setup->buffer_bytes, &error) != RC_OK) {
        goto fail;
    }
    *ring_r = ring;
    return RC_OK;
fail:
    ring_free(ring);
    return refuse("io_uring_register", error, reason_r, reason_size);
}

void ring_free(struct ring *ring)
{
    if (ring == NULL) return;
    if (ring->is_set_up) io_uring_queue_exit(&ring->uring);
    receive_buffers_fini(&ring->buffers);
    free(ring->deferred);
    free(ring);
}

/* Does the kernel take a bound for what one receive brings at once? Asked with a byte of our own and its end. */
static bool takes_receive_bound(struct ring *ring)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return false;
    bool is_taken = write(pair[1], "", 1) == 1, has_more = true;
    close(pair[1]);
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);
    io_uring_prep_recv_multishot(sqe, pair[0], NULL, 0, 0);
    sqe->optlen = RECEIVE_BYTES_AT_ONCE;
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->user_data = op_pack(OP_CANCEL, 0, 0); /* should it come later after all, nobody minds it */
    receive_buffers_show(&ring->buffers);
    while (has_more) {
        struct io_uring_cqe *cqe;
        int result = io_uring_submit_and_wait(&ring->uring, 1);
        if (result == -EINTR) continue;
        if (result < 0 || io_uring_peek_cqe(&ring->uring, &cqe) != 0) {
            is_taken = false;
            break;
        }
        if (cqe->res < 0) is_taken = false;
        has_more = (cqe->flags & IORING_CQE_F_MORE) != 0;
        if (cqe->flags & IORING_CQE_F_BUFFER) ring_give_back(ring, (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT));
        io_uring_cqe_seen(&ring->uring, cqe);
    }
    close(pair[0]);
    return is_taken;
}

enum rc ring_enable(struct ring *ring)
{
    if (io_uring_enable_rings(&ring->uring) < 0) return RC_EKERNEL;
    /* Spares a look-up of the ring's descriptor in every call; going without is only slower. */
    io_uring_register_ring_fd(&ring->uring);
    if (takes_receive_bound(ring)) ring->receive_bytes_at_once = RECEIVE_BYTES_AT_ONCE;
    return RC_OK;
}

int ring_descriptor(const struct ring *ring)
{
    return ring->uring.ring_fd;
}

uint64_t ring_overflows(const struct ring *ring)
{
    return ring->overflows;
}

/* ---- asking ---- */

/* Keeps what is in the completion queue for ring_next(), so that the kernel has room again, but for failed sends,
 * which are told. What no longer fits stays where it is; a failed send behind it is told too and becomes a completion
 * that nobody minds. */
static uint32_t set_completions_aside(struct ring *ring, struct send_failure *failures)
{
    assert(ring->deferred_next <= ring->deferred_count && ring->deferred_count <= ring->deferred_max);
    struct io_uring_cqe *cqe;
    unsigned head, seen = 0;
    uint32_t failed = 0;
    bool is_full = false;
    ring->deferred_count -= ring->deferred_next; /* those taken make room */
    memmove(ring->deferred, ring->deferred + ring->deferred_next, ring->deferred_count * sizeof ring->deferred[0]);
    ring->deferred_next = 0;
    io_uring_for_each_cqe(&ring->uring, head, cqe)
    {
        bool is_failed_send = op_kind(cqe->user_data) == OP_SEND;
        is_full = is_full || (!is_failed_send && ring->deferred_count == ring->deferred_max);
        if (is_failed_send) {
            failures[failed++] = (struct send_failure){.index = op_life(cqe->user_data), .result = cqe->res};
            cqe->user_data = op_pack(OP_CANCEL, 0, 0);
        } else if (!is_full) {
            ring->deferred[ring->deferred_count++] = *cqe;
        }
        if (!is_full) seen++;
    }
    io_uring_cq_advance(&ring->uring, seen);
    return failed;
}

/* Looks at what a call to the kernel returned. Busy and "again" mean a full completion queue or no memory for a
 * request: what was asked for stays queued. Anything else nobody expects, and if it goes on it is for good. */
static int checked(struct ring *ring, int result)
{
    bool is_expected = result >= 0 || result == -ETIME || result == -EINTR || result == -EBUSY || result == -EAGAIN;
    ring->failures = is_expected ? 0 : ring->failures + 1;
    if (ring->failures == FAILURES_MAX) ring->error = -result;
    return result;
}

/* Submits everything. Only a kernel without memory for a request makes this try again. */
static void submit_all(struct ring *ring)
{
    while (io_uring_sq_ready(&ring->uring) > 0 && ring->error == 0) {
        if (checked(ring, io_uring_submit(&ring->uring)) >= 0) continue;
        if (io_uring_cq_has_overflow(&ring->uring)) checked(ring, io_uring_get_events(&ring->uring));
        sched_yield();
    }
}

static struct io_uring_sqe *take_sqe(struct ring *ring)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);
    if (sqe == NULL) {
        submit_all(ring);
        sqe = ring->error == 0 ? io_uring_get_sqe(&ring->uring) : &ring->nowhere;
        assert(sqe != NULL);
    }
    return sqe;
}

void ring_accept(struct ring *ring, int listener, uint32_t tag)
{
    struct io_uring_sqe *sqe = take_sqe(ring);
    io_uring_prep_multishot_accept_direct(sqe, listener, NULL, NULL, 0);
    sqe->user_data = op_pack(OP_ACCEPT, 0, tag);
}

void ring_accept_one(struct ring *ring, int listener, uint32_t tag)
{
    struct io_uring_sqe *sqe = take_sqe(ring);
    io_uring_prep_accept_direct(sqe, listener, NULL, NULL, 0, IORING_FILE_INDEX_ALLOC);
    sqe->user_data = op_pack(OP_ACCEPT, 0, tag);
}

void ring_accept_from(struct ring *ring, int listener, uint32_t tag, struct ring_peer *peer)
{
    struct io_uring_sqe *sqe = take_sqe(ring);
    peer->bytes = sizeof peer->address;
    io_uring_prep_accept_direct(sqe, listener, (struct sockaddr *)&peer->address, &peer->bytes, 0,
                                IORING_FILE_INDEX_ALLOC);
    sqe->user_data = op_pack(OP_ACCEPT, 0, tag);
}

static void cancel(struct ring *ring, uint64_t user_data)
{
    struct io_uring_sqe *sqe = take_sqe(ring);
    io_uring_prep_cancel64(sqe, user_data, 0);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = op_pack(OP_CANCEL, 0, 0);
}

void ring_cancel_accept(struct ring *ring, uint32_t tag)
{
    cancel(ring, op_pack(OP_ACCEPT, 0, tag));
}

void ring_receive(struct ring *ring, uint32_t slot, uint32_t life)
{
    struct io_uring_sqe *sqe = take_sqe(ring);
    /* Not POLL_FIRST: of bytes and a reset that were there before it, a poll would tell the bytes alone. */
    io_uring_prep_recv_multishot(sqe, (int)slot, NULL, 0, 0);
    sqe->optlen = ring->receive_bytes_at_once; /* then it ends, and whoever waits comes before the next one */
    sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
    sqe->buf_group = 0;
    sqe->user_data = op_pack(OP_RECEIVE, life, slot);
}

void ring_receive_once(struct ring *ring, uint32_t slot, uint32_t life)
{
    struct io_uring_sqe *sqe = take_sqe(ring);
    io_uring_prep_recv(sqe, (int)slot, NULL, 0, 0); /* as many bytes as the buffer has room for */
    sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
    sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
    sqe->buf_group = 0;
    sqe->user_data = op_pack(OP_RECEIVE, life, slot);
}

void ring_cancel_receive(struct ring *ring, uint32_t slot, uint32_t life)
{
    cancel(ring, op_pack(OP_RECEIVE, life, slot));
}

void ring_give_back(struct ring *ring, uint16_t buffer)
{
    receive_buffers_give_back(&ring->buffers, buffer);
}

void ring_send(struct ring *ring, uint32_t slot, uint32_t index, const uint8_t *bytes, size_t count)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);
    if (sqe == NULL && ring->error != 0) sqe = &ring->nowhere;
    assert(sqe != NULL); /* ring_send_room() was asked: a submit in between would lose failures */
    io_uring_prep_send(sqe, (int)slot, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL);
    sqe->flags |= IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = op_pack(OP_SEND, index, slot);
}

uint32_t ring_send_room(const struct ring *ring)
{
    return ring->error == 0 ? io_uring_sq_space_left(&ring->uring) : UINT32_MAX;
}

uint32_t ring_submit_sends(struct ring *ring, struct send_failure *failures_r)
{
    uint32_t failed = 0;
    submit_all(ring);
    if (io_uring_cq_ready(&ring->uring) > 0) failed = set_completions_aside(ring, failures_r);
    /* With a full queue the kernel kept some back, maybe failures: now there is room for them. */
    while (io_uring_cq_has_overflow(&ring->uring) && ring->deferred_count < ring->deferred_max && ring->error == 0) {
        ring->overflows++;
        checked(ring, io_uring_get_events(&ring->uring));
        failed += set_completions_aside(ring, failures_r + failed);
    }
    return failed;
}

void ring_await_writable(struct ring *ring, uint32_t slot, uint32_t life)
{
    struct io_uring_sqe *sqe = take_sqe(ring);
    io_uring_prep_poll_add(sqe, (int)slot, POLLOUT);
    sqe->flags |= IOSQE_FIXED_FILE;
    sqe->user_data = op_pack(OP_WRITABLE, life, slot);
}

void ring_cancel_writable(struct ring *ring, uint32_t slot, uint32_t life)
{
    cancel(ring, op_pack(OP_WRITABLE, life, slot));
}

void ring_ask_unacked(struct ring *ring, uint32_t slot, uint32_t life)
{
    struct io_uring_sqe *sqe = take_sqe(ring);
    io_uring_prep_cmd_sock(sqe, SOCKET_URING_OP_SIOCOUTQ, (int)slot, 0, 0, NULL, 0);
    sqe->flags |= IOSQE_FIXED_FILE;
    sqe->user_data = op_pack(OP_UNACKED, life, slot);
}

void ring_ask_peer(struct ring *ring, uint32_t slot, uint32_t life, void *address_r, uint32_t bytes)
{
    struct io_uring_sqe *sqe = take_sqe(ring);
    io_uring_prep_cmd_sock(sqe, SOCKET_URING_OP_GETSOCKOPT, (int)slot, SOL_SOCKET, SO_PEERNAME, address_r,
                           (int)bytes);
    sqe->flags |= IOSQE_FIXED_FILE;
    sqe->user_data = op_pack(OP_PEER, life, slot);
}

void ring_shutdown(struct ring *ring, uint32_t slot, uint32_t life)
{
    struct io_uring_sqe *sqe = take_sqe(ring);
    io_uring_prep_shutdown(sqe, (int)slot, SHUT_WR);
    sqe->flags |= IOSQE_FIXED_FILE;
    sqe->user_data = op_pack(OP_SHUTDOWN, life, slot);
}

void ring_close(struct ring *ring, uint32_t slot)
{
    struct io_uring_sqe *sqe = take_sqe(ring);
    io_uring_prep_close_direct(sqe, slot);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = op_pack(OP_CLOSE, 0, slot);
}

void ring_doorbell(struct ring *ring, int other_descriptor)
{
    struct io_uring_sqe *sqe = take_sqe(ring);
    io_uring_prep_msg_ring(sqe, other_descriptor, 0, op_pack(OP_DOORBELL, 0, 0), 0);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = op_pack(OP_DOORBELL, 0, (uint32_t)other_descriptor);
}

void ring_watch(struct ring *ring, int descriptor)
{
    struct io_uring_sqe *sqe = take_sqe(ring);
    io_uring_prep_poll_multishot(sqe, descriptor, POLLIN);
    sqe->user_data = op_pack(OP_SIGNAL, 0, (uint32_t)descriptor);
}

/* ---- hearing ---- */

int ring_wait(struct ring *ring, uint64_t timeout_ms)
{
    int result;
    if (ring->error != 0) return ring->error;
    receive_buffers_show(&ring->buffers);
    ring->taken = 0;
    ring->fetches = 0;
    bool has_any = ring->deferred_next < ring->deferred_count || io_uring_cq_ready(&ring->uring) > 0;
    bool was_drained = ring->is_drained;
    ring->is_drained = false;
    if (has_any && !was_drained) {
        /* No new completions while there are old ones: one peer that sends on and on would fill every buffer ahead of
         * what others say. What was made since by a submit is not old: there may be some in every turn, and others
         * wait for the kernel's task work. */
        result = io_uring_submit(&ring->uring);
    } else if (timeout_ms == 0 || has_any) {
        result = io_uring_submit_and_get_events(&ring->uring);
    } else {
        struct io_uring_cqe *cqe;
        struct __kernel_timespec timeout = {.tv_sec = (int64_t)(timeout_ms / 1000),
                                            .tv_nsec = (int64_t)(timeout_ms % 1000) * 1000000};
        result = io_uring_submit_and_wait_timeout(&ring->uring, &cqe, 1, &timeout, NULL);
        /* What came while nobody ran, after SIGSTOP for example, is not made a completion when the time is over. */
        if (result < 0) io_uring_get_events(&ring->uring);
    }
    checked(ring, result);
    return ring->error;
}

/* Should the kernel be asked again in this turn? Yes if it held completions back, for want of room or by its limit. */
static bool fetch_more(struct ring *ring)
{
    bool has_overflow = io_uring_cq_has_overflow(&ring->uring);
    if (has_overflow) ring->overflows++;
    if (!has_overflow && (ring->taken < FETCH_ITEMS || ring->fetches == FETCHES_PER_TURN)) return false;
    ring->taken = 0;
    ring->fetches++;
    receive_buffers_show(&ring->buffers);
    checked(ring, io_uring_get_events(&ring->uring));
    return io_uring_cq_ready(&ring->uring) > 0;
}

static void decode(const struct ring *ring, const struct io_uring_cqe *cqe, struct completion *completion)
{
    *completion = (struct completion){
        .kind = op_kind(cqe->user_data),
        .slot = op_slot(cqe->user_data),
        .life = op_life(cqe->user_data),
        .result = cqe->res,
        .more = (cqe->flags & IORING_CQE_F_MORE) != 0,
        .has_buffer = (cqe->flags & IORING_CQE_F_BUFFER) != 0,
    };
    if (completion->has_buffer) {
        completion->buffer = (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
        completion->bytes =
            bytes_of(receive_buffers_at(&ring->buffers, completion->buffer), cqe->res > 0 ? (size_t)cqe->res : 0);
    }
}

bool ring_next(struct ring *ring, struct completion *completion_r)
{
    assert(ring->deferred_next <= ring->deferred_count);
    if (ring->deferred_next < ring->deferred_count) {
        decode(ring, &ring->deferred[ring->deferred_next++], completion_r);
        if (ring->deferred_next == ring->deferred_count) ring->deferred_next = ring->deferred_count = 0;
        return true;
    }
    struct io_uring_cqe *cqe;
    if (io_uring_peek_cqe(&ring->uring, &cqe) != 0) {
        ring->is_drained = !fetch_more(ring) || io_uring_peek_cqe(&ring->uring, &cqe) != 0;
        if (ring->is_drained) return false;
    }
    ring->taken++;
    decode(ring, cqe, completion_r);
    io_uring_cqe_seen(&ring->uring, cqe);
    return true;
}
