/* server/store/store_file.h - the directory, the lock and the database file of the durable log.
 *
 * A database is made whole under another name and then renamed, so one that has the right name is complete. What is
 * not ours is never written to, renamed or deleted. Others may read the database while it is in use; nobody else may
 * write. Threads: whoever opened it, or was handed it. */
#pragma once

#include "core/rc.h"
#include "server/store/store_database.h"

#include <stdbool.h>
#include <stddef.h>

/* RC_OK, or nothing is left open: RC_EINVAL or RC_ENOMEM, reason_r says what and the cure. */
enum rc store_file_open(struct store_file *file, const char *data_dir, bool is_synced, char *reason_r,
                        size_t reason_size);
/* All statements have been finalized. Leaves no log beside the database if no other program reads it; a log that
 * was put in place of ours stays. */
void store_file_close(struct store_file *file);

/* RC_OK, or RC_ENOENT: files are not those any more that are in use, see server/store/store_watch.h. */
enum rc store_file_look(const struct store_file *file, char *reason_r, size_t reason_size);

/* How long to wait for another program that is writing: a while, as after opening, or not at all. */
void store_file_set_patience(struct store_file *file, bool is_patient);

/* Is the service manager to hear when a statement that takes long gets on (server/system/notify.h)? It does from the
 * opening on. */
void store_file_tell_progress(struct store_file *file, bool is_told);

/* Can it be written? Costs a transaction. An SQLite code. */
int store_file_probe(struct store_file *file);
