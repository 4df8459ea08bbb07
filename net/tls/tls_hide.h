/* net/tls/tls_hide.h - keys that mbedTLS has parsed, taken out of core dumps. For the files of net/tls alone. */
#pragma once

#include <mbedtls/pk.h>
#include <mbedtls/ssl_ticket.h>

/* RSA: has it sign once before, for that leaves numbers from which the key can be computed. mbedTLS' error. */
int tls_hide_key(mbedtls_pk_context *key);
/* After a key was set. */
void tls_hide_ticket_key(const mbedtls_ssl_ticket_context *tickets);
