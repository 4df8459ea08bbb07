/* tests/server/system/test_notify.c - what a service manager hears, at sockets of this process; each test has a process
 * of its own. */
#include "server/system/notify.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int manager = -1;
static char reason[300];

/* Listens at this address, as NOTIFY_SOCKET names it, and names it there. */
static void listen_at(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t count = strlen(name);
    cr_assert_leq(count, sizeof address.sun_path);
    memcpy(address.sun_path, name, count);
    if (name[0] == '@') address.sun_path[0] = '\0';
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + count + (name[0] == '/'));
    cr_assert_eq(bind(manager, (struct sockaddr *)&address, bytes), 0, "%s", strerror(errno));
    setenv("NOTIFY_SOCKET", name, 1);
}

static const char *abstract_name(void)
{
    static char name[60];
    snprintf(name, sizeof name, "@ringcast-test-%ld", (long)getpid());
    return name;
}

static void open_abstract(const char *watchdog_us)
{
    listen_at(abstract_name());
    if (watchdog_us != NULL) setenv("WATCHDOG_USEC", watchdog_us, 1);
    cr_assert_eq(notify_open(reason, sizeof reason), RC_OK, "%s", reason);
}

/* The next datagram; "": there is none. */
static const char *heard(void)
{
    static char text[4096];
    ssize_t count = recv(manager, text, sizeof text - 1, 0);
    text[count > 0 ? count : 0] = '\0';
    return text;
}

Test(notify, tells_nobody_where_nobody_asks, .timeout = 10)
{
    unsetenv("NOTIFY_SOCKET");
    setenv("WATCHDOG_USEC", "1000000", 1);
    cr_expect_eq(notify_open(reason, sizeof reason), RC_OK);
    cr_expect(notify_say("READY=1"));
    notify_status("Serving");
    notify_patience();
    notify_reloading();
    notify_alive();
    cr_expect_eq(notify_watchdog_ms(), 0);
    notify_close();
}

Test(notify, tells_at_a_path, .timeout = 10)
{
    char path[60];
    snprintf(path, sizeof path, "/tmp/ringcast-test-%ld", (long)getpid());
    listen_at(path);
    cr_expect_eq(notify_open(reason, sizeof reason), RC_OK, "%s", reason);
    cr_expect(notify_say("READY=%d\nSTATUS=%s", 1, "here"));
    cr_expect_str_eq(heard(), "READY=1\nSTATUS=here");
    unlink(path);
    notify_close();
}

Test(notify, tells_at_an_abstract_name_as_long_as_an_address, .timeout = 10)
{
    char name[sizeof((struct sockaddr_un){0}.sun_path)];
    memset(name, 'x', sizeof name);
    int used = snprintf(name, sizeof name, "%s", abstract_name());
    name[used] = 'x';
    name[sizeof name - 1] = '\0';
    listen_at(name);
    cr_expect_eq(notify_open(reason, sizeof reason), RC_OK, "%s", reason);
    cr_expect(notify_say("STOPPING=1"));
    cr_expect_str_eq(heard(), "STOPPING=1");
    notify_close();
}

Test(notify, says_of_an_address_that_is_none_what_is_wrong, .timeout = 10)
{
    char longer[200] = "/";
    memset(longer + 1, 'x', sizeof longer - 2);
    const char *const rows[][2] = {
        {"vsock:2:1234", "NOTIFY_SOCKET=vsock:2:1234 is neither a path nor an abstract name"},
        {"run/notify", "NOTIFY_SOCKET=run/notify is neither"},
        {longer, "NOTIFY_SOCKET has 199 characters, an address has up to 107"},
    };
    longer[sizeof longer - 1] = '\0';
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        setenv("NOTIFY_SOCKET", rows[i][0], 1);
        cr_expect_eq(notify_open(reason, sizeof reason), RC_EINVAL, "%s", rows[i][0]);
        cr_expect_not_null(strstr(reason, rows[i][1]), "%s", reason);
        cr_expect(notify_say("READY=1"), "nobody was to hear it");
    }
}

Test(notify, says_when_nobody_heard_it, .timeout = 10)
{
    open_abstract(NULL);
    close(manager);
    cr_expect_not(notify_say("READY=1"));
    cr_expect_eq(errno, ECONNREFUSED);
    notify_close();
}

/* The timeout is the assertion. */
Test(notify, waits_no_longer_than_a_second_for_who_takes_nothing, .timeout = 20)
{
    open_abstract(NULL);
    uint32_t told = 0;
    while (notify_say("READY=1")) {
        cr_assert_lt(told++, 100000u);
    }
    cr_expect_eq(errno, EAGAIN);
    notify_status("Serving"); /* at once */
    notify_close();
}

Test(notify, a_reload_has_the_time_of_the_clock_that_systemd_has, .timeout = 10)
{
    struct timespec now;
    unsigned long long said_us;
    open_abstract(NULL);
    clock_gettime(CLOCK_MONOTONIC, &now);
    unsigned long long before_us = (unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000;
    notify_reloading();
    cr_assert_eq(sscanf(heard(), "RELOADING=1\nMONOTONIC_USEC=%llu", &said_us), 1);
    clock_gettime(CLOCK_MONOTONIC, &now);
    unsigned long long after_us = (unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000;
    cr_expect(said_us >= before_us && said_us <= after_us);
    notify_close();
}

/* However often it is called. */
Test(notify, a_status_is_said_once_and_seldom, .timeout = 20)
{
    open_abstract(NULL);
    notify_status("Serving %u connections", 1);
    cr_expect_str_eq(heard(), "STATUS=Serving 1 connections");
    notify_status("Serving %u connections", 2);
    cr_expect_str_eq(heard(), "", "a second has not passed");
    const char *text = "";
    while (text[0] == '\0') {
        usleep(10000);
        notify_status("Serving %u connections", 2);
        text = heard();
    }
    cr_expect_str_eq(text, "STATUS=Serving 2 connections");
    notify_close();
}

Test(notify, patience_is_asked_for_now_and_then, .timeout = 10)
{
    open_abstract(NULL);
    for (uint32_t i = 0; i < 1000; i++) {
        notify_patience();
    }
    cr_expect_str_eq(heard(), "EXTEND_TIMEOUT_USEC=30000000");
    cr_expect_str_eq(heard(), "");
    notify_close();
}

Test(notify, that_all_is_well_is_said_as_often_as_it_is_wanted, .timeout = 20)
{
    open_abstract("200000");
    cr_expect_eq(notify_watchdog_ms(), 200);
    for (uint32_t told = 0; told < 3;) {
        notify_alive();
        const char *text = heard();
        if (text[0] == '\0') usleep(5000);
        if (text[0] != '\0') cr_assert_str_eq(text, "WATCHDOG=1");
        if (text[0] != '\0') told++;
    }
    notify_alive();
    cr_expect_str_eq(heard(), "", "not twice at once");
    notify_close();
}

Test(notify, a_watchdog_of_another_process_is_not_meant, .timeout = 10)
{
    char own[24];
    snprintf(own, sizeof own, "%ld", (long)getpid());
    const struct {
        const char *process, *us;
        uint64_t ms;
    } rows[] = {{"1", "5000000", 0}, {own, "5000000", 5000}, {own, "", 0}, {own, "5s", 0}, {own, "-1", 0}};
    listen_at(abstract_name());
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        setenv("WATCHDOG_PID", rows[i].process, 1);
        setenv("WATCHDOG_USEC", rows[i].us, 1);
        cr_expect_eq(notify_open(reason, sizeof reason), RC_OK);
        cr_expect_eq(notify_watchdog_ms(), rows[i].ms, "row %zu", i);
    }
    notify_close();
}
