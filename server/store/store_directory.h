/* server/store/store_directory.h - what stands in the directory of the durable log.
 *
 *     DIR/ringcast.db        the database, with ringcast.db-wal and -shm beside it while it is open
 *     DIR/lock               held by the process that uses the directory; has its number
 *     DIR/ringcast.db.version-N  a copy of it as it was before it was upgraded from version N; whoever goes back to the
 *                            ringcast of that version gives it the name ringcast.db
 *     DIR/unsynced           see server/store/store_unsynced.h: the next open begins new epochs, should it be stale
 *     DIR/stopped            see server/store/store_end.h: it ended properly */
#pragma once

#define STORE_DATABASE "ringcast.db"
#define STORE_LOCK     "lock"
