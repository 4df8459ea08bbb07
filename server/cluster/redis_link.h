/* server/cluster/redis_link.h - one connection to one Redis server, for a thread that polls: commands out, replies in,
 * in order, in version 2 of its protocol (RESP2), over TCP, TLS or a unix socket.
 *
 *     redis_link_open(link, now);                        may look a name up, which waits
 *     for (;;) {
 *         fds[0] = (struct pollfd){.fd = redis_link_fd(link), .events = redis_link_events(link)};
 *         poll(fds, 1, redis_link_has_input(link) ? 0 : ms);
 *         redis_link_run(link, fds[0].revents, now);     connects, greets, writes; also with 0, to write at once
 *         while (some && redis_link_receive(link, &reply) == RC_OK) ... freeReplyObject(reply)
 *         redis_link_watch(link, now, silent_ms_max);    last, so that what has come counts
 *         if (redis_link_end(link) != REDIS_END_NONE) ... log redis_link_reason(link), later redis_link_open() again
 *     }
 *
 * Opening it logs in (AUTH), says who it is (CLIENT SETNAME), selects the database (SELECT) and asks INFO, the answer
 * to which is redis_link_server(); only then is it OPEN and takes commands. A Redis that is too old, reads its data in
 * or, unless replicas will do, is no master ends the link instead.
 * Threads:   one for its whole life.
 * Ownership: replies are the receiver's, freeReplyObject() gives them back. A link copies what it is made with, but for
 *            the access, which outlives it.
 * Bounds:    what waits to be sent by out_bytes_max, else RC_EFULL; a reply, with all that has been read of it and the
 *            objects made of it, by reply_bytes_max, and one line of it by 64 KiB: what is larger ends the link. Only
 *            redis_link_receive() reads from an open link, so who does not call it makes Redis wait.
 * Order:     the n-th reply answers the n-th command; on a connection that has subscribed to channels there are also
 *            pushes among them.
 * Errors:    a link that ends keeps its reason until it is opened anew. Replies that have come whole before are still
 *            received. Commands that were not answered may have been done, be done later, or never.
 * Source:    https://redis.io/docs/latest/develop/reference/protocol-spec/; hiredis' reader, 0.14 and 1.x. */
#pragma once

#include "core/rc.h"
#include "core/text.h"
#include "server/cluster/redis_end.h"
#include "server/cluster/redis_server.h"
#include "server/cluster/redis_target.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct redis_link;

struct redis_limits {
    size_t out_bytes_max;
    size_t reply_bytes_max;
};

enum redis_link_state {
    REDIS_LINK_CLOSED,     /* never opened, or closed */
    REDIS_LINK_CONNECTING, /* connect() is under way */
    REDIS_LINK_SHAKING,    /* the TLS handshake is */
    REDIS_LINK_GREETING,   /* AUTH, CLIENT SETNAME, SELECT and INFO are not all answered */
    REDIS_LINK_OPEN,       /* commands are taken */
    REDIS_LINK_ENDED,      /* see redis_link_end(); the descriptor is closed */
};

/* NULL: out of memory. Free closes; accepts NULL. */
struct redis_link *redis_link_new(const struct redis_target *target, const struct redis_limits *limits);
void redis_link_free(struct redis_link *link);
/* Another place from the next opening on. */
void redis_link_set_place(struct redis_link *link, const struct redis_place *place);

/* Begins anew, whatever was; looks the name up, which may take seconds. What is wrong ends the link at once. */
void redis_link_open(struct redis_link *link, uint64_t now_ms);
/* Drops what was neither sent nor received; CLOSED. */
void redis_link_close(struct redis_link *link);
/* Ends it for a reason of the caller's; `detail` goes behind the sentence, "" for none. */
void redis_link_stop(struct redis_link *link, enum redis_end end, const char *detail);

/* For poll(): -1 and 0 when there is nothing to wait for. */
int redis_link_fd(const struct redis_link *link);
short redis_link_events(const struct redis_link *link);
/* There may be more to receive without waiting: poll() with 0 meanwhile. */
bool redis_link_has_input(const struct redis_link *link);
/* Goes on as far as it does without waiting: connects, shakes hands, greets, sends what waits. `revents` as poll() has
 * set them, 0 to send at once. */
void redis_link_run(struct redis_link *link, short revents, uint64_t now_ms);
/* Ends it (SILENT) when it takes longer than silent_ms_max to open, or when no reply has come for so long while
 * commands wait for one. On a connection with subscriptions replies are not counted against commands: say so by
 * redis_link_expect_pushes(), and have something pushed now and then that you watch yourself. */
void redis_link_watch(struct redis_link *link, uint64_t now_ms, uint64_t silent_ms_max);
void redis_link_expect_pushes(struct redis_link *link);

enum redis_link_state redis_link_state(const struct redis_link *link);
enum redis_end redis_link_end(const struct redis_link *link);
/* "redis 10.0.0.1:6379: refuses connections; ..."; "" while it has not ended. The link's, until it is opened anew. */
const char *redis_link_reason(const struct redis_link *link);
/* What INFO said when it was opened. */
const struct redis_server *redis_link_server(const struct redis_link *link);
const struct redis_place *redis_link_place(const struct redis_link *link);

/* Adds a command to what waits to be sent: at least one text, of any bytes. RC_OK; RC_EFULL: there is no room, nothing
 * added; RC_EBUSY: not OPEN, nothing added; RC_ENOMEM: nothing added. */
enum rc redis_link_send(struct redis_link *link, const struct text *texts, size_t count);
/* The next reply. RC_OK; RC_MORE: none has come whole. Reads at most 256 KiB a call, so that others have their turn. */
enum rc redis_link_receive(struct redis_link *link, redisReply **reply_r);
/* Bytes that wait to be sent; commands that were sent or wait and have no reply yet. */
size_t redis_link_waiting_bytes(const struct redis_link *link);
uint64_t redis_link_unanswered(const struct redis_link *link);
