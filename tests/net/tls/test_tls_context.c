/* tests/net/tls/test_tls_context.c - what contexts decide: the certificate for a name, whether a client has to show
 * one, and whose sessions are taken up again. */
#include "net/tls/tls_shared.h"
#include "tests/support/tls_server.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct tls_server server;

/* ---- names ---- */

/* Which certificate (its common name) does a client get that asks for `name`? "": none. */
static const char *shown(struct tls_context *context, unsigned version, const char *name, const uint16_t *signatures)
{
    static const char *const subjects[] = {"first", "first rsa", "exact", "wild", "nameless"};
    struct tls_link link;
    const char *found = "";
    tls_link_open(&link, context,
                  (struct tls_client_wish){.name = name, .version = version, .signatures = signatures});
    if (tls_link_shake(&link)) found = "another";
    for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++) {
        if (tls_client_was_shown(link.client, subjects[i])) found = subjects[i];
    }
    tls_link_close(&link);
    return found;
}

Test(tls_context, certificates_are_chosen_by_name, .timeout = 60)
{
    static const char *const first_names[] = {"first.test", "www.first.test", NULL};
    static const char *const exact_names[] = {"a.wild.test", NULL}, *const wild_names[] = {"*.wild.test", NULL};
    static const uint16_t rsa[] = {MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA256, MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA256, 0};
    static const uint16_t ecdsa[] = {MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256, 0};
    static struct made_certificate first, first_rsa, exact, wild;
    static const struct {
        const char *name;
        const uint16_t *signatures;
        const char *subject;
    } rows[] = {
        {NULL, NULL, "first"},
        {"first.test", NULL, "first"},
        {"first.test", rsa, "first rsa"},
        {"first.test", ecdsa, "first"},
        {NULL, rsa, "first rsa"},
        {"WWW.First.Test", NULL, "first"},
        {"a.wild.test", NULL, "exact"},
        {"A.WILD.TEST", NULL, "exact"},
        {"b.wild.test", NULL, "wild"},
        {"*.wild.test", NULL, "wild"},
        {"wild.test", NULL, "first"},
        {"a.b.wild.test", NULL, "first"}, /* one label only */
        {".wild.test", NULL, "first"},
        {"unknown", NULL, "first"},
        {"first.tes", NULL, "first"},
        {"b.wild.test", rsa, ""},
    };
    cr_assert_eq(tls_global_init(), RC_OK);
    made_certificate(&first, (struct made_wish){.subject = "first", .names = first_names});
    made_certificate(&first_rsa,
                     (struct made_wish){.kind = MADE_RSA_2048, .subject = "first rsa", .names = first_names});
    made_certificate(&exact, (struct made_wish){.subject = "exact", .names = exact_names});
    made_certificate(&wild, (struct made_wish){.subject = "wild", .names = wild_names});
    struct tls_context *context =
        tls_server_context((const struct made_certificate *[]){&first, &wild, &exact, &first_rsa}, 4, NULL, NULL);
    for (unsigned version = 12; version <= 13; version++) {
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            const char *subject = shown(context, version, rows[i].name, rows[i].signatures);
            cr_expect_str_eq(subject, rows[i].subject, "%u, %s: %s", version, rows[i].name, subject);
        }
    }
    tls_context_drop(context);
}

Test(tls_context, a_default_without_names_is_shown_too, .timeout = 10)
{
    static const char *const exact_names[] = {"a.wild.test", NULL};
    static struct made_certificate nameless, exact;
    cr_assert_eq(tls_global_init(), RC_OK);
    made_certificate(&nameless, (struct made_wish){.subject = "nameless"});
    made_certificate(&exact, (struct made_wish){.subject = "exact", .names = exact_names});
    struct tls_context *context =
        tls_server_context((const struct made_certificate *[]){&nameless, &exact}, 2, NULL, NULL);
    cr_expect_str_eq(shown(context, 13, NULL, NULL), "nameless");
    cr_expect_str_eq(shown(context, 12, "nameless", NULL), "nameless");
    cr_expect_str_eq(shown(context, 13, "a.wild.test", NULL), "exact");
    tls_context_drop(context);
}

/* The client trusts only the root; what is between comes from us. */
Test(tls_context, the_chain_is_sent, .timeout = 10)
{
    static const char *const names[] = {"server.test", NULL};
    static struct made_certificate root, middle, leaf;
    cr_assert_eq(tls_global_init(), RC_OK);
    made_certificate(&root, (struct made_wish){.subject = "root", .is_authority = true});
    made_certificate(&middle, (struct made_wish){.subject = "middle", .is_authority = true, .issuer = &root});
    made_certificate(&leaf, (struct made_wish){.subject = "leaf", .names = names, .issuer = &middle});
    static struct made_certificate chain;
    chain = leaf;
    int count = snprintf(chain.certificate, sizeof chain.certificate, "%s%s", leaf.certificate, middle.certificate);
    cr_assert_lt(count, (int)sizeof chain.certificate);
    struct tls_context *context = tls_server_context((const struct made_certificate *[]){&chain}, 1, NULL, NULL);
    struct tls_link link;
    tls_link_open(&link, context, (struct tls_client_wish){.name = "server.test", .authority = root.certificate});
    cr_expect(tls_link_shake(&link));
    tls_link_close(&link);
    tls_context_drop(context);
}

/* A certificate of exactly that many bytes, and no key. */
static void append_filler(char *text, size_t room, size_t bytes)
{
    static struct made_certificate filler;
    char name[1200];
    const char *names[] = {name, NULL};
    size_t count = bytes > 600 ? bytes - 600 : 1, made = 0;
    for (int tries = 0; made != bytes && tries < 20; tries++, count = count + bytes - made) {
        mbedtls_x509_crt parsed;
        memset(name, 'x', sizeof name);
        cr_assert_lt(count, sizeof name);
        name[count] = '\0';
        made_certificate(&filler, (struct made_wish){.subject = "filler", .names = names});
        mbedtls_x509_crt_init(&parsed);
        const unsigned char *pem = (const unsigned char *)filler.certificate;
        cr_assert_eq(mbedtls_x509_crt_parse(&parsed, pem, strlen(filler.certificate) + 1), 0);
        made = parsed.raw.len;
        mbedtls_x509_crt_free(&parsed);
    }
    cr_assert_eq(made, bytes);
    size_t used = strlen(text);
    cr_assert_lt(snprintf(text + used, room - used, "%s", filler.certificate), (int)(room - used));
}

/* The longest chain that is taken reaches clients of both versions; one byte more is refused at the start. */
Test(tls_context, a_chain_that_can_be_sent_is_taken_and_no_longer_one, .timeout = 60)
{
    enum { LINK = 5, HEAD = 8, FILLER = 1000 };
    static const char *const names[] = {"server.test", NULL};
    static struct made_certificate pair;
    static char chain[32768];
    cr_assert_eq(tls_global_init(), RC_OK);
    made_certificate(&pair, (struct made_wish){.subject = "server", .names = names});
    mbedtls_x509_crt parsed;
    mbedtls_x509_crt_init(&parsed);
    const unsigned char *pem = (const unsigned char *)pair.certificate;
    cr_assert_eq(mbedtls_x509_crt_parse(&parsed, pem, strlen(pair.certificate) + 1), 0);
    snprintf(chain, sizeof chain, "%s", pair.certificate);
    size_t left = TLS_CHAIN_BYTES_MAX - HEAD - LINK - parsed.raw.len;
    mbedtls_x509_crt_free(&parsed);
    for (; left > 2 * FILLER; left -= LINK + FILLER)
        append_filler(chain, sizeof chain, FILLER);
    size_t last = strlen(chain);
    char reason[512];
    for (size_t more = 0; more < 2; more++) {
        chain[last] = '\0';
        append_filler(chain, sizeof chain, FILLER);
        append_filler(chain, sizeof chain, left - 2 * LINK - FILLER + more);
        const char *certificate = made_file(chain), *key = made_file(pair.key);
        struct tls_names named = {&certificate, &key, 1, NULL, false};
        struct tls_files *files;
        struct tls_context *context;
        enum rc rc = tls_files_read(&files, &named, reason, sizeof reason);
        cr_assert_eq(rc, more == 0 ? RC_OK : RC_EINVAL, "%s", reason);
        if (rc != RC_OK) break;
        cr_assert_eq(tls_context_new(&context, files, NULL, reason, sizeof reason), RC_OK, "%s", reason);
        tls_files_drop(files);
        for (unsigned version = 12; version <= 13; version++) {
            struct tls_link link;
            tls_link_open(&link, context, (struct tls_client_wish){.version = version});
            cr_expect(tls_link_shake(&link), "%u: %s, client: -0x%04x", version, tls_reason(link.tls),
                      (unsigned)-link.client_error);
            tls_link_close(&link);
        }
        tls_context_drop(context);
    }
    cr_expect_not_null(strstr(reason, "takes 16384 bytes of a handshake that has room for 16383"), "%s", reason);
}

/* ---- client certificates ---- */

/* A record each way, which only opens if both ends count alike. */
static void expect_talk(struct tls_link *link, const char *row)
{
    cr_assert_eq(tls_client_write(link->client, (const uint8_t *)"hello", 5), 5, "%s", row);
    tls_link_run(link);
    cr_assert_eq(link->heard.count, 5, "%s", row);
    cr_assert_eq(tls_link_write(link, (const uint8_t *)"hi", 2), TLS_OK, "%s", row);
    tls_link_run(link);
    cr_assert_eq(link->client_heard.count, 2, "%s", row);
}

Test(tls_context, a_client_has_to_show_a_good_certificate, .timeout = 30)
{
    static struct made_certificate clients, others, good, expired, foreign;
    cr_assert_eq(tls_global_init(), RC_OK);
    made_certificate(&clients, (struct made_wish){.subject = "clients", .is_authority = true});
    made_certificate(&others, (struct made_wish){.subject = "others", .is_authority = true});
    made_certificate(&good, (struct made_wish){.subject = "good", .issuer = &clients});
    made_certificate(&expired, (struct made_wish){.subject = "old", .issuer = &clients, .to_year = 2021});
    made_certificate(&foreign, (struct made_wish){.subject = "foreign", .issuer = &others});
    const struct {
        const struct made_certificate *shown;
        const char *reason;
    } rows[] = {
        {&good, ""},
        {NULL, "the client shows no certificate"},
        {&expired, "the client's certificate has expired"},
        {&foreign, "the client's certificate is not from an authority we trust"},
    };
    struct tls_ticket_keys *keys = tls_ticket_keys_new(100);
    tls_server_start(&server, MADE_P256, keys, clients.certificate);
    for (unsigned version = 12; version <= 13; version++) {
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            struct tls_link link;
            struct tls_client_wish wish = tls_server_wish(&server, version);
            if (rows[i].shown != NULL) {
                wish.certificate = rows[i].shown->certificate;
                wish.key = rows[i].shown->key;
            }
            tls_link_open(&link, server.context, wish);
            link.step = i == 0 ? 1 : 0;
            tls_link_run(&link);
            cr_expect_eq(link.result, i == 0 ? TLS_OK : TLS_BROKEN, "%u %zu", version, i);
            if (i == 0) expect_talk(&link, "with a client's certificate");
            cr_expect_str_eq(tls_reason(link.tls), rows[i].reason);
            cr_expect_eq(tls_is_open(link.tls), i == 0);
            cr_expect_eq(link.client_error, i == 0 ? 0 : MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE, "%u %zu", version, i);
            cr_expect_eq(link.client->tickets, 0, "who has to show a certificate gets no ticket");
            tls_link_close(&link);
        }
    }
    tls_server_stop(&server);
    tls_ticket_keys_free(keys);
}

/* ---- tickets ---- */

/* Shakes hands, and keeps the client's session in *session. Was an earlier one resumed? */
static bool visit(struct tls_context *context, unsigned version, mbedtls_ssl_session *session)
{
    struct tls_link link;
    struct tls_client_wish wish = tls_server_wish(&server, version);
    if (session->MBEDTLS_PRIVATE(tls_version) != 0) wish.session = session;
    tls_link_open(&link, context, wish);
    cr_assert(tls_link_shake(&link), "%s", tls_reason(link.tls));
    tls_link_write(&link, (const uint8_t *)"hello", 5);
    tls_link_run(&link);
    cr_expect_eq(link.client_heard.count, 5);
    if (version == 12) cr_assert_eq(tls_client_keep(link.client), 0);
    bool is_resumed = tls_is_resumed(link.tls);
    mbedtls_ssl_session_free(session);
    *session = link.client->session;
    mbedtls_ssl_session_init(&link.client->session);
    tls_link_close(&link);
    return is_resumed;
}

Test(tls_context, tickets_resume_across_contexts_with_the_same_keys, .timeout = 30)
{
    cr_assert_eq(tls_global_init(), RC_OK);
    struct tls_ticket_keys *keys = tls_ticket_keys_new(1000), *other_keys = tls_ticket_keys_new(1000);
    tls_server_start(&server, MADE_P256, keys, NULL);
    const struct made_certificate *pairs[] = {&server.pair};
    struct tls_context *second = tls_server_context(pairs, 1, keys, NULL);
    struct tls_context *foreign = tls_server_context(pairs, 1, other_keys, NULL);
    struct tls_context *without = tls_server_context(pairs, 1, NULL, NULL);
    struct tls_context *strict = tls_server_context(pairs, 1, keys, server.authority.certificate);
    for (unsigned version = 12; version <= 13; version++) {
        mbedtls_ssl_session session;
        mbedtls_ssl_session_init(&session);
        cr_expect(!visit(server.context, version, &session));
        cr_expect(visit(server.context, version, &session));
        cr_expect(visit(second, version, &session));
        cr_expect(visit(server.context, version, &session));
        cr_expect(!visit(foreign, version, &session));
        cr_expect(!visit(server.context, version, &session));
        cr_expect(!visit(without, version, &session));

        /* A ticket does not replace a certificate. (The client keeps an old ticket with a new secret: begin anew.) */
        struct tls_link link;
        mbedtls_ssl_session_free(&session);
        mbedtls_ssl_session_init(&session);
        visit(server.context, version, &session);
        struct tls_client_wish wish = tls_server_wish(&server, version);
        wish.session = &session;
        tls_link_open(&link, strict, wish);
        tls_link_run(&link);
        cr_expect_eq(link.result, TLS_BROKEN);
        cr_expect(!tls_is_open(link.tls));
        tls_link_close(&link);
        mbedtls_ssl_session_free(&session);
    }
    tls_context_drop(second);
    tls_context_drop(foreign);
    tls_context_drop(without);
    tls_context_drop(strict);
    tls_server_stop(&server);
    tls_ticket_keys_free(keys);
    tls_ticket_keys_free(other_keys);
    tls_ticket_keys_free(NULL);
}

/* Not later, when it would stand in the way of the first data. */
Test(tls_context, a_ticket_comes_with_the_handshake, .timeout = 30)
{
    cr_assert_eq(tls_global_init(), RC_OK);
    struct tls_ticket_keys *keys = tls_ticket_keys_new(100);
    tls_server_start(&server, MADE_P256, keys, NULL);
    struct tls_link link;
    tls_server_join(&server, &link, 13);
    cr_expect_eq(link.client->tickets, 1);
    cr_expect_eq(tls_link_write(&link, (const uint8_t *)"x", 1), TLS_OK);
    cr_expect_eq(link.out.count, 5 + 1 + 1 + 16, "nothing but that");
    tls_link_close(&link);
    tls_server_stop(&server);
    tls_ticket_keys_free(keys);
}

/* What mbedTLS has sealed counts: tickets of TLS 1.3 are records too. Byte by byte also. */
Test(tls_context, records_go_on_where_tickets_have_ended, .timeout = 60)
{
    static const uint16_t counts[] = {0, 1, 2, 4};
    cr_assert_eq(tls_global_init(), RC_OK);
    struct tls_ticket_keys *keys = tls_ticket_keys_new(100);
    tls_server_start(&server, MADE_P256, keys, NULL);
    for (size_t i = 0; i < 2 * sizeof counts / sizeof counts[0]; i++) {
        struct tls_link link;
        mbedtls_ssl_session session;
        mbedtls_ssl_session_init(&session);
        mbedtls_ssl_conf_new_session_tickets(&server.context->config, counts[i / 2]);
        tls_link_open(&link, server.context, tls_server_wish(&server, 13));
        link.step = i % 2;
        cr_assert(tls_link_shake(&link));
        cr_expect_eq(link.client->tickets, counts[i / 2]);
        expect_talk(&link, "full");
        if (counts[i / 2] > 0) {
            session = link.client->session;
            mbedtls_ssl_session_init(&link.client->session);
        }
        tls_link_close(&link);
        if (counts[i / 2] == 0) continue;
        struct tls_client_wish wish = tls_server_wish(&server, 13);
        wish.session = &session;
        tls_link_open(&link, server.context, wish);
        link.step = i % 2;
        cr_assert(tls_link_shake(&link));
        cr_expect(tls_is_resumed(link.tls));
        expect_talk(&link, "resumed");
        tls_link_close(&link);
        mbedtls_ssl_session_free(&session);
    }
    tls_server_stop(&server);
    tls_ticket_keys_free(keys);
}

/* RFC 8446 4.1.4: the client's key is on a curve that is not spoken here, and it is asked for another. */
Test(tls_context, records_go_on_after_a_hello_retry_request, .timeout = 30)
{
    static const uint16_t groups[] = {MBEDTLS_SSL_IANA_TLS_GROUP_SECP521R1, MBEDTLS_SSL_IANA_TLS_GROUP_X25519, 0};
    /* SHA-256 of "HelloRetryRequest", which such a ServerHello has in the place of its random: RFC 8446 4.1.3 */
    static const uint8_t retry[] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11};
    cr_assert_eq(tls_global_init(), RC_OK);
    struct tls_ticket_keys *keys = tls_ticket_keys_new(100);
    tls_server_start(&server, MADE_P256, keys, NULL);
    struct tls_link link;
    struct tls_client_wish wish = tls_server_wish(&server, 13);
    wish.groups = groups;
    tls_link_open(&link, server.context, wish);
    tls_client_handshake(link.client);
    tls_link_feed(&link, link.client->out.at, link.client->out.count);
    tls_client_taken(link.client, link.client->out.count);
    cr_assert_not_null(memmem(link.out.at, link.out.count, retry, sizeof retry), "it was asked for another");
    cr_assert(tls_link_shake(&link));
    cr_expect(!tls_is_resumed(link.tls));
    expect_talk(&link, "after a HelloRetryRequest");
    tls_link_close(&link);
    tls_server_stop(&server);
    tls_ticket_keys_free(keys);
}

/* The newest two keys are good. A key is half a lifetime old before there is another. */
Test(tls_context, tickets_outlive_one_rotation_but_not_two, .timeout = 60)
{
    cr_assert_eq(tls_global_init(), RC_OK);
    struct tls_ticket_keys *keys = tls_ticket_keys_new(4);
    tls_server_start(&server, MADE_P256, keys, NULL);
    mbedtls_ssl_session sessions[2];
    for (unsigned i = 0; i < 2; i++) {
        mbedtls_ssl_session_init(&sessions[i]);
        visit(server.context, 12 + i, &sessions[i]);
    }
    cr_expect_eq(tls_ticket_keys_rotate(keys), RC_OK, "too early: nothing happens");
    cr_expect_eq(tls_ticket_keys_rotate(keys), RC_OK);
    for (unsigned i = 0; i < 2; i++) {
        cr_expect(visit(server.context, 12 + i, &sessions[i]));
    }
    usleep(2000 * 1000);
    cr_expect_eq(tls_ticket_keys_rotate(keys), RC_OK);
    cr_expect_eq(tls_ticket_keys_rotate(keys), RC_OK);
    cr_expect(visit(server.context, 13, &sessions[1]), "its key is the older one now");
    cr_expect(visit(server.context, 12, &sessions[0]));
    usleep(2000 * 1000);
    cr_expect_eq(tls_ticket_keys_rotate(keys), RC_OK);
    cr_expect(!visit(server.context, 12, &sessions[0]), "its key is gone; TLS 1.2 gave no new ticket with it");
    for (unsigned i = 0; i < 2; i++)
        mbedtls_ssl_session_free(&sessions[i]);
    tls_server_stop(&server);
    tls_ticket_keys_free(keys);
}

/* ---- threads ---- */

enum { THREADS = 4, VISITS = 40 };

static struct tls_files *thread_files;
static struct tls_ticket_keys *thread_keys;

/* As a shard does: a context of its own from the shared files and keys. */
static void *run_thread(void *resumed_r)
{
    char reason[256];
    struct tls_context *context;
    mbedtls_ssl_session session;
    mbedtls_ssl_session_init(&session);
    cr_assert_eq(tls_context_new(&context, thread_files, thread_keys, reason, sizeof reason), RC_OK);
    for (unsigned i = 0; i < VISITS; i++) {
        *(unsigned *)resumed_r += visit(context, 13, &session);
        tls_ticket_keys_rotate(thread_keys);
    }
    mbedtls_ssl_session_free(&session);
    tls_context_drop(context);
    return NULL;
}

Test(tls_context, threads_share_files_and_ticket_keys, .timeout = 60)
{
    char reason[256];
    pthread_t threads[THREADS];
    unsigned resumed[THREADS] = {0};
    tls_server_start(&server, MADE_P256, NULL, NULL);
    const char *certificate = made_file(server.pair.certificate), *key = made_file(server.pair.key);
    cr_assert_eq(
        tls_files_read(&thread_files, &(struct tls_names){&certificate, &key, 1, NULL, false}, reason, sizeof reason),
        RC_OK);
    thread_keys = tls_ticket_keys_new(1000);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, run_thread, &resumed[i]);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        cr_expect_eq(resumed[i], VISITS - 1);
    }
    tls_files_drop(thread_files);
    tls_ticket_keys_free(thread_keys);
    tls_server_stop(&server);
}
