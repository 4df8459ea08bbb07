/* server/run/passed_sockets.c - reads what was passed, and puts it in the options' place. */
#include "server/run/passed_sockets.h"

#include "net/listener.h"
#include "server/config/options.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST      3 /* descriptor, SD_LISTEN_FDS_START */
#define NAME_BYTES 64

struct passed {
    int descriptor;
    char name[NAME_BYTES];
    const char *option; /* that it takes the place of */
    struct address_list *list;
    struct address address;
};

/* ---- the environment ---- */

/* -1: it is no number. */
static long number_in(const char *variable)
{
    char *end;
    const char *text = getenv(variable);
    if (text == NULL || text[0] < '0' || text[0] > '9') return -1;
    long number = strtol(text, &end, 10);
    return *end == '\0' ? number : -1;
}

/* Takes the next name off, for whom the rest is left. */
static void take_name(const char **names, char name_r[NAME_BYTES])
{
    size_t count = strcspn(*names, ":");
    snprintf(name_r, NAME_BYTES, "%.*s", (int)(count < NAME_BYTES ? count : NAME_BYTES - 1), *names);
    for (char *at = name_r; *at != '\0'; at++) {
        if (*at == '-') *at = '_';
    }
    *names += count + ((*names)[count] == ':');
}

static void choose_option(struct options *options, struct passed *passed)
{
    passed->option = "listen";
    passed->list = &options->listen;
    if (strcmp(passed->name, "tls_listen") == 0) {
        passed->option = "tls-listen";
        passed->list = &options->tls_listen;
    } else if (strcmp(passed->name, "control") == 0) {
        passed->option = "control";
        passed->list = &options->control;
    }
}

/* ---- taking them ---- */

static socklen_t bytes_of(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_UNIX) return sizeof(struct sockaddr_un);
    return address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

/* Clients come over TCP. */
static enum rc adopt_listener(const struct options *options, struct passed *passed, char *why_r, size_t why_size)
{
    enum rc rc = listener_adopt(passed->descriptor, &passed->address.storage, why_r, why_size);
    bool is_unix = rc == RC_OK && passed->address.storage.ss_family == AF_UNIX;
    if (!is_unix || passed->list == &options->control) return rc;
    snprintf(why_r, why_size, "is a unix socket, as only --control takes one");
    return RC_EINVAL;
}

static enum rc adopt(struct options *options, struct passed *passed, char *reason_r, size_t reason_size)
{
    char why[200];
    choose_option(options, passed);
    enum rc rc = adopt_listener(options, passed, why, sizeof why);
    if (rc != RC_OK) {
        snprintf(
            reason_r, reason_size,
            "descriptor %d, passed by the service manager for --%s, %s: in its socket unit name an address and a "
            "port, ListenStream=127.0.0.1:8080%s, and leave Accept= away",
            passed->descriptor, passed->option, why,
            passed->list == &options->control ? " (or a path, /run/ringcast/control.sock)" : "");
        return rc;
    }
    passed->address.passed = passed->descriptor;
    passed->address.bytes = bytes_of(&passed->address.storage);
    if (passed->list != &options->tls_listen || options->tls_listen.count > 0) return RC_OK;
    snprintf(reason_r, reason_size,
             "descriptor %d, passed by the service manager, is to take the place of --tls-listen, and there is none: "
             "give it, with --tls-cert and --tls-key",
             passed->descriptor);
    return RC_EINVAL;
}

/* The first of an option takes the place of its addresses, others stand beside it. */
static enum rc put(const struct passed *passed, bool is_first)
{
    uint32_t count = is_first ? 0 : passed->list->count;
    struct address *items = realloc(passed->list->items, (count + 1) * sizeof items[0]);
    if (items == NULL) return RC_ENOMEM;
    items[count] = passed->address;
    passed->list->items = items;
    passed->list->count = count + 1;
    return RC_OK;
}

static bool is_first_of_option(const struct passed *all, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++) {
        if (all[i].list == all[index].list) return false;
    }
    return true;
}

static enum rc take(struct options *options, uint32_t count, char *reason_r, size_t reason_size)
{
    struct passed all[PASSED_SOCKETS_MAX] = {0};
    const char *names = getenv("LISTEN_FDNAMES");
    if (names == NULL) names = "";
    for (uint32_t i = 0; i < count; i++) {
        all[i].descriptor = FIRST + (int)i;
        take_name(&names, all[i].name);
        enum rc rc = adopt(options, &all[i], reason_r, reason_size);
        if (rc != RC_OK) return rc;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (put(&all[i], is_first_of_option(all, i)) == RC_OK) continue;
        snprintf(reason_r, reason_size, "out of memory");
        return RC_ENOMEM;
    }
    return RC_OK;
}

enum rc passed_sockets_take(struct options *options, char *reason_r, size_t reason_size)
{
    if (getenv("LISTEN_FDS") == NULL || number_in("LISTEN_PID") != (long)getpid()) return RC_OK;
    long count = number_in("LISTEN_FDS");
    if (count < 0 || count > PASSED_SOCKETS_MAX) {
        snprintf(reason_r, reason_size,
                 "LISTEN_FDS=%.20s: the service manager may pass up to %d sockets, let its unit name fewer",
                 getenv("LISTEN_FDS"), PASSED_SOCKETS_MAX);
        return RC_EINVAL;
    }
    enum rc rc = take(options, (uint32_t)count, reason_r, reason_size);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return rc;
}
