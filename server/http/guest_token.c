/* server/http/guest_token.c - guests' ids and tokens. */
#include "server/http/guest_token.h"

#include "net/digest.h"
#include "server/config/app.h"
#include "server/system/random_word.h"

_Static_assert(GUEST_TOKEN_BYTES == GUEST_ID_BYTES + 1 + DIGEST_HMAC_HEX_BYTES, "a token is as long as its parts");

void guest_id_make(char id_r[GUEST_ID_BYTES])
{
    id_r[0] = 'g';
    random_word(id_r + 1, GUEST_ID_BYTES - 1);
}

bool guest_id_is_valid(struct text text)
{
    if (text.count != GUEST_ID_BYTES || text.at[0] != 'g') return false;
    for (size_t i = 1; i < GUEST_ID_BYTES; i++) {
        char c = text.at[i];
        if ((c < 'a' || c > 'z') && (c < '0' || c > '9')) return false;
    }
    return true;
}

static enum rc sign(const char *secret, struct text id, char signature_r[DIGEST_HMAC_HEX_BYTES + 1])
{
    char key[DIGEST_HMAC_HEX_BYTES + 1]; /* of its own: no signature that a backend makes is a guest's token */
    struct text purpose = text_of("ringcast-guest");
    enum rc rc = digest_hmac_hex(text_of(secret), &purpose, 1, key);
    return rc == RC_OK ? digest_hmac_hex(text_of(key), &id, 1, signature_r) : rc;
}

enum rc guest_token_write(const struct app *app, struct text id, char token_r[GUEST_TOKEN_BYTES + 1])
{
    char *to = text_put(token_r, id);
    *to++ = '.';
    return sign(app->secret, id, to);
}

enum rc guest_token_read(const struct app *app, struct text token, struct text *id_r)
{
    char expected[DIGEST_HMAC_HEX_BYTES + 1];
    if (token.count != GUEST_TOKEN_BYTES || token.at[GUEST_ID_BYTES] != '.') return RC_EINVAL;
    struct text id = {token.at, GUEST_ID_BYTES};
    if (!guest_id_is_valid(id)) return RC_EINVAL;
    const char *secret;
    for (uint32_t i = 0; (secret = app_secret(app, i)) != NULL; i++) {
        if (sign(secret, id, expected) != RC_OK) return RC_ENOMEM;
        if (!digest_equals(text_behind(token, GUEST_ID_BYTES + 1), text_of(expected))) continue;
        *id_r = id;
        return RC_OK;
    }
    return RC_EINVAL;
}
