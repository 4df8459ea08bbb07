/* net/socket_file.c - a unix socket's file, under a lock of its folder. */
#include "net/socket_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MODE    0660
#define BACKLOG 128

#define FOLDER_BYTES sizeof(struct sockaddr_un)

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    return address;
}

static int open_socket(int flags)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
}

/* Whoever has a full backlog is there too. */
static enum socket_file knock(const char *path)
{
    struct sockaddr_un address = address_of(path);
    int descriptor = open_socket(SOCK_NONBLOCK);
    if (descriptor < 0) return SOCKET_FILE_UNKNOWN;
    int error = connect(descriptor, (const struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
    close(descriptor);
    errno = error;
    switch (error) {
    case 0:
    case EAGAIN:
    case EPROTOTYPE: /* a socket of another kind, which is somebody's */
        return SOCKET_FILE_IN_USE;
    case ECONNREFUSED:
        return SOCKET_FILE_LEFT;
    case ENOENT:
        return SOCKET_FILE_NONE;
    default:
        return SOCKET_FILE_UNKNOWN;
    }
}

enum socket_file socket_file_look(const char *path)
{
    struct stat status;
    if (lstat(path, &status) != 0) return errno == ENOENT ? SOCKET_FILE_NONE : SOCKET_FILE_UNKNOWN;
    return S_ISSOCK(status.st_mode) ? knock(path) : SOCKET_FILE_NO_SOCKET;
}

static const char *folder_of(const char *path, char folder_r[FOLDER_BYTES])
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        snprintf(folder_r, FOLDER_BYTES, ".");
    else
        snprintf(folder_r, FOLDER_BYTES, "%.*s", (int)(slash - path) + 1, path);
    return folder_r;
}

/* The folder's descriptor, locked; -1: errno says why. */
static int lock_folder(const char *path)
{
    char folder[FOLDER_BYTES];
    folder_of(path, folder);
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0 || flock(descriptor, LOCK_EX | LOCK_NB) == 0) return descriptor;
    int error = errno;
    close(descriptor);
    errno = error;
    return -1;
}

static enum rc refuse(const char *step, int error, char *reason, size_t size)
{
    const char *cure = "";
    if (error == EADDRINUSE || error == EWOULDBLOCK)
        cure = ": another program opens a socket there: stop it, or choose another path";
    if (error == ENOENT || error == ENOTDIR)
        cure = ": its folder is not there: make it (RuntimeDirectory= of a unit does), or choose another path";
    if (error == EACCES || error == EPERM || error == EROFS)
        cure = ": let the server's user write into its folder, or choose another path";
    if (error == EMFILE || error == ENFILE) cure = ": raise RLIMIT_NOFILE (ulimit -n, LimitNOFILE=)";
    snprintf(reason, size, "%s: %s%s", step, strerror(error), cure);
    return error == EADDRINUSE || error == EWOULDBLOCK ? RC_EBUSY : RC_EKERNEL;
}

bool socket_file_can_be_made(const char *path, char *reason_r, size_t reason_size)
{
    char folder[FOLDER_BYTES];
    if (eaccess(folder_of(path, folder), R_OK | W_OK | X_OK) == 0) return true;
    refuse("access", errno, reason_r, reason_size);
    return false;
}

/* Makes room for ours. */
static enum rc clear(const char *path, char *reason, size_t size)
{
    switch (socket_file_look(path)) {
    case SOCKET_FILE_NONE:
        return RC_OK;
    case SOCKET_FILE_LEFT:
        return unlink(path) == 0 || errno == ENOENT ? RC_OK : refuse("unlink", errno, reason, size);
    case SOCKET_FILE_IN_USE:
        snprintf(reason, size, "somebody answers there: stop the program that does, or choose another path");
        return RC_EBUSY;
    case SOCKET_FILE_NO_SOCKET:
        snprintf(reason, size, SOCKET_FILE_NO_SOCKET_TEXT);
        return RC_EKERNEL;
    case SOCKET_FILE_UNKNOWN:
        return refuse("connect", errno, reason, size);
    }
    __builtin_unreachable();
}

/* Returns the step that failed, with errno, or NULL. The mode that the descriptor has is what bind gives the file,
 * less the umask; what that took away is given back then. */
static const char *listen_on(int descriptor, const char *path)
{
    struct sockaddr_un address = address_of(path);
    if (fchmod(descriptor, MODE) != 0) return "fchmod";
    if (bind(descriptor, (const struct sockaddr *)&address, sizeof address) != 0) return "bind";
    if (chmod(path, MODE) != 0) return "chmod";
    if (listen(descriptor, BACKLOG) != 0) return "listen";
    return NULL;
}

static enum rc claim_locked(const char *path, int *descriptor_r, char *reason, size_t size)
{
    enum rc rc = clear(path, reason, size);
    if (rc != RC_OK) return rc;
    int descriptor = open_socket(0);
    if (descriptor < 0) return refuse("socket", errno, reason, size);
    const char *failed = listen_on(descriptor, path);
    if (failed == NULL) {
        *descriptor_r = descriptor;
        return RC_OK;
    }
    int error = errno;
    close(descriptor);
    if (strcmp(failed, "bind") != 0) unlink(path);
    return refuse(failed, error, reason, size);
}

enum rc socket_file_claim(const char *path, int *descriptor_r, char *reason_r, size_t reason_size)
{
    int folder = lock_folder(path);
    if (folder < 0) return refuse("open", errno, reason_r, reason_size);
    enum rc rc = claim_locked(path, descriptor_r, reason_r, reason_size);
    close(folder);
    return rc;
}

void socket_file_remove(const char *path)
{
    int folder = lock_folder(path);
    if (folder < 0) return;
    if (socket_file_look(path) == SOCKET_FILE_LEFT) unlink(path);
    close(folder);
}
