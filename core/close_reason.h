/* core/close_reason.h - why a connection ended, from one table: name, code on the wire, text. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum close_reason {
#define CLOSE_REASON(name, code, channel_code, error, text, advice) CLOSE_##name,
#include "core/close_reason.def"
#undef CLOSE_REASON
    CLOSE_REASONS_MAX
};

/* Texts are static; never NULL. The name is the table's: "PEER_GONE". */
const char *close_reason_name(enum close_reason reason);
const char *close_reason_text(enum close_reason reason);
/* What an operator looks for who sees many of them, in Markdown. */
const char *close_reason_advice(enum close_reason reason);
/* The close code to send (RFC 6455 7.4.1), 0 when no close frame is sent. */
uint16_t close_reason_code(enum close_reason reason);
/* The code for clients of the Pusher protocol. */
uint16_t close_reason_channel_code(enum close_reason reason);
/* Was the peer or the network at fault? */
bool close_reason_is_error(enum close_reason reason);
