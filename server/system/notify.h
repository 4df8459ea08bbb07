/* server/system/notify.h - telling the service manager how this process is: the datagrams of sd_notify(3).
 *
 * Where NOTIFY_SOCKET is not in the environment all of this does nothing. The protocol is promised to be stable, and
 * described so that it can be spoken without libsystemd (sd_notify(3), "Notes"), which would be a library for one
 * sendto().
 * Threads:   notify_say() is for any thread; notify_alive() for the one that watches the others; the rest for the main
 *            thread, notify_open() before there are others.
 * Bounds:    a manager that takes nothing holds up a thread for no longer than a second, and notify_status() not at
 *            all. */
#pragma once

#include "core/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOTIFY_PATIENCE_MS 30000 /* that notify_patience() asks for */

/* Reads NOTIFY_SOCKET, an absolute path or, behind @, an abstract name; WATCHDOG_USEC and WATCHDOG_PID. RC_EINVAL,
 * RC_EKERNEL: nothing will be told, reason_r says why. */
enum rc notify_open(char *reason_r, size_t reason_size);
void notify_close(void);

/* Says these assignments, one a line: "READY=1\nSTATUS=...". False, with errno: it was not heard. */
bool notify_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* From here to the next READY=1 it reads its configuration again. */
void notify_reloading(void);
/* STATUS: a sentence for `systemctl status`, if it is another than before; at most once a second. */
void notify_status(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A start or stop that takes longer than the unit's timeout gets on: it may take NOTIFY_PATIENCE_MS more. Call it as
 * often as anything has got on, it says so now and then. */
void notify_patience(void);

/* How often the manager wants to hear notify_alive() (WatchdogSec=); 0: never. */
uint64_t notify_watchdog_ms(void);
/* All is well. Call it at least four times within notify_watchdog_ms(), it says so twice. */
void notify_alive(void);
