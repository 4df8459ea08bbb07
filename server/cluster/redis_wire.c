/* server/cluster/redis_wire.c - addresses, sockets, TLS. */
#include "server/cluster/redis_wire.h"

#include "net/tls/tls_call.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static enum redis_wire_result break_off(struct redis_wire *wire, enum redis_end end, const char *detail)
{
    wire->end = end;
    snprintf(wire->detail, sizeof wire->detail, "%s", detail);
    return REDIS_WIRE_BROKEN;
}

static enum redis_wire_result break_by_errno(struct redis_wire *wire, int error)
{
    switch (error) {
    case ECONNREFUSED:
    case ENOENT: /* of a unix socket: nobody has made it */
    case EAGAIN: /* of a unix socket: too many wait there */
        return break_off(wire, REDIS_END_REFUSED, strerror(error));
    case ECONNRESET:
    case EPIPE:
        return break_off(wire, REDIS_END_RESET, "");
    case ENOMEM:
    case ENOBUFS:
    case EMFILE:
    case ENFILE:
        return break_off(wire, REDIS_END_MEMORY, strerror(error));
    default:
        return break_off(wire, REDIS_END_UNREACHABLE, strerror(error));
    }
}

void redis_wire_close(struct redis_wire *wire)
{
    tls_call_free(wire->tls);
    wire->tls = NULL;
    wire->wants_write = false;
    if (wire->fd >= 0) close(wire->fd);
    wire->fd = -1;
    if (wire->found != NULL) freeaddrinfo(wire->found);
    wire->found = wire->next = NULL;
}

/* ---- connecting ---- */

static enum redis_wire_result begin_connect(struct redis_wire *wire, const struct sockaddr *to, socklen_t bytes)
{
    static const int yes = 1;
    if (wire->fd >= 0) close(wire->fd);
    wire->fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (wire->fd < 0) return break_by_errno(wire, errno);
    if (to->sa_family != AF_UNIX) setsockopt(wire->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (connect(wire->fd, to, bytes) == 0) return REDIS_WIRE_OK;
    return errno == EINPROGRESS ? REDIS_WIRE_WAITS : break_by_errno(wire, errno);
}

enum redis_wire_result redis_wire_connect_next(struct redis_wire *wire)
{
    enum redis_wire_result result = REDIS_WIRE_BROKEN;
    while (result == REDIS_WIRE_BROKEN && wire->next != NULL) {
        const struct addrinfo *to = wire->next;
        wire->next = to->ai_next;
        result = begin_connect(wire, to->ai_addr, to->ai_addrlen);
    }
    return result;
}

static enum redis_wire_result connect_unix(struct redis_wire *wire, const char *path)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    memcpy(local.sun_path, path, strnlen(path, sizeof local.sun_path - 1));
    return begin_connect(wire, (const struct sockaddr *)&local, sizeof local);
}

enum redis_wire_result redis_wire_open(struct redis_wire *wire, const struct redis_place *place)
{
    static const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    char port[sizeof "65535"];
    wire->end = REDIS_END_NONE;
    wire->detail[0] = '\0';
    if (place->port == 0) return connect_unix(wire, place->host);
    snprintf(port, sizeof port, "%u", place->port);
    int error = getaddrinfo(place->host, port, &wanted, &wire->found);
    if (error == EAI_MEMORY) return break_off(wire, REDIS_END_MEMORY, "");
    if (error != 0) return break_off(wire, REDIS_END_NAME, gai_strerror(error));
    wire->next = wire->found;
    return redis_wire_connect_next(wire);
}

enum redis_wire_result redis_wire_connected(struct redis_wire *wire)
{
    int error = 0;
    socklen_t bytes = sizeof error;
    if (getsockopt(wire->fd, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0) error = errno;
    if (error == 0) return REDIS_WIRE_OK;
    break_by_errno(wire, error);
    return redis_wire_connect_next(wire);
}

/* ---- bytes ---- */

static enum redis_wire_result take_tls(struct redis_wire *wire, enum tls_call_result result)
{
    wire->wants_write = result == TLS_CALL_WANTS_WRITE;
    switch (result) {
    case TLS_CALL_OK:
        return REDIS_WIRE_OK;
    case TLS_CALL_WANTS_READ:
    case TLS_CALL_WANTS_WRITE:
        return REDIS_WIRE_WAITS;
    case TLS_CALL_CLOSED:
        return break_off(wire, REDIS_END_CLOSED, "");
    case TLS_CALL_RESET:
        return break_by_errno(wire, errno);
    case TLS_CALL_UNTRUSTED:
        return break_off(wire, REDIS_END_CERTIFICATE, tls_call_reason(wire->tls));
    case TLS_CALL_FAILED:
        break;
    }
    return break_off(wire, REDIS_END_TLS, tls_call_reason(wire->tls));
}

enum redis_wire_result redis_wire_shake(struct redis_wire *wire, struct tls_trust *trust, const char *host)
{
    if (wire->tls == NULL) wire->tls = tls_call_new(trust, host, wire->fd);
    if (wire->tls == NULL) return break_off(wire, REDIS_END_MEMORY, "");
    enum redis_wire_result result = take_tls(wire, tls_call_shake(wire->tls));
    if (wire->end == REDIS_END_CLOSED || wire->end == REDIS_END_RESET)
        return break_off(wire, REDIS_END_TLS, redis_end_text(wire->end)); /* so does what speaks no TLS */
    return result;
}

enum redis_wire_result redis_wire_read(struct redis_wire *wire, void *to, size_t size, size_t *count_r)
{
    *count_r = 0;
    if (wire->tls != NULL) return take_tls(wire, tls_call_read(wire->tls, to, size, count_r));
    ssize_t count = recv(wire->fd, to, size, 0);
    if (count == 0) return break_off(wire, REDIS_END_CLOSED, "");
    if (count < 0) return errno == EAGAIN || errno == EINTR ? REDIS_WIRE_WAITS : break_by_errno(wire, errno);
    *count_r = (size_t)count;
    return REDIS_WIRE_OK;
}

enum redis_wire_result redis_wire_write(struct redis_wire *wire, const void *from, size_t count, size_t *count_r)
{
    *count_r = 0;
    if (wire->tls != NULL) return take_tls(wire, tls_call_write(wire->tls, from, count, count_r));
    ssize_t sent = send(wire->fd, from, count, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINTR ? REDIS_WIRE_WAITS : break_by_errno(wire, errno);
    *count_r = (size_t)sent;
    return REDIS_WIRE_OK;
}
