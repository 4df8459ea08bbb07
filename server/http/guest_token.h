/* server/http/guest_token.h - who a guest is: an id of chance, and the token that proves it.
 *
 * A token is "ID.SIGNATURE", the signature by the first app's secret over "ringcast-guest:ID". So the server keeps
 * nothing of its guests, a guest comes back as the same one, and all tokens end with the secret. */
#pragma once

#include "core/rc.h"
#include "core/text.h"

#include <stdbool.h>

#define GUEST_ID_BYTES    13                        /* "g" and 12 characters of a-z 0-9 */
#define GUEST_TOKEN_BYTES (GUEST_ID_BYTES + 1 + 64) /* of the id, the point, the signature in hex */

struct app;

void guest_id_make(char id_r[GUEST_ID_BYTES]);
bool guest_id_is_valid(struct text text);

/* Writes the token and a zero behind it. RC_ENOMEM. */
enum rc guest_token_write(const struct app *app, struct text id, char token_r[GUEST_TOKEN_BYTES + 1]);
/* RC_OK: it is good, *id_r is the id in it. RC_EINVAL: it is not. RC_ENOMEM. */
enum rc guest_token_read(const struct app *app, struct text token, struct text *id_r);
