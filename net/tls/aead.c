/* net/tls/aead.c - which library seals and opens: checked and measured when the program begins. */
#include "net/tls/aead.h"

#include "core/secret.h"
#include "net/tls/aead_check.h"
#include "net/tls/aead_library.h"

#include <assert.h>
#include <time.h>

enum {
    MEASURE_BYTES = 1024, /* of a text, as long as a longer message */
    MEASURE_ROUNDS = 5,   /* the best of which counts */
    MEASURE_TEXTS = 16,
};

static const struct aead_library *const libraries[] = {&aead_nettle, &aead_mbedtls};

enum { LIBRARIES_MAX = sizeof libraries / sizeof libraries[0] };

static const struct aead_library *chosen[AEAD_KINDS_MAX];

const char *aead_library(enum aead_kind kind)
{
    return chosen[kind]->name;
}

/* ---- the choice ---- */

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t measure(struct aead *aead, const struct aead_library *library, enum aead_kind kind)
{
    static const uint8_t plain[MEASURE_BYTES];
    uint8_t sealed[MEASURE_BYTES + AEAD_TAG_BYTES];
    struct aead_with with = aead_check_with(kind);
    uint64_t best_ns = UINT64_MAX;
    for (int round = 0; round < MEASURE_ROUNDS; round++) {
        uint64_t begun_ns = now_ns();
        for (int text = 0; text < MEASURE_TEXTS; text++) {
            if (library->seal(aead, &with, plain, sizeof plain, NULL, 0, sealed) != RC_OK) return UINT64_MAX;
        }
        uint64_t spent_ns = now_ns() - begun_ns;
        if (spent_ns < best_ns) best_ns = spent_ns;
    }
    return best_ns;
}

static enum rc choose(struct aead *aead, enum aead_kind kind)
{
    uint64_t best_ns = UINT64_MAX;
    for (size_t i = 0; i < LIBRARIES_MAX; i++) {
        enum rc rc = aead_check(aead, libraries[i], kind);
        if (rc == RC_ENOMEM) return rc;
        if (rc != RC_OK) continue;
        uint64_t spent_ns = measure(aead, libraries[i], kind);
        if (spent_ns >= best_ns) continue;
        best_ns = spent_ns;
        chosen[kind] = libraries[i];
    }
    return chosen[kind] != NULL ? RC_OK : RC_EKERNEL;
}

enum rc aead_global_init(void)
{
    if (chosen[AEAD_KINDS_MAX - 1] != NULL) return RC_OK;
    struct aead *aead = aead_new();
    if (aead == NULL) return RC_ENOMEM;
    enum rc rc = RC_OK;
    for (enum aead_kind kind = 0; kind < AEAD_KINDS_MAX && rc == RC_OK; kind++) {
        rc = choose(aead, kind);
    }
    aead_free(aead);
    return rc;
}

/* ---- use ---- */

struct aead *aead_new(void)
{
    struct aead *aead = secret_new(sizeof *aead);
    if (aead == NULL) return NULL;
    mbedtls_gcm_init(&aead->mbedtls_gcm);
    mbedtls_chachapoly_init(&aead->mbedtls_chachapoly);
    return aead;
}

void aead_free(struct aead *aead)
{
    if (aead == NULL) return;
    mbedtls_gcm_free(&aead->mbedtls_gcm);
    mbedtls_chachapoly_free(&aead->mbedtls_chachapoly);
    secret_free(aead);
}

enum rc aead_seal(struct aead *aead, const struct aead_with *with, const uint8_t *plain, size_t count,
                  const uint8_t *end, size_t end_count, uint8_t *sealed)
{
    assert(end_count <= AEAD_END_BYTES_MAX);
    return chosen[with->kind]->seal(aead, with, plain, count, end, end_count, sealed);
}

enum rc aead_open(struct aead *aead, const struct aead_with *with, const uint8_t *sealed, size_t count,
                  uint8_t *plain)
{
    assert(count >= AEAD_TAG_BYTES);
    return chosen[with->kind]->open(aead, with, sealed, count, plain);
}
