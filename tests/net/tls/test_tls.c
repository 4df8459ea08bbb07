/* tests/net/tls/test_tls.c - sessions: an mbedTLS client against ours, over memory. Handshakes of both versions,
 * records of every length, endings, and everything that can be wrong with what comes. */
#include "tests/support/tls_server.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct tls_server server;

static void expect_echo(struct tls_link *link, size_t count)
{
    uint8_t bytes[1000];
    cr_assert_leq(count, sizeof bytes);
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)(i * 7);
    link->heard.count = link->client_heard.count = 0;
    cr_assert_eq(tls_client_write(link->client, bytes, count), (int)count);
    tls_link_run(link);
    cr_assert_eq(link->heard.count, count);
    cr_assert_eq(tls_link_write(link, link->heard.at, count), TLS_OK);
    tls_link_run(link);
    cr_assert_eq(link->client_heard.count, count);
    cr_expect_arr_eq(link->client_heard.at, bytes, count);
}

Test(tls, both_versions_shake_hands_and_talk, .timeout = 60)
{
    static const struct {
        enum made_kind kind;
        unsigned version;
        const char *text, *suite;
    } rows[] = {
        {MADE_P256, 12, "TLSv1.2", "TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256"},
        {MADE_P384, 12, "TLSv1.2", "TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256"},
        {MADE_RSA_2048, 12, "TLSv1.2", "TLS-ECDHE-RSA-WITH-AES-128-GCM-SHA256"},
        {MADE_P256, 13, "TLSv1.3", NULL},
        {MADE_P384, 13, "TLSv1.3", NULL},
        {MADE_RSA_2048, 13, "TLSv1.3", NULL},
        {MADE_P256, 0, "TLSv1.3", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tls_link link;
        tls_server_start(&server, rows[i].kind, NULL, NULL);
        tls_server_join(&server, &link, rows[i].version);
        cr_expect_str_eq(tls_version(link.tls), rows[i].text);
        bool has_aes = __builtin_cpu_supports("aes");
        if (rows[i].suite != NULL && has_aes) cr_expect_str_eq(tls_suite(link.tls), rows[i].suite);
        cr_expect(!tls_is_resumed(link.tls));
        cr_expect_str_eq(tls_reason(link.tls), "");
        expect_echo(&link, 100);
        tls_link_close(&link);
        tls_server_stop(&server);
    }
}

Test(tls, before_the_handshake_nothing_is_known, .timeout = 10)
{
    tls_server_start(&server, MADE_P256, NULL, NULL);
    struct tls_link link;
    tls_link_open(&link, server.context, tls_server_wish(&server, 0));
    size_t eaten;
    cr_expect_eq(tls_handshake(link.tls, NULL, 0, &eaten), TLS_MORE);
    cr_expect(!tls_is_open(link.tls) && !tls_is_resumed(link.tls));
    cr_expect_str_eq(tls_version(link.tls), "");
    cr_expect_str_eq(tls_suite(link.tls), "");
    tls_close(link.tls);
    cr_expect_eq(link.outputs, 0);
    tls_link_close(&link);
    tls_server_stop(&server);
    tls_free(NULL);
    tls_context_drop(NULL);
}

/* Where mbedTLS is static and the linker does not wrap it, as here, its calls do not come through ours. */
Test(tls, curves_stay_with_mbedtls_where_the_check_fails, .timeout = 10)
{
    cr_assert_eq(tls_global_init(), RC_OK);
    cr_expect(!tls_use_fast_curves());
    cr_expect_not_null(strstr(tls_libraries(), "X25519 and P-256 by mbedTLS"));
    tls_server_start(&server, MADE_P256, NULL, NULL);
    struct tls_link link;
    tls_server_join(&server, &link, 13);
    expect_echo(&link, 100);
    tls_link_close(&link);
    tls_server_stop(&server);
}

/* ---- suites ---- */

static const struct {
    unsigned version;
    enum made_kind kind;
    int suite;
} suite_rows[] = {
    {12, MADE_P256, MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
    {12, MADE_P256, MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384},
    {12, MADE_P256, MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256},
    {12, MADE_RSA_2048, MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256},
    {12, MADE_RSA_2048, MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384},
    {12, MADE_RSA_2048, MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256},
    {13, MADE_P256, MBEDTLS_TLS1_3_AES_128_GCM_SHA256},
    {13, MADE_P256, MBEDTLS_TLS1_3_AES_256_GCM_SHA384},
    {13, MADE_P256, MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256},
};

/* How many records stand there? Whole ones only. */
static size_t count_records(const uint8_t *bytes, size_t count)
{
    size_t records = 0;
    for (size_t at = 0; at < count; records++) {
        cr_assert_leq(at + 5, count);
        at += 5 + ((size_t)bytes[at + 3] << 8 | bytes[at + 4]);
        cr_assert_leq(at, count);
    }
    return records;
}

/* One record for each call, no longer than it has to be: header, tag, and the type (1.3) or the nonce (1.2). */
static void expect_overhead(struct tls_link *link)
{
    static uint8_t plain[TLS_RECORD_BYTES_MAX];
    const size_t most = strcmp(tls_version(link->tls), "TLSv1.3") == 0 ? 5 + 1 + 16 : 5 + 8 + 16;
    for (size_t count = 0; count <= sizeof plain; count += count < 40 ? 1 : 344) {
        size_t before = link->out.count;
        cr_assert_eq(tls_link_write(link, plain, count), TLS_OK);
        size_t overhead = link->out.count - before - count;
        cr_assert_leq(overhead, most, "%s, %zu bytes", tls_suite(link->tls), count);
        cr_assert_eq(count_records(link->out.at + before, link->out.count - before), 1);
    }
    tls_link_run(link);
    cr_expect_eq(link->client_error, 0);
}

Test(tls, every_suite_talks_and_seals_within_its_overhead, .timeout = 60)
{
    for (size_t i = 0; i < sizeof suite_rows / sizeof suite_rows[0]; i++) {
        struct tls_link link;
        struct tls_client_wish wish;
        if (i == 0 || suite_rows[i].kind != suite_rows[i - 1].kind) {
            tls_server_stop(&server);
            tls_server_start(&server, suite_rows[i].kind, NULL, NULL);
        }
        wish = tls_server_wish(&server, suite_rows[i].version);
        wish.suites = (const int[]){suite_rows[i].suite, 0};
        tls_link_open(&link, server.context, wish);
        cr_assert(tls_link_shake(&link), "suite %x", (unsigned)suite_rows[i].suite);
        cr_expect_str_eq(tls_suite(link.tls), mbedtls_ssl_get_ciphersuite_name(suite_rows[i].suite));
        expect_echo(&link, 1000);
        expect_overhead(&link);
        tls_link_close(&link);
    }
    tls_server_stop(&server);
}

/* What this server does not speak: the alert says so, the reason too. */
Test(tls, weak_suites_curves_and_signatures_are_refused, .timeout = 30)
{
    static const int cbc[] = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, 0};
    static const int ccm[] = {MBEDTLS_TLS1_3_AES_128_CCM_SHA256, 0};
    static const uint16_t p521[] = {MBEDTLS_SSL_IANA_TLS_GROUP_SECP521R1, 0};
    static const uint16_t rsa_only[] = {MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA256, 0};
    const struct tls_client_wish rows[] = {
        {.version = 12, .suites = cbc},  {.version = 13, .suites = ccm},          {.version = 12, .groups = p521},
        {.version = 13, .groups = p521}, {.version = 13, .signatures = rsa_only},
    };
    tls_server_start(&server, MADE_P256, NULL, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tls_link link;
        tls_link_open(&link, server.context, rows[i]);
        cr_expect(!tls_link_shake(&link));
        cr_expect_eq(link.result, TLS_BROKEN, "row %zu", i);
        cr_expect_str_eq(tls_reason(link.tls), "no suite, curve or kind of certificate in common", "row %zu", i);
        cr_expect_eq(link.client_error, MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE, "row %zu", i);
        cr_expect_eq(tls_client_last_alert(link.client), MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE, "row %zu", i);
        tls_link_close(&link);
    }
    tls_server_stop(&server);
}

Test(tls, alpn_takes_http_1_1_and_nothing_else, .timeout = 30)
{
    static const char *h2[] = {"h2", "http/1.0", NULL}, *both[] = {"h2", "http/1.1", NULL};
    tls_server_start(&server, MADE_P256, NULL, NULL);
    for (unsigned version = 12; version <= 13; version++) {
        struct tls_link link;
        struct tls_client_wish wish = tls_server_wish(&server, version);
        wish.protocols = both;
        tls_link_open(&link, server.context, wish);
        cr_assert(tls_link_shake(&link));
        cr_expect_str_eq(mbedtls_ssl_get_alpn_protocol(&link.client->ssl), "http/1.1");
        tls_link_close(&link);

        wish.protocols = h2;
        tls_link_open(&link, server.context, wish);
        cr_expect(!tls_link_shake(&link));
        cr_expect_eq(link.result, TLS_BROKEN);
        cr_expect_str_eq(tls_reason(link.tls), "ALPN without http/1.1");
        cr_expect_eq(tls_client_last_alert(link.client), MBEDTLS_SSL_ALERT_MSG_NO_APPLICATION_PROTOCOL);
        tls_link_close(&link);
    }
    tls_server_stop(&server);
}

/* ---- records ---- */

/* TLS_RECORD_BYTES_MAX of them. */
static const uint8_t *long_bytes(void)
{
    static uint8_t bytes[TLS_RECORD_BYTES_MAX];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 31 >> 3);
    return bytes;
}

/* The client is mbedTLS too, and seals no more than 16383 bytes with TLS 1.3. */
Test(tls, records_of_every_length_come_through, .timeout = 60)
{
    const uint8_t *bytes = long_bytes();
    tls_server_start(&server, MADE_P256, NULL, NULL);
    for (unsigned version = 12; version <= 13; version++) {
        const size_t most = TLS_RECORD_BYTES_MAX - (version == 13);
        const size_t counts[] = {1, 0, 2, 16382, most, 0, 0, 0, most};
        struct tls_link link;
        size_t sum = 0;
        tls_server_join(&server, &link, version);
        for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
            cr_assert_eq(tls_client_write(link.client, bytes, counts[i]), (int)counts[i]);
            sum += counts[i];
        }
        tls_link_run(&link);
        cr_expect_eq(link.result, TLS_OK, "%s", tls_reason(link.tls));
        cr_expect_eq(link.heard.count, sum);
        cr_expect_eq(link.records, 5);
        cr_expect_arr_eq(link.heard.at + sum - most, bytes, most);
        tls_link_close(&link);
    }
    tls_server_stop(&server);
}

Test(tls, what_is_written_comes_through, .timeout = 60)
{
    const uint8_t *bytes = long_bytes();
    tls_server_start(&server, MADE_P256, NULL, NULL);
    for (unsigned version = 12; version <= 13; version++) {
        static const size_t counts[] = {1, 0, 2, 0, 0, TLS_RECORD_BYTES_MAX};
        struct tls_link link;
        size_t sum = 0;
        tls_server_join(&server, &link, version);
        for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
            cr_assert_eq(tls_link_write(&link, bytes, counts[i]), TLS_OK);
            sum += counts[i];
        }
        tls_link_run(&link);
        cr_expect_eq(link.client_heard.count, sum);
        cr_expect_arr_eq(link.client_heard.at + sum - TLS_RECORD_BYTES_MAX, bytes, TLS_RECORD_BYTES_MAX);
        tls_link_close(&link);
    }
    tls_server_stop(&server);
}

/* RFC 6066 4; TLS 1.2 only, mbedTLS does not take it up in 1.3. */
Test(tls, a_client_may_ask_for_short_records, .timeout = 30)
{
    static uint8_t bytes[TLS_RECORD_BYTES_MAX];
    struct tls_link link;
    tls_server_start(&server, MADE_P256, NULL, NULL);
    struct tls_client_wish wish = tls_server_wish(&server, 12);
    wish.fragment = MBEDTLS_SSL_MAX_FRAG_LEN_512;
    tls_link_open(&link, server.context, wish);
    cr_assert(tls_link_shake(&link));
    cr_expect_eq(tls_link_write(&link, bytes, sizeof bytes), TLS_OK);
    cr_expect_eq(count_records(link.out.at, link.out.count), sizeof bytes / 512);
    cr_expect_leq(link.out.count, TLS_SEALED_BYTES_MAX);
    tls_link_run(&link);
    cr_expect_eq(link.client_heard.count, sizeof bytes);
    tls_link_close(&link);
    tls_server_stop(&server);
}

/* Handshake and data in two pieces, cut at every place; and byte by byte. */
Test(tls, input_may_be_cut_anywhere, .timeout = 120)
{
    tls_server_start(&server, MADE_P256, NULL, NULL);
    for (unsigned version = 12; version <= 13; version++) {
        size_t all = SIZE_MAX;
        for (size_t cut = 0; cut < all; cut++) {
            struct tls_link link;
            tls_link_open(&link, server.context, tls_server_wish(&server, version));
            if (cut == 0) link.step = 1;
            link.cut = cut;
            cr_assert(tls_link_shake(&link), "cut %zu: %s", cut, tls_reason(link.tls));
            expect_echo(&link, 50);
            if (cut == 0) all = link.fed;
            tls_link_close(&link);
        }
    }
    tls_server_stop(&server);
}

/* ---- endings ---- */

Test(tls, close_notify_goes_both_ways, .timeout = 30)
{
    tls_server_start(&server, MADE_P256, NULL, NULL);
    for (unsigned version = 12; version <= 13; version++) {
        struct tls_link link;
        uint8_t plain[TLS_OPEN_BYTES_MAX];
        size_t eaten, count;
        tls_server_join(&server, &link, version);
        cr_expect_eq(tls_client_close(link.client), 0);
        tls_link_run(&link);
        cr_expect_eq(link.result, TLS_CLOSED);
        cr_expect_eq(tls_read(link.tls, plain, 10, &eaten, plain, &count), TLS_CLOSED);
        cr_expect(eaten == 0 && count == 0);
        cr_expect_str_eq(tls_reason(link.tls), "the peer closed the session");

        /* What was left to say is still said. */
        cr_expect_eq(tls_link_write(&link, (const uint8_t *)"bye", 3), TLS_OK);
        link.outputs = 0;
        tls_close(link.tls);
        tls_close(link.tls);
        cr_expect_eq(link.outputs, 1);
        tls_link_run(&link);
        cr_expect_eq(link.client_heard.count, 3);
        cr_expect_eq(link.client_error, MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
        tls_link_close(&link);
    }
    tls_server_stop(&server);
}

Test(tls, after_our_close_notify_the_peer_may_finish, .timeout = 30)
{
    tls_server_start(&server, MADE_P256, NULL, NULL);
    struct tls_link link;
    tls_server_join(&server, &link, 13);
    tls_close(link.tls);
    cr_assert_eq(tls_client_write(link.client, (const uint8_t *)"last", 4), 4);
    tls_link_run(&link);
    cr_expect_eq(link.heard.count, 4);
    cr_expect_eq(link.result, TLS_OK);
    tls_link_close(&link);
    tls_server_stop(&server);
}

Test(tls, an_alert_of_the_peer_is_told_by_name, .timeout = 30)
{
    tls_server_start(&server, MADE_P256, NULL, NULL);
    for (unsigned version = 12; version <= 13; version++) {
        struct tls_link link;
        tls_server_join(&server, &link, version);
        cr_expect_eq(tls_client_alert(link.client, MBEDTLS_SSL_ALERT_MSG_INTERNAL_ERROR), 0);
        link.outputs = 0;
        tls_link_run(&link);
        cr_expect_eq(link.result, TLS_ALERTED);
        cr_expect_str_eq(tls_reason(link.tls), "the peer says: internal error (alert 80)");
        tls_close(link.tls);
        cr_expect_eq(tls_link_write(&link, (const uint8_t *)"x", 1), TLS_ALERTED);
        cr_expect_eq(link.outputs, 0);
        tls_link_close(&link);
    }
    tls_server_stop(&server);
}

/* A client that does not trust us says why in the middle of the handshake. */
Test(tls, a_refused_certificate_is_told, .timeout = 30)
{
    static struct made_certificate other;
    tls_server_start(&server, MADE_P256, NULL, NULL);
    made_certificate(&other, (struct made_wish){.subject = "other", .is_authority = true});
    for (unsigned version = 12; version <= 13; version++) {
        struct tls_link link;
        tls_link_open(&link, server.context,
                      (struct tls_client_wish){.version = version, .authority = other.certificate});
        cr_expect(!tls_link_shake(&link));
        cr_expect_eq(link.result, TLS_ALERTED);
        cr_expect_str_eq(tls_reason(link.tls), "the peer says: certificate of an unknown authority (alert 48)");
        tls_link_close(&link);
    }
    tls_server_stop(&server);
}

Test(tls, output_that_fails_ends_the_session, .timeout = 30)
{
    tls_server_start(&server, MADE_P256, NULL, NULL);
    struct tls_link link;
    tls_server_join(&server, &link, 13);
    link.output_rc = RC_ENOMEM;
    tls_link_feed(&link, (const uint8_t *)"\x14\x03\x03\x00\x01\x01", 6); /* what has to be answered with an alert */
    cr_expect_eq(link.result, TLS_NO_MEMORY);
    link.outputs = 0;
    cr_expect_eq(tls_link_write(&link, (const uint8_t *)"x", 1), TLS_NO_MEMORY);
    tls_close(link.tls);
    cr_expect_eq(link.outputs, 0);
    cr_expect_str_eq(tls_reason(link.tls), "out of memory");
    tls_link_close(&link);

    tls_link_open(&link, server.context, tls_server_wish(&server, 12));
    link.output_rc = RC_EFULL;
    tls_link_run(&link);
    cr_expect_eq(link.result, TLS_NO_MEMORY);
    cr_expect_eq(link.outputs, 1);
    tls_link_close(&link);
    tls_server_stop(&server);
}
