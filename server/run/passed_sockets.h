/* server/run/passed_sockets.h - sockets that the service manager listens on for us: socket activation,
 * sd_listen_fds(3).
 *
 * They take the places of the addresses of their option, which their name says (FileDescriptorName=): listen,
 * tls_listen or control; under any other name that is listen. That of control may be a unix socket, whose file stays
 * the manager's. What comes while no server runs waits in them. A socket has one queue, so all threads behind its door
 * accept from it; SO_REUSEPORT is not needed.
 * Threads:   the main thread, before the server is made. */
#pragma once

#include "core/rc.h"

#include <stddef.h>

#define PASSED_SOCKETS_MAX 16

struct options;

/* Takes what LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES tell of; without them nothing changes. RC_EINVAL, RC_EKERNEL,
 * RC_ENOMEM: reason_r says what is wrong with which socket, and the cure. */
enum rc passed_sockets_take(struct options *options, char *reason_r, size_t reason_size);
