/* tests/fuzz/fuzz_tls.c - any bytes as what a TLS client sends, and the bytes of a real client with some changed.
 *
 * The first byte of the input: bit 0, whether there is a real client; bit 1, its version; bits 2 to 7, how the bytes
 * are cut. Without a client the rest of the input is fed as it is. With one it is a list of changes to the client's
 * stream: two bytes say where, the third is the mask; one of zero stands for cutting the stream there. Aborts when a
 * result and what goes with it do not fit; the sanitizers see to the rest. */
#include "tests/fuzz/fuzz.h"
#include "tests/support/tls_server.h"

enum { TURNS_MAX = 8 };

static struct tls_server server;
static struct tls_ticket_keys *keys;

/* What keys are kept in is not looked through for pointers when leaks are looked for. */
static void stop(void)
{
    tls_server_stop(&server);
    tls_ticket_keys_free(keys);
}

static void start(void)
{
    if (server.context != NULL) return;
    FUZZ_CHECK(tls_global_init() == RC_OK);
    atexit(stop);
    keys = tls_ticket_keys_new(1000);
    tls_server_start(&server, MADE_P256, keys, NULL);
}

static void check(const struct tls_link *link)
{
    bool has_reason = tls_reason(link->tls)[0] != '\0';
    FUZZ_CHECK(has_reason == (link->result != TLS_OK));
    FUZZ_CHECK(link->heard.count == 0 || tls_is_open(link->tls));
    FUZZ_CHECK(link->result != TLS_BROKEN || link->outputs > 0); /* an alert */
    FUZZ_CHECK(link->result != TLS_NOT_TLS || link->outputs == 0);
    FUZZ_CHECK(link->result != TLS_NO_MEMORY);
}

/* Changes what falls into the next `count` bytes of the stream; returns how many of them are left to be sent. */
static size_t change(uint8_t *bytes, size_t count, size_t at, const uint8_t *changes, size_t changes_bytes)
{
    size_t left = count;
    for (; changes_bytes >= 3; changes += 3, changes_bytes -= 3) {
        size_t where = (size_t)changes[0] << 8 | changes[1];
        if (where < at || where >= at + count) continue;
        bytes[where - at] ^= changes[2];
        if (changes[2] == 0 && where - at < left) left = where - at;
    }
    return left;
}

static void converse(struct tls_link *link, const uint8_t *changes, size_t changes_bytes)
{
    uint8_t plain[100] = {0};
    for (unsigned turn = 0; turn < TURNS_MAX && link->result == TLS_OK; turn++) {
        int error = link->client->is_open ? tls_client_write(link->client, plain, sizeof plain)
                                          : tls_client_handshake(link->client);
        if (error < 0 && error != MBEDTLS_ERR_SSL_WANT_READ) break;
        size_t count = link->client->out.count, fed = link->fed;
        size_t left = change(link->client->out.at, count, fed, changes, changes_bytes);
        tls_link_feed(link, link->client->out.at, left);
        tls_client_taken(link->client, count);
        tls_client_give(link->client, link->out.at, link->out.count);
        link->out.count = 0;
        link->fed = fed + count;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t count)
{
    struct tls_link link;
    if (count < 1) return 0;
    start();
    unsigned mode = input[0];
    tls_link_open(&link, server.context, tls_server_wish(&server, (mode & 2) != 0 ? 13 : 12));
    link.step = mode >> 2;
    if ((mode & 1) != 0) {
        converse(&link, input + 1, count - 1);
    } else {
        tls_link_feed(&link, input + 1, count - 1);
    }
    check(&link);
    tls_link_close(&link);
    return 0;
}
