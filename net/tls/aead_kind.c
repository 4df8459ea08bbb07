/* net/tls/aead_kind.c - names of AEADs, and how long their keys are. */
#include "net/tls/aead_kind.h"

static const struct {
    const char *name;
    size_t key_bytes;
} kinds[AEAD_KINDS_MAX] = {
    [AEAD_AES_128_GCM] = {"AES-128-GCM", 16},
    [AEAD_AES_256_GCM] = {"AES-256-GCM", 32},
    [AEAD_CHACHA20_POLY1305] = {"ChaCha20-Poly1305", 32},
};

const char *aead_name(enum aead_kind kind)
{
    return kinds[kind].name;
}

size_t aead_key_bytes(enum aead_kind kind)
{
    return kinds[kind].key_bytes;
}
