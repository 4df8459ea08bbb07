/* tests/support/connection_case.h - connections alone: one shard on the fake kernel, and above it a door, a component
 * and an errand that a test looks into (tests/support/connection_above.h). No channel, no home, no request's meaning.
 *
 * Threads: the shard has its own, which stands still while the test acts, as in tests/support/fake_kernel.h. */
#pragma once

#include "net/frame.h"
#include "server/connection/connection.h"
#include "tests/support/connection_above.h"
#include "tests/support/fake_kernel.h"

#define CASE_SEND_BUFFER 65536
#define CASE_GET(path)   "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"
#define CASE_UPGRADE(path)                                                                                     \
    "GET " path " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: " \
    "13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

struct tls_files;

extern struct shard *case_shard;

/* A shard with these options (NULL at their end), besides an address that it listens at. */
#define CASE_FLAGS(...) ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})
void case_begin(const char *const flags[]);
/* The same, with an address for TLS too, which is the second one. */
void case_begin_secure(const char *const flags[], struct tls_files *files);
/* Ends all clients; expects that nothing is left of them. */
void case_end(void);

/* ---- time ---- */

/* Until nothing has happened for a while. */
void case_run(void);
/* Lets that much time go by. */
void case_pass(uint64_t ms);
/* Has the shard's thread do this, for nobody else may touch what is its own; then case_run(). */
void case_act(void (*act)(void));
/* The first client is not read any more, as when letters wait; and is again. */
void case_pause(void);
void case_resume(void);
uint64_t case_counter(enum counter counter);

/* ---- clients ---- */

struct fake_socket *case_connect(size_t send_buffer);
struct fake_socket *case_connect_secure(void);
/* From this address, and has said that when it is accepted. */
struct fake_socket *case_connect_from(const char *ip, uint16_t port, const char *said);
/* That of the n-th client that has connected, from 0 on; its slot may be used again. NULL: it was not let in. */
struct connection *case_connection(uint32_t n);
/* Connects, and has a WebSocket. */
struct fake_socket *case_open(size_t send_buffer);
void case_write(struct fake_socket *socket, const char *text);
/* A masked frame. */
void case_frame(struct fake_socket *socket, enum frame_opcode opcode, bool is_last, const void *payload,
                size_t count);
void case_text(struct fake_socket *socket, const char *text);
/* A text of so many bytes, which comes back. */
void case_say_long(struct fake_socket *socket, size_t count);
void case_close(struct fake_socket *socket, uint16_t code);
/* All that came since this was asked last, up to a bound; bytes that are no text as dots. Static, for several. */
const char *case_read(struct fake_socket *socket);
