/* tests/support/tls_client.c - mbedTLS as a client, between two buffers. */
#include "tests/support/tls_client.h"

#include <mbedtls/psa_util.h>
#include <stdlib.h>
#include <string.h>

bool tls_client_append(struct tls_client_bytes *to, const uint8_t *bytes, size_t count)
{
    if (to->count + count > to->capacity) {
        size_t capacity = (to->count + count) * 2;
        uint8_t *at = reallocarray(to->at, capacity, 1); /* not realloc: tests make that one fail */
        if (at == NULL) return false;
        to->at = at;
        to->capacity = capacity;
    }
    if (count > 0) memcpy(to->at + to->count, bytes, count);
    to->count += count;
    return true;
}

static int give_output(void *owner, const unsigned char *bytes, size_t count)
{
    struct tls_client *client = owner;
    return tls_client_append(&client->out, bytes, count) ? (int)count : MBEDTLS_ERR_SSL_ALLOC_FAILED;
}

static int take_input(void *owner, unsigned char *to, size_t count)
{
    struct tls_client *client = owner;
    size_t left = client->in.count - client->in_eaten;
    if (left == 0) return MBEDTLS_ERR_SSL_WANT_READ;
    if (count > left) count = left;
    memcpy(to, client->in.at + client->in_eaten, count);
    client->in_eaten += count;
    return (int)count;
}

static int parse(mbedtls_x509_crt *certificate, const char *text)
{
    return text != NULL ? mbedtls_x509_crt_parse(certificate, (const unsigned char *)text, strlen(text) + 1) : 0;
}

static int set_identity(struct tls_client *client, const struct tls_client_wish *wish)
{
    mbedtls_ssl_config *config = &client->config;
    int error = parse(&client->authority, wish->authority);
    mbedtls_ssl_conf_authmode(config,
                              wish->authority != NULL ? MBEDTLS_SSL_VERIFY_REQUIRED : MBEDTLS_SSL_VERIFY_NONE);
    if (wish->authority != NULL) mbedtls_ssl_conf_ca_chain(config, &client->authority, NULL);
    if (error != 0 || wish->certificate == NULL) return error;
    error = parse(&client->certificate, wish->certificate);
    if (error != 0) return error;
    error = mbedtls_pk_parse_key(&client->key, (const unsigned char *)wish->key, strlen(wish->key) + 1, NULL, 0,
                                 mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
    return error != 0 ? error : mbedtls_ssl_conf_own_cert(config, &client->certificate, &client->key);
}

static int configure(struct tls_client *client, const struct tls_client_wish *wish)
{
    mbedtls_ssl_config *config = &client->config;
    int error = mbedtls_ssl_config_defaults(config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                            MBEDTLS_SSL_PRESET_DEFAULT);
    if (error != 0) return error;
    mbedtls_ssl_conf_rng(config, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
    if (wish->version == 13) mbedtls_ssl_conf_min_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_3);
    if (wish->version == 12) mbedtls_ssl_conf_max_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_2);
    if (wish->suites != NULL) mbedtls_ssl_conf_ciphersuites(config, wish->suites);
    if (wish->groups != NULL) mbedtls_ssl_conf_groups(config, wish->groups);
    if (wish->signatures != NULL) mbedtls_ssl_conf_sig_algs(config, wish->signatures);
    if (wish->protocols != NULL) mbedtls_ssl_conf_alpn_protocols(config, wish->protocols);
    mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(config,
                                                             MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
    mbedtls_ssl_conf_renegotiation(config, wish->renegotiates ? MBEDTLS_SSL_RENEGOTIATION_ENABLED
                                                              : MBEDTLS_SSL_RENEGOTIATION_DISABLED);
    mbedtls_ssl_conf_max_frag_len(config, wish->fragment);
    return set_identity(client, wish);
}

static int set_up(struct tls_client *client, const struct tls_client_wish *wish)
{
    int error = configure(client, wish);
    if (error == 0) error = mbedtls_ssl_setup(&client->ssl, &client->config);
    if (error == 0) error = mbedtls_ssl_set_hostname(&client->ssl, wish->name);
    if (error == 0 && wish->session != NULL) error = mbedtls_ssl_set_session(&client->ssl, wish->session);
    mbedtls_ssl_set_bio(&client->ssl, client, give_output, take_input, NULL);
    return error;
}

struct tls_client *tls_client_new(struct tls_client_wish wish)
{
    struct tls_client *client = reallocarray(NULL, 1, sizeof *client);
    if (client == NULL) return NULL;
    memset(client, 0, sizeof *client);
    mbedtls_ssl_init(&client->ssl);
    mbedtls_ssl_config_init(&client->config);
    mbedtls_x509_crt_init(&client->authority);
    mbedtls_x509_crt_init(&client->certificate);
    mbedtls_pk_init(&client->key);
    mbedtls_ssl_session_init(&client->session);
    if (set_up(client, &wish) != 0) {
        tls_client_free(client);
        return NULL;
    }
    return client;
}

void tls_client_free(struct tls_client *client)
{
    if (client == NULL) return;
    mbedtls_ssl_free(&client->ssl);
    mbedtls_ssl_config_free(&client->config);
    mbedtls_x509_crt_free(&client->authority);
    mbedtls_x509_crt_free(&client->certificate);
    mbedtls_pk_free(&client->key);
    mbedtls_ssl_session_free(&client->session);
    free(client->out.at);
    free(client->in.at);
    free(client);
}

bool tls_client_give(struct tls_client *client, const uint8_t *bytes, size_t count)
{
    if (client->in_eaten == client->in.count) client->in_eaten = client->in.count = 0;
    return tls_client_append(&client->in, bytes, count);
}

void tls_client_taken(struct tls_client *client, size_t count)
{
    client->out.count -= count;
    if (client->out.count > 0) memmove(client->out.at, client->out.at + count, client->out.count);
}

int tls_client_handshake(struct tls_client *client)
{
    int error = mbedtls_ssl_handshake(&client->ssl);
    if (error == 0) client->is_open = true;
    return error;
}

int tls_client_write(struct tls_client *client, const uint8_t *bytes, size_t count)
{
    return mbedtls_ssl_write(&client->ssl, bytes, count);
}

/* mbedTLS stops at a ticket as if it wanted more, and takes it with the next call. */
int tls_client_read(struct tls_client *client, uint8_t *bytes, size_t count)
{
    for (;;) {
        int result = mbedtls_ssl_read(&client->ssl, bytes, count);
        bool is_at_ticket = client->ssl.MBEDTLS_PRIVATE(state) == MBEDTLS_SSL_TLS1_3_NEW_SESSION_TICKET;
        if (result == MBEDTLS_ERR_SSL_WANT_READ && is_at_ticket) continue;
        if (result != MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) return result;
        client->tickets++;
        int error = tls_client_keep(client);
        if (error != 0) return error;
    }
}

int tls_client_close(struct tls_client *client)
{
    return mbedtls_ssl_close_notify(&client->ssl);
}

int tls_client_renegotiate(struct tls_client *client)
{
    /* As if the last wish had been forgotten: else this goes on with it. */
    client->ssl.MBEDTLS_PRIVATE(state) = MBEDTLS_SSL_HANDSHAKE_OVER;
    client->ssl.MBEDTLS_PRIVATE(renego_status) = 0;
    return mbedtls_ssl_renegotiate(&client->ssl);
}

int tls_client_alert(struct tls_client *client, unsigned char alert)
{
    return mbedtls_ssl_send_alert_message(&client->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL, alert);
}

int tls_client_keep(struct tls_client *client)
{
    mbedtls_ssl_session_free(&client->session);
    mbedtls_ssl_session_init(&client->session);
    return mbedtls_ssl_get_session(&client->ssl, &client->session);
}

unsigned tls_client_last_alert(const struct tls_client *client)
{
    return client->ssl.MBEDTLS_PRIVATE(in_msg)[1];
}

bool tls_client_was_shown(const struct tls_client *client, const char *common_name)
{
    const mbedtls_x509_crt *shown = mbedtls_ssl_get_peer_cert(&client->ssl);
    char subject[128];
    if (shown == NULL || mbedtls_x509_dn_gets(subject, sizeof subject, &shown->subject) < 3) return false;
    return strcmp(subject + strlen("CN="), common_name) == 0;
}
