/* server/cluster/redis_link.c - from an address to replies: wire, greeting, commands out, replies in. */
#include "server/cluster/redis_link.h"

#include "server/cluster/redis_access.h"
#include "server/cluster/redis_greeting.h"
#include "server/cluster/redis_out.h"
#include "server/cluster/redis_reader.h"
#include "server/cluster/redis_wire.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    READ_BYTES = 16384,          /* at once */
    READ_BYTES_MAX = 256 * 1024, /* in one redis_link_receive() */
    REASON_BYTES = 1024,
    NAME_BYTES = 100,
};

struct redis_link {
    struct redis_target target; /* its texts are those below */
    char user[REDIS_NAME_BYTES_MAX + 1], name[NAME_BYTES];
    struct redis_limits limits;
    enum redis_link_state state;
    enum redis_end end;
    struct redis_wire wire;
    struct redis_greeting greeting;
    struct redis_server server;
    struct redis_out out;
    struct redis_reader *reader;
    uint64_t began_ms;   /* opening it, or its connection to the next address */
    uint64_t waits_ms;   /* since when the next reply is waited for; 0: from the next look at the clock on */
    uint64_t unanswered; /* commands */
    bool is_readable;    /* there may be input */
    bool may_have_whole; /* the reader may have another reply */
    bool cannot_write;   /* what has come is still read */
    bool has_pushes;
    char reason[REASON_BYTES];
};

struct redis_link *redis_link_new(const struct redis_target *target, const struct redis_limits *limits)
{
    struct redis_link *link = calloc(1, sizeof *link);
    if (link == NULL) return NULL;
    snprintf(link->user, sizeof link->user, "%s", target->user);
    snprintf(link->name, sizeof link->name, "%s", target->name);
    link->target = *target;
    link->target.user = link->user;
    link->target.name = link->name;
    link->limits = *limits;
    link->wire.fd = -1;
    return link;
}

static void let_go(struct redis_link *link)
{
    redis_wire_close(&link->wire);
    redis_out_wipe(&link->out);
    redis_out_fini(&link->out);
    link->is_readable = link->cannot_write = false;
}

void redis_link_close(struct redis_link *link)
{
    let_go(link);
    redis_reader_free(link->reader);
    link->reader = NULL;
    link->may_have_whole = false;
    link->unanswered = 0;
    link->waits_ms = 0;
    link->state = REDIS_LINK_CLOSED;
    link->end = REDIS_END_NONE;
    link->reason[0] = '\0';
}

void redis_link_free(struct redis_link *link)
{
    if (link == NULL) return;
    redis_link_close(link);
    free(link);
}

void redis_link_set_place(struct redis_link *link, const struct redis_place *place)
{
    link->target.place = *place;
}

void redis_link_expect_pushes(struct redis_link *link)
{
    link->has_pushes = true;
}

/* ---- the end ---- */

void redis_link_stop(struct redis_link *link, enum redis_end end, const char *detail)
{
    char place[REDIS_PLACE_TEXT_MAX];
    if (link->state == REDIS_LINK_ENDED || link->state == REDIS_LINK_CLOSED) return;
    link->state = REDIS_LINK_ENDED;
    link->end = end;
    snprintf(link->reason, sizeof link->reason, detail[0] == '\0' ? "%s %s %s" : "%s %s %s (%s)",
             link->target.is_sentinel ? "sentinel" : "redis", redis_place_format(&link->target.place, place),
             redis_end_text(end), detail);
    let_go(link);
}

/* Two that speak different things often say nothing about it. */
static const char *guess(const struct redis_link *link)
{
    if (link->state == REDIS_LINK_SHAKING) return "in the TLS handshake: does this port speak TLS?";
    if (link->state == REDIS_LINK_GREETING && !link->target.is_tls) return "at once: does this port want rediss://?";
    return "";
}

static void stop_as_wire(struct redis_link *link)
{
    redis_link_stop(link, link->wire.end, link->wire.detail[0] != '\0' ? link->wire.detail : guess(link));
}

/* ---- opening ---- */

static void greet(struct redis_link *link)
{
    link->state = REDIS_LINK_GREETING;
    if (redis_greeting_begin(&link->greeting, &link->target, &link->out) != RC_OK)
        redis_link_stop(link, REDIS_END_MEMORY, "");
}

static void shake(struct redis_link *link)
{
    link->state = REDIS_LINK_SHAKING;
    struct tls_trust *trust = link->target.access == NULL ? NULL : redis_access_trust(link->target.access);
    assert(trust != NULL);
    enum redis_wire_result result = redis_wire_shake(&link->wire, trust, link->target.place.host);
    if (result == REDIS_WIRE_BROKEN) stop_as_wire(link);
    if (result == REDIS_WIRE_OK) greet(link);
}

static void take_connecting(struct redis_link *link, enum redis_wire_result result)
{
    link->state = REDIS_LINK_CONNECTING;
    if (result == REDIS_WIRE_BROKEN)
        stop_as_wire(link);
    else if (result == REDIS_WIRE_OK && link->target.is_tls)
        shake(link);
    else if (result == REDIS_WIRE_OK)
        greet(link);
}

void redis_link_open(struct redis_link *link, uint64_t now_ms)
{
    redis_link_close(link);
    link->began_ms = now_ms;
    link->server = (struct redis_server){0};
    link->state = REDIS_LINK_CONNECTING;
    link->reader = redis_reader_new(link->limits.reply_bytes_max);
    if (link->reader == NULL)
        redis_link_stop(link, REDIS_END_MEMORY, "");
    else
        take_connecting(link, redis_wire_open(&link->wire, &link->target.place));
}

/* ---- replies ---- */

static enum rc fail_as_reader(struct redis_link *link, enum rc rc)
{
    char fault[128];
    snprintf(fault, sizeof fault, "%s", redis_reader_fault(link->reader));
    redis_link_stop(link,
                    rc == RC_ETOOBIG  ? REDIS_END_TOO_LARGE
                    : rc == RC_ENOMEM ? REDIS_END_MEMORY
                                      : REDIS_END_PROTOCOL,
                    fault);
    return RC_MORE;
}

/* True: something came. */
static bool read_more(struct redis_link *link, size_t *bytes)
{
    char input[READ_BYTES];
    size_t count;
    switch (redis_wire_read(&link->wire, input, sizeof input, &count)) {
    case REDIS_WIRE_OK:
        *bytes += count;
        link->is_readable = true;
        redis_reader_feed(link->reader, input, count); /* the next reply is the error */
        return true;
    case REDIS_WIRE_WAITS:
        link->is_readable = false;
        if (link->cannot_write) redis_link_stop(link, REDIS_END_RESET, "");
        return false;
    case REDIS_WIRE_BROKEN:
        break;
    }
    stop_as_wire(link);
    return false;
}

static enum rc next_reply(struct redis_link *link, redisReply **reply_r)
{
    size_t bytes = 0;
    for (;;) {
        enum rc rc = redis_reader_next(link->reader, reply_r);
        link->may_have_whole = rc == RC_OK;
        if (rc_is_error(rc)) return fail_as_reader(link, rc);
        if (rc == RC_OK || !link->is_readable || bytes >= READ_BYTES_MAX) return rc;
        if (!read_more(link, &bytes)) return RC_MORE;
    }
}

enum rc redis_link_receive(struct redis_link *link, redisReply **reply_r)
{
    *reply_r = NULL;
    if (link->state != REDIS_LINK_OPEN && (link->state != REDIS_LINK_ENDED || !link->may_have_whole)) return RC_MORE;
    enum rc rc = next_reply(link, reply_r);
    if (rc != RC_OK) return rc;
    link->waits_ms = 0;
    if (link->unanswered > 0) link->unanswered--;
    return RC_OK;
}

static void take_greeting(struct redis_link *link)
{
    redisReply *reply;
    char detail[REDIS_DETAIL_BYTES];
    while (link->state == REDIS_LINK_GREETING && next_reply(link, &reply) == RC_OK) {
        enum redis_end end = redis_greeting_take(&link->greeting, reply, &link->server, detail, sizeof detail);
        freeReplyObject(reply);
        if (end != REDIS_END_NONE) {
            redis_link_stop(link, end, detail);
        } else if (redis_greeting_is_over(&link->greeting)) {
            redis_out_wipe(&link->out);
            link->state = REDIS_LINK_OPEN;
        }
    }
}

/* ---- commands ---- */

enum rc redis_link_send(struct redis_link *link, const struct text *texts, size_t count)
{
    if (link->state != REDIS_LINK_OPEN) return RC_EBUSY;
    enum rc rc = redis_out_add(&link->out, texts, count, link->limits.out_bytes_max);
    if (rc != RC_OK) return rc;
    if (link->unanswered++ == 0) link->waits_ms = 0;
    return RC_OK;
}

static void write_out(struct redis_link *link)
{
    size_t count;
    while (!link->cannot_write) {
        struct text waiting = redis_out_waiting(&link->out);
        if (waiting.count == 0) return;
        switch (redis_wire_write(&link->wire, waiting.at, waiting.count, &count)) {
        case REDIS_WIRE_OK:
            redis_out_sent(&link->out, count);
            break;
        case REDIS_WIRE_WAITS:
            return;
        case REDIS_WIRE_BROKEN: /* what has come before is still to be read, and then the reason */
            link->cannot_write = link->is_readable = true;
            break;
        }
    }
}

/* ---- a turn ---- */

void redis_link_run(struct redis_link *link, short revents, uint64_t now_ms)
{
    if (revents != 0 && link->state == REDIS_LINK_CONNECTING)
        take_connecting(link, redis_wire_connected(&link->wire));
    else if (link->state == REDIS_LINK_SHAKING)
        shake(link);
    if (link->state != REDIS_LINK_GREETING && link->state != REDIS_LINK_OPEN) return;
    if ((revents & ~POLLOUT) != 0) link->is_readable = true;
    write_out(link);
    if (link->state == REDIS_LINK_GREETING) take_greeting(link);
    if (link->unanswered > 0 && link->waits_ms == 0) link->waits_ms = now_ms;
}

static bool is_over(uint64_t since_ms, uint64_t now_ms, uint64_t ms_max)
{
    return now_ms > since_ms && now_ms - since_ms > ms_max;
}

void redis_link_watch(struct redis_link *link, uint64_t now_ms, uint64_t silent_ms_max)
{
    switch (link->state) {
    case REDIS_LINK_CLOSED:
    case REDIS_LINK_ENDED:
        return;
    case REDIS_LINK_CONNECTING:
        if (!is_over(link->began_ms, now_ms, silent_ms_max)) return;
        link->began_ms = now_ms;
        if (link->wire.next != NULL)
            take_connecting(link, redis_wire_connect_next(&link->wire));
        else
            redis_link_stop(link, REDIS_END_SILENT, "");
        return;
    case REDIS_LINK_SHAKING:
    case REDIS_LINK_GREETING:
        if (is_over(link->began_ms, now_ms, silent_ms_max)) {
            redis_link_stop(link, REDIS_END_SILENT, link->state == REDIS_LINK_SHAKING ? guess(link) : "");
        }
        return;
    case REDIS_LINK_OPEN:
        break;
    }
    if (link->has_pushes || link->unanswered == 0) return;
    if (link->waits_ms == 0) link->waits_ms = now_ms;
    if (is_over(link->waits_ms, now_ms, silent_ms_max)) redis_link_stop(link, REDIS_END_SILENT, "");
}

/* ---- looking ---- */

int redis_link_fd(const struct redis_link *link)
{
    return link->wire.fd;
}

short redis_link_events(const struct redis_link *link)
{
    short events = 0;
    switch (link->state) {
    case REDIS_LINK_CLOSED:
    case REDIS_LINK_ENDED:
        return 0;
    case REDIS_LINK_CONNECTING:
        return POLLOUT;
    case REDIS_LINK_SHAKING:
        return link->wire.wants_write ? POLLOUT : POLLIN;
    case REDIS_LINK_GREETING:
    case REDIS_LINK_OPEN:
        break;
    }
    if (!link->is_readable) events |= POLLIN;
    if (redis_out_waiting(&link->out).count > 0 && !link->cannot_write) events |= POLLOUT;
    return events;
}

bool redis_link_has_input(const struct redis_link *link)
{
    return link->may_have_whole || (link->state == REDIS_LINK_OPEN && link->is_readable);
}

enum redis_link_state redis_link_state(const struct redis_link *link)
{
    return link->state;
}

enum redis_end redis_link_end(const struct redis_link *link)
{
    return link->end;
}

const char *redis_link_reason(const struct redis_link *link)
{
    return link->reason;
}

const struct redis_server *redis_link_server(const struct redis_link *link)
{
    return &link->server;
}

const struct redis_place *redis_link_place(const struct redis_link *link)
{
    return &link->target.place;
}

size_t redis_link_waiting_bytes(const struct redis_link *link)
{
    return redis_out_waiting(&link->out).count;
}

uint64_t redis_link_unanswered(const struct redis_link *link)
{
    return link->unanswered;
}
