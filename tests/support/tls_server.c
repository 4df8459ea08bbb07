/* tests/support/tls_server.c - contexts of made certificates. What fails aborts, with the reason. */
#include "tests/support/tls_server.h"

#include <stdio.h>
#include <stdlib.h>

static void check(enum rc rc, const char *reason)
{
    if (rc == RC_OK) return;
    fprintf(stderr, "tls_server: %s: %s\n", rc_text(rc), reason);
    abort();
}

struct tls_context *tls_server_context(const struct made_certificate *const *pairs, size_t count,
                                       struct tls_ticket_keys *keys, const char *client_ca)
{
    const char *certificates[TLS_CERTIFICATES_MAX], *key_files[TLS_CERTIFICATES_MAX];
    char reason[512];
    struct tls_files *files;
    struct tls_context *context;
    for (size_t i = 0; i < count; i++) {
        certificates[i] = made_file(pairs[i]->certificate);
        key_files[i] = made_file(pairs[i]->key);
    }
    struct tls_names names = {certificates, key_files, count, client_ca != NULL ? made_file(client_ca) : NULL, false};
    check(tls_files_read(&files, &names, reason, sizeof reason), reason);
    check(tls_context_new(&context, files, keys, reason, sizeof reason), reason);
    tls_files_drop(files);
    return context;
}

void tls_server_start(struct tls_server *server, enum made_kind kind, struct tls_ticket_keys *keys,
                      const char *client_ca)
{
    static const char *const names[] = {"server.test", NULL};
    check(tls_global_init(), "init");
    made_certificate(&server->authority, (struct made_wish){.subject = "authority", .is_authority = true});
    made_certificate(
        &server->pair,
        (struct made_wish){.kind = kind, .subject = "server", .names = names, .issuer = &server->authority});
    server->context = tls_server_context(&(const struct made_certificate *){&server->pair}, 1, keys, client_ca);
}

void tls_server_stop(struct tls_server *server)
{
    tls_context_drop(server->context);
    server->context = NULL;
}

struct tls_client_wish tls_server_wish(const struct tls_server *server, unsigned version)
{
    return (struct tls_client_wish){
        .name = "server.test", .authority = server->authority.certificate, .version = version};
}

void tls_server_join(const struct tls_server *server, struct tls_link *link, unsigned version)
{
    tls_link_open(link, server->context, tls_server_wish(server, version));
    if (tls_link_shake(link)) return;
    fprintf(stderr, "tls_server: %s, client -0x%x\n", tls_reason(link->tls), (unsigned)-link->client_error);
    abort();
}
