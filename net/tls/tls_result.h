/* net/tls/tls_result.h - how a session's calls end, and where what it says by itself goes. See net/tls/tls.h. */
#pragma once

#include "core/rc.h"

#include <stddef.h>
#include <stdint.h>

enum tls_result {
    TLS_OK,        /* something was done; see the call */
    TLS_MORE,      /* all input is eaten; more is needed */
    TLS_CLOSED,    /* the peer said close_notify: nothing more will come from it. We may go on writing. */
    TLS_NO_MEMORY, /* ours, mbedTLS' or of `output` */
    TLS_NOT_TLS,   /* the first byte begins no TLS handshake, and nothing was eaten: someone speaks HTTP here */
    TLS_ALERTED,   /* the peer sent a fatal alert */
    TLS_BROKEN,    /* what came breaks the protocol, or no version or suite is shared; the peer was sent an alert */
};

/* Where ciphertext that is to be sent is appended: whole records. An error makes the session fail, with
 * TLS_NO_MEMORY. */
typedef enum rc tls_output(void *owner, const uint8_t *bytes, size_t count);
