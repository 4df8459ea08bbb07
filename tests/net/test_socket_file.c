/* tests/net/test_socket_file.c - unix sockets as files: made, found in the way, taken away. */
#include "net/socket_file.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[64], path[100], reason[512];

static void begin(void)
{
    snprintf(folder, sizeof folder, "/tmp/ringcast-socket-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/control.sock", folder);
}

static void end(void)
{
    unlink(path);
    rmdir(folder);
}

static int claim(void)
{
    int descriptor = -1;
    cr_assert_eq(socket_file_claim(path, &descriptor, reason, sizeof reason), RC_OK, "%s", reason);
    return descriptor;
}

static enum rc refused(void)
{
    int descriptor = -1;
    reason[0] = '\0';
    enum rc rc = socket_file_claim(path, &descriptor, reason, sizeof reason);
    cr_expect_eq(descriptor, -1);
    return rc;
}

static mode_t mode_of(const char *file)
{
    struct stat status;
    cr_assert_eq(lstat(file, &status), 0);
    return status.st_mode & 07777;
}

static int call(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(descriptor, (const struct sockaddr *)&address, sizeof address) == 0) return descriptor;
    close(descriptor);
    return -1;
}

Test(socket_file, its_owner_and_its_group_can_connect_whatever_the_umask_is, .init = begin, .fini = end,
     .timeout = 10)
{
    static const mode_t masks[] = {0, 022, 027, 077, 0777};
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        umask(masks[i]);
        int listener = claim();
        umask(022);
        cr_expect_eq(mode_of(path), 0660, "umask %o: mode %o", masks[i], mode_of(path));
        int client = call();
        cr_expect_geq(client, 0);
        cr_expect_eq(fcntl(listener, F_GETFD), FD_CLOEXEC);
        close(client);
        close(listener);
        socket_file_remove(path);
        cr_expect_eq(socket_file_look(path), SOCKET_FILE_NONE);
    }
}

Test(socket_file, one_that_a_dead_process_has_left_is_replaced, .init = begin, .fini = end, .timeout = 10)
{
    close(claim());
    cr_expect_eq(socket_file_look(path), SOCKET_FILE_LEFT);
    int listener = claim();
    cr_expect_eq(socket_file_look(path), SOCKET_FILE_IN_USE);
    close(listener);
}

Test(socket_file, one_on_which_somebody_answers_stays, .init = begin, .fini = end, .timeout = 10)
{
    int listener = claim();
    cr_expect_eq(refused(), RC_EBUSY);
    cr_expect_not_null(strstr(reason, "somebody answers there: stop"), "%s", reason);
    socket_file_remove(path); /* not ours to take away */
    int client = call();
    cr_expect_geq(client, 0);
    close(client);
    close(listener);
}

Test(socket_file, a_full_backlog_is_an_answer_and_nobody_waits_for_it, .init = begin, .fini = end, .timeout = 10)
{
    int listener = claim(), clients[200], count = 0;
    listen(listener, 1);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    do {
        clients[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    } while (connect(clients[count++], (const struct sockaddr *)&address, sizeof address) == 0);
    cr_expect_eq(errno, EAGAIN);
    cr_expect_eq(socket_file_look(path), SOCKET_FILE_IN_USE);
    cr_expect_eq(refused(), RC_EBUSY);
    while (count > 0)
        close(clients[--count]);
    close(listener);
}

Test(socket_file, what_is_no_socket_stays_as_it_is, .init = begin, .fini = end, .timeout = 10)
{
    int file = open(path, O_CREAT | O_WRONLY, 0600);
    cr_assert_eq(write(file, "data", 4), 4);
    close(file);
    cr_expect_eq(refused(), RC_EKERNEL);
    cr_expect_not_null(strstr(reason, "no socket: take it away"), "%s", reason);
    socket_file_remove(path);
    struct stat status;
    cr_expect_eq(stat(path, &status), 0);
    cr_expect_eq(status.st_size, 4);
    unlink(path);
    cr_assert_eq(symlink("/nowhere", path), 0); /* a link is none either, wherever it leads */
    cr_expect_eq(refused(), RC_EKERNEL);
    unlink(path);
    cr_assert_eq(mkdir(path, 0700), 0);
    cr_expect_eq(refused(), RC_EKERNEL);
    rmdir(path);
}

Test(socket_file, a_folder_that_is_missing_or_closed_is_named_with_its_cure, .init = begin, .fini = end,
     .timeout = 10)
{
    char text[512];
    snprintf(path, sizeof path, "%s/nowhere/control.sock", folder);
    cr_expect_eq(refused(), RC_EKERNEL);
    cr_expect_not_null(strstr(reason, "its folder is not there: make it"), "%s", reason);
    cr_expect_eq(socket_file_can_be_made(path, text, sizeof text), false);
    cr_expect_not_null(strstr(text, "its folder is not there: make it"), "%s", text);
    snprintf(path, sizeof path, "/dev/null/control.sock");
    cr_expect_eq(refused(), RC_EKERNEL);
    cr_expect_not_null(strstr(reason, "its folder is not there"), "%s", reason);
    snprintf(path, sizeof path, "/proc/control.sock");
    cr_expect_eq(refused(), RC_EKERNEL);
    cr_expect_neq(reason[0], '\0');
    snprintf(path, sizeof path, "%s/control.sock", folder);
    cr_expect(socket_file_can_be_made(path, text, sizeof text));
    cr_expect_eq(socket_file_look(path), SOCKET_FILE_NONE, "nothing was made");
}

Test(socket_file, while_another_looks_at_the_folder_nobody_takes_anything, .init = begin, .fini = end, .timeout = 10)
{
    close(claim());
    int other = open(folder, O_RDONLY | O_DIRECTORY);
    cr_assert_eq(flock(other, LOCK_EX), 0);
    cr_expect_eq(refused(), RC_EBUSY);
    cr_expect_not_null(strstr(reason, "another program opens a socket there"), "%s", reason);
    socket_file_remove(path);
    cr_expect_eq(socket_file_look(path), SOCKET_FILE_LEFT);
    close(other);
    close(claim());
}
