/* server/cluster/redis_access.c - a password from a file, and what TLS needs. */
#include "server/cluster/redis_access.h"

#include "core/secret.h"
#include "net/tls/tls_call.h"
#include "server/config/redis_url.h"
#include "server/system/text_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct redis_access {
    char *password; /* a secret; NULL: none */
    size_t password_bytes;
    struct tls_trust *trust; /* NULL: no TLS */
};

static bool is_named(const char *name)
{
    return name != NULL && name[0] != '\0';
}

static enum rc keep_password(struct redis_access *access, const char *name, struct text text, char *reason_r,
                             size_t reason_size)
{
    const char *end = memchr(text.at, '\n', text.count);
    size_t count = end == NULL ? text.count : (size_t)(end - text.at);
    if (count > 0 && text.at[count - 1] == '\r') count--;
    if (count == 0) {
        snprintf(reason_r, reason_size, "%s has no password in its first line; write it there", name);
        return RC_EINVAL;
    }
    access->password = secret_new(count);
    if (access->password == NULL) {
        snprintf(reason_r, reason_size, "out of memory to keep what is in %s", name);
        return RC_ENOMEM;
    }
    memcpy(access->password, text.at, count);
    access->password_bytes = count;
    return RC_OK;
}

static enum rc read_password(struct redis_access *access, const char *name, char *reason_r, size_t reason_size)
{
    char *text;
    size_t bytes;
    enum rc rc = text_file_read(name, REDIS_PASSWORD_BYTES_MAX, &text, &bytes, reason_r, reason_size);
    if (rc != RC_OK) return rc;
    rc = keep_password(access, name, (struct text){.at = text, .count = bytes}, reason_r, reason_size);
    text_file_free(text, bytes);
    return rc;
}

static bool wants_tls(const struct options *options)
{
    for (uint32_t i = 0; i < options->redis.count; i++) {
        struct redis_url url;
        char reason[1];
        if (redis_url_read(options->redis.items[i], &url, reason, sizeof reason) == RC_OK && url.is_tls) return true;
    }
    return false;
}

static enum rc read_files(struct redis_access *access, const struct options *options, char *reason_r,
                          size_t reason_size)
{
    const struct tls_trust_files trusted = {
        .ca = options->redis_ca, .cert = options->redis_cert, .key = options->redis_key};
    enum rc rc = RC_OK;
    if (is_named(options->redis_password_file))
        rc = read_password(access, options->redis_password_file, reason_r, reason_size);
    if (rc != RC_OK || !wants_tls(options)) return rc;
    return tls_trust_new(&access->trust, &trusted, reason_r, reason_size);
}

enum rc redis_access_new(struct redis_access **access_r, const struct options *options, char *reason_r,
                         size_t reason_size)
{
    *access_r = NULL;
    struct redis_access *access = calloc(1, sizeof *access);
    if (access == NULL) {
        snprintf(reason_r, reason_size, "out of memory");
        return RC_ENOMEM;
    }
    enum rc rc = read_files(access, options, reason_r, reason_size);
    if (rc == RC_OK)
        *access_r = access;
    else
        redis_access_free(access);
    return rc;
}

void redis_access_free(struct redis_access *access)
{
    if (access == NULL) return;
    secret_free(access->password);
    tls_trust_free(access->trust);
    free(access);
}

struct text redis_access_password(const struct redis_access *access)
{
    return (struct text){.at = access->password, .count = access->password_bytes};
}

struct tls_trust *redis_access_trust(const struct redis_access *access)
{
    return access->trust;
}
