/* net/tls/tls_files.c - certificates and keys: read, judged, kept as text for the contexts to parse.
 *
 * Whoever reads a refusal here has a server that does not start, or a renewal that did not work: each names the file,
 * what is wrong with it and what to do. */
#include "net/tls/tls_files.h"

#include "core/secret.h"
#include "core/tsan.h"
#include "net/tls/tls_certificate.h"
#include "net/tls/tls_error.h"
#include "net/tls/tls_file.h"

#include <assert.h>
#include <ck_pr.h>
#include <mbedtls/psa_util.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    FILE_BYTES_MAX = 1 << 20,
    RSA_BITS_MIN = 2048,
    /* RFC 8446 4.4.2, the longer form of the two: type and length, context, length of the list; length and extensions
     * of each. */
    CHAIN_HEAD_BYTES = 4 + 1 + 3,
    CHAIN_LINK_BYTES = 3 + 2,
};

static enum rc take_text(struct tls_pem *pem, const unsigned char *text, size_t count, struct tls_reason reason)
{
    if (count == 0)
        return tls_refuse(reason, RC_EINVAL, "%s is empty. Was it cut off while being written? Write it again.",
                          pem->name);
    if (count > FILE_BYTES_MAX)
        return tls_refuse(reason, RC_EINVAL, "%s is larger than a megabyte: that is no PEM file. Name another.",
                          pem->name);
    pem->text = secret_new(count + 1);
    if (pem->text == NULL) return tls_refuse_memory(reason, pem->name);
    memcpy(pem->text, text, count);
    pem->text[count] = '\0';
    pem->count = count + 1;
    return RC_OK;
}

static enum rc read_pem(struct tls_pem *pem, const char *name, struct tls_reason reason)
{
    size_t count = 0;
    unsigned char *buffer = secret_new(FILE_BYTES_MAX + 1);
    pem->name = strdup(name);
    if (pem->name == NULL || buffer == NULL) {
        secret_free(buffer);
        return tls_refuse_memory(reason, name);
    }
    enum rc rc = tls_file_read(name, buffer, FILE_BYTES_MAX + 1, &count, reason);
    if (rc == RC_OK) rc = take_text(pem, buffer, count, reason);
    secret_free(buffer);
    return rc;
}

static void forget(struct tls_pem *pem)
{
    secret_free(pem->text);
    free(pem->name);
}

static bool has(const struct tls_pem *pem, const char *words)
{
    return strstr((const char *)pem->text, words) != NULL;
}

/* ---- parsing ---- */

static enum rc check_certificate(mbedtls_x509_crt *certificate, const struct tls_pem *pem, struct tls_reason reason)
{
    int error = tls_parse_certificate(certificate, pem);
    if (error == 0) return RC_OK;
    if (tls_error_is_memory(error)) return tls_refuse_memory(reason, pem->name);
    if (!has(pem, "-----BEGIN CERTIFICATE-----")) {
        return tls_refuse(reason, RC_EINVAL, "%s holds %s and no certificate. %s", pem->name,
                          has(pem, "PRIVATE KEY-----") ? "a key" : "no PEM text",
                          has(pem, "PRIVATE KEY-----") ? "Were certificate and key swapped?"
                                                       : "A file in DER: openssl x509 -inform der -in IT -out NEW.");
    }
    return tls_refuse(
        reason, RC_EINVAL,
        "%s holds a certificate that cannot be parsed (mbedTLS: -0x%04x). Is it complete? Its key has to be "
        "RSA or ECDSA.",
        pem->name, (unsigned)-error);
}

static enum rc check_key(mbedtls_pk_context *key, const struct tls_pem *pem, struct tls_reason reason)
{
    int error = tls_parse_key(key, pem);
    if (error == 0) return RC_OK;
    if (tls_error_is_memory(error)) return tls_refuse_memory(reason, pem->name);
    if (error == MBEDTLS_ERR_PK_PASSWORD_REQUIRED || has(pem, "BEGIN ENCRYPTED PRIVATE KEY-----")) {
        return tls_refuse(
            reason, RC_EINVAL,
            "The key in %s is encrypted, and nobody is there to type its passphrase. Write it without one: "
            "openssl pkey -in IT -out NEW; and let only the server read it.",
            pem->name);
    }
    if (!has(pem, "PRIVATE KEY-----")) {
        return tls_refuse(reason, RC_EINVAL, "%s holds %s and no key. %s", pem->name,
                          has(pem, "-----BEGIN CERTIFICATE-----") ? "a certificate" : "no PEM text",
                          has(pem, "-----BEGIN CERTIFICATE-----")
                              ? "Were certificate and key swapped?"
                              : "A file in DER: openssl pkey -inform der -in IT -out NEW.");
    }
    return tls_refuse(
        reason, RC_EINVAL,
        "%s holds a key that cannot be parsed (mbedTLS: -0x%04x). Is it complete? It has to be RSA or ECDSA; "
        "Ed25519 is not supported.",
        pem->name, (unsigned)-error);
}

/* ---- judging ---- */

/* What is offered for signatures (net/tls/tls_context.c), and what browsers ask for. */
static const mbedtls_x509_crt_profile profile = {
    MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA256) | MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA384) |
        MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA512),
    MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_RSA) | MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_RSASSA_PSS) |
        MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECDSA) | MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECKEY),
    MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP256R1) | MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP384R1),
    RSA_BITS_MIN,
};

/* Takes the flags of the server's own certificate, which is at depth 0, out of mbedTLS' walk up the chain. */
static int note_flags(void *flags_r, mbedtls_x509_crt *certificate, int depth, uint32_t *flags)
{
    (void)certificate;
    if (depth == 0) *(uint32_t *)flags_r = *flags;
    return 0;
}

static enum rc check_strength(mbedtls_x509_crt *certificate, const char *name, struct tls_reason reason)
{
    uint32_t flags = 0, all_flags;
    mbedtls_x509_crt_verify_with_profile(certificate, NULL, NULL, &profile, NULL, &all_flags, note_flags, &flags);
    if ((flags & (MBEDTLS_X509_BADCERT_BAD_KEY | MBEDTLS_X509_BADCERT_BAD_PK)) != 0)
        return tls_refuse(
            reason, RC_EINVAL,
            "The key of the certificate in %s is too weak or of a kind that clients do not accept. Get one "
            "with ECDSA on P-256 or P-384, or RSA from %d bits.",
            name, RSA_BITS_MIN);
    if ((flags & MBEDTLS_X509_BADCERT_BAD_MD) != 0)
        return tls_refuse(
            reason, RC_EINVAL,
            "The certificate in %s is signed with a digest that clients do not accept. Get one with SHA-256.", name);
    return RC_OK;
}

/* Does the key belong to one of the certificates? */
static bool belongs(const mbedtls_x509_crt *certificate, const mbedtls_pk_context *key)
{
    return mbedtls_pk_check_pair(&certificate->pk, key, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE) == 0;
}

static enum rc check_match(const mbedtls_x509_crt *certificate, const mbedtls_pk_context *key, const char *name,
                           const char *key_name, struct tls_reason reason)
{
    if (belongs(certificate, key)) return RC_OK;
    for (const mbedtls_x509_crt *next = certificate->next; next != NULL; next = next->next) {
        if (belongs(next, key))
            return tls_refuse(
                reason, RC_EINVAL,
                "In %s the server's own certificate stands behind others. Put it first, then its issuer, then "
                "the issuer's.",
                name);
    }
    return tls_refuse(
        reason, RC_EINVAL,
        "The key in %s does not belong to the certificate in %s. Name both of one pair, in the same order; "
        "after a renewal both change.",
        key_name, name);
}

/* mbedTLS sends the chain in one record, or fails every handshake. */
static enum rc check_length(const mbedtls_x509_crt *certificate, const char *name, struct tls_reason reason)
{
    size_t bytes = CHAIN_HEAD_BYTES;
    for (; certificate != NULL; certificate = certificate->next) {
        bytes += CHAIN_LINK_BYTES + certificate->raw.len;
    }
    if (bytes <= TLS_CHAIN_BYTES_MAX) return RC_OK;
    return tls_refuse(
        reason, RC_EINVAL,
        "The chain in %s takes %zu bytes of a handshake that has room for %d. Leave out what clients do not "
        "need: the root, and whatever issued none of the others.",
        name, bytes, TLS_CHAIN_BYTES_MAX);
}

static int64_t seconds_of(const mbedtls_x509_time *time)
{
    struct tm tm = {.tm_year = time->year - 1900,
                    .tm_mon = time->mon - 1,
                    .tm_mday = time->day,
                    .tm_hour = time->hour,
                    .tm_min = time->min,
                    .tm_sec = time->sec};
    return timegm(&tm);
}

/* A subject that is longer than its room is told as none. */
static void note_facts(struct tls_certificate_facts *facts, const mbedtls_x509_crt *certificate)
{
    int count = mbedtls_x509_dn_gets(facts->subject, sizeof facts->subject, &certificate->subject);
    if (count < 0) facts->subject[0] = '\0';
    tls_certificate_names(certificate, facts->names, sizeof facts->names);
    facts->valid_from = seconds_of(&certificate->valid_from);
    facts->expire_at = seconds_of(&certificate->valid_to);
}

static void note_expiry(struct tls_files *files, size_t index, const mbedtls_x509_crt *certificate)
{
    int64_t at = seconds_of(&certificate->valid_to);
    note_facts(&files->facts[index], certificate);
    if (index > 0 && at >= files->expire_at) return;
    files->expire_at = at;
    files->expires_first = index;
}

static enum rc check_pair(struct tls_files *files, size_t index, struct tls_reason reason)
{
    const struct tls_pem *certificate = &files->certificates[index], *key = &files->keys[index];
    struct tls_pair pair;
    mbedtls_x509_crt_init(&pair.certificate);
    mbedtls_pk_init(&pair.key);
    enum rc rc = check_certificate(&pair.certificate, certificate, reason);
    if (rc == RC_OK) rc = check_key(&pair.key, key, reason);
    if (rc == RC_OK) rc = check_match(&pair.certificate, &pair.key, certificate->name, key->name, reason);
    if (rc == RC_OK) rc = check_strength(&pair.certificate, certificate->name, reason);
    if (rc == RC_OK) rc = check_length(&pair.certificate, certificate->name, reason);
    if (rc == RC_OK) note_expiry(files, index, &pair.certificate);
    mbedtls_pk_free(&pair.key);
    mbedtls_x509_crt_free(&pair.certificate);
    return rc;
}

static enum rc check_client_ca(const struct tls_pem *pem, struct tls_reason reason)
{
    mbedtls_x509_crt certificate;
    mbedtls_x509_crt_init(&certificate);
    enum rc rc = check_certificate(&certificate, pem, reason);
    mbedtls_x509_crt_free(&certificate);
    return rc;
}

/* ---- life ---- */

static enum rc read_all(struct tls_files *files, const struct tls_names *names, struct tls_reason reason)
{
    for (size_t i = 0; i < names->count; i++) {
        files->count = i + 1;
        enum rc rc = read_pem(&files->certificates[i], names->certificates[i], reason);
        if (rc == RC_OK) rc = read_pem(&files->keys[i], names->keys[i], reason);
        if (rc == RC_OK) rc = check_pair(files, i, reason);
        if (rc != RC_OK) return rc;
    }
    if (names->client_ca == NULL) return RC_OK;
    enum rc rc = read_pem(&files->client_ca, names->client_ca, reason);
    return rc == RC_OK ? check_client_ca(&files->client_ca, reason) : rc;
}

enum rc tls_files_read(struct tls_files **files_r, const struct tls_names *names, char *reason_r, size_t reason_size)
{
    struct tls_reason reason = {reason_r, reason_size};
    *files_r = NULL;
    if (names->count == 0) return tls_refuse(reason, RC_EINVAL, "No certificate is named. Name one, and its key.");
    if (names->count > TLS_CERTIFICATES_MAX)
        return tls_refuse(
            reason, RC_EINVAL,
            "%zu certificates are named, and there is room for %d: %s is one too many. One certificate can be "
            "made out for many names.",
            names->count, TLS_CERTIFICATES_MAX, names->certificates[TLS_CERTIFICATES_MAX]);
    struct tls_files *files = calloc(1, sizeof *files);
    if (files == NULL) return tls_refuse_memory(reason, names->certificates[0]);
    files->references = 1;
    files->is_1_3_only = names->is_1_3_only;
    enum rc rc = read_all(files, names, reason);
    if (rc == RC_OK) {
        *files_r = files;
    } else {
        tls_files_drop(files);
    }
    return rc;
}

void tls_files_hold(struct tls_files *files)
{
    ck_pr_inc_uint(&files->references);
}

void tls_files_drop(struct tls_files *files)
{
    bool is_last;
    if (files == NULL) return;
    TSAN_RELEASE(files);
    ck_pr_fence_release(); /* our reads come before anyone's free */
    ck_pr_dec_uint_zero(&files->references, &is_last);
    if (!is_last) return;
    ck_pr_fence_acquire();
    TSAN_ACQUIRE(files);
    for (size_t i = 0; i < files->count; i++) {
        forget(&files->certificates[i]);
        forget(&files->keys[i]);
    }
    forget(&files->client_ca);
    free(files);
}

size_t tls_files_count(const struct tls_files *files)
{
    return files->count;
}

const struct tls_certificate_facts *tls_files_facts(const struct tls_files *files, size_t index)
{
    assert(index < files->count);
    return &files->facts[index];
}

const char *tls_files_name(const struct tls_files *files, size_t index)
{
    assert(index < files->count);
    return files->certificates[index].name;
}

int64_t tls_files_expire_at(const struct tls_files *files)
{
    return files->expire_at;
}

const char *tls_files_expire_name(const struct tls_files *files)
{
    return files->certificates[files->expires_first].name;
}
