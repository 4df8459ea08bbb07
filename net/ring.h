/* net/ring.h - one io_uring: what a shard asks of the kernel, and what the kernel answers.
 *
 * Threads:   made by any thread; from ring_enable() on, used by the calling thread alone (SINGLE_ISSUER), until
 *            ring_free() after that thread has ended. ring_descriptor() is a constant that others may read.
 * Slots:     connections are direct descriptors: places in the ring's own file table, not in the process's table.
 *            The kernel chooses the slot at accept and has it back after ring_close().
 * Operations wait in the submission queue until ring_wait() or ring_submit(); when the queue is full, asking for one
 *            more submits the rest first. Bytes to send must stay valid until they are submitted.
 * Errors:    of set-up: a result code, and a sentence of cause and cure. Later: in completions. */
#pragma once

#include "core/bytes.h"
#include "core/rc.h"
#include "net/op.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define RING_REASON_BYTES 512

struct ring;

struct ring_setup {
    uint32_t submissions; /* length of the submission queue */
    uint32_t completions; /* length of the completion queue */
    uint32_t slots;       /* length of the file table; at most RLIMIT_NOFILE */
    uint32_t buffers;     /* receive buffers: a power of two, at most 32768 */
    uint32_t buffer_bytes;
};

/* What a ring of this setup takes of memory from the start, without its file table: entries of the kernel's queues (64
 * and 16 bytes) and of ours, and the receive buffers with their queue. */
static inline uint64_t ring_bytes(const struct ring_setup *setup)
{
    return (uint64_t)setup->submissions * 64 + (uint64_t)setup->completions * (16 + 16) +
           (uint64_t)setup->buffers * (setup->buffer_bytes + 16);
}

struct completion {
    enum op_kind kind;
    uint32_t slot;
    uint32_t life;
    int32_t result;     /* as the system call would return it, errors as -errno */
    bool more;          /* ACCEPT, RECEIVE: the operation goes on; without it, ask again if more is wanted */
    struct bytes bytes; /* RECEIVE: what came, in a lent buffer; writable; give it back with ring_give_back() */
    uint16_t buffer;
    bool has_buffer;
};

/* Where a connection comes from; zeros: not known. */
struct ring_peer {
    struct sockaddr_storage address;
    socklen_t bytes; /* room for it, then how much of it counts */
};

/* A send that did not send everything. */
struct send_failure {
    uint32_t index; /* what ring_send() was given */
    int32_t result; /* bytes sent, or -errno: -EAGAIN when none would go */
};

/* What this kernel offers, as one line for the log; or, when io_uring cannot be used here or lacks what we need, an
 * error and a reason of cause and cure. Makes a throw-away ring, and goes once through each of the three calls. */
enum rc ring_probe(char *line_r, size_t line_size);

/* The library that rings are made with, and its version: "liburing 2.9". */
void ring_library(char *text_r, size_t size);

/* RC_OK, RC_ENOMEM or RC_EKERNEL; on errors nothing is left and reason_r says why in one line. */
enum rc ring_new(struct ring **ring_r, const struct ring_setup *setup, char *reason_r, size_t reason_size);
void ring_free(struct ring *ring);

/* The thread that will use the ring calls this first. */
enum rc ring_enable(struct ring *ring);

/* By which other rings ring this one's doorbell. */
int ring_descriptor(const struct ring *ring);

/* Connections on this listening socket come as ACCEPT completions: result is the slot; `tag` comes back as slot. */
void ring_accept(struct ring *ring, int listener, uint32_t tag);
/* Like ring_accept(), for the next connection alone: others wait in the listener's backlog until it is asked for
 * again. */
void ring_accept_one(struct ring *ring, int listener, uint32_t tag);
/* Like ring_accept_one(), with where the connection comes from in *peer, which stays until the completion has come. */
void ring_accept_from(struct ring *ring, int listener, uint32_t tag, struct ring_peer *peer);
void ring_cancel_accept(struct ring *ring, uint32_t tag);

/* Whatever came before or comes arrives as RECEIVE completions; result 0 is the end of the stream. -ENOBUFS: no buffer
 * was free. When `more` is false the receive is over, also if bytes came: ask again, and it goes on behind what waits.
 * From Linux 6.17 on that is after 8 KiB, so that nobody keeps others waiting. */
void ring_receive(struct ring *ring, uint32_t slot, uint32_t life);
/* Like ring_receive(), for one completion: no more than a buffer is taken from the socket. */
void ring_receive_once(struct ring *ring, uint32_t slot, uint32_t life);
/* Ends ring_receive(), which then completes for a last time, unless it just has. */
void ring_cancel_receive(struct ring *ring, uint32_t slot, uint32_t life);
/* Buffers are lent for one turn: a completion's bytes go back before the ring waits again. */
void ring_give_back(struct ring *ring, uint16_t buffer);

/* At most one send to a slot between two submits. Sends do not wait and do not complete when all bytes went; those
 * that failed or fell short are told by ring_submit_sends(). `index` comes back, below 2^24. */
void ring_send(struct ring *ring, uint32_t slot, uint32_t index, const uint8_t *bytes, size_t count);
/* How many more sends fit into this submit. */
uint32_t ring_send_room(const struct ring *ring);
/* Submits. Returns how many sends did not go whole, told in failures_r, which has room for as many as were sent. */
uint32_t ring_submit_sends(struct ring *ring, struct send_failure *failures_r);

/* Completes once, when the slot can be sent to again (or has failed: the next send says so). */
void ring_await_writable(struct ring *ring, uint32_t slot, uint32_t life);
void ring_cancel_writable(struct ring *ring, uint32_t slot, uint32_t life);
/* Asks how many bytes of a socket the peer has not acknowledged (SIOCOUTQ; kernel 6.7). Completes with their number, or
 * -EOPNOTSUPP. */
void ring_ask_unacked(struct ring *ring, uint32_t slot, uint32_t life);
/* Asks for the address at the other end of a socket (SO_PEERNAME), of as many bytes as the family of its listener has.
 * Completes with their number, or -errno; until then `address_r`, where the kernel writes it, has to stay. */
void ring_ask_peer(struct ring *ring, uint32_t slot, uint32_t life, void *address_r, uint32_t bytes);
/* Does this kernel answer ring_ask_peer()? From Linux 6.7 on. Makes a throw-away ring. */
bool ring_tells_peers(void);
/* Sends FIN, and completes. The kernel runs it in a thread of its own (io-wq), hence for rare ends only; that thread
 * looks the slot up, so a slot closed before the completion could lead it to the next connection. */
void ring_shutdown(struct ring *ring, uint32_t slot, uint32_t life);
/* The slot is free once this is submitted. Neither a receive may be under way on it, which would keep the socket
 * open, nor a shutdown. */
void ring_close(struct ring *ring, uint32_t slot);

/* Wakes another ring: it sees a DOORBELL completion with result 0. If that fails we see one with an error, and the
 * other's descriptor as slot: -ENOMEM means ring again. */
void ring_doorbell(struct ring *ring, int other_descriptor);
/* Each time that descriptor (an eventfd, never read) is written to, a SIGNAL completion comes. */
void ring_watch(struct ring *ring, int descriptor);

/* Submits what is asked for and sleeps until something completes or timeout_ms is over (0: does not sleep). Returns
 * 0, or an errno once the kernel refuses for good: then the ring takes what it is asked for, and does nothing of it. */
int ring_wait(struct ring *ring, uint64_t timeout_ms);
/* The next completion, oldest first; false when there is none now. While a turn takes completions it also fetches
 * those that the kernel holds back behind its limit of 20 for one call, up to a bound. */
bool ring_next(struct ring *ring, struct completion *completion_r);
/* How often the completion queue overflowed: 0 in a healthy server. */
uint64_t ring_overflows(const struct ring *ring);
