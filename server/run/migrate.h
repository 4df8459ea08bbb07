/* server/run/migrate.h - `ringcast migrate`: brings the durable log of a server alone into the Redis of several nodes,
 * once, while neither that server nor a node runs.
 *
 * The log is only read: the server can go on with it should the nodes not be wanted after all. One thread; waits for
 * the disk and for Redis. */
#pragma once

#include <stdio.h>

/* The exit status: 0; 1, something stands in the way; 2, of the options. What it did goes to `out`, why not to
 * `error`. */
int migrate_run(int argc, char *const argv[], char *const envp[], FILE *out, FILE *error);
/* Writes what `ringcast migrate --help` shows. */
void migrate_help(FILE *out);
