/* net/listener.h - listening sockets: one for each shard on the same address (SO_REUSEPORT), so that the kernel
 * spreads connections over the shards and none changes its thread.
 *
 * The first socket claims the address: it is bound and listens without SO_REUSEPORT, so that one of two servers which
 * start at once gets it, and the other is told. Only then is the option set on it, and further ones may join.
 * A unix socket has one listener, on a file (net/socket_file.h).
 * [::] takes IPv4 too, whatever net.ipv6.bindv6only says. Options that connections inherit are set here once:
 * TCP_NODELAY, since a turn's frames leave in one send anyway.
 * Descriptors close on exec; give them back with close(2). */
#pragma once

#include "core/rc.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* The first socket of an address. Port 0 is chosen and written back into *address. RC_EBUSY: somebody has the address,
 * or had it until a moment ago: the sockets of a process with an io_uring outlive it by some milliseconds. RC_EKERNEL:
 * something else. On errors reason_r names cause and cure. */
enum rc listener_claim(struct sockaddr_storage *address, int *descriptor_r, char *reason_r, size_t reason_size);

/* Takes away the file of a unix socket whose listener was closed. Does nothing for any other address. */
void listener_clear(const struct sockaddr_storage *address);

/* A socket that somebody else has made, and that listens: sets what connections inherit, and that it closes on exec.
 * RC_EINVAL: it is none of TCP that listens, and no unix socket with a file; RC_EKERNEL. */
enum rc listener_adopt(int descriptor, struct sockaddr_storage *address_r, char *reason_r, size_t reason_size);

/* One more descriptor of a listening socket: connections go to whoever of those who accept is first. RC_EKERNEL. */
enum rc listener_share(int descriptor, int *descriptor_r, char *reason_r, size_t reason_size);

/* Could listener_claim() have the address now? Nobody is listened for, also not for a moment. RC_OK, or as that. */
enum rc listener_try(const struct sockaddr_storage *address, char *reason_r, size_t reason_size);

/* From here on the kernel hears nobody new: who asks, asks again a second later, and finds the next server or nobody.
 * Handshakes that have begun still end, and can be accepted, so that closing the socket then resets no connection. Does
 * nothing where filters are not allowed. */
void listener_refuse_new(int descriptor);

/* Opens one more listener on an address of which one is open. RC_EBUSY, RC_EKERNEL: reason_r says why. */
enum rc listener_join(const struct sockaddr_storage *address, int *descriptor_r, char *reason_r, size_t reason_size);
