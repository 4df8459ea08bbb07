/* tests/server/system/test_output.c - what is said never waits longer than one wants: the timeout is the assertion. */
#include "server/system/output.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static char text[20000];

static void fill(int descriptor)
{
    int flags = fcntl(descriptor, F_GETFL);
    fcntl(descriptor, F_SETFL, flags | O_NONBLOCK);
    while (write(descriptor, text, sizeof text) > 0) {
    }
    while (write(descriptor, text, 1) > 0) {
    }
    fcntl(descriptor, F_SETFL, flags);
}

/* Makes room for one page, which is what a pipe that is ready may have, and no more. */
static void read_page(int descriptor)
{
    char page[4096];
    cr_assert_eq(read(descriptor, page, sizeof page), (ssize_t)sizeof page);
}

Test(output, does_not_wait_for_a_pipe, .timeout = 10)
{
    int ends[2];
    memset(text, 'x', sizeof text);
    signal(SIGPIPE, SIG_IGN); /* as the program does */
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    cr_expect(output_write(ends[1], "line\n", 5, 0));
    fill(ends[1]);
    errno = 0;
    cr_expect_not(output_write(ends[1], "line\n", 5, 0));
    cr_expect_eq(errno, EAGAIN);
    cr_expect_not(output_write(ends[1], "line\n", 5, 50));
    read_page(ends[0]);
    cr_expect_not(output_write(ends[1], text, sizeof text, 50), "there is room for a part of it");
    cr_expect_eq(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0, "others share it");
    close(ends[0]);
    cr_expect_not(output_write(ends[1], "line\n", 5, 0), "nobody can read any more");
    close(ends[1]);
}

/* Goal: nor where the pipe cannot be opened once more.
 * Method: no descriptor is left for it. */
Test(output, does_not_wait_for_a_pipe_that_it_has_but_once, .timeout = 10)
{
    int ends[2];
    memset(text, 'x', sizeof text);
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    fill(ends[1]);
    struct rlimit limit;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    struct rlimit none = {(rlim_t)ends[1] + 1, limit.rlim_max};
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    cr_assert_lt(dup(ends[1]), 0);
    errno = 0;
    cr_expect_not(output_write(ends[1], "line\n", 5, 50));
    cr_expect_eq(errno, EAGAIN);
    read_page(ends[0]);
    cr_expect_not(output_write(ends[1], text, sizeof text, 50), "there is room for a part of it");
    setrlimit(RLIMIT_NOFILE, &limit);
    close(ends[0]);
    close(ends[1]);
}

/* Goal: a terminal that was stopped takes a part of a line though it says that it has room, and then nothing.
 * Method: one that nobody reads. */
Test(output, does_not_wait_for_a_terminal, .timeout = 10)
{
    memset(text, 'x', sizeof text);
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    cr_assert(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    int terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    cr_assert_geq(terminal, 0);
    cr_expect(output_write(terminal, "line\n", 5, 0));
    uint32_t most = 0;
    while (output_write(terminal, text, 1000, 0)) {
        cr_assert_lt(most++, 1000);
    }
    cr_expect_not(output_write(terminal, text, sizeof text, 50));
    cr_expect_eq(fcntl(terminal, F_GETFL) & O_NONBLOCK, 0, "others share it");
    close(terminal);
    close(master);
}

Test(output, does_not_wait_for_a_socket, .timeout = 10)
{
    int ends[2];
    memset(text, 'x', sizeof text);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    cr_expect(output_write(ends[1], "line\n", 5, 0));
    fill(ends[1]);
    cr_expect_not(output_write(ends[1], text, sizeof text, 0));
    close(ends[0]);
    cr_expect_not(output_write(ends[1], "line\n", 5, 0), "and no SIGPIPE");
    close(ends[1]);
}

Test(output, writes_files_and_says_what_failed, .timeout = 10)
{
    char written[8] = "";
    int file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    cr_expect(output_write(file, "line\n", 5, 0));
    cr_expect_eq(pread(file, written, sizeof written, 0), 5);
    cr_expect_str_eq(written, "line\n");
    cr_expect_not(output_write(full, "line\n", 5, 0));
    cr_expect_eq(errno, ENOSPC);
    cr_expect_not(output_write(-1, "line\n", 5, 0));
    close(file);
    close(full);
}
