/* server/store/store_unsynced.c - boots, by the kernel's name for them. */
#include "server/store/store_unsynced.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define MARK       "unsynced"
#define BOOT_ID    "/proc/sys/kernel/random/boot_id"
#define BOOT_BYTES 36 /* a UUID */

struct boot {
    char id[BOOT_BYTES];
};

static bool read_boot(int directory, const char *path, struct boot *boot_r)
{
    int descriptor = openat(directory, path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return false;
    ssize_t bytes = read(descriptor, boot_r->id, sizeof boot_r->id);
    close(descriptor);
    return bytes == sizeof boot_r->id;
}

bool store_unsynced_is_stale(int directory)
{
    struct boot marked, current;
    if (faccessat(directory, MARK, F_OK, 0) != 0) return false;
    return !read_boot(directory, MARK, &marked) || !read_boot(directory, BOOT_ID, &current) ||
           memcmp(marked.id, current.id, sizeof marked.id) != 0;
}

static int write_boot(int descriptor)
{
    struct boot current;
    if (!read_boot(descriptor, BOOT_ID, &current)) return 0; /* without one each start counts as another */
    if (write(descriptor, current.id, sizeof current.id) == sizeof current.id) return 0;
    return errno != 0 ? errno : ENOSPC;
}

static int write_mark(int directory, bool has_boot)
{
    int descriptor = openat(directory, MARK, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (descriptor < 0) return errno;
    errno = 0;
    int error = has_boot ? write_boot(descriptor) : 0;
    if (error == 0 && fsync(descriptor) != 0) error = errno;
    close(descriptor);
    if (error == 0 && fsync(directory) != 0) error = errno;
    return error;
}

int store_unsynced_mark(int directory)
{
    return write_mark(directory, true);
}

int store_unsynced_doubt(int directory)
{
    return write_mark(directory, false);
}

void store_unsynced_clear(int directory)
{
    unlinkat(directory, MARK, 0); /* should it stay, new epochs begin without need */
}
