/* server/store/store_watch.c - names, devices and inodes. */
#include "server/store/store_watch.h"

#include "server/store/store_directory.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#define LOG 2 /* in the tables of files */

static const char *const names[STORE_WATCHED] = {STORE_LOCK, STORE_DATABASE, STORE_DATABASE "-wal",
                                                 STORE_DATABASE "-shm"};

static struct store_watched identity(const struct stat *status)
{
    return (struct store_watched){.device = status->st_dev, .inode = status->st_ino};
}

/* Of the file itself: who puts a link in its place has replaced it. An inode 0 is no file's. */
static struct store_watched identity_at(int directory, const char *name)
{
    struct stat status;
    if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return (struct store_watched){0};
    return identity(&status);
}

static bool is_same(const struct store_watched *a, const struct store_watched *b)
{
    return a->inode != 0 && a->inode == b->inode && a->device == b->device;
}

void store_watch_begin(struct store_watch *watch, int directory)
{
    struct stat status;
    *watch = (struct store_watch){0};
    if (fstat(directory, &status) == 0) watch->directory = identity(&status);
    for (unsigned i = 0; i < STORE_WATCHED; i++) {
        watch->files[i] = identity_at(directory, names[i]);
    }
}

bool store_watch_log_is_foreign(const struct store_watch *watch, const char *path)
{
    char name[PATH_MAX + 32];
    snprintf(name, sizeof name, "%s/%s", path, names[LOG]);
    struct store_watched found = identity_at(AT_FDCWD, name);
    return found.inode != 0 && !is_same(&found, &watch->files[LOG]);
}

enum rc store_watch_look(const struct store_watch *watch, const char *path, int directory, char *reason_r,
                         size_t reason_size)
{
    struct store_watched found = identity_at(AT_FDCWD, path);
    if (!is_same(&found, &watch->directory)) {
        snprintf(
            reason_r, reason_size,
            "%.200s is gone, or is another directory than the one that is in use: move it back, or stop ringcast "
            "and start it again",
            path);
        return RC_ENOENT;
    }
    for (unsigned i = 0; i < STORE_WATCHED; i++) {
        found = identity_at(directory, names[i]);
        if (is_same(&found, &watch->files[i])) continue;
        snprintf(reason_r, reason_size,
                 "%.200s/%s has been removed or replaced while it is in use: stop ringcast by SIGTERM, which saves "
                 "what it still can, look what the directory lacks, and start it again",
                 path, names[i]);
        return RC_ENOENT;
    }
    return RC_OK;
}
