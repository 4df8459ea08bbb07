/* tests/net/tls/sessions_heap.c - a thousand sessions whose handshakes are all under way at once, and what is left of
 * them in memory when they are open and idle.
 *
 * A program of its own without sanitizers, which have another malloc. The clients are in it too, and gone by then. */
#include "core/trim.h"
#include "net/tls/tls_session.h"
#include "tests/support/anonymous.h"
#include "tests/support/tls_server.h"

#include <string.h>

enum {
    PAIRS = 1000,
    BURST_KIB = PAIRS * 40, /* at least, of the sessions alone */
    IDLE_BYTES = 1024,      /* each, resident */
    SESSION_BYTES = 400,    /* each, in use */
    OUT_BYTES = 4 * 1024,   /* a flight, with its certificate */
};

static struct pair {
    struct tls *tls;
    struct tls_client *client;
    size_t count;
    uint8_t out[OUT_BYTES];
} pairs[PAIRS];

static int failures;

static void expect(int is_true, const char *what, size_t figure)
{
    if (is_true) return;
    fprintf(stderr, "sessions_heap: %s: %zu\n", what, figure);
    failures++;
}

static enum rc collect(void *owner, const uint8_t *bytes, size_t count)
{
    struct pair *pair = owner;
    if (count > OUT_BYTES - pair->count) return RC_EFULL;
    memcpy(pair->out + pair->count, bytes, count);
    pair->count += count;
    return RC_OK;
}

/* What each has to say reaches the other. */
static void exchange(struct pair *pair)
{
    size_t eaten;
    if (!pair->client->is_open) tls_client_handshake(pair->client);
    if (tls_is_open(pair->tls)) return;
    tls_handshake(pair->tls, pair->client->out.at, pair->client->out.count, &eaten);
    tls_client_taken(pair->client, eaten);
    tls_client_give(pair->client, pair->out, pair->count);
    pair->count = 0;
}

static void trim_all(void)
{
    struct trim trim = {0};
    while (trim_step(&trim))
        continue;
}

static void open_all(struct tls_sessions *sessions, struct tls_context *context)
{
    for (size_t i = 0; i < PAIRS; i++) {
        pairs[i].tls = tls_new(sessions, context, collect, &pairs[i]);
        pairs[i].client = tls_client_new((struct tls_client_wish){.version = 13});
        if (pairs[i].tls == NULL || pairs[i].client == NULL) abort();
        exchange(&pairs[i]);
    }
}

static void finish_all(void)
{
    for (size_t i = 0; i < PAIRS; i++) {
        exchange(&pairs[i]);
        expect(tls_is_open(pairs[i].tls), "open", i);
        tls_client_free(pairs[i].client);
    }
}

static void free_all(void)
{
    for (size_t i = 0; i < PAIRS; i++)
        tls_free(pairs[i].tls);
}

int main(void)
{
    static struct tls_server server;
    trim_prepare();
    tls_server_start(&server, MADE_P256, NULL, NULL);
    tls_use_fast_curves();
    struct tls_sessions *sessions = tls_sessions_new();
    open_all(sessions, server.context); /* what mbedTLS keeps for ever of so many at once: places for their keys */
    finish_all();
    free_all();
    trim_all();
    size_t before_kib = anonymous_kib();
    open_all(sessions, server.context);
    size_t burst_kib = anonymous_kib() - before_kib;
    expect(burst_kib > BURST_KIB, "KiB while all shake hands", burst_kib);
    finish_all();
    trim_all();
    size_t idle_kib = anonymous_kib(),
           idle_bytes = idle_kib > before_kib ? (idle_kib - before_kib) * 1024 / PAIRS : 0;
    expect(idle_bytes < IDLE_BYTES, "bytes of an idle session", idle_bytes);
    size_t session_bytes = (size_t)sessions->slab.blocks * 64 * 1024 / PAIRS;
    expect(session_bytes < SESSION_BYTES, "bytes in use of a session", session_bytes);
    free_all();
    tls_sessions_free(sessions);
    tls_server_stop(&server);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
