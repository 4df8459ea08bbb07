/* server/system/crash.c - handlers of the signals that a program dies of. */
#include "server/system/crash.h"

#include "server/system/clock.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define STACK_BYTES (64 * 1024) /* a processor's registers take 11 KiB of it at most, a shard's events 4 */

static const struct {
    int number;
    const char *name;
} fatal[] = {
    {SIGABRT, "SIGABRT"}, {SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"}, {SIGFPE, "SIGFPE"}, {SIGILL, "SIGILL"},
};
#define FATAL_COUNT (sizeof fatal / sizeof fatal[0])

static struct sigaction others[FATAL_COUNT]; /* who had these signals before us, and has them next */
static crash_tell *tell_before, *tell_behind;
static atomic_flag has_begun = ATOMIC_FLAG_INIT;
static atomic_bool is_told;
static uint64_t until_ms; /* who tells has so long */

/* Of each thread, so that a stack that ran over does not matter. */
static _Thread_local _Alignas(64) char stack[STACK_BYTES];

/* The program's first byte in memory, and the end of its code; the linker has them. */
extern const char __executable_start[], etext[];

/* ---- saying ---- */

void crash_say(struct safe_line *line)
{
    const char *at = line->text;
    size_t left = line->count + 1; /* safe_line.h keeps room for it */
    line->text[line->count] = '\n';
    while (left > 0) {
        uint64_t now_ms = monotonic_ms();
        struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
        if (now_ms >= until_ms || poll(&out, 1, (int)(until_ms - now_ms)) <= 0) break;
        ssize_t count = write(STDERR_FILENO, at, left); /* a pipe with room takes as much as a line at once */
        if (count <= 0) break;
        at += count;
        left -= (size_t)count;
    }
    line->count = 0;
}

static const char *name_of(int number)
{
    for (size_t i = 0; i < FATAL_COUNT; i++) {
        if (fatal[i].number == number) return fatal[i].name;
    }
    return "a signal";
}

static void put_origin(struct safe_line *line, int number, const siginfo_t *info)
{
    if (info->si_code > 0 && number != SIGABRT) {
        safe_line_text(line, ", address ");
        safe_line_hex(line, (uint64_t)(uintptr_t)info->si_addr);
    } else if (info->si_pid != 0 && info->si_pid != getpid()) {
        safe_line_text(line, ", sent by process ");
        safe_line_number(line, (uint64_t)info->si_pid);
    }
}

static uint64_t counter_of(const void *context)
{
    const ucontext_t *at = context;
#if defined(__x86_64__)
    return (uint64_t)at->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return at->uc_mcontext.pc;
#else
    (void)at;
    return 0;
#endif
}

/* As addr2line(1) wants it, where it is our own code. */
static void put_place(struct safe_line *line, uint64_t counter)
{
    uint64_t from = (uint64_t)(uintptr_t)__executable_start, to = (uint64_t)(uintptr_t)etext;
    bool is_ours = counter >= from && counter < to;
    if (counter == 0) return;
    safe_line_text(line, is_ours ? ", at ringcast+" : ", at ");
    safe_line_hex(line, is_ours ? counter - from : counter);
}

static void put_thread(struct safe_line *line)
{
    char name[17] = "";
    prctl(PR_GET_NAME, name);
    safe_line_text(line, ", on the thread \"");
    safe_line_text(line, name);
    safe_line_text(line, "\"");
}

static void tell(struct safe_line *line)
{
    crash_say(line);
    tell_behind();
    atomic_store(&is_told, true);
}

static void begin(struct safe_line *line)
{
    until_ms = monotonic_ms() + CRASH_PATIENCE_MS;
    tell_before();
    safe_line_text(line, "ringcast " RINGCAST_VERSION " crashes: ");
}

/* ---- the handler ---- */

static void await_told(void)
{
    const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
    for (uint32_t i = 0; i < CRASH_PATIENCE_MS / 10 && !atomic_load(&is_told); i++) {
        nanosleep(&pause, NULL);
    }
}

/* What comes behind us has its turn: when the instruction is tried again, or the signal is sent once more, which waits
 * until the handler has returned. */
static void pass_on(int number, const siginfo_t *info)
{
    for (size_t i = 0; i < FATAL_COUNT; i++) {
        sigaction(fatal[i].number, &others[i], NULL);
    }
    if (info->si_code > 0) return;
    /* The first process of a container is not killed by a signal that somebody sent. Abort() finds a way. */
    if (getpid() == 1 && number != SIGABRT) _exit(128 + number);
    raise(number);
}

static void handle(int number, siginfo_t *info, void *context)
{
    int saved_errno = errno;
    struct safe_line line = {0};
    if (atomic_flag_test_and_set(&has_begun)) {
        await_told();
    } else {
        begin(&line);
        safe_line_text(&line, name_of(number));
        put_origin(&line, number, info);
        put_place(&line, counter_of(context));
        put_thread(&line);
        tell(&line);
    }
    pass_on(number, info);
    errno = saved_errno;
}

/* A sanitizer has said its own, and ends the program. */
static void handle_report(void)
{
    struct safe_line line = {0};
    if (atomic_flag_test_and_set(&has_begun)) return;
    begin(&line);
    safe_line_text(&line, "a sanitizer reports");
    put_thread(&line);
    tell(&line);
}

/* ---- beginning ---- */

__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));

void crash_watch(crash_tell *before, crash_tell *behind)
{
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    tell_before = before;
    tell_behind = behind;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < FATAL_COUNT; i++) {
        sigaddset(&action.sa_mask, fatal[i].number); /* one that comes while it runs kills at once */
    }
    for (size_t i = 0; i < FATAL_COUNT; i++) {
        sigaction(fatal[i].number, &action, &others[i]);
    }
    if (__sanitizer_set_death_callback != NULL) __sanitizer_set_death_callback(handle_report);
    crash_thread_init();
}

/* A sanitizer has made a stack already, and takes it back at the thread's end. */
static void make_stack(void)
{
    stack_t now, ours = {.ss_sp = stack, .ss_size = sizeof stack};
    if (sigaltstack(NULL, &now) == 0 && (now.ss_flags & SS_DISABLE)) sigaltstack(&ours, NULL);
}

void crash_thread_init(void)
{
    sigset_t set;
    make_stack();
    sigemptyset(&set);
    for (size_t i = 0; i < FATAL_COUNT; i++) {
        sigaddset(&set, fatal[i].number);
    }
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}
