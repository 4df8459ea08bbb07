/* server/system/notify.c - what is told to the service manager, and how often. */
#include "server/system/notify.h"

#include "server/system/clock.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define TEXT_BYTES        512
#define STATUS_PAUSE_MS   1000
#define PATIENCE_PAUSE_MS 5000

static struct {
    int socket; /* below 0: nobody is told */
    struct sockaddr_un address;
    socklen_t address_bytes;
    uint64_t watchdog_ms;
    uint64_t alive_at_ms, patience_at_ms, status_at_ms; /* when the next may be said */
    char status[TEXT_BYTES];
} manager = {.socket = -1};

/* ---- who is told ---- */

static enum rc read_address(const char *text, char *reason_r, size_t reason_size)
{
    size_t count = strlen(text);
    if (text[0] != '/' && text[0] != '@') {
        snprintf(reason_r, reason_size,
                 "the service manager is not told anything: NOTIFY_SOCKET=%s is neither a path nor an abstract name",
                 text);
        return RC_EINVAL;
    }
    if (count >= sizeof manager.address.sun_path) {
        snprintf(
            reason_r, reason_size,
            "the service manager is not told anything: NOTIFY_SOCKET has %zu characters, an address has up to %zu",
            count, sizeof manager.address.sun_path - 1);
        return RC_EINVAL;
    }
    manager.address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(manager.address.sun_path, text, count);
    if (text[0] == '@') manager.address.sun_path[0] = '\0'; /* unix(7): abstract, as long as it is */
    manager.address_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + count + (text[0] == '/'));
    return RC_OK;
}

/* The whole text is a number that counts something; 0: it is not. */
static uint64_t number_of(const char *text)
{
    char *end;
    if (text == NULL || text[0] < '0' || text[0] > '9') return 0;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' ? number : 0;
}

static void read_watchdog(void)
{
    const char *process = getenv("WATCHDOG_PID");
    bool is_meant = process == NULL || number_of(process) == (uint64_t)getpid();
    manager.watchdog_ms = is_meant ? number_of(getenv("WATCHDOG_USEC")) / 1000 : 0;
}

enum rc notify_open(char *reason_r, size_t reason_size)
{
    const struct timeval patience = {.tv_sec = 1};
    const char *text = getenv("NOTIFY_SOCKET");
    notify_close();
    if (text == NULL || text[0] == '\0') return RC_OK;
    enum rc rc = read_address(text, reason_r, reason_size);
    if (rc != RC_OK) return rc;
    manager.socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (manager.socket < 0) {
        snprintf(reason_r, reason_size, "the service manager is not told anything: no socket for it: %s",
                 strerror(errno));
        return RC_EKERNEL;
    }
    setsockopt(manager.socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    read_watchdog();
    return RC_OK;
}

void notify_close(void)
{
    if (manager.socket >= 0) close(manager.socket);
    memset(&manager, 0, sizeof manager);
    manager.socket = -1;
}

/* ---- saying ---- */

static bool tell(const char *text, int flags)
{
    if (manager.socket < 0) return true;
    return sendto(manager.socket, text, strlen(text), MSG_NOSIGNAL | flags, (const struct sockaddr *)&manager.address,
                  manager.address_bytes) >= 0;
}

bool notify_say(const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return tell(text, 0);
}

void notify_reloading(void)
{
    notify_say("RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)monotonic_us());
}

void notify_status(const char *format, ...)
{
    char text[TEXT_BYTES] = "STATUS=";
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + strlen(text), sizeof text - strlen(text), format, arguments);
    va_end(arguments);
    uint64_t now_ms = monotonic_ms();
    if (now_ms < manager.status_at_ms || strcmp(text, manager.status) == 0) return;
    manager.status_at_ms = now_ms + STATUS_PAUSE_MS;
    memcpy(manager.status, text, sizeof text);
    tell(text, MSG_DONTWAIT);
}

/* Is it time? Then the next time is after this pause. */
static bool is_due(uint64_t *at_ms, uint64_t pause_ms)
{
    uint64_t now_ms = monotonic_ms();
    if (manager.socket < 0 || now_ms < *at_ms) return false;
    *at_ms = now_ms + pause_ms;
    return true;
}

void notify_patience(void)
{
    if (is_due(&manager.patience_at_ms, PATIENCE_PAUSE_MS))
        notify_say("EXTEND_TIMEOUT_USEC=%llu", NOTIFY_PATIENCE_MS * 1000ull);
}

uint64_t notify_watchdog_ms(void)
{
    return manager.watchdog_ms;
}

void notify_alive(void)
{
    if (manager.watchdog_ms > 0 && is_due(&manager.alive_at_ms, manager.watchdog_ms / 2)) notify_say("WATCHDOG=1");
}
