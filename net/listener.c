/* net/listener.c - bind and listen; sentences for what can go wrong. */
#include "net/listener.h"

#include "net/socket_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 4096 /* the kernel cuts it to net.core.somaxconn */

static socklen_t address_bytes(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

static enum rc refuse(const char *step, int error, char *reason, size_t size)
{
    const char *cure = "";
    if (error == EADDRINUSE) cure = ": stop the program that listens there, or choose another --listen ADDR:PORT";
    if (error == EACCES) cure = ": choose a port from 1024 on, or give the program CAP_NET_BIND_SERVICE";
    if (error == EADDRNOTAVAIL) cure = ": choose an address of this machine, or 0.0.0.0 for all";
    if (error == EAFNOSUPPORT) cure = ": this system has no IPv6, choose an IPv4 address";
    if (error == EMFILE || error == ENFILE) cure = ": raise RLIMIT_NOFILE (ulimit -n, LimitNOFILE=)";
    snprintf(reason, size, "%s: %s%s", step, strerror(error), cure);
    return error == EADDRINUSE ? RC_EBUSY : RC_EKERNEL;
}

static int set(int descriptor, int level, int option, int value)
{
    return setsockopt(descriptor, level, option, &value, sizeof value);
}

/* SO_REUSEADDR lets us pass connections that linger from an earlier run, but not somebody who listens. */
static int set_options(int descriptor, int family)
{
    if (set(descriptor, SOL_SOCKET, SO_REUSEADDR, 1) != 0) return -1;
    if (family == AF_INET6 && set(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 0) != 0) return -1;
    return set(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
}

enum purpose { TO_CLAIM, TO_JOIN, TO_TRY };

/* Returns the step that failed, with errno, or NULL. */
static const char *listen_on(int descriptor, const struct sockaddr_storage *address, enum purpose purpose)
{
    if (set_options(descriptor, address->ss_family) != 0) return "setsockopt";
    if (purpose == TO_JOIN && set(descriptor, SOL_SOCKET, SO_REUSEPORT, 1) != 0) return "setsockopt";
    if (bind(descriptor, (const struct sockaddr *)address, address_bytes(address)) != 0) return "bind";
    if (purpose == TO_TRY) return NULL;
    if (listen(descriptor, BACKLOG) != 0) return "listen";
    if (purpose == TO_CLAIM && set(descriptor, SOL_SOCKET, SO_REUSEPORT, 1) != 0) return "setsockopt";
    return NULL;
}

static enum rc open_one(const struct sockaddr_storage *address, enum purpose purpose, int *descriptor_r, char *reason,
                        size_t size)
{
    int descriptor = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
    if (descriptor < 0) return refuse("socket", errno, reason, size);
    const char *failed = listen_on(descriptor, address, purpose);
    if (failed == NULL) {
        *descriptor_r = descriptor;
        return RC_OK;
    }
    int error = errno;
    close(descriptor);
    return refuse(failed, error, reason, size);
}

enum rc listener_claim(struct sockaddr_storage *address, int *descriptor_r, char *reason_r, size_t reason_size)
{
    int descriptor;
    socklen_t bytes = sizeof *address;
    if (address->ss_family == AF_UNIX)
        return socket_file_claim(((struct sockaddr_un *)address)->sun_path, descriptor_r, reason_r, reason_size);
    enum rc rc = open_one(address, TO_CLAIM, &descriptor, reason_r, reason_size);
    if (rc != RC_OK) return rc;
    if (getsockname(descriptor, (struct sockaddr *)address, &bytes) != 0) {
        rc = refuse("getsockname", errno, reason_r, reason_size);
        close(descriptor);
        return rc;
    }
    *descriptor_r = descriptor;
    return RC_OK;
}

enum rc listener_join(const struct sockaddr_storage *address, int *descriptor_r, char *reason_r, size_t reason_size)
{
    return open_one(address, TO_JOIN, descriptor_r, reason_r, reason_size);
}

enum rc listener_try(const struct sockaddr_storage *address, char *reason_r, size_t reason_size)
{
    int descriptor;
    enum rc rc = open_one(address, TO_TRY, &descriptor, reason_r, reason_size);
    if (rc == RC_OK) close(descriptor);
    return rc;
}

void listener_clear(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_UNIX) socket_file_remove(((const struct sockaddr_un *)address)->sun_path);
}

static int get(int descriptor, int option)
{
    int value = -1;
    socklen_t bytes = sizeof value;
    return getsockopt(descriptor, SOL_SOCKET, option, &value, &bytes) == 0 ? value : -1;
}

enum rc listener_adopt(int descriptor, struct sockaddr_storage *address_r, char *reason_r, size_t reason_size)
{
    int family = get(descriptor, SO_DOMAIN);
    bool is_listener = get(descriptor, SO_TYPE) == SOCK_STREAM && get(descriptor, SO_ACCEPTCONN) == 1;
    bool is_tcp = family == AF_INET || family == AF_INET6;
    socklen_t bytes = sizeof *address_r;
    if (!is_listener || (!is_tcp && family != AF_UNIX)) {
        snprintf(reason_r, reason_size, "is no TCP socket that listens, nor a unix one");
        return RC_EINVAL;
    }
    memset(address_r, 0, sizeof *address_r);
    if (fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0) return refuse("fcntl", errno, reason_r, reason_size);
    if (is_tcp && set(descriptor, IPPROTO_TCP, TCP_NODELAY, 1) != 0)
        return refuse("setsockopt", errno, reason_r, reason_size);
    if (getsockname(descriptor, (struct sockaddr *)address_r, &bytes) != 0)
        return refuse("getsockname", errno, reason_r, reason_size);
    if (is_tcp || ((const struct sockaddr_un *)address_r)->sun_path[0] == '/') return RC_OK;
    snprintf(reason_r, reason_size, "is a unix socket without a whole path");
    return RC_EINVAL;
}

enum rc listener_share(int descriptor, int *descriptor_r, char *reason_r, size_t reason_size)
{
    *descriptor_r = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    return *descriptor_r >= 0 ? RC_OK : refuse("fcntl", errno, reason_r, reason_size);
}

void listener_refuse_new(int descriptor)
{
    enum { FLAGS_AT = 13, SYN = 0x02 }; /* in the header of TCP, RFC 9293 3.1 */
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FLAGS_AT),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, SYN, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    struct sock_fprog filter = {.len = sizeof code / sizeof code[0], .filter = code};
    setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
}
