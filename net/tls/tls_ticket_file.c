/* net/tls/tls_ticket_file.c - ticket keys from a file. */
#include "core/secret.h"
#include "net/tls/tls_file.h"
#include "net/tls/tls_ticket_keys.h"

#include <ctype.h>
#include <mbedtls/platform_util.h>
#include <stdbool.h>
#include <string.h>

enum {
    FILE_BYTES_MAX = 64 * 1024,
    HEX_BYTES = 2 * TLS_TICKET_KEY_BYTES,
};

static int digit(char letter)
{
    if (letter >= '0' && letter <= '9') return letter - '0';
    letter = (char)tolower((unsigned char)letter);
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

static bool parse_key(const char *line, size_t count, struct tls_ticket_key *key_r)
{
    if (count != HEX_BYTES) return false;
    for (size_t i = 0; i < TLS_TICKET_KEY_BYTES; i++) {
        int high = digit(line[2 * i]), low = digit(line[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        key_r->bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static size_t trimmed(const char *line, size_t count)
{
    while (count > 0 && isspace((unsigned char)line[count - 1])) {
        count--;
    }
    return count;
}

static enum rc parse(const char *name, const char *text, size_t count, struct tls_ticket_key *given_r,
                     size_t *count_r, struct tls_reason reason)
{
    size_t number = 0;
    for (size_t at = 0, bytes; at < count; at += bytes + 1) {
        const char *line = text + at, *end = memchr(line, '\n', count - at);
        bytes = end != NULL ? (size_t)(end - line) : count - at;
        size_t used = trimmed(line, bytes);
        number++;
        if (used == 0 || line[0] == '#') continue;
        if (*count_r == TLS_TICKET_KEYS_MAX)
            return tls_refuse(reason, RC_EINVAL, "%s has more than %d keys. Leave out the oldest.", name,
                              TLS_TICKET_KEYS_MAX);
        if (!parse_key(line, used, &given_r[*count_r]))
            return tls_refuse(reason, RC_EINVAL,
                              "Line %zu of %s is no key for tickets: that is %d hexadecimal digits, as `openssl rand "
                              "-hex %d` writes them.",
                              number, name, HEX_BYTES, TLS_TICKET_KEY_BYTES);
        ++*count_r;
    }
    if (*count_r > 0) return RC_OK;
    return tls_refuse(reason, RC_EINVAL, "%s has no key for tickets. Write one: openssl rand -hex %d > %s", name,
                      TLS_TICKET_KEY_BYTES, name);
}

enum rc tls_ticket_keys_read(const char *name, struct tls_ticket_key given_r[TLS_TICKET_KEYS_MAX], size_t *count_r,
                             char *reason_r, size_t reason_size)
{
    struct tls_reason reason = {reason_r, reason_size};
    size_t bytes = 0;
    *count_r = 0;
    unsigned char *text = secret_new(FILE_BYTES_MAX + 1);
    if (text == NULL) return tls_refuse_memory(reason, name);
    enum rc rc = tls_file_read(name, text, FILE_BYTES_MAX + 1, &bytes, reason);
    if (bytes > FILE_BYTES_MAX)
        rc = tls_refuse(reason, RC_EINVAL, "%s is longer than %d KB, and so no file of keys for tickets.", name,
                        FILE_BYTES_MAX / 1024);
    if (rc == RC_OK) rc = parse(name, (const char *)text, bytes, given_r, count_r, reason);
    if (rc != RC_OK) mbedtls_platform_zeroize(given_r, TLS_TICKET_KEYS_MAX * sizeof given_r[0]);
    secret_free(text);
    return rc;
}
