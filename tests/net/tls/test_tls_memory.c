/* tests/net/tls/test_tls_memory.c - what a session holds, and sessions for which there is no memory.
 *
 * The program is linked with --wrap for these calls, which concerns its own objects and static libraries, mbedTLS
 * among them. The client's buffers come from reallocarray(), which counts but does not fail. */
#include "net/tls/tls_session.h"
#include "tests/support/tls_server.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <malloc.h>
#include <mbedtls/psa_util.h>
#include <mbedtls/rsa.h>
#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <sys/mman.h>

void *__real_malloc(size_t count);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t count);
void *__real_reallocarray(void *memory, size_t count, size_t size);
char *__real_strdup(const char *text);
void __real_free(void *memory);
void *__real_mmap(void *at, size_t count, int protection, int flags, int descriptor, off_t offset);
void *__wrap_malloc(size_t count);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t count);
void *__wrap_reallocarray(void *memory, size_t count, size_t size);
char *__wrap_strdup(const char *text);
void __wrap_free(void *memory);
void *__wrap_mmap(void *at, size_t count, int protection, int flags, int descriptor, off_t offset);

static size_t live;       /* bytes */
static uint64_t seed;     /* of what fails */
static unsigned one_in;   /* fails; 0: none */
static unsigned fails_at; /* this allocation from now on fails, once; 0: none */
static unsigned failures;

static bool fails(void)
{
    bool is_due = fails_at > 0 && --fails_at == 0;
    if (one_in > 0) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        is_due = (seed >> 33) % one_in == 0;
    }
    failures += is_due;
    return is_due;
}

static void *counted(void *memory)
{
    live += malloc_usable_size(memory);
    return memory;
}

void *__wrap_malloc(size_t count)
{
    return fails() ? NULL : counted(__real_malloc(count));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : counted(__real_calloc(count, size));
}

void *__wrap_realloc(void *memory, size_t count)
{
    if (fails()) return NULL;
    live -= malloc_usable_size(memory);
    return counted(__real_realloc(memory, count));
}

void *__wrap_reallocarray(void *memory, size_t count, size_t size)
{
    live -= malloc_usable_size(memory);
    return counted(__real_reallocarray(memory, count, size));
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : counted(__real_strdup(text));
}

/* Blocks of sessions, and secrets. */
void *__wrap_mmap(void *at, size_t count, int protection, int flags, int descriptor, off_t offset)
{
    if (!fails()) return __real_mmap(at, count, protection, flags, descriptor, offset);
    errno = ENOMEM;
    return MAP_FAILED;
}

/* What was given back while `is_hoarding`, as it was then. */
static struct {
    void *at[100000];
    size_t count;
} hoard;
static bool is_hoarding;

void __wrap_free(void *memory)
{
    live -= malloc_usable_size(memory);
    if (is_hoarding && memory != NULL && hoard.count < sizeof hoard.at / sizeof hoard.at[0]) {
        hoard.at[hoard.count++] = memory;
    } else {
        __real_free(memory);
    }
}

static struct tls_server server;

static void start(struct tls_ticket_keys *keys)
{
    tls_server_start(&server, MADE_P256, keys, NULL);
    struct tls_link link; /* what mbedTLS keeps for ever is made now */
    for (unsigned version = 12; version <= 13; version++) {
        tls_server_join(&server, &link, version);
        tls_link_close(&link);
    }
}

/* net/tls/tls.h tells these figures. */
Test(tls_memory, a_handshake_holds_what_the_header_says_and_an_open_session_nothing, .timeout = 10)
{
    start(NULL);
    for (unsigned version = 12; version <= 13; version++) {
        struct tls_link link;
        tls_link_open(&link, server.context, tls_server_wish(&server, version));
        tls_client_handshake(link.client);
        tls_link_feed(&link, link.client->out.at, link.client->out.count); /* our flight is out */
        size_t before = live - link.out.capacity;
        tls_free(link.tls);
        link.tls = NULL;
        size_t held = before - (live - link.out.capacity);
        cr_log_info("TLS 1.%u: %zu bytes", version - 10, held);
        cr_expect(held > 33 * 1024 && held < 44 * 1024, "%zu", held);
        tls_link_close(&link);

        tls_server_join(&server, &link, version);
        before = live;
        tls_free(link.tls); /* it stood in a slab, whose blocks are not counted here */
        link.tls = NULL;
        cr_expect_eq(live, before);
        tls_link_close(&link);
    }
    tls_server_stop(&server);
}

Test(tls_memory, sessions_stand_close_together, .timeout = 30)
{
    enum { SESSIONS = 400 };
    static struct tls *sessions_open[SESSIONS];
    start(NULL);
    struct tls_sessions *sessions = tls_sessions_new();
    for (size_t i = 0; i < SESSIONS; i++)
        cr_assert_not_null(sessions_open[i] = tls_new(sessions, server.context, NULL, NULL));
    cr_expect_leq(sessions->slab.blocks * 64 * 1024 / SESSIONS, 400);
    for (size_t i = 0; i < SESSIONS; i++)
        tls_free(sessions_open[i]);
    cr_expect_leq(sessions->slab.blocks, 1);
    tls_sessions_free(sessions);
    tls_server_stop(&server);
}

/* A part of a record is held until the rest comes, and no more than that. */
Test(tls_memory, a_record_that_comes_in_pieces_is_held_once, .timeout = 10)
{
    static const uint8_t plain[16000];
    start(NULL);
    for (unsigned version = 12; version <= 13; version++) {
        struct tls_link link;
        tls_server_join(&server, &link, version);
        tls_client_write(link.client, plain, sizeof plain);
        size_t before = live;
        tls_link_feed(&link, link.client->out.at, 5);
        cr_expect_leq(live - before, 17 * 1024);
        tls_link_feed(&link, link.client->out.at + 5, 10000);
        cr_expect(live - before > 16000 && live - before < 17 * 1024, "%zu", live - before);
        tls_free(link.tls);
        link.tls = NULL;
        cr_expect_eq(live, before, "it went with its session");
        tls_link_close(&link);
    }
    tls_server_stop(&server);
}

static size_t count_copies(const uint8_t *secret, size_t count)
{
    size_t copies = 0;
    for (size_t i = 0; i < hoard.count; i++)
        copies += memmem(hoard.at[i], malloc_usable_size(hoard.at[i]), secret, count) != NULL;
    return copies;
}

/* Nothing that was given back, by us or by mbedTLS at both ends, has a key of the session or what keys are made of: not
 * when it is open, not when it has changed its keys, and not at its end. */
Test(tls_memory, no_secret_stands_in_what_is_given_back, .timeout = 60)
{
    start(NULL);
    for (unsigned version = 12; version <= 13; version++) {
        struct tls_link link;
        is_hoarding = true;
        tls_server_join(&server, &link, version);
        struct tls_records records = link.tls->records;
        if (version == 13) {
            link.tls->owes_update = true; /* as if it had been asked for */
            cr_assert_eq(tls_link_write(&link, (const uint8_t *)"x", 1), TLS_OK);
        }
        void *place = link.tls;
        tls_free(link.tls);
        link.tls = NULL;
        is_hoarding = false;
        cr_expect_gt(hoard.count, 100);
        size_t key_bytes = aead_key_bytes(records.kind), secret_bytes = tls_secret_bytes(records.kind);
        const struct tls_direction *directions[] = {&records.in, &records.out};
        for (size_t i = 0; i < 2; i++) {
            cr_expect_eq(count_copies(directions[i]->key, key_bytes), 0, "TLS 1.%u, key %zu", version - 10, i);
            if (version == 13) cr_expect_eq(count_copies(directions[i]->secret, secret_bytes), 0, "secret %zu", i);
        }
        ASAN_UNPOISON_MEMORY_REGION(place, sizeof(struct tls)); /* its place in the slab */
        for (size_t i = sizeof(void *); i < sizeof(struct tls); i++)
            cr_assert_eq(((const uint8_t *)place)[i], 0);
        ASAN_POISON_MEMORY_REGION(place, sizeof(struct tls));
        while (hoard.count > 0)
            __real_free(hoard.at[--hoard.count]);
        tls_link_close(&link);
    }
    tls_server_stop(&server);
}

/* A number as it is written, and as mbedTLS and GMP have it. */
static void expect_no_number(const mbedtls_mpi *number, const char *name)
{
    uint8_t bytes[512];
    size_t count = mbedtls_mpi_size(number);
    cr_assert(count >= 32 && count <= sizeof bytes);
    cr_assert_eq(mbedtls_mpi_write_binary(number, bytes, count), 0);
    cr_expect_eq(count_copies(bytes, count), 0, "%s", name);
    cr_assert_eq(mbedtls_mpi_write_binary_le(number, bytes, count), 0);
    cr_expect_eq(count_copies(bytes, count), 0, "%s, little endian", name);
}

static void expect_no_key(const char *text)
{
    mbedtls_pk_context key;
    mbedtls_pk_init(&key);
    const char *line = strchr(text, '\n') + 1;
    cr_expect_eq(count_copies((const uint8_t *)line, 40), 0, "the text of a key");
    cr_assert_eq(mbedtls_pk_parse_key(&key, (const uint8_t *)text, strlen(text) + 1, NULL, 0, mbedtls_psa_get_random,
                                      MBEDTLS_PSA_RANDOM_STATE),
                 0);
    if (mbedtls_pk_get_type(&key) == MBEDTLS_PK_RSA) {
        expect_no_number(&mbedtls_pk_rsa(key)->MBEDTLS_PRIVATE(D), "D");
        expect_no_number(&mbedtls_pk_rsa(key)->MBEDTLS_PRIVATE(P), "P");
        expect_no_number(&mbedtls_pk_rsa(key)->MBEDTLS_PRIVATE(DQ), "DQ");
    } else {
        expect_no_number(&mbedtls_pk_ec(key)->MBEDTLS_PRIVATE(d), "d");
    }
    mbedtls_pk_free(&key);
}

/* Read, used and dropped. */
Test(tls_memory, no_key_that_was_read_stands_in_what_is_given_back, .timeout = 60)
{
    static const enum made_kind kinds[] = {MADE_P256, MADE_RSA_2048};
    static const struct tls_ticket_key given[1] = {{"the key that tickets are sealed"}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        tls_server_start(&server, kinds[i], NULL, NULL);
        struct tls_link link;
        is_hoarding = true;
        struct tls_ticket_keys *keys = tls_ticket_keys_new(100);
        cr_assert_eq(tls_ticket_keys_give(keys, given, 1), RC_OK);
        struct tls_context *context =
            tls_server_context(&(const struct made_certificate *){&server.pair}, 1, keys, NULL);
        tls_link_open(&link, context, tls_server_wish(&server, 13));
        cr_assert(tls_link_shake(&link));
        tls_link_close(&link);
        tls_context_drop(context);
        cr_assert_eq(tls_ticket_keys_rotate(keys), RC_OK);
        tls_ticket_keys_free(keys);
        is_hoarding = false;
        cr_expect(hoard.count > 100 && hoard.count < sizeof hoard.at / sizeof hoard.at[0]);
        expect_no_key(server.pair.key);
        cr_expect_eq(count_copies(given[0].bytes, sizeof given[0].bytes), 0, "a ticket's key");
        while (hoard.count > 0)
            __real_free(hoard.at[--hoard.count]);
        tls_server_stop(&server);
    }
}

/* A handshake and an echo in which something fails. How did the session end? */
static enum tls_result visit(unsigned version)
{
    static const uint8_t plain[100];
    struct tls_link link;
    enum tls_result result = TLS_NO_MEMORY;
    tls_link_open(&link, server.context, tls_server_wish(&server, version));
    if (link.tls != NULL && link.client != NULL) {
        link.step = 50; /* in pieces, which are held */
        bool is_open = tls_link_shake(&link);
        if (is_open && tls_client_write(link.client, plain, sizeof plain) > 0) tls_link_run(&link);
        if (is_open && link.result == TLS_OK) tls_link_write(&link, plain, sizeof plain);
        result = link.result;
        if (result == TLS_NO_MEMORY) cr_expect_str_eq(tls_reason(link.tls), "out of memory");
    }
    tls_link_close(&link);
    return result;
}

/* Allocations of a visit fail, one in each: every one at first, then fewer and fewer of the thousands that big
 * numbers take. Nothing leaks, and the next visit goes well. */
Test(tls_memory, each_allocation_may_fail, .timeout = 120)
{
    cr_assert_eq(tls_global_init(), RC_OK);
    struct tls_ticket_keys *keys = tls_ticket_keys_new(100);
    start(keys);
    for (unsigned version = 12; version <= 13; version++) {
        unsigned ended = 0;
        for (unsigned at = 1;; at += 1 + at / 40) {
            size_t before = live;
            fails_at = at;
            enum tls_result result = visit(version);
            bool has_failed = fails_at == 0;
            fails_at = 0;
            cr_expect_eq(live, before, "allocation %u", at);
            ended += result == TLS_NO_MEMORY;
            if (!has_failed) break;
        }
        cr_expect_gt(ended, 10);
        cr_expect_eq(visit(version), TLS_OK);
    }
    tls_server_stop(&server);
    tls_ticket_keys_free(keys);
}

Test(tls_memory, allocations_fail_at_random, .timeout = 60)
{
    start(NULL);
    size_t before = live;
    for (seed = 1, one_in = 50; one_in < 2000; one_in += 11)
        visit(12 + one_in % 2);
    one_in = 0;
    cr_expect_gt(failures, 100);
    cr_expect_eq(live, before);
    cr_expect_eq(visit(12), TLS_OK);
    cr_expect_eq(visit(13), TLS_OK);
    tls_server_stop(&server);
}

/* Files, keys and contexts too. For lack of memory mbedTLS may find a certificate not valid. */
Test(tls_memory, set_up_says_that_there_is_no_memory, .timeout = 60)
{
    start(NULL);
    const char *certificate = made_file(server.pair.certificate), *key = made_file(server.pair.key);
    struct tls_names names = {&certificate, &key, 1, certificate, false};
    size_t before = live;
    for (unsigned at = 1;; at++) {
        char reason[256] = "";
        struct tls_files *files = NULL;
        struct tls_context *context = NULL;
        fails_at = at;
        enum rc rc = tls_files_read(&files, &names, reason, sizeof reason);
        if (rc == RC_OK) rc = tls_context_new(&context, files, NULL, reason, sizeof reason);
        struct tls_ticket_keys *keys = rc == RC_OK ? tls_ticket_keys_new(100) : NULL;
        bool has_failed = fails_at == 0;
        fails_at = 0;
        if (has_failed && keys == NULL && rc != RC_OK) {
            cr_expect(rc == RC_ENOMEM || rc == RC_EKERNEL || rc == RC_EINVAL, "%u: %s", at, rc_text(rc));
            cr_expect_str_not_empty(reason, "%u", at);
        }
        tls_ticket_keys_free(keys);
        tls_context_drop(context);
        tls_files_drop(files);
        cr_expect_eq(live, before, "allocation %u", at);
        if (!has_failed) break;
    }
    tls_server_stop(&server);
}
