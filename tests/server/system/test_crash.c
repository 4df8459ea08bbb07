/* tests/server/system/test_crash.c - children that crash in every way there is: each says so once, and dies of it. */
#include "server/system/crash.h"

#include <assert.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#define HAS_SANITIZER true
#else
#define HAS_SANITIZER false
#endif

#define SAID_BYTES 65536

static void tell_before(void)
{
    struct safe_line line = {0};
    safe_line_text(&line, "before");
    crash_say(&line);
}

static void tell_behind(void)
{
    struct safe_line line = {0};
    safe_line_text(&line, "behind");
    crash_say(&line);
}

typedef void body_fn(void);

static void begin_child(int out, body_fn *behind)
{
    const struct rlimit no_core = {0};
    setrlimit(RLIMIT_CORE, &no_core);
    dup2(out, STDERR_FILENO);
    for (int number = 1; number < 32; number++) {
        signal(number, SIG_DFL); /* those of the test's runner; a sanitizer's come back with it */
    }
    crash_watch(tell_before, behind);
}

/* Runs the body in a child; what it said, and its wait status. */
static int crash(body_fn *body, body_fn *behind, char said_r[SAID_BYTES])
{
    int ends[2], status;
    size_t count = 0;
    cr_assert_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        begin_child(ends[1], behind);
        body();
        _exit(0);
    }
    close(ends[1]);
    for (ssize_t got; (got = read(ends[0], said_r + count, SAID_BYTES - 1 - count)) > 0;) {
        count += (size_t)got;
    }
    said_r[count] = '\0';
    close(ends[0]);
    cr_assert_eq(waitpid(child, &status, 0), child);
    return status;
}

static void assert_killed(int status, int number, const char *said)
{
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == number, "status %x\n%s", (unsigned)status, said);
}

/* The words stand in it, in this order; NULL ends them. */
static void assert_says(const char *said, const char *const words[])
{
    const char *at = said;
    for (; *words != NULL; words++) {
        at = strstr(at, *words);
        cr_assert_not_null(at, "\"%s\" is missing, or not where it should be:\n%s", *words, said);
        at += strlen(*words);
    }
}

static void assert_says_once(const char *said, const char *word)
{
    const char *first = strstr(said, word);
    cr_assert_not_null(first, "%s", said);
    cr_assert_null(strstr(first + 1, word), "\"%s\" is there twice:\n%s", word, said);
}

/* ---- ways to die ---- */

static void fail_assertion(void)
{
    assert(getpid() == 0);
}

static void divide(void)
{
    raise(SIGFPE);
}

/* A page that may not be read: no sanitizer sees it coming. */
static void fault(void)
{
    const volatile char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)page[8];
}

static void fault_again(void)
{
    tell_behind();
    fault();
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winfinite-recursion"
static int recurse(volatile char *above)
{
    volatile char here[4096];
    here[0] = above[0];
    return recurse(here) + here[0];
}
#pragma GCC diagnostic pop

static void *run_over(void *unused)
{
    volatile char top[1] = {1};
    crash_thread_init();
    exit(recurse(top) + (unused == NULL));
}

static void run_over_the_stack(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, run_over, NULL);
    pthread_join(thread, NULL);
}

static pthread_barrier_t together;

static void *abort_together(void *unused)
{
    crash_thread_init();
    pthread_barrier_wait(&together);
    abort();
    return unused;
}

static void abort_twice(void)
{
    pthread_t threads[2];
    pthread_barrier_init(&together, NULL, 2);
    for (int i = 0; i < 2; i++) {
        pthread_create(&threads[i], NULL, abort_together, NULL);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
}

/* As threads begin that leave signals to others. */
static void fault_with_all_signals_blocked(void)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    crash_thread_init();
    raise(SIGILL);
}

static void read_beyond(void)
{
    volatile char *byte = malloc(1);
    volatile size_t beyond = 1;
    _exit(byte[beyond] == 1);
}

/* ---- tests ---- */

Test(crash, a_failed_assertion_is_told_and_aborts, .timeout = 30)
{
    static char said[SAID_BYTES];
    assert_killed(crash(fail_assertion, tell_behind, said), SIGABRT, said);
    assert_says(said, (const char *const[]){"Assertion `getpid() == 0' failed", "before\nringcast ",
                                            " crashes: SIGABRT", ", on the thread \"", "behind\n", NULL});
    assert_says_once(said, "crashes");
}

Test(crash, a_signal_keeps_its_effect, .timeout = 30)
{
    static char said[SAID_BYTES];
    assert_killed(crash(divide, tell_behind, said), SIGFPE, said);
    assert_says(said, (const char *const[]){"crashes: SIGFPE", "behind\n", NULL});
    assert_killed(crash(fault_with_all_signals_blocked, tell_behind, said), SIGILL, said);
    assert_says(said, (const char *const[]){"crashes: SIGILL", "behind\n", NULL});
}

Test(crash, a_fault_says_where, .timeout = 30)
{
    static char said[SAID_BYTES];
    assert_killed(crash(fault, tell_behind, said), SIGSEGV, said);
    assert_says(said, (const char *const[]){"crashes: SIGSEGV, address 0x", "08, at ringcast+0x", "behind\n", NULL});
}

Test(crash, a_stack_that_ran_over_is_told, .timeout = 30)
{
    static char said[SAID_BYTES];
    assert_killed(crash(run_over_the_stack, tell_behind, said), SIGSEGV, said);
    assert_says(said, (const char *const[]){"crashes: SIGSEGV, address 0x", "behind\n", NULL});
}

Test(crash, one_thread_tells_when_two_crash, .timeout = 30)
{
    static char said[SAID_BYTES];
    assert_killed(crash(abort_twice, tell_behind, said), SIGABRT, said);
    assert_says_once(said, "crashes");
    assert_says_once(said, "behind");
}

Test(crash, a_fault_while_it_speaks_ends_it, .timeout = 30)
{
    static char said[SAID_BYTES];
    assert_killed(crash(divide, fault_again, said), SIGSEGV, said);
    assert_says_once(said, "crashes: SIGFPE");
}

/* The timeout is the assertion. */
Test(crash, dies_with_a_stderr_that_nobody_reads, .timeout = 30)
{
    int ends[2], status;
    cr_assert_eq(pipe2(ends, O_NONBLOCK), 0);
    while (write(ends[1], "x", 1) == 1) {
    }
    fcntl(ends[1], F_SETFL, 0);
    pid_t child = fork();
    if (child == 0) {
        begin_child(ends[1], tell_behind);
        abort();
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    close(ends[0]);
    close(ends[1]);
}

/* What a sanitizer ends the program for has our words beside its own, and its exit status. */
Test(crash, a_sanitizers_report_is_told_too, .timeout = 60, .disabled = !HAS_SANITIZER)
{
    static char said[SAID_BYTES];
    int status = crash(read_beyond, tell_behind, said);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) != 0, "status %x\n%s", (unsigned)status, said);
    assert_says(said, (const char *const[]){"AddressSanitizer: heap-buffer-overflow", NULL});
    assert_says(said, (const char *const[]){"crashes: a sanitizer reports", "behind\n", NULL});
}
