/* net/ring_peer.c - whether this kernel tells through io_uring who is at the other end of a socket. */
#include "net/ring.h"

#include <liburing.h>
#include <sys/socket.h>
#include <unistd.h>

/* Of a socket without a name there are as many bytes as say its family. */
static int ask(struct io_uring *uring, int socket)
{
    sa_family_t family;
    struct io_uring_cqe *cqe;
    io_uring_prep_cmd_sock(io_uring_get_sqe(uring), SOCKET_URING_OP_GETSOCKOPT, socket, SOL_SOCKET, SO_PEERNAME,
                           &family, sizeof family);
    int result;
    do {
        result = io_uring_submit_and_wait(uring, 1);
    } while (result == -EINTR);
    return result >= 0 && io_uring_peek_cqe(uring, &cqe) == 0 ? cqe->res : result;
}

bool ring_tells_peers(void)
{
    struct io_uring uring;
    int pair[2], result = -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return false;
    if (io_uring_queue_init(2, &uring, 0) == 0) {
        result = ask(&uring, pair[0]);
        io_uring_queue_exit(&uring);
    }
    close(pair[0]);
    close(pair[1]);
    return result > 0;
}
