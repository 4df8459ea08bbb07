/* server/store/store_unsynced.h - the file beside the database that says that its last commits may not be on the disk.
 *
 *     DIR/unsynced           the start of the machine (its boot id) since which commits are not synced
 *
 * Found after another start of the machine it says that the last moments may be missing, and that their offsets would
 * be given again. So does an empty one, which is what people make after they have put back an older database.
 * Threads: whoever opened the directory. Source: proc(5), /proc/sys/kernel/random/boot_id. */
#pragma once

#include <stdbool.h>

/* Is the file there, and not of this start of the machine? */
bool store_unsynced_is_stale(int directory);
/* Writes the file, which is on the disk before the first commit that is not. 0, or an errno. */
int store_unsynced_mark(int directory);
/* Writes an empty file: there is another reason why the last moments may be missing. 0, or an errno. */
int store_unsynced_doubt(int directory);
/* Removes the file: all commits are on the disk. */
void store_unsynced_clear(int directory);
