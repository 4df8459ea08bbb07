/* tests/server/system/test_log.c - the log says what happened, in whole harmless lines, and holds up nobody who may not
 * wait. Each test is a process of its own, so stderr can be put where the test can read it. */
#include "server/system/log.h"

#include "server/system/log_line.h"

#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <criterion/options.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* One test after the other: the runner of Criterion 2.4 leaks when a slow test outlives the ones after it. */
ReportHook(PRE_ALL)(struct criterion_test_set *tests)
{
    (void)tests;
    criterion_options.jobs = 1;
}

static char output[1 << 20];

/* From here on stderr is a file that is always ready. */
static int capture_file(void)
{
    int file = memfd_create("stderr", 0);
    cr_assert(file >= 0);
    cr_assert(dup2(file, STDERR_FILENO) == STDERR_FILENO);
    return file;
}

static const char *captured(int file)
{
    ssize_t bytes = pread(file, output, sizeof output - 1, 0);
    cr_assert(bytes >= 0);
    output[bytes] = '\0';
    return output;
}

/* From here on stderr is a pipe that nobody reads and that has no room left. Returns the end to read. */
static int capture_stuck_pipe(void)
{
    int ends[2];
    char blanks[4096];
    memset(blanks, '\n', sizeof blanks);
    cr_assert(pipe(ends) == 0);
    cr_assert(fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0);
    while (write(ends[1], blanks, sizeof blanks) > 0)
        ;
    cr_assert(errno == EAGAIN);
    cr_assert(fcntl(ends[1], F_SETFL, 0) == 0);
    cr_assert(dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
    close(ends[1]);
    return ends[0];
}

/* Reads a pipe to its end into `output`; for a thread of its own. */
static void *read_all(void *end)
{
    size_t used = 0;
    for (ssize_t bytes; (bytes = read(*(int *)end, output + used, sizeof output - 1 - used)) > 0;)
        used += (size_t)bytes;
    output[used] = '\0';
    return NULL;
}

static uint32_t occurrences(const char *text, const char *part)
{
    uint32_t count = 0;
    while ((text = strstr(text, part)) != NULL) {
        text += strlen(part);
        count++;
    }
    return count;
}

/* The sum of N over all "N<after>" in the text. */
static uint32_t sum_before(const char *text, const char *after)
{
    uint32_t sum = 0;
    for (const char *at = text; (at = strstr(at, after)) != NULL; at += strlen(after)) {
        const char *number = at;
        while (number > text && number[-1] >= '0' && number[-1] <= '9')
            number--;
        sum += (uint32_t)strtoul(number, NULL, 10);
    }
    return sum;
}

/* The sum of N over all "<before>N<after>". */
static uint32_t sum_behind(const char *text, const char *before, const char *after)
{
    uint32_t sum = 0;
    for (const char *at = text; (at = strstr(at, before)) != NULL;) {
        char *end;
        at += strlen(before);
        uint32_t number = (uint32_t)strtoul(at, &end, 10);
        if (strncmp(end, after, strlen(after)) == 0) sum += number;
    }
    return sum;
}

Test(log, levels_are_read_by_the_names_they_are_shown_with, .timeout = 10)
{
    for (enum log_level level = 0; level < LOG_LEVELS_MAX; level++) {
        enum log_level read = LOG_LEVELS_MAX;
        cr_expect_eq(log_level_read(log_level_name(level), &read), RC_OK);
        cr_expect_eq(read, level);
    }
    enum log_level untouched = LOG_LEVELS_MAX;
    cr_expect_eq(log_level_read("loud", &untouched), RC_EINVAL);
    cr_expect_eq(untouched, LOG_LEVELS_MAX);
}

Test(log, evaluates_and_writes_only_what_the_level_asks_for, .timeout = 10)
{
    int file = capture_file(), evaluated = 0;
    cr_assert_eq(log_start(LOG_LEVEL_WARN), RC_OK);
    log_error("one %d", ++evaluated);
    log_warn("two %d", ++evaluated);
    log_info("three %d", ++evaluated);
    log_debug("four %d", ++evaluated);
    log_stop();
    cr_expect_eq(evaluated, 2);
    cr_expect(strstr(captured(file), "Z error one 1\n") != NULL);
    cr_expect(strstr(output, "Z warn  two 2\n") != NULL);
    cr_expect_eq(occurrences(output, "\n"), 2);
}

Test(log, writes_directly_before_it_starts_and_after_it_stopped, .timeout = 10)
{
    int file = capture_file();
    cr_assert_eq(log_thread_init("main"), RC_OK);
    log_info("before");
    cr_expect(strstr(captured(file), "info  main: before\n") != NULL);
    cr_assert_eq(log_start(LOG_LEVEL_INFO), RC_OK);
    log_info("between");
    log_stop();
    cr_expect(strstr(captured(file), "info  main: between\n") != NULL);
    log_info("after");
    cr_expect(strstr(captured(file), "info  main: after\n") != NULL);
    log_thread_fini();
    log_info("nameless");
    cr_expect(strstr(captured(file), "info  nameless\n") != NULL);
    cr_expect_eq(log_lines_lost(), 0);
}

Test(log, leaves_errno_as_it_was, .timeout = 10)
{
    int file = capture_file();
    close(STDERR_FILENO); /* each write fails */
    errno = ENOTTY;
    log_info("a");
    cr_expect_eq(errno, ENOTTY);
    cr_expect_eq(log_lines_lost(), 1);
    close(file);
}

/* One registered thread against a full pipe: it gets through 1000 lines though nothing is written; when somebody
 * reads at last, what had room in the queue comes out, and the others are told as a number. */
Test(log, never_blocks_a_registered_thread_and_tells_what_was_lost, .timeout = 60)
{
    enum { LINES = 1000 };
    int end = capture_stuck_pipe();
    cr_assert_eq(log_start(LOG_LEVEL_INFO), RC_OK);
    cr_assert_eq(log_thread_init("shard 0"), RC_OK);
    for (uint32_t i = 0; i < LINES; i++)
        log_write(LOG_LEVEL_INFO, "line %u", i);
    cr_expect_eq(log_lines_lost(), LINES - LOG_QUEUE_LINES);

    pthread_t reader;
    cr_assert(pthread_create(&reader, NULL, read_all, &end) == 0);
    log_thread_fini();
    log_stop();
    close(STDERR_FILENO); /* the reader's end of file */
    pthread_join(reader, NULL);
    cr_expect_eq(occurrences(output, "info  shard 0: line "), LOG_QUEUE_LINES);
    cr_expect_eq(occurrences(output, "shard 0: line 127\n"), 1, "the oldest are kept");
    cr_expect_eq(sum_before(output, " lines lost\n"), LINES - LOG_QUEUE_LINES);
}

/* The timeout is the assertion: neither the stop nor what is logged after it waits for the pipe for ever. */
Test(log, stops_though_stderr_is_stuck, .timeout = 60)
{
    int end = capture_stuck_pipe();
    cr_assert_eq(log_start(LOG_LEVEL_INFO), RC_OK);
    cr_assert_eq(log_thread_init("shard 0"), RC_OK);
    for (uint32_t i = 0; i < 10; i++)
        log_write(LOG_LEVEL_INFO, "line %u", i);
    log_thread_fini();
    log_stop();
    cr_expect_eq(log_lines_lost(), 10);
    for (uint32_t i = 0; i < 100; i++)
        log_write(LOG_LEVEL_INFO, "after");
    cr_expect_eq(log_lines_lost(), 110);
    close(end);
}

static void *send_numbers(void *index)
{
    char name[16];
    snprintf(name, sizeof name, "t%u", *(uint32_t *)index);
    if (log_thread_init(name) != RC_OK) return index;
    for (uint32_t i = 0; i < 500; i++)
        log_write(LOG_LEVEL_INFO, "number %u", i);
    log_thread_fini();
    return NULL;
}

/* Eight threads at once: every line is whole, each thread's in order, and what is missing is exactly what was
 * counted. */
Test(log, keeps_the_order_of_each_thread, .timeout = 60)
{
    enum { THREADS = 8 };
    int file = capture_file();
    pthread_t threads[THREADS];
    uint32_t indexes[THREADS], seen = 0;
    int next[THREADS] = {0};
    cr_assert_eq(log_start(LOG_LEVEL_INFO), RC_OK);
    for (uint32_t i = 0; i < THREADS; i++) {
        indexes[i] = i;
        cr_assert(pthread_create(&threads[i], NULL, send_numbers, &indexes[i]) == 0);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        cr_expect(failed == NULL);
    }
    log_stop();

    captured(file);
    for (char *rest = output, *line; (line = strsep(&rest, "\n")) != NULL && rest != NULL;) {
        int thread, number;
        if (strstr(line, "lines lost") != NULL) continue;
        cr_assert(sscanf(line, "%*s info t%d: number %d", &thread, &number) == 2, "%s", line);
        cr_assert(thread >= 0 && thread < THREADS && number >= next[thread], "%s", line);
        next[thread] = number + 1;
        seen++;
    }
    cr_expect_eq(seen + log_lines_lost(), THREADS * 500);
    cr_expect_eq(sum_before(captured(file), " lines lost\n"), log_lines_lost());
}

Test(log, gives_a_queue_to_ever_new_threads, .timeout = 60)
{
    capture_file();
    for (uint32_t i = 0; i < 3 * LOG_THREADS_MAX; i++) {
        bool is_running = i % 2 == 0;
        if (is_running) cr_assert_eq(log_start(LOG_LEVEL_INFO), RC_OK);
        cr_assert_eq(log_thread_init("short"), RC_OK);
        log_write(LOG_LEVEL_INFO, "hello");
        log_thread_fini();
        if (is_running) log_stop();
    }
    cr_expect_eq(log_lines_lost(), 0);
}

static void complain(uint32_t number)
{
    log_warn("complaint %u", number);
}

/* From one place come ten lines a second; every line is either written or in a number that is. */
Test(log, suppresses_a_flood_from_one_place_and_says_how_many, .timeout = 60)
{
    enum { LINES = 1000 };
    int file = capture_file();
    for (uint32_t i = 0; i < LINES; i++)
        complain(i);
    uint32_t written = occurrences(captured(file), "warn  complaint ");
    cr_expect(written >= LOG_SITE_LINES_MAX && written < LINES);
    log_info("another place is not concerned");
    cr_expect_eq(occurrences(captured(file), "another place"), 1);

    nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 100000000}, NULL); /* beyond the window */
    log_tell_left_out();
    log_tell_left_out();
    cr_expect_eq(written + sum_behind(captured(file), "left_out=", " place=test_log.c:"), LINES);

    for (uint32_t i = 0; i < LINES; i++)
        complain(i);
    log_thread_fini();
    written = occurrences(captured(file), "warn  complaint ");
    cr_expect_eq(written + sum_behind(captured(file), "left_out=", " place=test_log.c:"), 2 * LINES);
}

Test(log, level_is_changed_while_it_runs, .timeout = 10)
{
    int file = capture_file();
    cr_assert_eq(log_start(LOG_LEVEL_WARN), RC_OK);
    log_info("not yet");
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("now");
    log_set_level(LOG_LEVEL_ERROR);
    log_warn("no more");
    log_stop();
    cr_expect(strstr(captured(file), "debug now\n") != NULL);
    cr_expect_eq(occurrences(output, "\n"), 1);
}

Test(log, fields_go_through_the_queue_in_the_form_that_was_chosen, .timeout = 10)
{
    struct log_fields fields = {.used = 0};
    int file = capture_file();
    log_field_text(&fields, LOG_FIELD_app, "my \"shop\"");
    log_field_number(&fields, LOG_FIELD_bytes_in, 5);
    cr_assert_eq(log_choose(LOG_FORMAT_JSON, NULL), RC_OK);
    log_write_fields(LOG_LEVEL_INFO, &fields, "early");
    cr_assert_eq(log_start(LOG_LEVEL_INFO), RC_OK);
    cr_assert_eq(log_thread_init("shard 3"), RC_OK);
    log_write_fields(LOG_LEVEL_INFO, &fields, "late");
    log_write(LOG_LEVEL_INFO, "none");
    log_thread_fini();
    log_stop();
    cr_expect(strstr(captured(file),
                     "\"level\":\"info\",\"message\":\"early\",\"app\":\"my \\\"shop\\\"\",\"bytes_in\":5}\n") !=
              NULL);
    cr_expect(
        strstr(output, "\"thread\":\"shard 3\",\"message\":\"late\",\"app\":\"my \\\"shop\\\"\",\"bytes_in\":5}\n") !=
        NULL);
    cr_expect(strstr(output, "\"message\":\"none\"}\n") != NULL, "%s", output);
}

/* ---- the journal ---- */

static char journal_path[64];

/* The end that the journal reads. */
static int be_journal(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(journal_path, sizeof journal_path, "/tmp/ringcast-journal-%d", getpid());
    memcpy(address.sun_path, journal_path, strlen(journal_path) + 1);
    unlink(journal_path);
    int end = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_assert(end >= 0 && bind(end, (const struct sockaddr *)&address, sizeof address) == 0);
    return end;
}

static const char *next_datagram(int end)
{
    static char datagram[4096];
    struct pollfd come = {.fd = end, .events = POLLIN};
    cr_assert_eq(poll(&come, 1, 10000), 1, "nothing came");
    ssize_t bytes = recv(end, datagram, sizeof datagram - 1, 0);
    cr_assert(bytes > 0);
    datagram[bytes] = '\0';
    return datagram;
}

Test(log, goes_to_the_journal_with_fields_and_to_stderr_while_nobody_is_there, .timeout = 60)
{
    struct log_fields fields = {.used = 0};
    int file = capture_file(), end = be_journal();
    log_field_text(&fields, LOG_FIELD_user, "anna\nPRIORITY=0");
    cr_assert_eq(log_choose(LOG_FORMAT_TEXT, journal_path), RC_OK);
    log_info("early");
    cr_expect_str_eq(next_datagram(end), "SYSLOG_IDENTIFIER=ringcast\nPRIORITY=6\nMESSAGE=early\n");
    cr_assert_eq(log_start(LOG_LEVEL_INFO), RC_OK);
    cr_assert_eq(log_thread_init("shard 3"), RC_OK);
    log_write_fields(LOG_LEVEL_WARN, &fields, "late\nMESSAGE=forged");
    cr_expect_str_eq(next_datagram(end), "SYSLOG_IDENTIFIER=ringcast\nPRIORITY=4\nRINGCAST_THREAD=shard 3\n"
                                         "RINGCAST_USER=anna\\x0aPRIORITY=0\nMESSAGE=late\\x0aMESSAGE=forged\n");
    close(end);
    unlink(journal_path);
    log_write(LOG_LEVEL_INFO, "nobody");
    log_write(LOG_LEVEL_INFO, "hears");
    while (occurrences(captured(file), "\n") < 3)
        usleep(1000);
    cr_expect_eq(occurrences(output, "lines go to stderr until the journal takes them\n"), 1);
    cr_expect(strstr(output, "info  shard 3: nobody\n") != NULL && strstr(output, "info  shard 3: hears\n") != NULL);
    end = be_journal();
    log_write(LOG_LEVEL_INFO, "again");
    cr_expect(strstr(next_datagram(end), "MESSAGE=again\n") != NULL);
    log_thread_fini();
    log_stop();
    cr_expect_eq(log_lines_lost(), 0);
    close(end);
    unlink(journal_path);
}

/* A journal that reads nothing holds up the log thread alone, and the stop for no longer than a moment. */
Test(log, never_waits_for_a_journal_that_reads_nothing, .timeout = 60)
{
    enum { LINES = 2000 };
    int file = capture_file(), end = be_journal();
    cr_assert_eq(log_choose(LOG_FORMAT_TEXT, journal_path), RC_OK);
    cr_assert_eq(log_start(LOG_LEVEL_INFO), RC_OK);
    cr_assert_eq(log_thread_init("shard 0"), RC_OK);
    for (uint32_t i = 0; i < LINES; i++)
        log_write(LOG_LEVEL_INFO, "line %u", i);
    cr_expect(log_lines_lost() > 0);
    log_thread_fini();
    log_stop();
    uint32_t read = 0;
    char datagram[4096];
    while (recv(end, datagram, sizeof datagram, MSG_DONTWAIT) > 0)
        read++;
    captured(file);
    cr_expect_eq(read + occurrences(output, "shard 0: line ") + log_lines_lost(), LINES, "%u %s", read, output);
    close(end);
    unlink(journal_path);
}

/* A signal to the process that this thread blocks would kill it through the log thread, did that not block it too. */
Test(log, leaves_signals_to_the_other_threads, .timeout = 10)
{
    sigset_t usr1, pending;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &usr1, NULL);
    capture_file();
    cr_assert_eq(log_start(LOG_LEVEL_INFO), RC_OK);
    kill(getpid(), SIGUSR1);
    log_stop();
    sigpending(&pending);
    cr_expect(sigismember(&pending, SIGUSR1) == 1);
}
