/* net/tls/tls_ticket_keys.c - one ticket context of mbedTLS for keys that are made here, or one for each that is given.
 *
 * A context of mbedTLS has two keys, of which the older goes when a new one comes. Its lock does not cover
 * mbedtls_ssl_ticket_rotate(), so the lock is ours. It makes a random key by itself when the newest is as old as its
 * lifetime: one that was given is therefore given again in time. */
#include "net/tls/tls_ticket_keys.h"

#include "core/secret.h"
#include "net/tls/tls_hide.h"
#include "net/tls/tls_limits.h"
#include "net/tls/tls_tickets.h"

#include <assert.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/psa_util.h>
#include <mbedtls/sha256.h>
#include <mbedtls/ssl_ticket.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

_Static_assert(TLS_TICKET_KEY_BYTES == MBEDTLS_SSL_TICKET_MAX_KEY_BYTES, "AES-256");

struct tls_ticket_keys {
    pthread_mutex_t lock;                /* of all below */
    mbedtls_ssl_ticket_context *tickets; /* count; the first makes tickets */
    size_t count;
    struct tls_ticket_key given[TLS_TICKET_KEYS_MAX]; /* count of them if are_given */
    bool are_given;
    uint32_t lifetime_seconds;
    int64_t newest_at_ms;
};

/* mbedTLS' time in tickets of TLS 1.3 would be that since this machine began, which no other one knows. Weak, as
 * mbedtls_ecp_mul() in net/tls/tls_curve.c. */
mbedtls_ms_time_t __wrap_mbedtls_ms_time(void);

mbedtls_ms_time_t __wrap_mbedtls_ms_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (mbedtls_ms_time_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

mbedtls_ms_time_t mbedtls_ms_time(void) __attribute__((weak, alias("__wrap_mbedtls_ms_time")));

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- contexts of mbedTLS ---- */

static void free_tickets(mbedtls_ssl_ticket_context *tickets, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        mbedtls_ssl_ticket_free(&tickets[i]);
    }
    free(tickets);
}

static mbedtls_ssl_ticket_context *make_tickets(size_t count, uint32_t lifetime_seconds)
{
    mbedtls_ssl_ticket_context *tickets = calloc(count, sizeof *tickets);
    int error = 0;
    if (tickets == NULL) return NULL;
    for (size_t i = 0; i < count; i++) {
        mbedtls_ssl_ticket_init(&tickets[i]);
        if (error == 0)
            error = mbedtls_ssl_ticket_setup(&tickets[i], mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE,
                                             MBEDTLS_CIPHER_AES_256_GCM, lifetime_seconds);
        if (error == 0) tls_hide_ticket_key(&tickets[i]);
    }
    if (error == 0) return tickets;
    free_tickets(tickets, count);
    return NULL;
}

/* A key's name, by which a ticket says what it is sealed with, is the beginning of its digest: the same everywhere. */
static enum rc set_given(mbedtls_ssl_ticket_context *tickets, const struct tls_ticket_key *given, size_t count,
                         uint32_t lifetime_seconds)
{
    int error = 0;
    for (size_t i = 0; i < count && error == 0; i++) {
        unsigned char digest[32];
        error = mbedtls_sha256(given[i].bytes, TLS_TICKET_KEY_BYTES, digest, 0);
        if (error == 0)
            error = mbedtls_ssl_ticket_rotate(&tickets[i], digest, MBEDTLS_SSL_TICKET_KEY_NAME_BYTES, given[i].bytes,
                                              TLS_TICKET_KEY_BYTES, lifetime_seconds);
        tls_hide_ticket_key(&tickets[i]);
    }
    return error == 0 ? RC_OK : RC_ENOMEM;
}

/* ---- life ---- */

struct tls_ticket_keys *tls_ticket_keys_new(uint32_t lifetime_seconds)
{
    assert(lifetime_seconds >= 2 && lifetime_seconds <= TLS_TICKET_SECONDS_MAX);
    struct tls_ticket_keys *keys = secret_new(sizeof *keys);
    if (keys == NULL) return NULL;
    keys->tickets = make_tickets(1, lifetime_seconds);
    if (keys->tickets == NULL) {
        secret_free(keys);
        return NULL;
    }
    pthread_mutex_init(&keys->lock, NULL);
    keys->count = 1;
    keys->lifetime_seconds = lifetime_seconds;
    keys->newest_at_ms = now_ms();
    return keys;
}

void tls_ticket_keys_free(struct tls_ticket_keys *keys)
{
    if (keys == NULL) return;
    free_tickets(keys->tickets, keys->count);
    pthread_mutex_destroy(&keys->lock);
    secret_free(keys);
}

enum rc tls_ticket_keys_give(struct tls_ticket_keys *keys, const struct tls_ticket_key *given, size_t count)
{
    assert(count > 0 && count <= TLS_TICKET_KEYS_MAX);
    mbedtls_ssl_ticket_context *tickets = make_tickets(count, keys->lifetime_seconds);
    if (tickets == NULL) return RC_ENOMEM;
    if (set_given(tickets, given, count, keys->lifetime_seconds) != RC_OK) {
        free_tickets(tickets, count);
        return RC_ENOMEM;
    }
    pthread_mutex_lock(&keys->lock);
    mbedtls_ssl_ticket_context *former = keys->tickets;
    size_t former_count = keys->count;
    keys->tickets = tickets;
    keys->count = count;
    mbedtls_platform_zeroize(keys->given, sizeof keys->given); /* those that stand in the file no more */
    memcpy(keys->given, given, count * sizeof given[0]);
    keys->are_given = true;
    keys->newest_at_ms = now_ms();
    pthread_mutex_unlock(&keys->lock);
    free_tickets(former, former_count);
    return RC_OK;
}

/* With the lock. */
static enum rc renew(struct tls_ticket_keys *keys)
{
    unsigned char random[MBEDTLS_SSL_TICKET_KEY_NAME_BYTES + MBEDTLS_SSL_TICKET_MAX_KEY_BYTES];
    if (mbedtls_psa_get_random(MBEDTLS_PSA_RANDOM_STATE, random, sizeof random) != 0) return RC_EKERNEL;
    int error = mbedtls_ssl_ticket_rotate(&keys->tickets[0], random, MBEDTLS_SSL_TICKET_KEY_NAME_BYTES,
                                          random + MBEDTLS_SSL_TICKET_KEY_NAME_BYTES,
                                          MBEDTLS_SSL_TICKET_MAX_KEY_BYTES, keys->lifetime_seconds);
    tls_hide_ticket_key(&keys->tickets[0]);
    mbedtls_platform_zeroize(random, sizeof random);
    return error == 0 ? RC_OK : RC_EKERNEL;
}

enum rc tls_ticket_keys_rotate(struct tls_ticket_keys *keys)
{
    enum rc rc = RC_OK;
    pthread_mutex_lock(&keys->lock);
    if (keys->are_given) {
        rc = set_given(keys->tickets, keys->given, keys->count, keys->lifetime_seconds);
    } else if (now_ms() - keys->newest_at_ms >= (int64_t)keys->lifetime_seconds * 500) {
        rc = renew(keys);
        if (rc == RC_OK) keys->newest_at_ms = now_ms();
    }
    pthread_mutex_unlock(&keys->lock);
    return rc;
}

/* ---- what mbedTLS calls ---- */

int tls_ticket_write(void *keys_given, const mbedtls_ssl_session *session, unsigned char *start,
                     const unsigned char *end, size_t *count_r, uint32_t *lifetime_r)
{
    struct tls_ticket_keys *keys = keys_given;
    pthread_mutex_lock(&keys->lock);
    int error = mbedtls_ssl_ticket_write(&keys->tickets[0], session, start, end, count_r, lifetime_r);
    pthread_mutex_unlock(&keys->lock);
    return error;
}

/* A context that does not know the name of the ticket's key leaves the ticket as it is. */
int tls_ticket_read(void *keys_given, mbedtls_ssl_session *session, unsigned char *ticket, size_t count)
{
    struct tls_ticket_keys *keys = keys_given;
    int error = MBEDTLS_ERR_SSL_SESSION_TICKET_EXPIRED;
    pthread_mutex_lock(&keys->lock);
    for (size_t i = 0; i < keys->count && error != 0; i++) {
        error = mbedtls_ssl_ticket_parse(&keys->tickets[i], session, ticket, count);
    }
    pthread_mutex_unlock(&keys->lock);
    return error;
}
