/* tests/net/tls/test_tls_known_answers.c - Project Wycheproof's numbers at the edges (net/tls/wycheproof): X25519 and
 * ECDH on P-256 as a handshake asks for them, by nettle and by mbedTLS, and both libraries' AEADs. Linked with --wrap,
 * for mbedTLS is static here. */
#include "net/tls/aead.h"
#include "net/tls/aead_library.h"
#include "net/tls/tls.h"
#include "net/tls/tls_curve.h"

#include <criterion/criterion.h>
#include <psa/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS_MAX = 7, FIELD_BYTES_MAX = 1024 };

/* A line of such a file. */
struct answer {
    long number;
    char result[16]; /* "valid", "refused", "either" */
    struct {
        uint8_t bytes[FIELD_BYTES_MAX];
        size_t count;
    } fields[FIELDS_MAX];
};

typedef void check_call(const struct answer *answer);

static void read_field(struct answer *answer, size_t field, const char *hex)
{
    size_t count = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2;
    cr_assert(field < FIELDS_MAX && count <= FIELD_BYTES_MAX);
    for (size_t i = 0; i < count; i++)
        cr_assert_eq(sscanf(hex + 2 * i, "%2hhx", &answer->fields[field].bytes[i]), 1);
    answer->fields[field].count = count;
}

static void check_file(const char *name, size_t least, check_call *check)
{
    static struct answer answer;
    static char line[16 * 1024];
    const char *folder = getenv("WYCHEPROOF"); /* another one, with more of them */
    char path[512];
    size_t answers = 0;
    snprintf(path, sizeof path, "%s/%s", folder != NULL ? folder : WYCHEPROOF, name);
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file, "%s", path);
    while (fgets(line, sizeof line, file) != NULL) {
        if (line[0] == '#') continue;
        char *rest = line, *word;
        for (size_t i = 0; (word = strsep(&rest, " \n")) != NULL && word[0] != '\0'; i++) {
            if (i == 0) answer.number = strtol(word, NULL, 10);
            if (i == 1) snprintf(answer.result, sizeof answer.result, "%s", word);
            if (i >= 2) read_field(&answer, i - 2, word);
        }
        check(&answer);
        answers++;
    }
    fclose(file);
    cr_expect_geq(answers, least);
}

/* ---- curves ---- */

/* As TLS 1.3 asks for it. */
static psa_status_t agree(psa_key_type_t type, const struct answer *answer, uint8_t product[32])
{
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
    psa_key_id_t key;
    size_t count = 0;
    psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_DERIVE);
    psa_set_key_algorithm(&attributes, PSA_ALG_ECDH);
    psa_set_key_type(&attributes, type);
    psa_status_t status = psa_import_key(&attributes, answer->fields[0].bytes, answer->fields[0].count, &key);
    if (status != PSA_SUCCESS) return status;
    status = psa_raw_key_agreement(PSA_ALG_ECDH, key, answer->fields[1].bytes, answer->fields[1].count, product, 32,
                                   &count);
    psa_destroy_key(key);
    return status == PSA_SUCCESS && count != 32 ? PSA_ERROR_GENERIC_ERROR : status;
}

static void check_curve(psa_key_type_t type, const struct answer *answer)
{
    for (int is_fast = 0; is_fast <= 1; is_fast++) {
        uint8_t product[32];
        if (is_fast) cr_assert(tls_curve_begin());
        if (!is_fast) tls_curve_end();
        psa_status_t status = agree(type, answer, product);
        if (answer->result[0] != 'e')
            cr_expect_eq(status == PSA_SUCCESS, answer->result[0] == 'v', "%ld: %d", answer->number, (int)status);
        if (status != PSA_SUCCESS) continue;
        cr_expect_eq(answer->fields[2].count, 32);
        cr_expect_arr_eq(product, answer->fields[2].bytes, 32, "%ld, fast %d", answer->number, is_fast);
    }
}

static void check_x25519(const struct answer *answer)
{
    check_curve(PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_MONTGOMERY), answer);
}

static void check_p256(const struct answer *answer)
{
    check_curve(PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1), answer);
}

Test(tls_known_answers, x25519, .timeout = 120)
{
    cr_assert_eq(tls_global_init(), RC_OK);
    check_file("x25519.txt", 150, check_x25519);
}

Test(tls_known_answers, p256, .timeout = 120)
{
    cr_assert_eq(tls_global_init(), RC_OK);
    check_file("p256.txt", 150, check_p256);
}

/* ---- AEADs ---- */

static void check_aead(enum aead_kind kind, const struct answer *answer)
{
    static const struct aead_library *const libraries[] = {&aead_nettle, &aead_mbedtls};
    static uint8_t text[FIELD_BYTES_MAX];
    struct aead_with with = {kind, answer->fields[0].bytes, answer->fields[1].bytes, answer->fields[2].bytes,
                             answer->fields[2].count};
    size_t count = answer->fields[3].count, sealed_count = answer->fields[4].count;
    cr_assert_eq(answer->fields[0].count, aead_key_bytes(kind));
    cr_assert(answer->fields[1].count == AEAD_NONCE_BYTES && sealed_count == count + AEAD_TAG_BYTES);
    struct aead *aead = aead_new();
    for (size_t i = 0; i < 2; i++) {
        bool is_valid = answer->result[0] == 'v';
        enum rc rc = libraries[i]->open(aead, &with, answer->fields[4].bytes, sealed_count, text);
        cr_expect_eq(rc, is_valid ? RC_OK : RC_EPROTO, "%ld, %s", answer->number, libraries[i]->name);
        if (!is_valid) continue;
        cr_expect_arr_eq(text, answer->fields[3].bytes, count, "%ld, %s", answer->number, libraries[i]->name);
        cr_expect_eq(libraries[i]->seal(aead, &with, answer->fields[3].bytes, count, NULL, 0, text), RC_OK);
        cr_expect_arr_eq(text, answer->fields[4].bytes, sealed_count, "%ld, %s", answer->number, libraries[i]->name);
    }
    aead_free(aead);
}

static void check_gcm(const struct answer *answer)
{
    check_aead(answer->fields[0].count == 16 ? AEAD_AES_128_GCM : AEAD_AES_256_GCM, answer);
}

static void check_chacha20(const struct answer *answer)
{
    check_aead(AEAD_CHACHA20_POLY1305, answer);
}

Test(tls_known_answers, aes_gcm, .timeout = 60)
{
    check_file("aes_gcm.txt", 80, check_gcm);
}

Test(tls_known_answers, chacha20_poly1305, .timeout = 60)
{
    check_file("chacha20_poly1305.txt", 80, check_chacha20);
}
