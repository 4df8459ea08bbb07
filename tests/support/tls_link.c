/* tests/support/tls_link.c - carries bytes between a session and a client. */
#include "tests/support/tls_link.h"

#include <stdlib.h>
#include <string.h>

static enum rc collect(void *owner, const uint8_t *bytes, size_t count)
{
    struct tls_link *link = owner;
    link->outputs++;
    if (link->output_rc != RC_OK) return link->output_rc;
    return tls_client_append(&link->out, bytes, count) ? RC_OK : RC_ENOMEM;
}

void tls_link_open(struct tls_link *link, struct tls_context *context, struct tls_client_wish wish)
{
    *link = (struct tls_link){0};
    link->sessions = tls_sessions_new();
    link->tls = link->sessions != NULL ? tls_new(link->sessions, context, collect, link) : NULL;
    link->client = tls_client_new(wish);
}

void tls_link_close(struct tls_link *link)
{
    tls_free(link->tls);
    tls_sessions_free(link->sessions);
    tls_client_free(link->client);
    free(link->out.at);
    free(link->heard.at);
    free(link->client_heard.at);
    *link = (struct tls_link){0};
}

/* One call of the session; returns how much it ate. */
static size_t feed_once(struct tls_link *link, const uint8_t *bytes, size_t count)
{
    static _Thread_local uint8_t plain[TLS_OPEN_BYTES_MAX];
    size_t eaten, plain_count = 0;
    enum tls_result result;
    if (tls_is_open(link->tls)) {
        result = tls_read(link->tls, bytes, count, &eaten, plain, &plain_count);
    } else {
        result = tls_handshake(link->tls, bytes, count, &eaten);
    }
    if (result == TLS_MORE && eaten != count) abort();
    if (result != TLS_OK && result != TLS_MORE) link->result = result;
    if (plain_count > 0) {
        tls_client_append(&link->heard, plain, plain_count);
        link->records++;
    }
    return eaten;
}

static void feed_slice(struct tls_link *link, const uint8_t *bytes, size_t count)
{
    uint8_t *slice = reallocarray(NULL, count, 1);
    memcpy(slice, bytes, count);
    for (size_t at = 0; at < count && link->result == TLS_OK;)
        at += feed_once(link, slice + at, count - at);
    free(slice);
}

void tls_link_feed(struct tls_link *link, const uint8_t *bytes, size_t count)
{
    while (count > 0 && link->result == TLS_OK) {
        size_t slice = link->step > 0 && link->step < count ? link->step : count;
        if (link->cut > link->fed && link->cut < link->fed + slice) slice = link->cut - link->fed;
        feed_slice(link, bytes, slice);
        link->fed += slice;
        bytes += slice;
        count -= slice;
    }
}

enum tls_result tls_link_write(struct tls_link *link, const uint8_t *bytes, size_t count)
{
    static _Thread_local uint8_t sealed[TLS_SEALED_BYTES_MAX];
    size_t sealed_count;
    enum tls_result result = tls_seal(link->tls, bytes, count, sealed, &sealed_count);
    if (result == TLS_OK && !tls_client_append(&link->out, sealed, sealed_count)) abort();
    return result;
}

static void run_client(struct tls_link *link)
{
    static _Thread_local uint8_t plain[TLS_CLIENT_RECORD_MAX];
    int result = 0;
    if (!link->client->is_open) result = tls_client_handshake(link->client);
    while (result == 0 && (result = tls_client_read(link->client, plain, sizeof plain)) >= 0) {
        tls_client_append(&link->client_heard, plain, (size_t)result);
        result = 0;
    }
    if (result != MBEDTLS_ERR_SSL_WANT_READ) link->client_error = result;
}

void tls_link_run(struct tls_link *link)
{
    do {
        tls_client_give(link->client, link->out.at, link->out.count);
        link->out.count = 0;
        if (link->client_error == 0) run_client(link);
        tls_link_feed(link, link->client->out.at, link->client->out.count);
        tls_client_taken(link->client, link->client->out.count);
    } while (link->out.count > 0);
}

bool tls_link_shake(struct tls_link *link)
{
    tls_link_run(link);
    return link->result == TLS_OK && link->client_error == 0 && tls_is_open(link->tls) && link->client->is_open;
}
