/* tests/server/connection/test_secure.c - connections over TLS alone: from the handshake to the close_notify, whole
 * messages both ways, and what is no TLS. */
#include "server/connection/secure.h"

#include "net/tls/tls.h"
#include "tests/support/connection_case.h"
#include "tests/support/tls_client.h"
#include "tests/support/tls_server.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* A client over TLS. */
struct guest {
    struct fake_socket *socket;
    struct tls_client *tls;
    char heard[40000]; /* plaintext, as text */
    size_t heard_count;
    int ended; /* what mbedTLS said at last; 0: nothing */
};

static struct guest guest;

static struct tls_files *make_files(void)
{
    static struct made_certificate pair;
    char reason[512];
    struct tls_files *files;
    cr_assert_eq(tls_global_init(), RC_OK);
    made_certificate(&pair, (struct made_wish){.subject = "server"});
    const char *certificate = made_file(pair.certificate), *key = made_file(pair.key);
    struct tls_names names = {&certificate, &key, 1, NULL, false};
    cr_assert_eq(tls_files_read(&files, &names, reason, sizeof reason), RC_OK, "%s", reason);
    return files;
}

static void begin(const char *const flags[], struct tls_client_wish wish)
{
    struct tls_files *files = make_files();
    case_begin_secure(flags, files);
    tls_files_drop(files);
    guest = (struct guest){.socket = case_connect_secure(), .tls = tls_client_new(wish)};
    cr_assert_not_null(guest.tls);
}

static void end(void)
{
    tls_client_free(guest.tls);
    case_end();
}

/* Sends what there is, lets it be answered, and takes the answer. */
static void run(void)
{
    uint8_t bytes[4096];
    if (!guest.tls->is_open) tls_client_handshake(guest.tls);
    fake_write(guest.socket, guest.tls->out.at, guest.tls->out.count);
    tls_client_taken(guest.tls, guest.tls->out.count);
    case_run();
    for (size_t count; (count = fake_read(guest.socket, bytes, sizeof bytes)) > 0;) {
        tls_client_give(guest.tls, bytes, count);
    }
    if (!guest.tls->is_open) tls_client_handshake(guest.tls);
    for (int count = 1; guest.tls->is_open && count > 0;) {
        count = tls_client_read(guest.tls, (uint8_t *)guest.heard + guest.heard_count,
                                sizeof guest.heard - 1 - guest.heard_count);
        if (count > 0) guest.heard_count += (size_t)count;
        if (count < 0 && count != MBEDTLS_ERR_SSL_WANT_READ) guest.ended = count;
    }
    guest.heard[guest.heard_count] = '\0';
}

static void shake_hands(void)
{
    for (uint32_t i = 0; i < 10 && case_connection(0)->state == CONNECTION_TLS; i++) {
        run();
    }
    cr_assert_eq(case_connection(0)->state, CONNECTION_REQUEST);
}

static void say(const char *text)
{
    cr_assert_eq(tls_client_write(guest.tls, (const uint8_t *)text, strlen(text)), (int)strlen(text));
}

Test(secure, requests_are_served_after_the_handshake, .timeout = 60)
{
    for (unsigned version = 12; version <= 13; version++) {
        begin(CASE_FLAGS(), (struct tls_client_wish){.version = version});
        cr_expect_eq(case_connection(0)->state, CONNECTION_TLS);
        shake_hands();
        cr_expect_eq(case_counter(COUNTER_tls_handshakes), 1);
        say(CASE_GET("/answer") "GET /ans");
        run();
        say("wer HTTP/1.1\r\nHost: x\r\n\r\n");
        run();
        cr_expect_str_eq(guest.heard, CASE_OK CASE_OK);
        say(CASE_GET("/last"));
        run();
        cr_expect_str_eq(guest.heard, CASE_OK CASE_OK CASE_OK);
        cr_expect_eq(guest.ended, MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY, "told, not cut");
        cr_expect(fake_is_at_end(guest.socket));
        end();
    }
}

Test(secure, messages_go_both_ways_whatever_their_length, .timeout = 60)
{
    static const size_t counts[] = {4, 125, 126, 1000, 16000};
    static uint8_t frame[20000];
    begin(CASE_FLAGS(), (struct tls_client_wish){.version = 13});
    shake_hands();
    say(CASE_UPGRADE("/ws"));
    run();
    cr_expect_eq(case_connection(0)->state, CONNECTION_OPEN);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        guest.heard_count = 0;
        size_t header = frame_header_write(frame, FRAME_BINARY, counts[i]);
        frame[1] |= 0x80;
        memset(frame + header, 0, 4); /* a mask of zeros */
        memset(frame + header + 4, 'x', counts[i]);
        memcpy(frame + header + 4, "echo", 4);
        for (size_t at = 0, all = header + 4 + counts[i]; at < all;) {
            int count = tls_client_write(guest.tls, frame + at, all - at);
            cr_assert_gt(count, 0);
            at += (size_t)count;
        }
        run();
        cr_assert_eq(guest.heard_count, header + counts[i], "%zu", counts[i]);
        cr_expect_arr_eq(guest.heard + header, frame + header + 4, counts[i]);
    }
    cr_expect_null(case_connection(0)->unsent);
    end();
}

/* TLS ends in both directions. */
Test(secure, a_peers_end_is_answered_with_ours, .timeout = 60)
{
    for (uint32_t is_open = 0; is_open < 2; is_open++) {
        begin(CASE_FLAGS(), (struct tls_client_wish){.version = 13});
        shake_hands();
        if (is_open) say(CASE_UPGRADE("/ws"));
        run();
        cr_assert_eq(tls_client_close(guest.tls), 0);
        run();
        cr_expect_eq(guest.ended, MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
        cr_expect(fake_is_at_end(guest.socket));
        cr_expect_eq(strstr(case_calls(), "close:PEER_GONE ") != NULL, is_open == 1);
        end();
    }
}

Test(secure, a_record_that_was_changed_ends_with_an_alert, .timeout = 60)
{
    begin(CASE_FLAGS(), (struct tls_client_wish){.version = 13});
    shake_hands();
    say(CASE_UPGRADE("/ws"));
    run();
    case_calls();
    say("secret");
    guest.tls->out.at[guest.tls->out.count - 1] ^= 1;
    run();
    cr_expect_eq(guest.ended, MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE);
    cr_expect_str_eq(case_calls(), "error:TLS_BROKEN close:TLS_BROKEN ", "and nothing of it was taken");
    cr_expect(fake_is_at_end(guest.socket));
    end();
}

Test(secure, what_is_no_tls_is_refused_in_its_own_words, .timeout = 60)
{
    begin(CASE_FLAGS(), (struct tls_client_wish){.version = 13});
    case_write(guest.socket, CASE_GET("/answer"));
    case_run();
    cr_expect_str_eq(case_calls(), "refuse:400 ", "the door says it");
    cr_expect_str_eq(case_read(guest.socket), "HTTP/1.1 400 Bad Request\r\n\r\n");
    cr_expect(fake_is_at_end(guest.socket));
    cr_expect_eq(case_counter(COUNTER_tls_handshakes), 0);
    end();
}

Test(secure, a_handshake_that_does_not_go_on_is_given_up, .timeout = 60)
{
    for (uint32_t begins = 0; begins < 2; begins++) {
        begin(CASE_FLAGS("--handshake-ms-max", "2s"), (struct tls_client_wish){.version = 13});
        if (begins) run();
        case_pass(1800);
        cr_expect_eq(case_connection(0)->state, CONNECTION_TLS);
        case_pass(400);
        cr_expect(fake_is_at_end(guest.socket) || guest.tls->is_open);
        cr_expect_eq(case_counter(counter_of_close(CLOSE_HANDSHAKE_TIMEOUT)), 1);
        end();
    }
}

/* A request may lie in the same bytes as the last flight; it is held for its turn like that. */
Test(secure, a_request_behind_the_last_flight_is_served, .timeout = 60)
{
    begin(CASE_FLAGS(), (struct tls_client_wish){.version = 13});
    run();
    cr_assert(guest.tls->is_open);
    say(CASE_GET("/answer"));
    run();
    run();
    cr_expect_str_eq(guest.heard, CASE_OK);
    end();
}
