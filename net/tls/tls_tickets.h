/* net/tls/tls_tickets.h - what mbedTLS calls for tickets. For the files of net/tls alone. */
#pragma once

#include <mbedtls/ssl.h>

/* The first parameter is a struct tls_ticket_keys. */
mbedtls_ssl_ticket_write_t tls_ticket_write;
mbedtls_ssl_ticket_parse_t tls_ticket_read;
