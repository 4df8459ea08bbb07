/* tests/net/tls/test_tls_broken.c - what a server of TLS may get to see: other protocols, old versions, cut, changed
 * and random bytes, renegotiation. The session ends with a reason and, where the peer speaks TLS, with an alert; the
 * sanitizers watch. */
#include "tests/support/tls_server.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct tls_server server;

static void start(void)
{
    tls_server_start(&server, MADE_P256, NULL, NULL);
}

/* A client of TLS 1.2 that renegotiates. */
static void join_renegotiator(struct tls_link *link)
{
    struct tls_client_wish wish = tls_server_wish(&server, 12);
    wish.renegotiates = true;
    tls_link_open(link, server.context, wish);
    cr_assert(tls_link_shake(link));
    link->outputs = 0;
}

/* The same random numbers in every run. */
static uint32_t random_number(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}

/* The alert of a session that has no keys yet; -1: it sent none. */
static int plain_alert(const struct tls_link *link)
{
    const uint8_t *record = link->out.at + link->out.count - 7;
    bool is_alert = link->out.count >= 7 && record[0] == 0x15 && record[3] == 0 && record[4] == 2 && record[5] == 2;
    return is_alert ? record[6] : -1;
}

/* The client's first flight, in a block of its own. */
static uint8_t *client_hello(struct tls_link *link, size_t *count_r)
{
    tls_client_handshake(link->client);
    *count_r = link->client->out.count;
    uint8_t *hello = malloc(*count_r);
    memcpy(hello, link->client->out.at, *count_r);
    return hello;
}

Test(tls_broken, other_protocols_are_told_from_the_first_byte, .timeout = 10)
{
    static const char *const inputs[] = {
        "GET / HTTP/1.1\r\n\r\n", "\x80\x2e\x01\x03\x01", "\x15\x03\x01", "\r", "\x17", "SSH-2.0-x\r\n"};
    start();
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
        struct tls_link link;
        size_t eaten;
        tls_link_open(&link, server.context, tls_server_wish(&server, 0));
        cr_expect_eq(tls_handshake(link.tls, (const uint8_t *)inputs[i], strlen(inputs[i]), &eaten), TLS_NOT_TLS);
        cr_expect_eq(eaten, 0);
        cr_expect_eq(link.outputs, 0);
        cr_expect_str_eq(tls_reason(link.tls), "not TLS");
        cr_expect_eq(tls_handshake(link.tls, (const uint8_t *)"\x16", 1, &eaten), TLS_NOT_TLS, "stays");
        tls_close(link.tls);
        cr_expect_eq(link.outputs, 0);
        tls_link_close(&link);
    }
    tls_server_stop(&server);
}

Test(tls_broken, old_versions_and_bad_records_get_their_alert, .timeout = 10)
{
#define ROW(bytes, alert, reason)              \
    {                                          \
        bytes, sizeof bytes - 1, alert, reason \
    }
    static const struct {
        const char *bytes;
        size_t count;
        int alert;
        const char *reason;
    } rows[] = {
        /* ClientHellos of TLS 1.1 and SSL 3.0: version, random, no session, suite 0x002f, no compression */
        ROW("\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x02"
            "01234567890123456789012345678901\x00\x00\x02\x00\x2f\x01\x00",
            70, "a version of TLS older than is spoken here"),
        ROW("\x16\x03\x00\x00\x2d\x01\x00\x00\x29\x03\x00"
            "01234567890123456789012345678901\x00\x00\x02\x00\x2f\x01\x00",
            70, "a version of TLS older than is spoken here"),
        ROW("\x16\x03\x01\xff\xff", 22, "record too long"),
        ROW("\x16\x03\x01\x48\x01", 22, "record too long"),
        ROW("\x16\x03\x01\x00\x00", 50, "not a valid record"),
        ROW("\x16\x03\x01\x00\x04\x01\x00\x00\x00", 50, NULL), /* an empty ClientHello */
        ROW("\x16\x03\x01\x00\x04\x02\x00\x00\x00", 10, NULL), /* a ServerHello */
        /* data in the middle of a message */
        ROW("\x16\x03\x01\x00\x05\x01\x00\x01\x00q\x17\x03\x03\x00\x01q", 10, NULL),
    };
    start();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tls_link link;
        tls_link_open(&link, server.context, tls_server_wish(&server, 0));
        link.step = 1;
        tls_link_feed(&link, (const uint8_t *)rows[i].bytes, rows[i].count);
        cr_expect_eq(link.result, TLS_BROKEN, "row %zu", i);
        if (rows[i].alert != -2)
            cr_expect_eq(plain_alert(&link), rows[i].alert, "row %zu: %d", i, plain_alert(&link));
        if (rows[i].reason != NULL) cr_expect_str_eq(tls_reason(link.tls), rows[i].reason);
        cr_expect_str_not_empty(tls_reason(link.tls));
        tls_link_close(&link);
    }
    tls_server_stop(&server);
}

/* A ClientHello may come in several records, but not grow beyond mbedTLS' buffer. */
Test(tls_broken, a_hello_of_megabytes_is_refused_early, .timeout = 10)
{
    static uint8_t record[5 + TLS_RECORD_BYTES_MAX] = {0x16, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff, 3, 3};
    start();
    struct tls_link link;
    tls_link_open(&link, server.context, tls_server_wish(&server, 0));
    for (int i = 0; i < 2; i++)
        tls_link_feed(&link, record, sizeof record);
    cr_expect_eq(link.result, TLS_BROKEN);
    cr_expect_geq(plain_alert(&link), 10);
    tls_link_close(&link);
    tls_server_stop(&server);
}

/* Every byte of a ClientHello is changed once. Many stay good ones, the rest is refused with an alert. */
Test(tls_broken, a_changed_hello_is_taken_or_refused, .timeout = 60)
{
    start();
    for (unsigned version = 12; version <= 13; version++) {
        size_t count = 2, broken = 0;
        for (size_t at = 1; at < count; at++) {
            struct tls_link link;
            tls_link_open(&link, server.context, tls_server_wish(&server, version));
            uint8_t *hello = client_hello(&link, &count);
            hello[at] ^= (uint8_t)(1 + at * 37);
            tls_link_feed(&link, hello, count);
            if (link.result == TLS_BROKEN) {
                broken++;
                bool is_sealed = link.outputs > 1; /* it failed behind our ServerHello */
                cr_expect(plain_alert(&link) >= 10 || is_sealed, "byte %zu: %s", at, tls_reason(link.tls));
                cr_expect_str_not_empty(tls_reason(link.tls));
            } else {
                cr_expect_eq(link.result, TLS_OK, "byte %zu: %d", at, link.result);
            }
            free(hello);
            tls_link_close(&link);
        }
        cr_expect_gt(broken, 20);
    }
    tls_server_stop(&server);
}

/* The same for the client's last flight, which is sealed: nothing passes. */
Test(tls_broken, a_changed_finished_is_refused, .timeout = 60)
{
    start();
    for (unsigned version = 12; version <= 13; version++) {
        size_t count = 1;
        for (size_t at = 0; at < count; at++) {
            struct tls_link link;
            tls_link_open(&link, server.context, tls_server_wish(&server, version));
            tls_client_handshake(link.client);
            tls_link_feed(&link, link.client->out.at, link.client->out.count);
            tls_client_taken(link.client, link.client->out.count);
            tls_client_give(link.client, link.out.at, link.out.count);
            uint8_t *last = client_hello(&link, &count);
            last[at] ^= 0x55;
            tls_link_feed(&link, last, count);
            cr_expect(!tls_is_open(link.tls) || version == 13, "byte %zu", at); /* 1.3: bytes of an empty CCS */
            cr_expect(link.result == TLS_BROKEN || link.result == TLS_OK, "byte %zu: %d", at, link.result);
            free(last);
            tls_link_close(&link);
        }
    }
    tls_server_stop(&server);
}

/* A sealed record, changed: never a byte of plaintext. */
Test(tls_broken, a_changed_record_is_refused, .timeout = 60)
{
    start();
    for (unsigned version = 12; version <= 13; version++) {
        size_t count = 1;
        for (size_t at = 0; at < count; at++) {
            struct tls_link link;
            tls_server_join(&server, &link, version);
            tls_client_write(link.client, (const uint8_t *)"secret", 6);
            count = link.client->out.count;
            link.client->out.at[at] ^= 0x55;
            link.outputs = 0;
            tls_link_run(&link);
            cr_expect_eq(link.heard.count, at == 1 || at == 2 ? link.heard.count : 0, "byte %zu", at);
            if (link.result == TLS_BROKEN) {
                cr_expect_eq(link.outputs, 1, "byte %zu", at);
                cr_expect_eq(link.client_error, MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE);
            }
            if (at > 4) {
                cr_expect_eq(link.result, TLS_BROKEN);
                cr_expect_str_eq(tls_reason(link.tls), "a record was changed on its way");
                cr_expect_eq(tls_client_last_alert(link.client), MBEDTLS_SSL_ALERT_MSG_BAD_RECORD_MAC);
            }
            tls_link_close(&link);
        }
    }
    tls_server_stop(&server);
}

Test(tls_broken, records_out_of_order_twice_or_too_long_are_refused, .timeout = 30)
{
    start();
    for (unsigned version = 12; version <= 13; version++) {
        struct tls_link link;
        tls_server_join(&server, &link, version);
        tls_client_write(link.client, (const uint8_t *)"once", 4);
        tls_link_feed(&link, link.client->out.at, link.client->out.count);
        cr_expect_eq(link.heard.count, 4);
        tls_link_run(&link); /* again */
        cr_expect_eq(link.result, TLS_BROKEN);
        cr_expect_eq(link.heard.count, 4);
        tls_link_close(&link);

        tls_server_join(&server, &link, version);
        tls_link_feed(&link, (const uint8_t *)"\x17\x03\x03\x50\x00", 5);
        cr_expect_eq(link.result, TLS_BROKEN);
        cr_expect_str_eq(tls_reason(link.tls), "record too long");
        tls_link_run(&link);
        cr_expect_eq(tls_client_last_alert(link.client), MBEDTLS_SSL_ALERT_MSG_RECORD_OVERFLOW);
        tls_link_close(&link);
    }
    tls_server_stop(&server);
}

Test(tls_broken, random_bytes_do_no_harm, .timeout = 60)
{
    uint64_t seed = 1;
    start();
    for (unsigned run = 0; run < 2000; run++) {
        struct tls_link link;
        uint8_t bytes[600];
        tls_link_open(&link, server.context, tls_server_wish(&server, 12 + run % 2));
        bool is_open = run % 4 >= 2 && run % 50 < 4;
        if (is_open) cr_assert(tls_link_shake(&link));
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)random_number(&seed);
        size_t count = random_number(&seed) % (sizeof bytes - 5);
        memcpy(bytes, is_open ? "\x17\x03\x03" : "\x16\x03\x01", 3);
        bytes[3] = (uint8_t)(count >> 8);
        bytes[4] = (uint8_t)count;
        if (run % 3 == 0) bytes[5] = 1; /* as if a ClientHello */
        link.step = random_number(&seed) % 100;
        tls_link_feed(&link, bytes, sizeof bytes);
        cr_expect_eq(link.heard.count, 0);
        cr_expect(link.result == TLS_BROKEN || link.result == TLS_OK, "run %u: %d", run, link.result);
        tls_link_close(&link);
    }
    tls_server_stop(&server);
}

Test(tls_broken, many_empty_records_in_a_row_are_refused, .timeout = 30)
{
    start();
    for (unsigned version = 12; version <= 13; version++) {
        struct tls_link link;
        tls_server_join(&server, &link, version);
        for (int i = 0; i < 100; i++) {
            if (i % 32 == 0 && i < 64) tls_client_write(link.client, (const uint8_t *)"x", 1);
            tls_client_write(link.client, NULL, 0);
            tls_link_run(&link);
            cr_expect_eq(link.result, i < 64 ? TLS_OK : TLS_BROKEN, "after %d", i);
        }
        cr_expect_str_eq(tls_reason(link.tls), "sends empty records on and on");
        cr_expect_eq(tls_client_last_alert(link.client), MBEDTLS_SSL_ALERT_MSG_UNEXPECTED_MESSAGE);
        tls_link_close(&link);
    }
    tls_server_stop(&server);
}

/* TLS 1.2: the client is told no and goes on; ours has noticed nothing. */
Test(tls_broken, renegotiation_is_refused, .timeout = 30)
{
    start();
    struct tls_link link;
    join_renegotiator(&link);
    tls_client_renegotiate(link.client);
    cr_expect_gt(link.client->out.count, 100);
    tls_link_feed(&link, link.client->out.at, link.client->out.count);
    cr_expect_eq(link.outputs, 1, "a warning");
    cr_expect_eq(link.result, TLS_OK);
    cr_expect(tls_is_open(link.tls));
    cr_expect_eq(tls_link_write(&link, (const uint8_t *)"still here", 10), TLS_OK);
    tls_link_close(&link);
    tls_server_stop(&server);
}

/* One after the other, or all in one piece: three times it is told no, the fourth time there is an end. */
Test(tls_broken, who_asks_to_renegotiate_again_and_again_is_ended, .timeout = 30)
{
    start();
    for (size_t at_once = 1; at_once <= 20; at_once += 19) {
        struct tls_link link;
        join_renegotiator(&link);
        for (size_t asked = 0; asked < 20; asked += at_once) {
            for (size_t i = 0; i < at_once; i++)
                tls_client_renegotiate(link.client);
            if (asked < 4) cr_expect_eq(link.result, TLS_OK, "%zu", asked);
            tls_link_feed(&link, link.client->out.at, link.client->out.count);
            tls_client_taken(link.client, link.client->out.count);
        }
        cr_expect_eq(link.result, TLS_BROKEN);
        cr_expect_eq(link.outputs, 4, "three warnings, and an alert");
        cr_expect_str_eq(tls_reason(link.tls), "asks to renegotiate again and again");
        tls_link_close(&link);
    }
    tls_server_stop(&server);
}
