/* tests/net/tls/test_tls_call.c - our client against our server, over a pair of sockets. */
#include "net/tls/tls_call.h"

#include "tests/support/tls_server.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROUNDS_MAX = 10000 };

/* The other end, which says what it hears. */
struct echo {
    struct tls_sessions *sessions;
    struct tls *tls;
    int fd;
    enum tls_result result;
};

static enum rc give(void *echo_given, const uint8_t *bytes, size_t count)
{
    struct echo *echo = echo_given;
    cr_assert_eq(send(echo->fd, bytes, count, MSG_NOSIGNAL), (ssize_t)count);
    return RC_OK;
}

static void start(struct echo *echo, struct tls_context *context, int *client_r)
{
    int pair[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    *client_r = pair[0];
    *echo = (struct echo){.fd = pair[1], .sessions = tls_sessions_new()};
    echo->tls = tls_new(echo->sessions, context, give, echo);
    cr_assert(echo->tls != NULL);
}

static void stop(struct echo *echo, int client)
{
    tls_free(echo->tls);
    tls_sessions_free(echo->sessions);
    close(echo->fd);
    close(client);
}

static void say_back(struct echo *echo, const uint8_t *plain, size_t count)
{
    static uint8_t sealed[TLS_SEALED_BYTES_MAX];
    size_t bytes;
    if (count == 0) return;
    cr_assert_eq(tls_seal(echo->tls, plain, count, sealed, &bytes), TLS_OK);
    give(echo, sealed, bytes);
}

/* Takes what has come. */
static void turn(struct echo *echo)
{
    static uint8_t in[20000], plain[TLS_OPEN_BYTES_MAX];
    ssize_t count = recv(echo->fd, in, sizeof in, 0);
    size_t at = 0;
    while (count > 0 && at < (size_t)count && (echo->result == TLS_OK || echo->result == TLS_MORE)) {
        size_t eaten = 0, plain_count = 0;
        echo->result = tls_is_open(echo->tls)
                           ? tls_read(echo->tls, in + at, (size_t)count - at, &eaten, plain, &plain_count)
                           : tls_handshake(echo->tls, in + at, (size_t)count - at, &eaten);
        at += eaten;
        say_back(echo, plain, plain_count);
    }
}

static enum tls_call_result shake(struct tls_call *call, struct echo *echo)
{
    enum tls_call_result result = TLS_CALL_WANTS_READ;
    for (int i = 0; i < ROUNDS_MAX && (result == TLS_CALL_WANTS_READ || result == TLS_CALL_WANTS_WRITE); i++) {
        result = tls_call_shake(call);
        turn(echo);
    }
    return result;
}

static enum tls_call_result read_some(struct tls_call *call, struct echo *echo, void *to, size_t size,
                                      size_t *count_r)
{
    enum tls_call_result result = TLS_CALL_WANTS_READ;
    for (int i = 0; i < ROUNDS_MAX && result == TLS_CALL_WANTS_READ; i++) {
        turn(echo);
        result = tls_call_read(call, to, size, count_r);
    }
    return result;
}

static struct tls_trust *trust_of(const char *ca, const char *cert, const char *key)
{
    struct tls_trust *trust;
    char reason[400] = "";
    const struct tls_trust_files files = {.ca = ca, .cert = cert, .key = key};
    cr_assert_eq(tls_trust_new(&trust, &files, reason, sizeof reason), RC_OK, "%s", reason);
    return trust;
}

Test(tls_call, carries_much_both_ways, .timeout = 60)
{
    static char out[200000], in[sizeof out];
    struct tls_server server;
    struct echo echo;
    int client;
    size_t sent = 0, received = 0, count;
    tls_server_start(&server, MADE_P256, NULL, NULL);
    start(&echo, server.context, &client);
    struct tls_trust *trust = trust_of(made_file(server.authority.certificate), NULL, NULL);
    struct tls_call *call = tls_call_new(trust, "server.test", client);
    cr_assert_eq(shake(call, &echo), TLS_CALL_OK, "%s", tls_call_reason(call));
    for (size_t i = 0; i < sizeof out; i++)
        out[i] = (char)(i * 7 + i / 256);
    for (int i = 0; i < ROUNDS_MAX && received < sizeof in; i++) {
        if (sent < sizeof out && tls_call_write(call, out + sent, sizeof out - sent, &count) == TLS_CALL_OK)
            sent += count;
        turn(&echo);
        while (tls_call_read(call, in + received, sizeof in - received, &count) == TLS_CALL_OK)
            received += count;
    }
    cr_expect_eq(sent, sizeof out);
    cr_assert_eq(received, sizeof in);
    cr_expect_eq(memcmp(in, out, sizeof out), 0);
    tls_call_free(call);
    turn(&echo);
    cr_expect_eq(echo.result, TLS_CLOSED, "it says that it goes");
    tls_trust_free(trust);
    stop(&echo, client);
    tls_server_stop(&server);
}

Test(tls_call, hears_that_the_other_side_goes, .timeout = 60)
{
    struct tls_server server;
    struct echo echo;
    int client;
    char in[10];
    size_t count;
    tls_server_start(&server, MADE_P256, NULL, NULL);
    struct tls_trust *trust = trust_of(made_file(server.authority.certificate), NULL, NULL);
    for (int is_rude = 0; is_rude < 2; is_rude++) {
        start(&echo, server.context, &client);
        struct tls_call *call = tls_call_new(trust, "server.test", client);
        cr_assert_eq(shake(call, &echo), TLS_CALL_OK);
        if (is_rude)
            shutdown(echo.fd, SHUT_RDWR);
        else
            tls_close(echo.tls);
        cr_expect_eq(read_some(call, &echo, in, sizeof in, &count), TLS_CALL_CLOSED);
        tls_call_free(call);
        stop(&echo, client);
    }
    tls_trust_free(trust);
    tls_server_stop(&server);
}

static void expect_untrusted(struct tls_context *context, const char *ca, const char *host, const char *said)
{
    struct echo echo;
    int client;
    struct tls_trust *trust = trust_of(ca, NULL, NULL);
    start(&echo, context, &client);
    struct tls_call *call = tls_call_new(trust, host, client);
    cr_expect_eq(shake(call, &echo), TLS_CALL_UNTRUSTED);
    cr_expect(strstr(tls_call_reason(call), said) != NULL, "%s", tls_call_reason(call));
    cr_expect(strchr(tls_call_reason(call), '\n') == NULL);
    tls_call_free(call);
    tls_trust_free(trust);
    stop(&echo, client);
}

Test(tls_call, trusts_no_other_name_nor_authority, .timeout = 60)
{
    struct tls_server server;
    struct made_certificate other;
    tls_server_start(&server, MADE_P256, NULL, NULL);
    made_certificate(&other, (struct made_wish){.subject = "other authority", .is_authority = true});
    const char *ca = made_file(server.authority.certificate);
    expect_untrusted(server.context, ca, "other.test", "does not match");
    expect_untrusted(server.context, ca, "10.0.0.1", "does not match");
    expect_untrusted(server.context, made_file(other.certificate), "server.test", "not correctly signed");
    tls_server_stop(&server);
}

Test(tls_call, trusts_no_certificate_that_is_over, .timeout = 60)
{
    static const char *const names[] = {"server.test", NULL};
    struct tls_server server;
    struct made_certificate over;
    tls_server_start(&server, MADE_P256, NULL, NULL);
    made_certificate(
        &over,
        (struct made_wish){
            .subject = "server", .names = names, .issuer = &server.authority, .from_year = 2001, .to_year = 2002});
    struct tls_context *context = tls_server_context(&(const struct made_certificate *){&over}, 1, NULL, NULL);
    expect_untrusted(context, made_file(server.authority.certificate), "server.test", "expired");
    tls_context_drop(context);
    tls_server_stop(&server);
}

Test(tls_call, shows_a_certificate_that_is_asked_for, .timeout = 60)
{
    struct tls_server server;
    struct made_certificate authority, own;
    cr_assert_eq(tls_global_init(), RC_OK);
    made_certificate(&authority, (struct made_wish){.subject = "clients", .is_authority = true});
    made_certificate(&own, (struct made_wish){.subject = "node", .issuer = &authority});
    tls_server_start(&server, MADE_P256, NULL, authority.certificate);
    const char *ca = made_file(server.authority.certificate), *cert = made_file(own.certificate),
               *key = made_file(own.key);
    for (int shows = 0; shows < 2; shows++) {
        struct echo echo;
        int client;
        char in[10];
        size_t count;
        start(&echo, server.context, &client);
        struct tls_trust *trust = trust_of(ca, shows ? cert : "", shows ? key : "");
        struct tls_call *call = tls_call_new(trust, "server.test", client);
        enum tls_call_result result = shake(call, &echo);
        if (result == TLS_CALL_OK) result = tls_call_write(call, "hello", 5, &count);
        if (result == TLS_CALL_OK) result = read_some(call, &echo, in, sizeof in, &count);
        cr_expect_eq(result, shows ? TLS_CALL_OK : TLS_CALL_FAILED, "%d: %s", result, tls_call_reason(call));
        cr_expect_eq(tls_call_reason(call)[0] == '\0', shows == 1);
        tls_call_free(call);
        tls_trust_free(trust);
        stop(&echo, client);
    }
    tls_server_stop(&server);
}

Test(tls_call, fails_with_what_speaks_no_tls, .timeout = 60)
{
    struct tls_server server;
    int pair[2];
    tls_server_start(&server, MADE_P256, NULL, NULL);
    struct tls_trust *trust = trust_of(made_file(server.authority.certificate), NULL, NULL);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    struct tls_call *call = tls_call_new(trust, "server.test", pair[0]);
    cr_expect_eq(tls_call_shake(call), TLS_CALL_WANTS_READ);
    cr_assert_eq(send(pair[1], "-ERR unknown command\r\n", 22, 0), 22);
    cr_expect_eq(tls_call_shake(call), TLS_CALL_FAILED);
    cr_expect_str_neq(tls_call_reason(call), "");
    tls_call_free(call);
    tls_trust_free(trust);
    close(pair[0]);
    close(pair[1]);
    tls_server_stop(&server);
}

Test(tls_call, says_what_is_wrong_with_its_files, .timeout = 60)
{
    struct tls_server server;
    struct made_certificate other;
    tls_server_start(&server, MADE_P256, NULL, NULL);
    made_certificate(&other, (struct made_wish){.subject = "other"});
    const char *ca = made_file(server.authority.certificate), *cert = made_file(server.pair.certificate),
               *key = made_file(server.pair.key), *other_key = made_file(other.key), *junk = made_file("hello");
    const struct {
        struct tls_trust_files files;
        enum rc rc;
        const char *said;
    } cases[] = {
        {{.ca = "/no/such/file"}, RC_ENOENT, "/no/such/file cannot be read"},
        {{.ca = "/tmp"}, RC_EINVAL, "/tmp is a directory"},
        {{.ca = junk}, RC_EINVAL, "has no certificate that can be read"},
        {{.ca = key}, RC_EINVAL, "has no certificate that can be read"},
        {{.ca = ca, .cert = junk, .key = key}, RC_EINVAL, "has no certificate that can be read"},
        {{.ca = ca, .cert = cert, .key = junk}, RC_EINVAL, "has no private key that can be read"},
        {{.ca = ca, .cert = cert, .key = "/no/such/key"}, RC_ENOENT, "/no/such/key cannot be read"},
        {{.ca = ca, .cert = cert, .key = other_key}, RC_EINVAL, "is not the key of the certificate"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tls_trust *trust;
        char reason[400] = "";
        cr_expect_eq(tls_trust_new(&trust, &cases[i].files, reason, sizeof reason), cases[i].rc, "%zu: %s", i,
                     reason);
        cr_expect(strstr(reason, cases[i].said) != NULL, "%s", reason);
        cr_expect(trust == NULL);
    }
    tls_server_stop(&server);
}
