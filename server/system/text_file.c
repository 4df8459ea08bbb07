/* server/system/text_file.c - regular files of a bounded length, read whole. */
#include "server/system/text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where the sentence goes. */
struct reason {
    char *text;
    size_t size;
};

static enum rc unreadable(const char *name, int error, struct reason reason)
{
    snprintf(reason.text, reason.size, "%s cannot be read: %s; check its path and who may read it", name,
             strerror(error));
    return RC_ENOENT;
}

static enum rc open_file(const char *name, int *descriptor_r, struct reason reason)
{
    struct stat status;
    int descriptor = open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (descriptor < 0) return unreadable(name, errno, reason);
    *descriptor_r = descriptor;
    if (fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode)) return RC_OK;
    snprintf(reason.text, reason.size, "%s is %s and no regular file; name one", name,
             S_ISDIR(status.st_mode) ? "a directory" : "a pipe or a device");
    close(descriptor);
    return RC_EINVAL;
}

/* Reads up to `size` bytes. */
static enum rc read_bytes(int descriptor, char *to, size_t size, size_t *bytes_r)
{
    ssize_t more = 1;
    *bytes_r = 0;
    while (*bytes_r < size && more > 0) {
        more = read(descriptor, to + *bytes_r, size - *bytes_r);
        if (more > 0) *bytes_r += (size_t)more;
        if (more < 0 && errno == EINTR) more = 1;
    }
    return more < 0 ? RC_ENOENT : RC_OK;
}

/* Room for what the file is now, and one byte more that tells whether it grows meanwhile. */
static size_t room_for(int descriptor, size_t bytes_max)
{
    struct stat status;
    size_t bytes = fstat(descriptor, &status) == 0 && status.st_size > 0 ? (size_t)status.st_size : bytes_max;
    return (bytes < bytes_max ? bytes : bytes_max) + 1;
}

static enum rc read_file(const char *name, int descriptor, size_t bytes_max, char **text_r, size_t *bytes_r,
                         struct reason reason)
{
    size_t room = room_for(descriptor, bytes_max);
    char *text = malloc(room + 1);
    if (text == NULL) {
        snprintf(reason.text, reason.size, "out of memory to read %s", name);
        return RC_ENOMEM;
    }
    enum rc rc = read_bytes(descriptor, text, room, bytes_r);
    if (rc != RC_OK) unreadable(name, errno, reason);
    if (rc == RC_OK && *bytes_r == room) {
        snprintf(reason.text, reason.size,
                 room > bytes_max ? "%s is larger than %zu bytes; is it the right file?"
                                  : "%s grows while it is read, beyond %zu bytes; try again when it is written",
                 name, room - 1);
        rc = RC_EINVAL;
    }
    text[*bytes_r] = '\0';
    *text_r = text;
    if (rc != RC_OK) text_file_free(text, *bytes_r);
    return rc;
}

enum rc text_file_read(const char *name, size_t bytes_max, char **text_r, size_t *bytes_r, char *reason_r,
                       size_t reason_size)
{
    int descriptor;
    struct reason reason = {.text = reason_r, .size = reason_size};
    enum rc rc = open_file(name, &descriptor, reason);
    if (rc != RC_OK) return rc;
    rc = read_file(name, descriptor, bytes_max, text_r, bytes_r, reason);
    close(descriptor);
    return rc;
}

void text_file_free(char *text, size_t bytes)
{
    if (text != NULL) explicit_bzero(text, bytes);
    free(text);
}
