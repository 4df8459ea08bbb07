/* net/tls/tls_fault.h - what can be wrong with what comes when a session is open, and names of alerts. For the files of
 * net/tls alone. */
#pragma once

#include <stdint.h>

enum tls_fault {
    TLS_FAULT_NONE,
    TLS_FAULT_NO_MEMORY, /* ours, not the peer's */
#define TLS_FAULT(name, alert, text) TLS_FAULT_##name,
#include "net/tls/tls_fault.def"
#undef TLS_FAULT
    TLS_FAULTS_MAX
};

/* The alert that tells the peer of it, and what it means for whoever runs the server. */
uint8_t tls_fault_alert(enum tls_fault fault);
const char *tls_fault_text(enum tls_fault fault);

/* RFC 8446 6: the name of an alert that a server may hear. */
const char *tls_alert_text(uint8_t alert);
