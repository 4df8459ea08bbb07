/* bench/pieces/bench_aead.c - one record's text sealed with each AEAD, the key set anew each time, by each library:
 * what net/tls/aead.h chooses from. */
#include "bench/pieces/bench.h"
#include "bench/pieces/pieces.h"
#include "net/tls/aead.h"
#include "net/tls/aead_library.h"

#include <stdio.h>
#include <string.h>

#define RUN_BYTES (UINT64_C(16) << 20)
#define TEXTS_MAX 100000

enum { TEXT_BYTES_MAX = 16384 };

struct work {
    struct aead *aead;
    const struct aead_library *library;
    enum aead_kind kind;
    uint64_t count;
    size_t text_bytes;
    uint8_t plain[TEXT_BYTES_MAX], sealed[TEXT_BYTES_MAX + AEAD_TAG_BYTES];
};

static uint64_t run_seal(void *context)
{
    struct work *work = context;
    uint8_t key[AEAD_KEY_BYTES_MAX] = "key", nonce[AEAD_NONCE_BYTES] = "nonce", header[5] = "head";
    struct aead_with with = {work->kind, key, nonce, header, sizeof header};
    uint64_t hash = 1;
    for (uint64_t i = 0; i < work->count; i++) {
        memcpy(nonce, &i, sizeof i);
        if (work->library->seal(work->aead, &with, work->plain, work->text_bytes, NULL, 0, work->sealed) != RC_OK)
            return 0;
        hash = bench_mix(hash, work->sealed[work->text_bytes]);
    }
    return hash;
}

static void measure(struct bench *bench, struct work *work, const char *kind)
{
    static const size_t sizes[] = {64, 1024, TEXT_BYTES_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char name[64];
        uint64_t count = RUN_BYTES / sizes[i];
        snprintf(name, sizeof name, "aead/%s/%s/%zu", kind, work->library->name, sizes[i]);
        if (!bench_wants(bench, name)) continue;
        work->text_bytes = sizes[i];
        work->count = bench_size(bench, count < TEXTS_MAX ? count : TEXTS_MAX);
        struct bench_piece piece = {.name = name,
                                    .operations = work->count,
                                    .bytes = work->count * sizes[i],
                                    .run = run_seal,
                                    .context = work};
        bench_measure(bench, &piece);
    }
}

void bench_aead(struct bench *bench)
{
    static struct work work;
    static const char *const kinds[AEAD_KINDS_MAX] = {"aes128", "aes256", "chacha"};
    static const struct aead_library *const libraries[] = {&aead_nettle, &aead_mbedtls};
    uint64_t seed = 1;
    work.aead = aead_new();
    if (work.aead == NULL) {
        bench_unable(bench, "aead", RC_ENOMEM);
        return;
    }
    for (size_t i = 0; i < sizeof work.plain; i++) {
        work.plain[i] = (uint8_t)bench_random(&seed);
    }
    for (work.kind = 0; work.kind < AEAD_KINDS_MAX; work.kind++) {
        for (size_t i = 0; i < sizeof libraries / sizeof libraries[0]; i++) {
            work.library = libraries[i];
            measure(bench, &work, kinds[work.kind]);
        }
    }
    aead_free(work.aead);
}
