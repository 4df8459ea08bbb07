/* server/store/store_wal.h - is SQLite's log what the last writer has left?
 *
 * SQLite takes the log up to the first frame whose checksum is wrong, and says nothing of what stands behind it. That
 * is right after a kill or a power cut, when the end is torn; but when a bit has flipped in the middle, or somebody has
 * deleted the file, commits are missing that were acknowledged, and their offsets would be given again.
 * Threads: whoever opens the directory. Source: https://www.sqlite.org/fileformat2.html#the_write_ahead_log */
#pragma once

enum store_wal {
    STORE_WAL_NONE,    /* no file, or nothing in it */
    STORE_WAL_WHOLE,   /* all commits that it has can be read; its end may be torn */
    STORE_WAL_DAMAGED, /* there is a commit behind what can be read, or it cannot be told */
};

/* Reads the log through. To be called before SQLite opens the database, for it writes over what stands behind the
 * end. */
enum store_wal store_wal_look(int directory);
