/* server/system/log.h - one line for each thing worth telling, on stderr or in the journal; what it looks like says
 * server/system/log_line.h.
 *
 * Threads:  any thread may log at any time. One that called log_thread_init() never waits for stderr while the log
 *           runs: what it says goes through a queue of its own to the log thread, and a full queue drops the line,
 *           counts it and says so later. Every other thread, and everyone before log_start() and after log_stop(),
 *           writes directly and waits at most a second for a stuck stderr before lines are dropped and counted.
 * Order:    a thread's lines stay in order; between threads the order is that of arrival, roughly.
 * Journal:  one that is behind is waited for as stderr is; when nobody is there, lines go to stderr, which is told,
 *           and each tries again.
 * Bounds:   LOG_TEXT_BYTES_MAX a text (cut with "…"), LOG_QUEUE_LINES lines a thread, LOG_THREADS_MAX threads, and
 *           LOG_SITE_LINES_MAX lines a second from one place in the code on one thread, where it is not given another
 *           bound: the others are counted, and the count is a line of its own once the second is over and the thread
 *           logs again or calls log_tell_left_out(), or at its fini.
 * Content:  control characters and bytes that are not UTF-8 come out as \xNN, so that no peer can forge a line.
 *
 * The program ignores SIGPIPE: a direct write to a closed pipe raises it. */
#pragma once

#include "core/rc.h"
#include "server/system/log_level.h"
#include "server/system/log_line.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define LOG_QUEUE_LINES    128 /* a power of two */
#define LOG_THREADS_MAX    288 /* 256 shards and what else a process has */
#define LOG_SITE_LINES_MAX 10
#define LOG_SITE_WINDOW_MS 1000

/* Printf-like. The arguments are evaluated only when the level is on and the place is within its rate. */
#define log_error(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* How lines look, and where they go: to the journal behind that socket, or to stderr (NULL). While the log does not
 * run, and no other thread logs. Until then they are texts on stderr. RC_EKERNEL, with errno: no socket is to be had,
 * they go to stderr. */
enum rc log_choose(enum log_format format, const char *journal_path);

/* From now on; any thread, also while the log runs. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* Sets the level and makes the log thread. RC_EKERNEL, with errno: it cannot be made, lines go on being written
 * directly. Until then the level is info. */
enum rc log_start(enum log_level level);

/* Writes out what is left and ends the log thread, but waits for a stuck stderr no longer than about a second; what
 * could not be written counts as lost. Call it when the registered threads have ended: a line that another thread
 * logs meanwhile may stay unwritten. Does nothing when the log does not run. */
void log_stop(void);

/* Gives the calling thread a queue and the name its lines carry (copied, cut to 15 bytes; "": none). RC_EFULL: all
 * queues are taken, the thread writes directly under its name. */
enum rc log_thread_init(const char *name);
/* Gives the queue back; its lines are still written. Does nothing for a thread without one. */
void log_thread_fini(void);

/* Lines dropped since the process began, because a queue was full or stderr did not take them. */
uint64_t log_lines_lost(void);

/* Tells now of what this thread left out of a flood that is over. Costs next to nothing when there is nothing. */
void log_tell_left_out(void);

/* For a thread that is about to end the program: waits a moment until what it has logged is written. May be called in
 * a signal handler. */
void log_await_written(void);

/* Below: for the macros. */

/* One place in the code that logs, on one thread. */
struct log_site {
    const char *file;
    uint32_t line;
    enum log_level level;
    uint32_t lines_max;    /* a second */
    uint64_t since_ms;     /* when the present window began; monotonic */
    uint32_t lines;        /* let through in it */
    uint32_t suppressed;   /* not let through and not yet reported */
    struct log_site *next; /* of the same thread, also with some suppressed */
};

extern atomic_int log_level_now;

static inline bool log_is_on(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&log_level_now, memory_order_relaxed);
}

/* May the site write a line now? Counts it either way. */
bool log_site_admits(struct log_site *site);
/* Whatever the rate is. Printf-like; `fields` are copied. */
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_write_fields(enum log_level level, const struct log_fields *fields, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Defines the site of this place, for who gives it another bound than LOG_SITE_LINES_MAX. */
#define LOG_SITE(name, level_, lines_max_)        \
    static _Thread_local struct log_site name = { \
        .file = __FILE_NAME__, .line = __LINE__, .level = (level_), .lines_max = (lines_max_)}

#define log_at(level_, ...)                                                                     \
    do {                                                                                        \
        LOG_SITE(log_site_, level_, LOG_SITE_LINES_MAX);                                        \
        if (log_is_on(level_) && log_site_admits(&log_site_)) log_write((level_), __VA_ARGS__); \
    } while (0)
