/* tests/support/tls_certificate.c - keys and certificates from mbedTLS' generator and writer, files from memfd. */
#include "tests/support/tls_certificate.h"

#include <mbedtls/ecp.h>
#include <mbedtls/psa_util.h>
#include <mbedtls/rsa.h>
#include <mbedtls/x509_crt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RANDOM mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE

/* error: mbedTLS' */
static void check(int error, const char *what)
{
    if (error == 0) return;
    fprintf(stderr, "made_certificate: %s: -0x%04x\n", what, (unsigned)-error);
    abort();
}

static void make_key(mbedtls_pk_context *key, enum made_kind kind)
{
    static const mbedtls_ecp_group_id curves[] = {
        [MADE_P256] = MBEDTLS_ECP_DP_SECP256R1,
        [MADE_P384] = MBEDTLS_ECP_DP_SECP384R1,
        [MADE_P521] = MBEDTLS_ECP_DP_SECP521R1,
    };
    bool is_rsa = kind == MADE_RSA_1024 || kind == MADE_RSA_2048;
    mbedtls_pk_init(key);
    check(mbedtls_pk_setup(key, mbedtls_pk_info_from_type(is_rsa ? MBEDTLS_PK_RSA : MBEDTLS_PK_ECKEY)), "key");
    if (is_rsa) {
        check(mbedtls_rsa_gen_key(mbedtls_pk_rsa(*key), RANDOM, kind == MADE_RSA_1024 ? 1024 : 2048, 65537), "RSA");
    } else {
        check(mbedtls_ecp_gen_key(curves[kind], mbedtls_pk_ec(*key), RANDOM), "ECDSA");
    }
}

static void set_names(mbedtls_x509write_cert *writer, const char *const *names)
{
    enum { NAMES_MAX = 8 };
    mbedtls_x509_san_list list[NAMES_MAX];
    int count = 0;
    for (; names != NULL && names[count] != NULL; count++) {
        list[count] = (mbedtls_x509_san_list){0};
        list[count].node.type = MBEDTLS_X509_SAN_DNS_NAME;
        list[count].node.san.unstructured_name.p = (unsigned char *)(uintptr_t)names[count];
        list[count].node.san.unstructured_name.len = strlen(names[count]);
        if (count > 0) list[count - 1].next = &list[count];
    }
    if (count > 0) check(mbedtls_x509write_crt_set_subject_alternative_name(writer, list), "names");
}

static void set_validity(mbedtls_x509write_cert *writer, int from_year, int to_year)
{
    char from[16], to[16];
    snprintf(from, sizeof from, "%04u0101000000", (unsigned)(from_year > 0 ? from_year : 2020) % 10000);
    snprintf(to, sizeof to, "%04u0101000000", (unsigned)(to_year > 0 ? to_year : 2100) % 10000);
    check(mbedtls_x509write_crt_set_validity(writer, from, to), "validity");
}

static void write_certificate(struct made_certificate *made, const struct made_wish *wish, mbedtls_pk_context *key)
{
    mbedtls_x509write_cert writer;
    mbedtls_pk_context issuer_key;
    static unsigned char serial;
    const struct made_certificate *issuer = wish->issuer != NULL ? wish->issuer : made;
    serial++;
    mbedtls_pk_init(&issuer_key);
    check(mbedtls_pk_parse_key(&issuer_key, (const unsigned char *)issuer->key, strlen(issuer->key) + 1, NULL, 0,
                               RANDOM),
          "issuer");
    mbedtls_x509write_crt_init(&writer);
    mbedtls_x509write_crt_set_version(&writer, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&writer, wish->is_signed_with_sha1 ? MBEDTLS_MD_SHA1 : MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(&writer, key);
    mbedtls_x509write_crt_set_issuer_key(&writer, &issuer_key);
    check(mbedtls_x509write_crt_set_subject_name(&writer, made->subject), "subject");
    check(mbedtls_x509write_crt_set_issuer_name(&writer, issuer->subject), "issuer's name");
    check(mbedtls_x509write_crt_set_serial_raw(&writer, &serial, 1), "serial");
    check(mbedtls_x509write_crt_set_basic_constraints(&writer, wish->is_authority, -1), "constraints");
    set_validity(&writer, wish->from_year, wish->to_year);
    set_names(&writer, wish->names);
    check(mbedtls_x509write_crt_pem(&writer, (unsigned char *)made->certificate, sizeof made->certificate, RANDOM),
          "certificate");
    mbedtls_x509write_crt_free(&writer);
    mbedtls_pk_free(&issuer_key);
}

void made_certificate(struct made_certificate *made, struct made_wish wish)
{
    mbedtls_pk_context key;
    *made = (struct made_certificate){0};
    snprintf(made->subject, sizeof made->subject, "CN=%s", wish.subject);
    make_key(&key, wish.kind);
    check(mbedtls_pk_write_key_pem(&key, (unsigned char *)made->key, sizeof made->key), "key's text");
    write_certificate(made, &wish, &key);
    mbedtls_pk_free(&key);
}

const char *made_file(const char *text)
{
    enum { FILES_MAX = 64 };
    static char paths[FILES_MAX][32];
    static int files;
    int fd = memfd_create("made", 0); /* stays open */
    size_t count = strlen(text);
    if (files == FILES_MAX || fd < 0 || write(fd, text, count) != (ssize_t)count) abort();
    snprintf(paths[files], sizeof paths[files], "/proc/self/fd/%d", fd);
    return paths[files++];
}
