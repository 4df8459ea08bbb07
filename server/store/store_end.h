/* server/store/store_end.h - how the last use of the database ended, and whether commits may be missing since.
 *
 *     DIR/stopped            the number that the database got as the last thing at a proper end; away while it is used
 *
 * With the mark and its number all is there. Without it the server was killed, and then its log must be there and
 * whole; with another number the database is not the one that was stopped last, such as an older copy put back.
 * Threads: whoever opened the directory. */
#pragma once

#include "server/store/store_wal.h"

#include <sqlite3.h>

/* Why commits may be missing, in words; NULL: none are. An SQLite code. wal: as it was before the database was opened;
 * version: of the database, older ones had no mark. */
int store_end_doubt(sqlite3 *db, int directory, enum store_wal wal, int version, const char **doubt_r);
/* Takes the mark away: the database is used from now on, and its log is on the disk. 0, or an errno. */
int store_end_clear(int directory);
/* Makes the mark: the database is not used any more, nothing will be written. */
void store_end_mark(sqlite3 *db, int directory);
