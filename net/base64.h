/* net/base64.h - bytes as letters that may stand in names and addresses: base64url without padding (RFC 4648 5), over
 * mbedTLS. Any thread; no state; no allocation. */
#pragma once

#include "core/text.h"

/* Room for the letters of so many bytes. */
#define BASE64URL_ROOM(bytes) (((bytes) + 2) / 3 * 4 + 1)

/* Writes into to[BASE64URL_ROOM(text.count)]; returns the letters written, no zero behind them. */
size_t base64url_write(char *to, struct text text);
