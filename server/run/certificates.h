/* server/run/certificates.h - certificates for --tls-listen: read at start, renewed while the server runs.
 *
 * Renewal: at a reload (server/run/reload.h), and when a file has changed and stays as it is for one look. A new set
 * has to be whole and good, else the old one stays and the log says why. Open connections keep theirs.
 * Threads: the main thread. Shards get new files handed over (server/connection/secure_files.h). */
#pragma once

#include "core/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CERTIFICATES_LOOK_MS 2000 /* how often certificates_look() wants to be called */

struct certificates;
struct counters;
struct options;
struct shard;
struct tls_files;
struct tls_ticket_keys;

/* Reads and checks what the options name. *files_r is NULL without --tls-listen, and on errors, of which reason_r is a
 * sentence of cause and cure; else it is the caller's, to be dropped. */
enum rc certificates_read(struct tls_files **files_r, const struct options *options, char *reason_r,
                          size_t reason_size);
/* Reads what the options name, and makes ticket keys; the caller's, to be freed. *certificates_r is NULL without
 * --tls-listen, and on errors, of which reason_r is a sentence of cause and cure. `counters` are the main thread's;
 * they and the options stay as long. */
enum rc certificates_new(struct certificates **certificates_r, const struct options *options,
                         struct counters *counters, char *reason_r, size_t reason_size);
void certificates_free(struct certificates *certificates);

#define CERTIFICATES_DAYS_TO_WARN 14
/* Whole days that the first of them to expire has left; 0 also when it has expired. */
uint32_t certificates_days_left(const struct tls_files *files, bool *has_expired_r);

/* The newest that were good, and the keys of tickets for all shards. NULL: no TLS. */
struct tls_files *certificates_files(const struct certificates *certificates);
struct tls_ticket_keys *certificates_ticket_keys(const struct certificates *certificates);

/* A reload: can these be the options? *files_r is then what they name, the caller's, to be dropped; NULL without TLS,
 * and on errors, of which reason_r is a sentence. Nothing changes. */
enum rc certificates_check(struct certificates *certificates, const struct options *options,
                           struct tls_files **files_r, char *reason_r, size_t reason_size);
/* Accepts NULL. */
void certificates_drop(struct tls_files *files);
/* From now on these are the options, and these shards get the files that were checked; takes over the reference. The
 * keys of tickets are read again. NULL: there is no TLS. */
void certificates_follow(struct certificates *certificates, const struct options *options, struct tls_files *files,
                         struct shard *shards, uint32_t shards_count);
/* Has a file changed? Does a certificate expire soon? Are ticket keys old? Does what is due. NULL: nothing is. */
void certificates_look(struct certificates *certificates, struct shard *shards, uint32_t shards_count);
