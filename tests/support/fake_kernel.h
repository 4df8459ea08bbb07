/* tests/support/fake_kernel.h - a kernel for tests: rings, sockets, listeners and a clock, all in memory.
 *
 * Linked in place of net/ring.c, net/listener.c and server/system/clock.c,
 * it lets a whole server run without the real one.
 * Not obvious: shards keep their threads, but only one runs at a time. A thread that waits in its ring stands still
 * until fake_kernel_step() chooses it; so a seed decides every interleaving of turns, every cut of a stream, every
 * buffer that is missing, and the same seed does it all again. The clock moves only when nobody has anything to do.
 *
 * What a caller of net/ring.h may not do is asserted: keep a buffer while it waits, send twice to a slot in one
 * submit, close a slot with a receive under way. A lent buffer is a block of its own, so that the sanitizer sees a
 * read too far or too late.
 *
 * Threads: the test's calls are made while no shard runs, that is between two steps. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define FAKE_FOREVER     UINT64_MAX
#define FAKE_REALTIME_MS UINT64_C(1700000000000) /* the time of day when fake time is 0 */

struct ring;

/* A connection, seen from the client. */
struct fake_socket;

/* Forgets an earlier run. Before the server is made. */
void fake_kernel_init(uint64_t seed);
/* The time at which the next run begins, so that it comes after an earlier one; then as before. */
void fake_kernel_begin_at(uint64_t ms);
/* Something that runs besides the shards, as a thread of its own would: it is chosen like them while it has work. In
 * this run, NULL: nothing. */
void fake_kernel_run_also(bool (*has_work)(void), void (*work)(void));

/* Lets one shard run until it waits again; it may sleep no longer than until_ms. False: nobody has anything to do
 * before until_ms, which it is now (but for FAKE_FOREVER). */
bool fake_kernel_step(uint64_t until_ms);

uint64_t fake_now_ms(void);

/* The time of day is so far from where it should be; 0 at the beginning. */
void fake_set_day(int64_t off_ms);
/* Each byte that is sent takes so long on the shards' clocks, as copying and encrypting would; nothing, unless this is
 * called. */
void fake_sends_take(uint64_t byte_ns);
/* The whole process stands still for so long. */
void fake_kernel_stall(uint64_t ms);

/* 0 to below - 1, from the seed. */
uint32_t fake_random(uint32_t below);

/* Connects to the first listener of this ring's shard. The server takes it when it next waits. send_buffer is how
 * many bytes fit into its direction to the client. Free it at the end. */
struct fake_socket *fake_connect(struct ring *ring, size_t send_buffer);
/* The same, to another of its listeners. */
struct fake_socket *fake_connect_to(struct ring *ring, uint32_t listener, size_t send_buffer);
/* It comes from there, in numbers, of either family; else from 127.0.0.1. Before the server takes it. */
void fake_come_from(struct fake_socket *socket, const char *ip, uint16_t port);
/* From now on no kernel tells who is at the other end of a socket. */
void fake_kernel_hides_peers(void);
void fake_socket_free(struct fake_socket *socket);
/* Where those come from whom the server asks about, from its next question on: 192.0.2.1, or, if they are local,
 * 127.0.0.1. */
void fake_peers_are_local(bool are_local);

void fake_write(struct fake_socket *socket, const void *bytes, size_t count);
/* Takes what the server has sent; returns how many bytes. */
size_t fake_read(struct fake_socket *socket, void *bytes, size_t room);
/* Nothing more will come: the server has sent FIN or closed, and all is read. */
bool fake_is_at_end(const struct fake_socket *socket);
/* Sends FIN; the client can still read. */
void fake_shutdown(struct fake_socket *socket);
/* Sends RST. */
void fake_reset(struct fake_socket *socket);
