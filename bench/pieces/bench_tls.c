/* bench/pieces/bench_tls.c - what TLS costs: records sealed and opened with AES-128-GCM (TLS 1.3), and handshakes.
 *
 * seal: tls_seal(). open: tls_read(); the time the client takes to seal what is opened is not counted. Handshakes:
 * only the time inside our calls is counted, not the client's. The client is the one of the tests; it seals no more
 * than 16383 bytes. */
#include "bench/clock.h"
#include "bench/pieces/bench.h"
#include "bench/pieces/pieces.h"
#include "tests/support/tls_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_RUN_BYTES (UINT64_C(32) << 20)
#define RECORDS_MAX      200000
#define HANDSHAKES       300

struct work {
    struct tls_server *server;
    struct tls_client_wish wish;
    struct tls_sessions *sessions;
    struct tls *tls; /* with `client`, at the two ends of `out` */
    struct tls_client *client;
    struct tls_client_bytes out;
    uint64_t count, spent_ns;
    size_t record_bytes;
    uint8_t bytes[TLS_RECORD_BYTES_MAX], sealed[TLS_SEALED_BYTES_MAX];
};

static enum rc collect(void *owner, const uint8_t *bytes, size_t count)
{
    struct work *work = owner;
    if (work->out.count + count > work->out.capacity) return RC_EFULL;
    memcpy(work->out.at + work->out.count, bytes, count);
    work->out.count += count;
    return RC_OK;
}

/* ---- handshakes ---- */

/* The session takes what the client has for it; counted. */
static bool answer(struct work *work)
{
    size_t eaten;
    uint64_t begun_ns = clock_ns();
    enum tls_result result = tls_handshake(work->tls, work->client->out.at, work->client->out.count, &eaten);
    work->spent_ns += clock_ns() - begun_ns;
    tls_client_taken(work->client, eaten);
    tls_client_give(work->client, work->out.at, work->out.count);
    work->out.count = 0;
    return result == TLS_OK || result == TLS_MORE;
}

static bool shake(struct work *work)
{
    work->tls = tls_new(work->sessions, work->server->context, collect, work);
    work->client = tls_client_new(work->wish);
    if (work->tls == NULL || work->client == NULL) return false;
    while (!tls_is_open(work->tls) || !work->client->is_open) {
        if (!work->client->is_open) tls_client_handshake(work->client);
        if (!tls_is_open(work->tls) && !answer(work)) return false;
    }
    return true;
}

static void part(struct work *work)
{
    tls_free(work->tls);
    tls_client_free(work->client);
    work->tls = NULL;
    work->client = NULL;
}

static uint64_t run_handshakes(void *context)
{
    struct work *work = context;
    uint64_t hash = 1;
    work->spent_ns = 0;
    for (uint64_t i = 0; i < work->count; i++) {
        bool is_done = shake(work);
        hash = bench_mix(hash, is_done ? 2 + tls_is_resumed(work->tls) : 0);
        part(work);
    }
    return hash;
}

/* Lets the next handshakes resume a session. */
static bool prepare_resumption(struct work *work, mbedtls_ssl_session *session)
{
    uint8_t byte;
    if (!shake(work)) return false;
    if (work->wish.version == 12) {
        tls_client_keep(work->client);
    } else {
        tls_client_read(work->client, &byte, 1);
    }
    *session = work->client->session;
    mbedtls_ssl_session_init(&work->client->session);
    work->wish.session = session;
    part(work);
    return true;
}

static void measure_handshakes(struct bench *bench, struct work *work, const char *name, bool is_resumed)
{
    mbedtls_ssl_session session;
    mbedtls_ssl_session_init(&session);
    if (is_resumed && !prepare_resumption(work, &session)) {
        bench_unable(bench, name, RC_EPROTO);
        return;
    }
    work->count = bench_size(bench, HANDSHAKES);
    struct bench_piece piece = {
        .name = name, .operations = work->count, .run = run_handshakes, .context = work, .spent_ns = &work->spent_ns};
    bench_measure(bench, &piece);
    work->wish.session = NULL;
    mbedtls_ssl_session_free(&session);
}

static void bench_handshakes(struct bench *bench, struct work *work)
{
    static const struct {
        const char *name;
        enum made_kind kind;
        unsigned version;
        bool is_resumed;
    } pieces[] = {
        {"tls/shake/1.3/ecdsa", MADE_P256, 13, false},       {"tls/shake/1.3/rsa2048", MADE_RSA_2048, 13, false},
        {"tls/shake/1.3/resumed", MADE_P256, 13, true},      {"tls/shake/1.2/ecdsa", MADE_P256, 12, false},
        {"tls/shake/1.2/rsa2048", MADE_RSA_2048, 12, false}, {"tls/shake/1.2/resumed", MADE_P256, 12, true},
    };
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        static struct tls_server server;
        if (!bench_wants(bench, pieces[i].name)) continue;
        struct tls_ticket_keys *keys = tls_ticket_keys_new(100000);
        tls_server_start(&server, pieces[i].kind, keys, NULL);
        work->server = &server;
        work->wish = tls_server_wish(&server, pieces[i].version);
        measure_handshakes(bench, work, pieces[i].name, pieces[i].is_resumed);
        tls_server_stop(&server);
        tls_ticket_keys_free(keys);
    }
}

/* ---- records ---- */

static uint64_t run_seal(void *context)
{
    struct work *work = context;
    uint64_t hash = 1;
    for (uint64_t i = 0; i < work->count; i++) {
        size_t count; /* the client never sees them: its own direction is another one */
        if (tls_seal(work->tls, work->bytes, work->record_bytes, work->sealed, &count) != TLS_OK) return 0;
        hash = bench_mix(hash, count);
    }
    return hash;
}

static uint64_t run_open(void *context)
{
    struct work *work = context;
    uint64_t hash = 1;
    uint8_t plain[TLS_OPEN_BYTES_MAX];
    work->spent_ns = 0;
    for (uint64_t i = 0; i < work->count; i++) {
        size_t eaten, count;
        if (tls_client_write(work->client, work->bytes, work->record_bytes) < 0) return 0;
        uint64_t begun_ns = clock_ns();
        enum tls_result result =
            tls_read(work->tls, work->client->out.at, work->client->out.count, &eaten, plain, &count);
        work->spent_ns += clock_ns() - begun_ns;
        if (result != TLS_OK || eaten != work->client->out.count) return 0;
        hash = bench_mix(hash, count + plain[count - 1]);
        tls_client_taken(work->client, eaten);
    }
    return hash;
}

static void measure_records(struct bench *bench, struct work *work, const char *name, size_t record_bytes,
                            bool is_open)
{
    uint64_t count = RECORD_RUN_BYTES / record_bytes;
    if (!bench_wants(bench, name)) return;
    work->record_bytes = record_bytes;
    work->count = bench_size(bench, count < RECORDS_MAX ? count : RECORDS_MAX);
    struct bench_piece piece = {.name = name,
                                .operations = work->count,
                                .bytes = work->count * record_bytes,
                                .run = is_open ? run_open : run_seal,
                                .context = work,
                                .spent_ns = is_open ? &work->spent_ns : NULL};
    bench_measure(bench, &piece);
}

static void bench_records(struct bench *bench, struct work *work)
{
    static const int suites[] = {MBEDTLS_TLS1_3_AES_128_GCM_SHA256, 0};
    static const struct {
        const char *seal, *open;
        size_t bytes;
    } pieces[] = {{"tls/seal/64", "tls/open/64", 64},
                  {"tls/seal/1024", "tls/open/1024", 1024},
                  {"tls/seal/16383", "tls/open/16383", 16383}};
    static struct tls_server server;
    tls_server_start(&server, MADE_P256, NULL, NULL);
    work->server = &server;
    work->wish = tls_server_wish(&server, 13);
    work->wish.suites = suites;
    if (!shake(work)) {
        bench_unable(bench, "tls", RC_EPROTO);
        return;
    }
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        measure_records(bench, work, pieces[i].seal, pieces[i].bytes, false);
        measure_records(bench, work, pieces[i].open, pieces[i].bytes, true);
    }
    part(work);
    tls_server_stop(&server);
}

void bench_tls(struct bench *bench)
{
    static struct work work;
    uint64_t seed = 1;
    work.out.capacity = 2 * TLS_RECORD_BYTES_MAX;
    work.out.at = malloc(work.out.capacity);
    enum rc rc = work.out.at != NULL ? tls_global_init() : RC_ENOMEM;
    if (rc == RC_OK) tls_use_fast_curves();
    if (rc == RC_OK && (work.sessions = tls_sessions_new()) == NULL) rc = RC_ENOMEM;
    if (rc != RC_OK) {
        bench_unable(bench, "tls", rc);
        return;
    }
    for (size_t i = 0; i < sizeof work.bytes; i++) {
        work.bytes[i] = (uint8_t)bench_random(&seed);
    }
    bench_records(bench, &work);
    bench_handshakes(bench, &work);
    tls_sessions_free(work.sessions);
    free(work.out.at);
}
