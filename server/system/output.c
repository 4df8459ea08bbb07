/* server/system/output.c - a descriptor of our own that does not block, for one text. */
#include "server/system/output.h"

#include "server/system/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct output {
    int descriptor;
    int twin; /* the same without blocking; -1: none is to be had, or needed */
    mode_t type;
};

static int open_again(int descriptor)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static struct output output_of(int descriptor)
{
    struct stat what = {0};
    struct output output = {.descriptor = descriptor, .twin = -1};
    if (fstat(descriptor, &what) == 0) output.type = what.st_mode & S_IFMT;
    if (output.type == S_IFIFO || output.type == S_IFCHR) output.twin = open_again(descriptor);
    return output;
}

static ssize_t put(const struct output *output, const char *text, size_t bytes)
{
    if (output->type == S_IFSOCK) return send(output->descriptor, text, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (output->twin >= 0) return write(output->twin, text, bytes);
    return write(output->descriptor, text, bytes < PIPE_BUF ? bytes : PIPE_BUF);
}

/* Waits for room until then. */
static bool has_room(const struct output *output, uint64_t until_ms)
{
    struct pollfd out = {.fd = output->descriptor, .events = POLLOUT};
    uint64_t now_ms = monotonic_ms();
    if (poll(&out, 1, now_ms < until_ms ? (int)(until_ms - now_ms) : 0) > 0) return true;
    errno = EAGAIN;
    return false;
}

/* Looks at the output once and puts what goes then; false when no more can. */
static bool put_some(const struct output *output, const char **text, size_t *bytes, uint64_t until_ms)
{
    if (!has_room(output, until_ms)) return false;
    ssize_t count = put(output, *text, *bytes);
    if (count < 0) return (errno == EAGAIN || errno == EINTR) && monotonic_ms() < until_ms;
    *text += count;
    *bytes -= (size_t)count;
    return true;
}

bool output_write(int descriptor, const char *text, size_t bytes, uint32_t patience_ms)
{
    uint64_t until_ms = monotonic_ms() + patience_ms;
    struct output output = output_of(descriptor);
    while (bytes > 0 && put_some(&output, &text, &bytes, until_ms)) {
    }
    int error = errno;
    if (output.twin >= 0) close(output.twin);
    errno = error;
    return bytes == 0;
}
