/* net/tls/tls_files.h - certificates and keys, read from files and checked. See net/tls/tls.h. */
#pragma once

#include "core/rc.h"
#include "net/tls/tls_certificate_facts.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Files read into memory, checked, and ready for every shard to make its context from. Never changed. */
struct tls_files;

struct tls_names {
    const char *const *certificates; /* PEM files: the certificate, then its chain; the first pair is the default */
    const char *const *keys;         /* PEM files without passphrase, one for each certificate */
    size_t count;
    const char *client_ca; /* PEM file: clients must show a certificate of one of these; NULL: none is asked for */
    bool is_1_3_only;      /* clients of TLS 1.2 are refused */
};

/* Reads and checks: every pair parses, belongs together, and is what clients of today accept (RSA from 2048 bits,
 * ECDSA on P-256 or P-384, signed with SHA-2, a chain that fits into one record). An expired certificate is no error:
 * ask tls_files_expire_at(). Only regular files of up to a megabyte are read, so that nothing here waits for anybody.
 * RC_ENOENT: a file cannot be read; RC_EINVAL; RC_ENOMEM. After an error reason_r is a sentence that names the file,
 * cause and cure. Any thread; takes milliseconds. */
enum rc tls_files_read(struct tls_files **files_r, const struct tls_names *names, char *reason_r, size_t reason_size);
/* Any thread: references are atomic. Drop accepts NULL. */
void tls_files_hold(struct tls_files *files);
void tls_files_drop(struct tls_files *files);
/* Any thread. How many there are, and what is told of each; the name of the file it is in. */
size_t tls_files_count(const struct tls_files *files);
const struct tls_certificate_facts *tls_files_facts(const struct tls_files *files, size_t index);
const char *tls_files_name(const struct tls_files *files, size_t index);
/* Any thread. When the first of the certificates to expire does, in seconds since 1970; which file that one is in. */
int64_t tls_files_expire_at(const struct tls_files *files);
const char *tls_files_expire_name(const struct tls_files *files);
