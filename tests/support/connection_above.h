/* tests/support/connection_above.h - what stands above connections in tests of them: a door, an errand and a component,
 * which note what they are called with.
 *
 * The door takes whole requests of HTTP, and its path says what becomes of them: /answer gets an answer, /ask waits for
 * an errand, /last gets a last answer, /ws asks for a WebSocket, which opens at once, or, at /ws/later, when the test
 * says so; anything else is refused. The component echoes messages that begin with "echo".
 * Threads: the shard's, but for what a test sets and asks between two turns. */
#pragma once

#include "core/rc.h"

#include <stdbool.h>

struct bytes;
struct connection;
struct shard;

#define CASE_OK "HTTP/1.1 200 OK\r\n\r\n" /* to /answer and /last */

/* As in struct door. */
bool case_serve(struct shard *shard, struct connection *connection, struct bytes *in);
void case_refuse(struct shard *shard, struct connection *connection, struct bytes *in, unsigned status,
                 const char *sentence);

/* What the component, the door and the errand were called with since this was asked last:
 * "/ws open message:hello goodbye:SERVER_STOP after:1000 close:SERVER_STOP ". Static, for four at a time. */
const char *case_calls(void);
/* What the component says of a client that has said its last; of one that asks for a WebSocket: anything but RC_OK
 * refuses it with 403. */
extern bool case_has_unanswered;
extern enum rc case_open_rc;
/* What it says before a close frame; NULL: nothing. */
extern const char *case_last_words;
/* ANSWERING: the errand is done; to be called by case_act(). */
void case_errand_done(struct shard *shard, struct connection *connection);
