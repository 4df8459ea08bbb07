/* net/listener.h - listening sockets: one for each shard on the same address (SO_REUSEPORT), so that the kernel
 * spreads connections over the shards and none changes its thread.
 *
 * Options that connections inherit are set here once: TCP_NODELAY, since a turn's frames leave in one send anyway. */
#pragma once

#include "core/rc.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Would listening on the address fail? Asked before the first listener_open(), because sockets of SO_REUSEPORT would
 * silently share the port with another ringcast of the same user. Port 0 is chosen and written back into *address.
 * RC_EBUSY: somebody listens there, or did until a moment ago: the sockets of a process with an io_uring outlive it by
 * some milliseconds. RC_EKERNEL: something else. On errors reason_r names cause and cure. */
enum rc listener_check(struct sockaddr_storage *address, char *reason_r, size_t reason_size);

/* A listening socket that closes on exec; give it back with close(2). RC_EBUSY, RC_EKERNEL: reason_r says why. */
enum rc listener_open(const struct sockaddr_storage *address, int *descriptor_r, char *reason_r, size_t reason_size);
