/* server/system/log_journal.c - datagrams to the journal, connected so that poll() knows whether it takes one. */
#include "server/system/log_journal.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool connect_again(const struct log_journal *journal)
{
    return connect(journal->descriptor, (const struct sockaddr *)&journal->address, sizeof journal->address) == 0;
}

enum rc log_journal_open(struct log_journal *journal, const char *path)
{
    *journal = (struct log_journal){.address = {.sun_family = AF_UNIX}};
    assert(strlen(path) < sizeof journal->address.sun_path);
    memcpy(journal->address.sun_path, path, strlen(path) + 1);
    journal->descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (journal->descriptor < 0) return RC_EKERNEL;
    connect_again(journal); /* or with the first line */
    return RC_OK;
}

void log_journal_close(struct log_journal *journal)
{
    if (journal->descriptor >= 0) close(journal->descriptor);
    journal->descriptor = -1;
}

bool log_journal_try(const struct log_journal *journal, const char *datagram, size_t bytes)
{
    return send(journal->descriptor, datagram, bytes, MSG_NOSIGNAL) >= 0;
}

enum rc log_journal_send(struct log_journal *journal, const char *datagram, size_t bytes)
{
    if (log_journal_try(journal, datagram, bytes)) return RC_OK;
    bool is_behind = errno == EAGAIN || errno == ENOBUFS || errno == EINTR;
    if (is_behind) return RC_PENDING;
    if (!connect_again(journal)) return RC_ENOENT;
    if (log_journal_try(journal, datagram, bytes)) return RC_OK;
    return errno == EAGAIN || errno == ENOBUFS || errno == EINTR ? RC_PENDING : RC_ENOENT;
}

bool log_journal_await(const struct log_journal *journal, int timeout_ms)
{
    struct pollfd room = {.fd = journal->descriptor, .events = POLLOUT};
    return poll(&room, 1, timeout_ms) > 0;
}
