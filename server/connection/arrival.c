/* server/connection/arrival.c - who is it, and may it begin? */
#include "server/connection/arrival.h"

#include "core/bytes.h"
#include "core/span.h"
#include "net/proxy_header.h"
#include "server/connection/admission.h"
#include "server/connection/connection.h"
#include "server/connection/deadline.h"
#include "server/connection/door.h"
#include "server/connection/peer.h"
#include "server/connection/reading.h"
#include "server/shard/shard.h"
#include "server/system/log.h"

#include <assert.h>

#define NO_HEADER                                                                                                    \
    "Connections begin with a header of the PROXY protocol here (--proxy-protocol): let the proxy send one (nginx: " \
    "proxy_protocol on, HAProxy: send-proxy-v2), from an address of --trusted-proxies if there are any."

#define TOLD_A_SECOND 100 /* refusals, each with an end that takes the kernel a thread */

static bool may_tell(struct shard *shard)
{
    uint64_t second = shard->now_ms / 1000;
    if (second != shard->accept.told_second) shard->accept.told_count = 0;
    shard->accept.told_second = second;
    return shard->accept.told_count++ < TOLD_A_SECOND;
}

/* Ends one that may not begin, with an answer where it can be understood. */
static void refuse(struct shard *shard, struct connection *connection, enum close_reason reason, unsigned status,
                   const char *sentence)
{
    span_free(&connection->held);
    if (connection->is_secure || !may_tell(shard)) {
        connection_finish(shard, connection, reason);
        return;
    }
    connection_arrived(shard, connection);
    connection->reason = reason;
    shard->door->refuse(shard, connection, NULL, status, sentence);
}

static void refuse_headless(struct shard *shard, struct connection *connection)
{
    char text[IP_TEXT_MAX];
    log_warn(
        "a connection from %s has no good PROXY header, or is from none of --trusted-proxies: let the proxy send one "
        "(nginx: proxy_protocol on, HAProxy: send-proxy-v2), or start without --proxy-protocol",
        connection_address(shard, connection, text));
    refuse(shard, connection, CLOSE_BAD_PROXY, 400, NO_HEADER);
}

/* Who the client is is known, or nobody wants to know. */
static void begin(struct shard *shard, struct connection *connection)
{
    enum close_reason reason = admission_begin(shard, connection);
    if (reason == CLOSE_NONE) {
        connection_arrived(shard, connection);
    } else {
        refuse(shard, connection, reason, 429, ADMISSION_REFUSED);
    }
}

/* Who is at the other end is known, or nobody wants to know. */
static void go_on(struct shard *shard, struct connection *connection)
{
    if (!shard->door->has_proxy_header) {
        begin(shard, connection);
    } else if (!peer_may_proxy(shard, connection)) {
        refuse_headless(shard, connection);
    } else {
        reading_start(shard, connection);
        deadline_of_request(shard, connection);
    }
}

static void log_address(const struct shard *shard, const struct connection *connection)
{
    char text[IP_TEXT_MAX];
    log_debug("connection %u.%u comes from %s", shard_slot(shard, connection), connection->life,
              connection_address(shard, connection, text));
}

void arrival_begin(struct shard *shard, uint32_t slot, uint32_t listener)
{
    assert(owner_is_me(&shard->owner));
    struct connection *connection = &shard->connections[slot];
    connection_accepted(shard, slot, door_is_secure(shard->door, listener));
    if (peer_ask(shard, connection, listener)) return;
    if (shard->door->wants_peers) log_address(shard, connection);
    go_on(shard, connection);
}

void arrival_told(struct shard *shard, struct connection *connection, int32_t result)
{
    assert(owner_is_me(&shard->owner));
    peer_told(shard, connection, result);
    if (!shard->door->has_proxy_header) log_address(shard, connection);
    if (connection->state == CONNECTION_ARRIVING) {
        go_on(shard, connection);
    } else {
        connection_operation_done(shard, connection);
    }
}

/* Eats the beginning of the header, which is gathered until it is known. */
static enum rc take_header(struct shard *shard, struct connection *connection, struct bytes *in)
{
    struct proxy_header header;
    size_t eaten, before = connection->held != NULL ? connection->held->count : 0;
    size_t count = in->count < PROXY_HEADER_BYTES_MAX - before ? in->count : PROXY_HEADER_BYTES_MAX - before;
    if (span_append(&connection->held, in->at, (uint32_t)count) != RC_OK) return RC_ENOMEM;
    enum rc rc = proxy_header_read(connection->held->bytes, connection->held->count, &header, &eaten);
    if (rc == RC_MORE) bytes_take(in, count);
    if (rc != RC_OK) return rc;
    bytes_take(in, eaten - before);
    span_free(&connection->held);
    peer_proxied(shard, connection, &header);
    log_address(shard, connection);
    return RC_OK;
}

void arrival_receive(struct shard *shard, struct connection *connection, struct bytes *in)
{
    assert(owner_is_me(&shard->owner));
    assert(connection->state == CONNECTION_ARRIVING && shard->door->has_proxy_header);
    struct peer *peer = peer_of(shard, connection);
    enum rc rc = peer->has_header ? RC_OK : take_header(shard, connection, in);
    if (rc == RC_MORE) return;
    if (rc == RC_OK) {
        uint16_t passed = in->count < peer->header_left ? (uint16_t)in->count : peer->header_left;
        bytes_take(in, passed);
        peer->header_left -= passed;
        if (peer->header_left == 0) begin(shard, connection);
    } else if (rc == RC_EINVAL) {
        refuse_headless(shard, connection);
    } else {
        connection_finish(shard, connection, CLOSE_NO_MEMORY);
    }
}
