/* net/tls/tls_file.h - small files with keys or certificates, read whole, and the sentence that refuses one. For the
 * files of net/tls alone. */
#pragma once

#include "core/rc.h"

#include <stddef.h>

/* Where the sentence goes that says why files are refused. */
struct tls_reason {
    char *text;
    size_t size;
};

/* Writes it; returns rc. */
__attribute__((format(printf, 3, 4))) enum rc tls_refuse(struct tls_reason reason, enum rc rc, const char *format,
                                                         ...);
/* RC_ENOMEM, while this file was read. */
enum rc tls_refuse_memory(struct tls_reason reason, const char *name);

/* Reads up to `size` bytes of a regular file, without waiting for anybody and without leaving a copy elsewhere.
 * RC_ENOENT: it cannot be read; RC_EINVAL: it is no regular file; with a reason. */
enum rc tls_file_read(const char *name, unsigned char *to, size_t size, size_t *count_r, struct tls_reason reason);
