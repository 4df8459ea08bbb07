/* server/run/certificates.h - certificates for --tls-listen: read at start, renewed while the server runs.
 *
 * Renewal: at SIGHUP, and when a file has changed and stays as it is for one look. A new set has to be whole and good,
 * else the old one stays and the log says why. Open connections keep theirs.
 * Threads: the main thread. Shards get new files handed over (server/connection/secure_files.h). */
#pragma once

#include "core/rc.h"

#include <stddef.h>
#include <stdint.h>

#define CERTIFICATES_LOOK_MS 2000 /* how often certificates_look() wants to be called */

struct certificates;
struct server;

/* Reads what the options name into server->tls_files, and makes ticket keys. Without --tls-listen nothing happens.
 * Errors: reason_r is a sentence of cause and cure. */
enum rc certificates_init(struct server *server, char *reason_r, size_t reason_size);
void certificates_fini(struct server *server);

/* Reads the files again and gives them to all shards. */
void certificates_renew(struct server *server);
/* Has a file changed? Does a certificate expire soon? Are ticket keys old? Does what is due. */
void certificates_look(struct server *server);
