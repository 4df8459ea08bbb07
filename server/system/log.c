/* server/system/log.c - a queue for each thread, one thread that gives their records a form and writes them, and nobody
 * but that one waits for stderr or the journal.
 *
 * A queue is a ring of records with one sender (its thread) and one receiver (the log thread). `sent` and `taken` only
 * grow: the release store of `sent` publishes the record before it, the release store of `taken` gives the place back.
 */
#include "server/system/log.h"

#include "server/system/crash.h"
#include "server/system/log_journal.h"
#include "server/system/log_recent.h"
#include "server/system/log_record.h"
#include "server/system/output.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STUCK_POLL_MS 50   /* how often the log thread, waiting for stderr, looks whether to stop */
#define PATIENCE_MS   1000 /* for a stuck stderr: of log_stop() and of a direct write */
#define LAST_LINES_MS 100  /* of log_await_written() */
#define JOIN_EXTRA_MS 500  /* until a log thread that gave up has surely ended */

_Static_assert((LOG_QUEUE_LINES & (LOG_QUEUE_LINES - 1)) == 0, "queue positions are masked");

/* Cache lines apart, so that the two sides do not slow each other. */
struct queue {
    _Alignas(64) atomic_uint sent;
    _Alignas(64) atomic_uint taken;
    _Alignas(64) struct log_record records[LOG_QUEUE_LINES];
};

enum queue_state {
    QUEUE_FREE,   /* anyone may take it */
    QUEUE_OPEN,   /* a thread sends */
    QUEUE_CLOSED, /* its thread has left; free once the log thread has emptied it */
};

/* Static, so that no queue ever goes away under a reader; the pages of an unused one are never touched. The states
 * stand apart from them for the same reason. */
static struct queue queues[LOG_THREADS_MAX];
static atomic_int states[LOG_THREADS_MAX];

static _Thread_local struct queue *own_queue;
static _Thread_local char own_name[LOG_THREAD_BYTES_MAX];
static _Thread_local struct log_site *suppressed_sites;

atomic_int log_level_now = LOG_LEVEL_INFO;

static enum log_format chosen_format; /* these two are chosen before there is another thread */
static struct log_journal journal = {.descriptor = -1};
static bool is_journal_away; /* log thread: it was told that lines go to stderr */

static pthread_t log_thread;
static sem_t wake;                       /* posted after each line; made once, as late senders may still post */
static bool wake_is_made;                /* only log_start() looks */
static atomic_bool is_running;           /* from log_start() to the end of log_stop() */
static atomic_bool is_stopping;          /* the log thread is to write what is left and end */
static atomic_bool has_given_up;         /* the log thread hangs in a write and may do so for ever: no more writes */
static _Atomic uint64_t stop_by_ms;      /* monotonic; set before is_stopping */
static _Atomic uint64_t lines_lost;      /* ever */
static uint64_t lines_lost_and_reported; /* log thread */

uint64_t log_lines_lost(void)
{
    return atomic_load_explicit(&lines_lost, memory_order_relaxed);
}

static void count_lost(void)
{
    atomic_fetch_add_explicit(&lines_lost, 1, memory_order_relaxed);
}

static uint64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Would a line go through without waiting? Asked of poll(), because O_NONBLOCK would change the terminal for everyone
 * who shares it. A closed stderr is ready too: the write then says what is wrong. */
static bool stderr_is_ready(int timeout_ms)
{
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    int ready = poll(&out, 1, timeout_ms);
    return ready > 0 || (ready < 0 && errno != EINTR);
}

static bool write_now(const char *text, size_t bytes)
{
    while (bytes > 0) {
        ssize_t written = write(STDERR_FILENO, text, bytes);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        text += written;
        bytes -= (size_t)written;
    }
    return true;
}

/* Log thread, or whoever comes after it: waits as long as it takes, while stopping only until stop_by_ms. */
static bool write_patiently(const char *text, size_t bytes)
{
    for (;;) {
        bool is_late = atomic_load(&is_stopping) && monotonic_ms() >= atomic_load(&stop_by_ms);
        if (stderr_is_ready(is_late ? 0 : STUCK_POLL_MS)) return write_now(text, bytes);
        if (is_late) return false;
    }
}

/* Log thread: a record of its own. */
static void write_down_own(struct log_record *record, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    *record = (struct log_record){.level = LOG_LEVEL_WARN, .thread = "log"};
    clock_gettime(CLOCK_REALTIME, &record->when);
    log_record_write(record, format, arguments);
    va_end(arguments);
}

static bool write_to_stderr(const struct log_record *record)
{
    char line[LOG_LINE_BYTES_MAX];
    return write_patiently(line, log_line_format(line, chosen_format, record));
}

static void tell_journal_away(void)
{
    struct log_record record;
    write_down_own(&record, "%s: %s: lines go to stderr until the journal takes them", journal.address.sun_path,
                   strerror(errno));
    write_to_stderr(&record);
}

/* Log thread: waits for a journal that is behind, as for stderr; false: nobody is there, or it is too late. */
static bool send_patiently(const char *datagram, size_t bytes)
{
    enum rc rc;
    while ((rc = log_journal_send(&journal, datagram, bytes)) == RC_PENDING) {
        bool is_late = atomic_load(&is_stopping) && monotonic_ms() >= atomic_load(&stop_by_ms);
        if (is_late) return false;
        log_journal_await(&journal, STUCK_POLL_MS);
    }
    if (rc != RC_OK && !is_journal_away) tell_journal_away();
    is_journal_away = rc != RC_OK;
    return rc == RC_OK;
}

/* Log thread. */
static bool write_record(const struct log_record *record)
{
    char line[LOG_LINE_BYTES_MAX];
    if (journal.descriptor >= 0 && send_patiently(line, log_line_format_journal(line, record))) return true;
    return write_to_stderr(record);
}

/* Writes a line where no log thread does. Waits for stderr once: while it is stuck, later lines do not. */
static void write_directly(const struct log_record *record)
{
    static atomic_bool is_stuck;
    char line[LOG_LINE_BYTES_MAX];
    if (journal.descriptor >= 0 && log_journal_try(&journal, line, log_line_format_journal(line, record))) return;
    bool is_written = output_write(STDERR_FILENO, line, log_line_format(line, chosen_format, record),
                                   atomic_load(&is_stuck) ? 0 : PATIENCE_MS);
    atomic_store(&is_stuck, !is_written);
    if (!is_written) count_lost();
}

static void write_down(struct log_record *record, enum log_level level, const struct log_fields *fields,
                       const char *format, va_list arguments)
{
    clock_gettime(CLOCK_REALTIME, &record->when);
    record->level = level;
    memcpy(record->thread, own_name, sizeof own_name);
    log_record_write(record, format, arguments);
    record->fields.used = fields != NULL ? fields->used : 0;
    if (fields != NULL) memcpy(record->fields.bytes, fields->bytes, fields->used);
    uint64_t time_ms = (uint64_t)record->when.tv_sec * 1000 + (uint64_t)record->when.tv_nsec / 1000000;
    log_recent_keep(time_ms, level, own_name, record->text);
}

/* The queue's thread. */
static void queue_send(struct queue *queue, enum log_level level, const struct log_fields *fields, const char *format,
                       va_list arguments)
{
    unsigned sent = atomic_load_explicit(&queue->sent, memory_order_relaxed);
    if (sent - atomic_load_explicit(&queue->taken, memory_order_acquire) == LOG_QUEUE_LINES) {
        struct log_record lost; /* for who reads the log, but not for server/system/log_recent.h */
        write_down(&lost, level, fields, format, arguments);
        count_lost();
        return;
    }
    write_down(&queue->records[sent & (LOG_QUEUE_LINES - 1)], level, fields, format, arguments);
    atomic_store_explicit(&queue->sent, sent + 1, memory_order_release);
    sem_post(&wake);
}

/* Log thread. Takes what is there now; what comes meanwhile has posted `wake` and is taken in the next pass. */
static void queue_take(struct queue *queue)
{
    unsigned taken = atomic_load_explicit(&queue->taken, memory_order_relaxed);
    unsigned sent = atomic_load_explicit(&queue->sent, memory_order_acquire);
    while (taken != sent) {
        if (!write_record(&queue->records[taken & (LOG_QUEUE_LINES - 1)])) count_lost();
        atomic_store_explicit(&queue->taken, ++taken, memory_order_release);
    }
}

/* Log thread. A report that is not taken either is not counted: it would report itself for ever. */
static void report_lost(void)
{
    uint64_t lost = log_lines_lost();
    if (lost == lines_lost_and_reported) return;
    struct log_record record;
    write_down_own(&record, "%llu lines lost", (unsigned long long)(lost - lines_lost_and_reported));
    write_record(&record);
    lines_lost_and_reported = lost;
}

static void take_all(void)
{
    for (uint32_t i = 0; i < LOG_THREADS_MAX; i++) {
        int state = atomic_load_explicit(&states[i], memory_order_acquire);
        if (state == QUEUE_FREE) continue;
        queue_take(&queues[i]);
        /* Closed before the lines were counted: there can be no later one. */
        if (state == QUEUE_CLOSED) atomic_store_explicit(&states[i], QUEUE_FREE, memory_order_release);
    }
    report_lost();
}

static void *run(void *unused)
{
    crash_thread_init();
    while (!atomic_load(&is_stopping)) {
        sem_wait(&wake);
        while (sem_trywait(&wake) == 0)
            ; /* one pass answers all that was posted so far */
        take_all();
    }
    take_all();
    return unused;
}

enum rc log_choose(enum log_format format, const char *journal_path)
{
    assert(!atomic_load(&is_running));
    chosen_format = format;
    log_journal_close(&journal);
    is_journal_away = false;
    return journal_path != NULL ? log_journal_open(&journal, journal_path) : RC_OK;
}

void log_set_level(enum log_level level)
{
    atomic_store(&log_level_now, (int)level);
}

enum log_level log_get_level(void)
{
    return (enum log_level)atomic_load(&log_level_now);
}

enum rc log_start(enum log_level level)
{
    assert(!atomic_load(&is_running));
    log_set_level(level);
    if (atomic_load(&has_given_up)) return RC_EKERNEL;
    if (!wake_is_made && sem_init(&wake, 0, 0) != 0) return RC_EKERNEL;
    wake_is_made = true;
    atomic_store(&is_stopping, false);

    sigset_t all, before; /* signals are for the threads that expect them */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&log_thread, NULL, run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = failed;
    if (failed != 0) return RC_EKERNEL;
    atomic_store(&is_running, true);
    return RC_OK;
}

void log_stop(void)
{
    if (!atomic_load(&is_running)) return;
    atomic_store(&stop_by_ms, monotonic_ms() + PATIENCE_MS);
    atomic_store(&is_stopping, true);
    sem_post(&wake);

    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (PATIENCE_MS + JOIN_EXTRA_MS) % 1000 * 1000000L;
    until.tv_sec += (PATIENCE_MS + JOIN_EXTRA_MS) / 1000 + until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    if (pthread_timedjoin_np(log_thread, NULL, &until) != 0) {
        /* poll() promised room and somebody else filled it: the write hangs until the process ends. */
        atomic_store(&has_given_up, true);
        pthread_detach(log_thread);
    }
    atomic_store(&is_running, false);
    if (!atomic_load(&has_given_up)) take_all(); /* what was sent since the log thread looked last */
}

static void log_write_list(enum log_level level, const struct log_fields *fields, const char *format,
                           va_list arguments)
{
    int saved_errno = errno; /* a log line between a call and the look at its errno does no harm */
    if (own_queue != NULL && atomic_load(&is_running)) {
        queue_send(own_queue, level, fields, format, arguments);
    } else {
        struct log_record record;
        write_down(&record, level, fields, format, arguments);
        write_directly(&record);
    }
    errno = saved_errno;
}

void log_write(enum log_level level, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    log_write_list(level, NULL, format, arguments);
    va_end(arguments);
}

void log_write_fields(enum log_level level, const struct log_fields *fields, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    log_write_list(level, fields, format, arguments);
    va_end(arguments);
}

void log_await_written(void)
{
    const struct timespec pause = {.tv_nsec = 1000 * 1000};
    if (own_queue == NULL || !atomic_load(&is_running)) return;
    unsigned sent = atomic_load_explicit(&own_queue->sent, memory_order_relaxed);
    for (uint32_t i = 0; i < LAST_LINES_MS && atomic_load_explicit(&own_queue->taken, memory_order_acquire) != sent;
         i++) {
        nanosleep(&pause, NULL);
    }
}

static bool window_is_over(const struct log_site *site, uint64_t now_ms)
{
    return site->since_ms + LOG_SITE_WINDOW_MS <= now_ms;
}

/* Tells of each place of this thread that had to be silent, once its window is over. */
static void report_suppressed(uint64_t now_ms)
{
    for (struct log_site **at = &suppressed_sites; *at != NULL;) {
        struct log_site *site = *at;
        if (!window_is_over(site, now_ms)) {
            at = &site->next;
            continue;
        }
        *at = site->next;
        struct log_fields fields = {.used = 0};
        char place[64];
        snprintf(place, sizeof place, "%s:%u", site->file, site->line);
        log_field_number(&fields, LOG_FIELD_left_out, site->suppressed);
        log_field_text(&fields, LOG_FIELD_place, place);
        log_write_fields(site->level, &fields, "further lines of one place were left out:");
        site->suppressed = 0;
    }
}

void log_tell_left_out(void)
{
    if (suppressed_sites != NULL) report_suppressed(monotonic_ms());
}

bool log_site_admits(struct log_site *site)
{
    uint64_t now_ms = monotonic_ms();
    report_suppressed(now_ms);
    if (window_is_over(site, now_ms)) {
        site->since_ms = now_ms;
        site->lines = 0;
    }
    if (site->lines < site->lines_max) {
        site->lines++;
        return true;
    }
    if (site->suppressed++ == 0) {
        site->next = suppressed_sites;
        suppressed_sites = site;
    }
    return false;
}

enum rc log_thread_init(const char *name)
{
    if (name[0] != '\0') pthread_setname_np(pthread_self(), name); /* for top and the like */
    assert(own_queue == NULL);
    snprintf(own_name, sizeof own_name, "%s", name);
    for (uint32_t i = 0; i < LOG_THREADS_MAX; i++) {
        int expected = QUEUE_FREE;
        if (!atomic_compare_exchange_strong(&states[i], &expected, QUEUE_OPEN)) continue;
        own_queue = &queues[i];
        return RC_OK;
    }
    return RC_EFULL;
}

void log_thread_fini(void)
{
    report_suppressed(UINT64_MAX);
    own_name[0] = '\0';
    if (own_queue == NULL) return;
    bool has_reader = atomic_load(&is_running);
    atomic_store_explicit(&states[own_queue - queues], has_reader ? QUEUE_CLOSED : QUEUE_FREE, memory_order_release);
    own_queue = NULL;
    if (has_reader) sem_post(&wake);
}
