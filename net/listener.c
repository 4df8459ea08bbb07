/* net/listener.c - bind and listen; sentences for what can go wrong. */
#include "net/listener.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
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

static int stream_socket(const struct sockaddr_storage *address)
{
    return socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
}

enum rc listener_check(struct sockaddr_storage *address, char *reason_r, size_t reason_size)
{
    int one = 1;
    int descriptor = stream_socket(address);
    if (descriptor < 0) return refuse("socket", errno, reason_r, reason_size);
    /* SO_REUSEADDR lets us pass connections that linger from an earlier run, but not somebody who listens. */
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    enum rc rc = RC_OK;
    socklen_t bytes = sizeof *address;
    if (bind(descriptor, (struct sockaddr *)address, address_bytes(address)) != 0) {
        rc = refuse("bind", errno, reason_r, reason_size);
    } else if (getsockname(descriptor, (struct sockaddr *)address, &bytes) != 0) {
        rc = refuse("getsockname", errno, reason_r, reason_size);
    }
    close(descriptor);
    return rc;
}

enum rc listener_open(const struct sockaddr_storage *address, int *descriptor_r, char *reason_r, size_t reason_size)
{
    int one = 1;
    const char *step = "socket";
    int descriptor = stream_socket(address);
    if (descriptor < 0) return refuse(step, errno, reason_r, reason_size);
    step = "setsockopt";
    if (setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0) goto fail;
    if (setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) != 0) goto fail;
    if (setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0) goto fail;
    step = "bind";
    if (bind(descriptor, (const struct sockaddr *)address, address_bytes(address)) != 0) goto fail;
    step = "listen";
    if (listen(descriptor, BACKLOG) != 0) goto fail;
    *descriptor_r = descriptor;
    return RC_OK;
fail:;
    int error = errno;
    close(descriptor);
    return refuse(step, error, reason_r, reason_size);
}
