/* tests/support/tls_link.h - a session of ours and a client, wired together in memory.
 *
 *     struct tls_link link;
 *     tls_link_open(&link, context, (struct tls_client_wish){.version = 13});
 *     cr_assert(tls_link_shake(&link));
 *     tls_client_write(link.client, ...);
 *     tls_link_run(&link);           // link.heard has it
 *     tls_link_close(&link);
 *
 * What the client sends reaches the session in slices of `step` bytes, each a block of its own, so that the sanitizer
 * sees reads behind it. */
#pragma once

#include "net/tls/tls.h"
#include "tests/support/tls_client.h"

struct tls_link {
    struct tls_sessions *sessions;
    struct tls *tls;
    struct tls_client *client;
    size_t step;                   /* 0: all that is there */
    size_t cut, fed;               /* behind so many bytes there is a cut too; so many were fed */
    struct tls_client_bytes out;   /* of the session, not yet with the client */
    size_t outputs;                /* calls of the session's output */
    enum rc output_rc;             /* what its output says */
    struct tls_client_bytes heard; /* plaintext the session read */
    size_t records;                /* in how many pieces */
    struct tls_client_bytes client_heard;
    enum tls_result result; /* of the session: TLS_OK, or how it ended */
    int client_error;       /* of the client: 0, or how it ended */
};

/* tls and client are NULL if there was no memory. */
void tls_link_open(struct tls_link *link, struct tls_context *context, struct tls_client_wish wish);
void tls_link_close(struct tls_link *link);

/* Carries bytes both ways, with what they lead to, until there are none. */
void tls_link_run(struct tls_link *link);
/* The same; are both sides open now, and neither has ended? */
bool tls_link_shake(struct tls_link *link);
/* The session seals these, for the client. */
enum tls_result tls_link_write(struct tls_link *link, const uint8_t *bytes, size_t count);
/* Feeds bytes to the session alone, in slices. */
void tls_link_feed(struct tls_link *link, const uint8_t *bytes, size_t count);
