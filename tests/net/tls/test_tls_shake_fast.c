/* tests/net/tls/test_tls_shake_fast.c - handshakes of both versions on every curve, with nettle and without: both ends
 * agree and talk. Linked with --wrap, for mbedTLS is static here. */
#include "net/tls/tls_curve.h"
#include "tests/support/tls_server.h"

#include <criterion/criterion.h>

static struct tls_server server;

/* One handshake and an echo; how many multiplications were nettle's? */
static uint64_t shake(struct tls_client_wish wish)
{
    struct tls_link link;
    uint64_t before = tls_curve_count();
    tls_link_open(&link, server.context, wish);
    cr_assert(tls_link_shake(&link), "%s, client -0x%x", tls_reason(link.tls), (unsigned)-link.client_error);
    cr_assert_eq(tls_client_write(link.client, (const uint8_t *)"hello", 5), 5);
    tls_link_run(&link);
    cr_expect_eq(link.heard.count, 5);
    cr_expect_eq(tls_link_write(&link, link.heard.at, 5), TLS_OK);
    tls_link_run(&link);
    cr_expect_eq(link.client_heard.count, 5);
    tls_link_close(&link);
    return tls_curve_count() - before;
}

Test(tls_shake_fast, handshakes_go_well_with_it_and_without, .timeout = 60)
{
    static const uint16_t x25519[] = {MBEDTLS_SSL_IANA_TLS_GROUP_X25519, MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
                                      MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1, 0};
    static const uint16_t p256[] = {MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1, MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1, 0};
    static const uint16_t p384[] = {MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1, MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1, 0};
    static const uint16_t *const groups[] = {x25519, p256, p384, NULL};
    cr_assert_eq(tls_global_init(), RC_OK);
    for (int is_fast = 0; is_fast <= 1; is_fast++) {
        if (is_fast) cr_assert(tls_use_fast_curves());
        for (enum made_kind kind = MADE_P256; kind <= MADE_P384; kind++) {
            tls_server_start(&server, kind, NULL, NULL);
            for (unsigned i = 0; i < 4 * 2; i++) {
                struct tls_client_wish wish = tls_server_wish(&server, 12 + i % 2);
                wish.groups = groups[i / 2];
                uint64_t count = shake(wish);
                bool is_384 = i / 2 == 2;
                if (!is_fast) cr_expect_eq(count, 0);
                if (is_fast && !is_384) cr_expect_geq(count, 2, "row %u", i);
            }
            tls_server_stop(&server);
        }
    }
    tls_curve_end();
}
