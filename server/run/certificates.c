/* server/run/certificates.c - reading, renewing and watching certificate files. */
#include "server/run/certificates.h"

#include "net/tls/tls.h"
#include "server/connection/door.h"
#include "server/connection/secure_files.h"
#include "server/shard/shard.h"
#include "server/system/clock.h"
#include "server/system/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TICKET_SECONDS (24 * 60 * 60)
#define DAY_SECONDS    (24 * 60 * 60)
#define WARN_EVERY_MS  (UINT64_C(6) * 60 * 60 * 1000)
#define FILES_MAX      (2 * TLS_CERTIFICATES_MAX + 2)
#define REASON_BYTES   512

/* What tells one content of a file from another. */
struct look {
    ino_t inode;
    off_t bytes;
    struct timespec changed;
};

struct certificates {
    const struct options *options;
    struct counters *counters;
    struct tls_files *files; /* the newest that were good */
    struct tls_ticket_keys *ticket_keys;
    struct look used[FILES_MAX]; /* when the files were read last */
    struct look seen[FILES_MAX]; /* at the last look */
    uint64_t warned_ms;          /* of the expiry; 0: never */
};

static const char *file_name(const struct options *options, uint32_t index)
{
    uint32_t certs = options->tls_cert.count, keys = options->tls_key.count;
    if (index < certs) return options->tls_cert.items[index];
    if (index < certs + keys) return options->tls_key.items[index - certs];
    const char *name = index == certs + keys ? options->tls_client_ca : options->tls_ticket_keys;
    return index <= certs + keys + 1 && name[0] != '\0' ? name : NULL;
}

static void look_at_files(const struct options *options, struct look looks_r[FILES_MAX])
{
    memset(looks_r, 0, FILES_MAX * sizeof looks_r[0]);
    const char *name;
    for (uint32_t i = 0; i < FILES_MAX; i++) {
        struct stat status;
        if ((name = file_name(options, i)) == NULL || stat(name, &status) != 0)
            continue; /* gone for a moment, while it is replaced */
        looks_r[i].inode = status.st_ino;
        looks_r[i].bytes = status.st_size;
        looks_r[i].changed = status.st_mtim;
    }
}

static enum rc read_files(const struct options *options, struct tls_files **files_r, char *reason_r,
                          size_t reason_size)
{
    struct tls_names names = {
        .is_1_3_only = options->tls_min_version == TLS_VERSION_1_3,
        .certificates = (const char *const *)options->tls_cert.items,
        .keys = (const char *const *)options->tls_key.items,
        .count = options->tls_cert.count,
        .client_ca = options->tls_client_ca[0] != '\0' ? options->tls_client_ca : NULL,
    };
    return tls_files_read(files_r, &names, reason_r, reason_size);
}

/* keys: whom they are given to; NULL: they are only looked at. */
static enum rc read_ticket_keys(const struct options *options, struct tls_ticket_keys *keys, char *reason_r,
                                size_t reason_size)
{
    struct tls_ticket_key given[TLS_TICKET_KEYS_MAX];
    size_t count;
    if (options->tls_ticket_keys[0] == '\0') return RC_OK;
    enum rc rc = tls_ticket_keys_read(options->tls_ticket_keys, given, &count, reason_r, reason_size);
    if (rc == RC_OK && keys != NULL) rc = tls_ticket_keys_give(keys, given, count);
    explicit_bzero(given, sizeof given);
    return rc;
}

/* ---- expiry ---- */

uint32_t certificates_days_left(const struct tls_files *files, bool *has_expired_r)
{
    int64_t left = tls_files_expire_at(files) - (int64_t)(realtime_ms() / 1000);
    *has_expired_r = left <= 0;
    return left > 0 ? (uint32_t)(left / DAY_SECONDS) : 0;
}

static void look_at_expiry(struct certificates *certificates)
{
    bool has_expired;
    uint32_t days = certificates_days_left(certificates->files, &has_expired);
    struct counters *counters = certificates->counters;
    counter_set(counters, COUNTER_tls_days_left, days);
    counter_set(counters, COUNTER_tls_expires_s, (uint64_t)tls_files_expire_at(certificates->files));
    bool is_told = certificates->warned_ms > 0 && monotonic_ms() < certificates->warned_ms + WARN_EVERY_MS;
    if (days >= CERTIFICATES_DAYS_TO_WARN || is_told) return;
    certificates->warned_ms = monotonic_ms();
    log_warn("the certificate in %s %s: renew it, and it is taken when the file changes or at a reload",
             tls_files_expire_name(certificates->files), has_expired ? "has expired" : "expires within 14 days");
}

/* ---- life ---- */

static struct certificates *allocate(const struct options *options, struct counters *counters)
{
    struct certificates *certificates = calloc(1, sizeof *certificates);
    if (certificates == NULL) return NULL;
    certificates->options = options;
    certificates->counters = counters;
    certificates->ticket_keys = tls_ticket_keys_new(TICKET_SECONDS);
    if (certificates->ticket_keys != NULL) return certificates;
    free(certificates);
    return NULL;
}

/* What all reading needs. *is_wanted_r: there is anything to read. */
static enum rc begin(const struct options *options, bool *is_wanted_r, char *reason_r, size_t reason_size)
{
    *is_wanted_r = options->tls_listen.count > 0;
    if (!*is_wanted_r) return RC_OK;
    enum rc rc = tls_global_init();
    if (rc != RC_OK) snprintf(reason_r, reason_size, "TLS cannot begin: no memory, or no entropy");
    if (rc == RC_OK && options->tls_fast_curves) tls_use_fast_curves(); /* before contexts say which comes first */
    return rc;
}

enum rc certificates_read(struct tls_files **files_r, const struct options *options, char *reason_r,
                          size_t reason_size)
{
    bool is_wanted;
    *files_r = NULL;
    enum rc rc = begin(options, &is_wanted, reason_r, reason_size);
    if (rc == RC_OK && is_wanted) rc = read_ticket_keys(options, NULL, reason_r, reason_size);
    return rc == RC_OK && is_wanted ? read_files(options, files_r, reason_r, reason_size) : rc;
}

enum rc certificates_new(struct certificates **certificates_r, const struct options *options,
                         struct counters *counters, char *reason_r, size_t reason_size)
{
    bool is_wanted;
    *certificates_r = NULL;
    enum rc rc = begin(options, &is_wanted, reason_r, reason_size);
    if (rc != RC_OK || !is_wanted) return rc;
    if (options->tls_fast_curves && !tls_has_fast_curves())
        log_warn("nettle cannot stand in for mbedTLS in TLS handshakes here: they take four times as long");
    log_info("TLS: %s", tls_libraries());
    struct certificates *certificates = allocate(options, counters);
    if (certificates == NULL) {
        snprintf(reason_r, reason_size, "out of memory");
        return RC_ENOMEM;
    }
    look_at_files(options, certificates->used); /* before they are read: what changes meanwhile is read again */
    memcpy(certificates->seen, certificates->used, sizeof certificates->seen);
    rc = read_ticket_keys(options, certificates->ticket_keys, reason_r, reason_size);
    if (rc == RC_OK) rc = read_files(options, &certificates->files, reason_r, reason_size);
    if (rc != RC_OK) {
        certificates_free(certificates);
        return rc;
    }
    look_at_expiry(certificates);
    *certificates_r = certificates;
    return RC_OK;
}

void certificates_free(struct certificates *certificates)
{
    if (certificates == NULL) return;
    tls_files_drop(certificates->files);
    tls_ticket_keys_free(certificates->ticket_keys);
    free(certificates);
}

struct tls_files *certificates_files(const struct certificates *certificates)
{
    return certificates != NULL ? certificates->files : NULL;
}

struct tls_ticket_keys *certificates_ticket_keys(const struct certificates *certificates)
{
    return certificates != NULL ? certificates->ticket_keys : NULL;
}

enum rc certificates_check(struct certificates *certificates, const struct options *options,
                           struct tls_files **files_r, char *reason_r, size_t reason_size)
{
    *files_r = NULL;
    if (certificates == NULL) return RC_OK;
    enum rc rc = read_ticket_keys(options, NULL, reason_r, reason_size);
    return rc == RC_OK ? read_files(options, files_r, reason_r, reason_size) : rc;
}

void certificates_drop(struct tls_files *files)
{
    tls_files_drop(files);
}

static void give_files(struct certificates *certificates, struct tls_files *files, struct shard *shards,
                       uint32_t shards_count)
{
    tls_files_drop(certificates->files);
    certificates->files = files;
    for (uint32_t i = 0; i < shards_count; i++) {
        if (shards[i].door->tls_addresses == NULL) continue;
        tls_files_hold(files);
        secure_offer_files(&shards[i], files);
        shard_signal(&shards[i]);
    }
    certificates->warned_ms = 0;
    look_at_expiry(certificates);
    log_info("the certificates were read again: new connections get them");
}

static void renew_ticket_keys(struct certificates *certificates)
{
    char reason[REASON_BYTES];
    if (read_ticket_keys(certificates->options, certificates->ticket_keys, reason, sizeof reason) != RC_OK)
        log_error("the keys of tickets stay as they were: %s", reason);
}

void certificates_follow(struct certificates *certificates, const struct options *options, struct tls_files *files,
                         struct shard *shards, uint32_t shards_count)
{
    if (certificates == NULL) return;
    certificates->options = options;
    look_at_files(options, certificates->used);
    memcpy(certificates->seen, certificates->used, sizeof certificates->seen);
    renew_ticket_keys(certificates);
    give_files(certificates, files, shards, shards_count);
}

static void renew(struct certificates *certificates, struct shard *shards, uint32_t shards_count)
{
    char reason[REASON_BYTES];
    struct tls_files *files;
    look_at_files(certificates->options, certificates->used);
    renew_ticket_keys(certificates);
    if (read_files(certificates->options, &files, reason, sizeof reason) != RC_OK)
        log_error("the certificates stay as they were: %s", reason);
    else
        give_files(certificates, files, shards, shards_count);
}

void certificates_look(struct certificates *certificates, struct shard *shards, uint32_t shards_count)
{
    struct look now[FILES_MAX];
    if (certificates == NULL) return;
    look_at_files(certificates->options, now);
    bool has_settled = memcmp(now, certificates->seen, sizeof now) == 0;
    bool has_changed = memcmp(now, certificates->used, sizeof now) != 0;
    memcpy(certificates->seen, now, sizeof now);
    if (has_changed && has_settled) renew(certificates, shards, shards_count);
    if (tls_ticket_keys_rotate(certificates->ticket_keys) != RC_OK)
        log_error("TLS tickets: no randomness for a new key");
    look_at_expiry(certificates);
}
