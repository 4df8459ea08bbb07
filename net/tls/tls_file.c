/* net/tls/tls_file.c - reading what may be a key, and saying what is wrong with it. */
#include "net/tls/tls_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum rc tls_refuse(struct tls_reason reason, enum rc rc, const char *format, ...)
{
    va_list parts;
    va_start(parts, format);
    vsnprintf(reason.text, reason.size, format, parts);
    va_end(parts);
    return rc;
}

enum rc tls_refuse_memory(struct tls_reason reason, const char *name)
{
    return tls_refuse(reason, RC_ENOMEM, "There is no memory to read %s.", name);
}

/* ---- files ---- */

static enum rc unreadable(struct tls_reason reason, const char *name, int error)
{
    return tls_refuse(reason, RC_ENOENT, "%s cannot be read: %s. Check its path and who may read it.", name,
                      strerror(error));
}

/* Opens what can be read without waiting for anybody: a pipe that nobody writes to would hold the main thread, and with
 * it every signal. No stdio: no copy of a key is left in its buffers. */
static enum rc open_file(const char *name, int *descriptor_r, struct tls_reason reason)
{
    struct stat status;
    int descriptor = open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (descriptor < 0 || fstat(descriptor, &status) != 0) {
        int error = errno;
        if (descriptor >= 0) close(descriptor);
        return unreadable(reason, name, error);
    }
    *descriptor_r = descriptor;
    if (S_ISREG(status.st_mode)) return RC_OK;
    close(descriptor);
    return tls_refuse(reason, RC_EINVAL,
                      "%s is %s and no regular file. Write the text into a file that stays, and name that.", name,
                      S_ISDIR(status.st_mode) ? "a directory" : "a pipe or a device");
}

enum rc tls_file_read(const char *name, unsigned char *to, size_t size, size_t *count_r, struct tls_reason reason)
{
    int descriptor = -1;
    enum rc rc = open_file(name, &descriptor, reason);
    *count_r = 0;
    if (rc != RC_OK) return rc;
    ssize_t more = 1;
    while (*count_r < size && more > 0) {
        more = read(descriptor, to + *count_r, size - *count_r);
        if (more > 0) *count_r += (size_t)more;
        if (more < 0 && errno == EINTR) more = 1;
    }
    if (more < 0) rc = unreadable(reason, name, errno);
    close(descriptor);
    return rc;
}
