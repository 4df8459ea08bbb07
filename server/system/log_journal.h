/* server/system/log_journal.h - the journal's socket: a datagram for each line, in its native protocol
 * (systemd.io/JOURNAL_NATIVE_PROTOCOL). A line is far shorter than the longest datagram, so none needs a memfd.
 *
 * Never waits. The socket is made once and stays the same, also while the journal starts again: one thread may connect
 * it anew (log_journal_send()), others may send at that time (log_journal_try()). */
#pragma once

#include "core/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/un.h>

#define LOG_JOURNAL_SOCKET   "/run/systemd/journal/socket"
#define LOG_JOURNAL_PATH_MAX (sizeof((struct sockaddr_un *)0)->sun_path) /* with its closing zero */

struct log_journal {
    int descriptor; /* -1: none */
    struct sockaddr_un address;
};

/* `path` is shorter than LOG_JOURNAL_PATH_MAX. RC_EKERNEL, with errno: no socket is to be had. Nobody needs to be there
 * yet. */
enum rc log_journal_open(struct log_journal *journal, const char *path);
/* Accepts one that was not opened: its descriptor is -1. */
void log_journal_close(struct log_journal *journal);

/* RC_OK; RC_PENDING: the journal is behind, log_journal_await() waits; RC_ENOENT, with errno: nobody is there, nor was
 * after another try to connect. */
enum rc log_journal_send(struct log_journal *journal, const char *datagram, size_t bytes);
/* Is there room within that time? Only after RC_PENDING. */
bool log_journal_await(const struct log_journal *journal, int timeout_ms);
/* Sends if that goes at once; any thread. */
bool log_journal_try(const struct log_journal *journal, const char *datagram, size_t bytes);
