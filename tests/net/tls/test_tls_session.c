/* tests/net/tls/test_tls_session.c - records of an open session from a client of known keys: every kind, every length,
 * every way in which one can be wrong, and the alert that tells of it; new keys, both ways; what is asked for without
 * end. */
#include "tests/support/tls_peer.h"

#include "net/tls/aead.h"

#include <criterion/criterion.h>
#include <mbedtls/ssl.h>
#include <stdlib.h>
#include <string.h>

#define WARNING MBEDTLS_SSL_ALERT_LEVEL_WARNING
#define FATAL   MBEDTLS_SSL_ALERT_LEVEL_FATAL

enum { SUITES = 2 * AEAD_KINDS_MAX };

static struct tls_peer peer;
static uint8_t bytes[TLS_RECORD_BYTES_MAX + 300];

static void setup(void)
{
    cr_assert_eq(tls_global_init(), RC_OK);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 31 >> 3);
}

TestSuite(tls_session, .init = setup);

/* The six combinations of version and AEAD. */
static void open_suite(int suite)
{
    tls_peer_open(&peer, suite % 2 == 1, (enum aead_kind)(suite / 2));
}

static uint64_t sum_of(size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += bytes[i];
    return sum;
}

static void say_data(size_t count)
{
    tls_peer_say(&peer, TLS_CONTENT_DATA, bytes, count);
}

/* The session takes the client's data, and the client the session's. */
static void expect_talk(void)
{
    size_t before = peer.heard;
    say_data(20);
    tls_peer_feed(&peer);
    cr_assert_eq(peer.result, TLS_OK, "%s", tls_reason(peer.tls));
    cr_assert_eq(peer.heard, before + 20);
    cr_assert_eq(tls_peer_write(&peer, bytes, 30), TLS_OK);
    do
        cr_assert(tls_peer_hear(&peer));
    while (peer.content != TLS_CONTENT_DATA);
    cr_assert_eq(peer.count, 30);
    cr_assert_arr_eq(peer.plain, bytes, 30);
}

/* What stands ready for the session ends it, with this alert and these words. */
static void expect_end(uint8_t alert, const char *reason, const char *row)
{
    size_t heard = peer.heard;
    tls_peer_feed(&peer);
    cr_expect_eq(peer.result, TLS_BROKEN, "%s: %d", row, peer.result);
    cr_expect_str_eq(tls_reason(peer.tls), reason, "%s: %s", row, tls_reason(peer.tls));
    cr_expect(tls_peer_hear(&peer) && tls_peer_heard_alert(&peer, FATAL, alert), "%s: alert %u", row, peer.plain[1]);
    cr_expect(!tls_peer_hear(&peer), "%s: nothing behind it", row);
    cr_expect_eq(peer.heard, heard, "%s", row);
    cr_expect_eq(tls_peer_write(&peer, bytes, 1), TLS_BROKEN, "%s", row);
    tls_close(peer.tls);
    cr_expect_eq(peer.from_at, peer.from_count, "%s", row);
    tls_peer_close(&peer);
}

/* ---- data ---- */

Test(tls_session, records_of_every_length_go_both_ways, .timeout = 60)
{
    for (int suite = 0; suite < SUITES; suite++) {
        open_suite(suite);
        for (size_t count = 1; count <= TLS_RECORD_BYTES_MAX; count += count == 300 ? 16000 : 1) {
            peer.heard = peer.heard_sum = 0;
            say_data(count);
            tls_peer_feed(&peer);
            cr_assert(peer.heard == count && peer.heard_sum == sum_of(count), "suite %d, %zu bytes", suite, count);
            peer.from_count = peer.from_at = 0;
            cr_assert_eq(tls_peer_write(&peer, bytes, count), TLS_OK);
            cr_assert(tls_peer_hear(&peer) && peer.count == count);
            cr_assert_arr_eq(peer.plain, bytes, count);
            cr_assert_eq(peer.from_at, peer.from_count);
        }
        tls_peer_close(&peer);
    }
}

/* Many records in one input, cut at every place once, and into slices of every small size. */
Test(tls_session, input_may_be_cut_anywhere, .timeout = 60)
{
    static const size_t counts[] = {1, 0, 100, 3, 40};
    for (int suite = 0; suite < SUITES; suite++) {
        for (size_t step = 1; step < 160; step++) {
            open_suite(suite);
            peer.step = step;
            for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
                say_data(counts[i]);
            tls_peer_feed(&peer);
            cr_expect_eq(peer.result, TLS_OK);
            cr_expect_eq(peer.heard, 144, "suite %d, step %zu", suite, step);
            tls_peer_close(&peer);
        }
    }
}

/* Ten with RINGCAST_LONG=1 in the environment. */
Test(tls_session, megabytes_go_each_way, .timeout = 60)
{
    const char *is_long = getenv("RINGCAST_LONG");
    size_t all = is_long != NULL && strcmp(is_long, "1") == 0 ? 10 << 20 : 1 << 20;
    for (int suite = 0; suite < SUITES; suite++) {
        open_suite(suite);
        peer.step = 4096;
        for (size_t sent = 0; sent < all; sent += TLS_RECORD_BYTES_MAX) {
            say_data(TLS_RECORD_BYTES_MAX);
            tls_peer_feed(&peer);
            peer.from_count = peer.from_at = 0;
            cr_assert_eq(tls_peer_write(&peer, bytes, TLS_RECORD_BYTES_MAX), TLS_OK);
            cr_assert(tls_peer_hear(&peer) && peer.count == TLS_RECORD_BYTES_MAX);
        }
        cr_expect_eq(peer.heard, all);
        tls_peer_close(&peer);
    }
}

/* RFC 8446 5.4: zeros behind the type, up to the longest record. */
Test(tls_session, padding_is_accepted, .timeout = 10)
{
    for (enum aead_kind kind = 0; kind < AEAD_KINDS_MAX; kind++) {
        tls_peer_open(&peer, true, kind);
        tls_peer_say_padded(&peer, TLS_CONTENT_DATA, bytes, 10, 1);
        tls_peer_say_padded(&peer, TLS_CONTENT_DATA, bytes, 10, 1000);
        tls_peer_say_padded(&peer, TLS_CONTENT_DATA, bytes, 1, TLS_RECORD_BYTES_MAX - 1);
        tls_peer_say_padded(&peer, TLS_CONTENT_DATA, NULL, 0, 5);
        tls_peer_feed(&peer);
        cr_expect_eq(peer.heard, 21);
        expect_talk();
        tls_peer_close(&peer);
    }
}

/* A client of TLS 1.2 that takes short records gets as many as it needs, RFC 6066 4. */
Test(tls_session, short_records_fit_the_room_that_is_told, .timeout = 10)
{
    for (enum aead_kind kind = 0; kind < AEAD_KINDS_MAX; kind++) {
        tls_peer_open(&peer, false, kind);
        peer.tls->out_max = 512;
        cr_expect_eq(tls_peer_write(&peer, bytes, TLS_RECORD_BYTES_MAX), TLS_OK);
        cr_expect_leq(peer.from_count, TLS_SEALED_BYTES_MAX);
        size_t records = 0;
        for (; tls_peer_hear(&peer); records++)
            cr_expect(peer.count == 512 && memcmp(peer.plain, bytes + records * 512, 512) == 0);
        cr_expect_eq(records, TLS_RECORD_BYTES_MAX / 512);
        tls_peer_close(&peer);
    }
}

/* ---- records that are wrong ---- */

Test(tls_session, headers_that_are_wrong_end_it, .timeout = 10)
{
    static const struct {
        const char *name;
        uint8_t header[5];
        int versions; /* 12, 13; 0: both */
        uint8_t alert;
        const char *reason;
    } rows[] = {
        {"a ChangeCipherSpec", {20, 3, 3, 0, 1}, 0, 10, "unexpected message"},
        {"an alert in the clear", {21, 3, 3, 0, 2}, 13, 10, "unexpected message"},
        {"a handshake in the clear", {22, 3, 3, 0, 40}, 13, 10, "unexpected message"},
        {"a heartbeat", {24, 3, 3, 0, 40}, 0, 10, "unexpected message"},
        {"HTTP", {'G', 'E', 'T', ' ', '/'}, 0, 10, "unexpected message"},
        {"TLS 1.0", {23, 3, 1, 0, 40}, 12, 70, "a record of another version"},
        {"another major", {23, 2, 3, 0, 40}, 12, 70, "a record of another version"},
        {"one byte too long", {23, 3, 3, 0x40, 18}, 13, 22, "record too long"},
        {"far too long", {23, 3, 3, 0xff, 0xff}, 0, 22, "record too long"},
        {"one byte too short", {23, 3, 3, 0, 16}, 13, 50, "not a valid record"},
        {"shorter than a tag", {23, 3, 3, 0, 15}, 0, 50, "not a valid record"},
        {"empty", {23, 3, 3, 0, 0}, 0, 50, "not a valid record"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int suite = 0; suite < SUITES; suite++) {
            if (rows[i].versions != 0 && rows[i].versions != 12 + suite % 2) continue;
            for (size_t step = 0; step <= 2; step++) {
                open_suite(suite);
                peer.step = step;
                tls_peer_put(&peer, rows[i].header, sizeof rows[i].header);
                expect_end(rows[i].alert, rows[i].reason, rows[i].name);
            }
        }
    }
}

/* TLS 1.2: 16 bytes of tag, and 8 of nonce with AES-GCM. */
Test(tls_session, the_longest_and_shortest_of_1_2_depend_on_the_suite, .timeout = 10)
{
    for (enum aead_kind kind = 0; kind < AEAD_KINDS_MAX; kind++) {
        size_t more = kind == AEAD_CHACHA20_POLY1305 ? 16 : 24;
        tls_peer_open(&peer, false, kind);
        tls_peer_put(&peer, (const uint8_t[]){23, 3, 3, 0x40, (uint8_t)(more + 1)}, 5);
        expect_end(22, "record too long", "long");
        tls_peer_open(&peer, false, kind);
        tls_peer_put(&peer, (const uint8_t[]){23, 3, 3, 0, (uint8_t)(more - 1)}, 5);
        expect_end(50, "not a valid record", "short");
        tls_peer_open(&peer, false, kind);
        tls_peer_put(&peer, (const uint8_t[]){23, 3, 3, 0x40, (uint8_t)more}, 5);
        tls_peer_feed(&peer);
        cr_expect_eq(peer.result, TLS_OK, "waits for the rest");
        tls_peer_close(&peer);
    }
}

/* Every bit of a record, the version's two bytes too, for they are covered. */
Test(tls_session, a_record_that_was_changed_ends_it, .timeout = 60)
{
    for (int suite = 0; suite < SUITES; suite++) {
        size_t count = 1;
        for (size_t bit = 0; bit < count * 8; bit++) {
            open_suite(suite);
            say_data(10);
            count = peer.to_count;
            peer.to[bit / 8] ^= (uint8_t)(1 << bit % 8);
            if (bit >= 5 * 8) {
                expect_end(20, "a record was changed on its way", "changed");
                continue;
            }
            tls_peer_feed(&peer);
            cr_expect(peer.heard == 0 && peer.result != TLS_NO_MEMORY, "suite %d, bit %zu", suite, bit);
            tls_peer_close(&peer);
        }
    }
}

Test(tls_session, a_record_twice_or_left_out_ends_it, .timeout = 10)
{
    for (int suite = 0; suite < SUITES; suite++) {
        open_suite(suite);
        say_data(10);
        size_t count = peer.to_count;
        tls_peer_feed(&peer);
        peer.to_count = count; /* it stands there still */
        expect_end(20, "a record was changed on its way", "twice");
        open_suite(suite);
        say_data(10);
        peer.to_count = 0;
        say_data(10);
        expect_end(20, "a record was changed on its way", "left out");
    }
}

Test(tls_session, an_inner_type_there_is_not_ends_it, .timeout = 10)
{
    static const uint8_t types[] = {1, 20, 24, 26, 255};
    for (size_t i = 0; i < sizeof types; i++) {
        tls_peer_open(&peer, true, AEAD_AES_128_GCM);
        tls_peer_say_padded(&peer, types[i], bytes, 10, 0);
        expect_end(10, "unexpected message", "type");
    }
    tls_peer_open(&peer, true, AEAD_AES_128_GCM);
    tls_peer_say(&peer, (enum tls_content)0, (const uint8_t[10]){0}, 10);
    expect_end(10, "unexpected message", "zeros alone");
}

/* ---- alerts ---- */

Test(tls_session, alerts_are_told_by_name_or_passed_over, .timeout = 10)
{
    static const struct {
        uint8_t level, number;
        enum tls_result result_12, result_13;
    } rows[] = {
        {WARNING, 0, TLS_CLOSED, TLS_CLOSED},   {FATAL, 0, TLS_CLOSED, TLS_CLOSED},
        {WARNING, 90, TLS_OK, TLS_OK},          {FATAL, 90, TLS_ALERTED, TLS_OK},
        {WARNING, 100, TLS_OK, TLS_ALERTED},    {FATAL, 80, TLS_ALERTED, TLS_ALERTED},
        {WARNING, 42, TLS_OK, TLS_ALERTED},     {3, 42, TLS_BROKEN, TLS_ALERTED},
        {FATAL, 255, TLS_ALERTED, TLS_ALERTED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int suite = 0; suite < SUITES; suite++) {
            enum tls_result result = suite % 2 == 1 ? rows[i].result_13 : rows[i].result_12;
            open_suite(suite);
            tls_peer_say(&peer, TLS_CONTENT_ALERT, (const uint8_t[]){rows[i].level, rows[i].number}, 2);
            tls_peer_feed(&peer);
            cr_expect_eq(peer.result, result, "row %zu, suite %d: %d", i, suite, peer.result);
            if (result == TLS_OK) expect_talk();
            if (result != TLS_BROKEN) cr_expect_eq(peer.from_at, peer.from_count, "no answer");
            if (rows[i].number == 80)
                cr_expect_str_eq(tls_reason(peer.tls), "the peer says: internal error (alert 80)");
            tls_peer_close(&peer);
        }
    }
}

Test(tls_session, alerts_of_another_length_end_it, .timeout = 10)
{
    for (int suite = 0; suite < SUITES; suite++) {
        open_suite(suite);
        tls_peer_say(&peer, TLS_CONTENT_ALERT, NULL, 0);
        expect_end(10, "unexpected message", "empty");
        open_suite(suite);
        tls_peer_say(&peer, TLS_CONTENT_ALERT, (const uint8_t[]){1}, 1);
        expect_end(50, "a message cannot be decoded", "half");
        open_suite(suite);
        tls_peer_say(&peer, TLS_CONTENT_ALERT, (const uint8_t[]){1, 0, 1}, 3);
        expect_end(50, "a message cannot be decoded", "more");
    }
}

/* ---- new keys ---- */

static const enum aead_kind kinds[] = {AEAD_AES_128_GCM, AEAD_AES_256_GCM, AEAD_CHACHA20_POLY1305};

/* How many KeyUpdates stand in what the session has said, up to the next data. */
static size_t count_updates(void)
{
    size_t updates = 0;
    while (tls_peer_hear(&peer) && peer.content == TLS_CONTENT_HANDSHAKE) {
        cr_expect(peer.count == 5 && memcmp(peer.plain, "\x18\0\0\1\0", 5) == 0, "it asks for none");
        updates++;
    }
    cr_expect_eq(peer.content, TLS_CONTENT_DATA);
    return updates;
}

/* RFC 8446 4.6.3. With a wish it is answered once, ahead of the next data, however often it was asked. */
Test(tls_session, the_client_changes_its_keys_and_may_ask_for_ours, .timeout = 10)
{
    for (size_t i = 0; i < AEAD_KINDS_MAX; i++) {
        for (size_t step = 0; step <= 7; step += 7) {
            tls_peer_open(&peer, true, kinds[i]);
            peer.step = step;
            tls_peer_update(&peer, 0);
            say_data(10);
            tls_peer_feed(&peer);
            cr_expect_eq(peer.heard, 10);
            tls_peer_write(&peer, bytes, 10);
            cr_expect_eq(count_updates(), 0);

            for (int asked = 0; asked < 5; asked++)
                tls_peer_update(&peer, 1);
            say_data(10);
            tls_peer_feed(&peer);
            cr_expect_eq(peer.heard, 20);
            cr_expect_eq(peer.from_at, peer.from_count, "nothing is said before there is something to say");
            tls_peer_write(&peer, bytes, 10);
            tls_peer_write(&peer, bytes, 10);
            cr_expect_eq(count_updates(), 1);
            cr_expect_eq(count_updates(), 0);
            expect_talk();
            tls_peer_close(&peer);
        }
    }
}

Test(tls_session, both_sides_change_keys_at_once, .timeout = 10)
{
    tls_peer_open(&peer, true, AEAD_AES_256_GCM);
    for (int i = 0; i < 10; i++) {
        tls_peer_update(&peer, 1);
        tls_peer_write(&peer, bytes, 10); /* before the session has heard of it */
        tls_peer_feed(&peer);
        cr_expect_eq(count_updates(), i > 0 ? 1 : 0, "the answer to the last wish");
        cr_expect_eq(peer.count, 10);
    }
    expect_talk();
    tls_peer_close(&peer);
}

Test(tls_session, what_is_sealed_with_old_keys_is_refused, .timeout = 10)
{
    tls_peer_open(&peer, true, AEAD_AES_128_GCM);
    tls_peer_say(&peer, TLS_CONTENT_HANDSHAKE, (const uint8_t[]){24, 0, 0, 1, 0}, 5); /* and goes on as before */
    say_data(10);
    expect_end(20, "a record was changed on its way", "old keys");
}

/* In two and more records; nothing else may stand between, RFC 8446 5.1. */
Test(tls_session, a_key_update_may_come_in_pieces, .timeout = 10)
{
    static const uint8_t message[] = {24, 0, 0, 1, 1};
    for (size_t cut = 1; cut < sizeof message; cut++) {
        tls_peer_open(&peer, true, AEAD_AES_128_GCM);
        tls_peer_say(&peer, TLS_CONTENT_HANDSHAKE, message, cut);
        tls_peer_say(&peer, TLS_CONTENT_HANDSHAKE, message + cut, sizeof message - cut);
        tls_keys_next(&peer.records.out, peer.records.kind);
        expect_talk();
        tls_peer_close(&peer);

        tls_peer_open(&peer, true, AEAD_AES_128_GCM);
        tls_peer_say(&peer, TLS_CONTENT_HANDSHAKE, message, cut);
        say_data(10);
        expect_end(10, "unexpected message", "data between");
        tls_peer_open(&peer, true, AEAD_AES_128_GCM);
        tls_peer_say(&peer, TLS_CONTENT_HANDSHAKE, message, cut);
        tls_peer_say(&peer, TLS_CONTENT_ALERT, (const uint8_t[]){1, 0}, 2);
        expect_end(10, "unexpected message", "an alert between");
    }
}

Test(tls_session, messages_that_are_no_key_update_end_it, .timeout = 10)
{
    static const struct {
        const char *name;
        uint8_t message[12];
        size_t count;
        uint8_t alert;
        const char *reason;
    } rows[] = {
        {"a wish of 2", {24, 0, 0, 1, 2}, 5, 47, "a message asks for what there is not"},
        {"too long", {24, 0, 0, 2, 0, 0}, 6, 50, "a message cannot be decoded"},
        {"of megabytes", {24, 1, 0, 1, 0}, 5, 50, "a message cannot be decoded"},
        {"empty", {24, 0, 0, 0}, 4, 50, "a message cannot be decoded"},
        {"two in one record", {24, 0, 0, 1, 0, 24, 0, 0, 1, 0}, 10, 10, "unexpected message"},
        {"a byte behind it", {24, 0, 0, 1, 0, 0}, 6, 10, "unexpected message"},
        {"a ClientHello", {1, 0, 0, 2, 3, 3}, 6, 10, "unexpected message"},
        {"a NewSessionTicket", {4, 0, 0, 1, 0}, 5, 10, "unexpected message"},
        {"a Certificate", {11, 0, 0, 1, 0}, 5, 10, "unexpected message"},
        {"a Finished", {20, 0, 0, 1, 0}, 5, 10, "unexpected message"},
        {"nothing", {0}, 0, 10, "unexpected message"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tls_peer_open(&peer, true, AEAD_AES_128_GCM);
        tls_peer_say(&peer, TLS_CONTENT_HANDSHAKE, rows[i].message, rows[i].count);
        expect_end(rows[i].alert, rows[i].reason, rows[i].name);
    }
}

/* RFC 8446 5.5: with AES-GCM a key seals 2^24 records. Both ends are set close to that. */
Test(tls_session, a_worn_key_of_ours_is_changed, .timeout = 10)
{
    for (size_t i = 0; i < AEAD_KINDS_MAX; i++) {
        tls_peer_open(&peer, true, kinds[i]);
        peer.tls->records.out.sequence = peer.records.in.sequence = TLS_RECORDS_PER_KEY_MAX - 2;
        size_t updates = 0, records = 0;
        for (int j = 0; j < 10; j++)
            tls_peer_write(&peer, bytes, 10);
        while (tls_peer_hear(&peer)) {
            if (peer.content == TLS_CONTENT_HANDSHAKE) {
                cr_expect_eq(records, 2);
                updates++;
            } else {
                records++;
            }
        }
        cr_expect_eq(records, 10);
        cr_expect_eq(updates, kinds[i] == AEAD_CHACHA20_POLY1305 ? 0 : 1);
        tls_peer_close(&peer);

        tls_peer_open(&peer, false, kinds[i]); /* TLS 1.2 goes on */
        peer.tls->records.out.sequence = peer.records.in.sequence = TLS_RECORDS_PER_KEY_MAX - 2;
        for (int j = 0; j < 5; j++)
            expect_talk();
        tls_peer_close(&peer);
    }
}

/* ---- renegotiation, TLS 1.2 ---- */

/* A ClientHello of 300 bytes, in records of `piece`. */
static void ask_to_renegotiate(size_t piece)
{
    static const size_t count = 4 + 300;
    uint8_t hello[4 + 300] = {1, 0, 300 >> 8, 300 & 0xff, 3, 3};
    for (size_t at = 0; at < count; at += piece)
        tls_peer_say(&peer, TLS_CONTENT_HANDSHAKE, hello + at, at + piece < count ? piece : count - at);
}

Test(tls_session, renegotiation_is_refused_three_times, .timeout = 10)
{
    for (size_t piece = 1; piece <= 304; piece += 101) {
        for (enum aead_kind kind = 0; kind < AEAD_KINDS_MAX; kind++) {
            tls_peer_open(&peer, false, kind);
            for (int i = 0; i < 3; i++) {
                ask_to_renegotiate(piece);
                tls_peer_feed(&peer);
                cr_expect_eq(peer.result, TLS_OK, "%s", tls_reason(peer.tls));
                cr_expect(tls_peer_hear(&peer) && tls_peer_heard_alert(&peer, WARNING, 100));
                expect_talk();
            }
            ask_to_renegotiate(piece);
            expect_end(10, "asks to renegotiate again and again", "the fourth");
        }
    }
}

Test(tls_session, other_messages_of_1_2_end_it, .timeout = 10)
{
    static const uint8_t types[] = {0, 2, 11, 16, 20, 24};
    for (size_t i = 0; i < sizeof types; i++) {
        tls_peer_open(&peer, false, AEAD_AES_128_GCM);
        tls_peer_say(&peer, TLS_CONTENT_HANDSHAKE, (const uint8_t[]){types[i], 0, 0, 1, 0}, 5);
        expect_end(10, "unexpected message", "type");
    }
    tls_peer_open(&peer, false, AEAD_AES_128_GCM); /* a ClientHello that would be passed over for megabytes */
    tls_peer_say(&peer, TLS_CONTENT_HANDSHAKE, (const uint8_t[]){1, 0, 0x40, 1}, 4);
    expect_end(50, "a message cannot be decoded", "16385 bytes");
}

/* ---- without end ---- */

/* So many are passed over, and data between them starts the count anew; one more ends it. */
static void expect_bound(void (*say)(void), int most, const char *reason)
{
    for (int turn = 0; turn < 3; turn++) {
        for (int i = 0; i < most; i++)
            say();
        if (turn < 2) expect_talk();
    }
    tls_peer_feed(&peer);
    cr_expect_eq(peer.result, TLS_OK, "%s", tls_reason(peer.tls));
    say();
    expect_end(10, reason, reason);
}

static void say_nothing(void)
{
    say_data(0);
}

static void update_keys(void)
{
    tls_peer_update(&peer, 1);
}

static void warn(void)
{
    tls_peer_say(&peer, TLS_CONTENT_ALERT, (const uint8_t[]){WARNING, 90}, 2);
}

Test(tls_session, what_is_sent_on_and_on_without_data_ends_it, .timeout = 10)
{
    for (int suite = 0; suite < SUITES; suite++) {
        open_suite(suite);
        expect_bound(say_nothing, 32, "sends empty records on and on");
        open_suite(suite);
        expect_bound(warn, 8, "sends warnings on and on");
        if (suite % 2 == 0) continue;
        open_suite(suite);
        expect_bound(update_keys, 32, "changes its keys again and again, and says nothing");
    }
}

/* ---- output ---- */

Test(tls_session, output_that_fails_ends_it, .timeout = 10)
{
    open_suite(0);
    peer.output_rc = RC_ENOMEM;
    ask_to_renegotiate(304); /* the warning cannot be said: were its number used, the next record would not open */
    say_data(10);
    tls_peer_feed(&peer);
    cr_expect_eq(peer.result, TLS_NO_MEMORY);
    cr_expect_eq(peer.heard, 0);
    cr_expect_eq(tls_peer_write(&peer, bytes, 1), TLS_NO_MEMORY);
    cr_expect_str_eq(tls_reason(peer.tls), "out of memory");
    tls_peer_close(&peer);
}

Test(tls_session, close_notify_is_said_once_and_reading_goes_on, .timeout = 10)
{
    for (int suite = 0; suite < SUITES; suite++) {
        open_suite(suite);
        tls_close(peer.tls);
        tls_close(peer.tls);
        cr_expect(tls_peer_hear(&peer) && tls_peer_heard_alert(&peer, WARNING, 0));
        cr_expect(!tls_peer_hear(&peer));
        say_data(10);
        tls_peer_feed(&peer);
        cr_expect_eq(peer.heard, 10);
        tls_peer_put(&peer, (const uint8_t[]){20, 3, 3, 0, 1}, 5);
        tls_peer_feed(&peer);
        cr_expect_eq(peer.result, TLS_BROKEN);
        cr_expect_eq(peer.from_at, peer.from_count, "nothing behind a close_notify");
        tls_peer_close(&peer);
    }
}
