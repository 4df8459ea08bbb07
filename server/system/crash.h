/* server/system/crash.h - a last word of a program that dies of a fault of its own: of SIGSEGV, SIGBUS, SIGFPE, SIGILL,
 * or of SIGABRT, which abort() and a failed assertion end with.
 *
 * It says on stderr which signal, where, on which thread, then lets others tell what they know, and then the signal has
 * the effect that it would have had: a core dump, or the report of a sanitizer, whose handler it was before. With a
 * sanitizer it also speaks when that ends the program for a reason of its own.
 * Threads:   one tells, once; another that crashes meanwhile waits for it.
 * Bounds:    a stderr that nobody reads costs CRASH_PATIENCE_MS, and then what is left unsaid. What goes wrong while it
 *            speaks ends the program at once.
 * Not obvious: all of it runs in a signal handler. Nothing in it may lock, allocate or format. */
#pragma once

#include "server/system/safe_line.h"

#define CRASH_PATIENCE_MS 1000

typedef void crash_tell(void);

/* Once, by the main thread, before there are others. `before` and `behind` are called before and behind what is said
 * here. */
void crash_watch(crash_tell *before, crash_tell *behind);

/* Each thread, when it begins: it takes these signals, also when its stack has run over. */
void crash_thread_init(void);

/* For `before` and `behind` of crash_watch(): says the line, and empties it. */
void crash_say(struct safe_line *line);
