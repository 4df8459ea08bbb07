/* server/cluster/push.h - what Redis pushes to the nodes that read a channel: records, members, counts.
 *
 *     "ID T COUNT " records            messages, the first of them at ID (EPOCH-OFFSET), the others behind it, at T ms;
 *                                      0-0 and 0: of a channel without history. Also a cache channel's last event.
 *     "+ VERSION COUNT " members       have come: for each "BYTES user BYTES info" and, before the next, a blank
 *     "- VERSION COUNT " users         have gone: for each "BYTES user "
 *     "= SUM "                         so many subscribers there are now
 *     "! "                             all who are signed in as the user of this channel are to be closed
 *
 * The scripts of server/cluster/scripts write them, and nodes that publish without one. A push is a view of the bytes
 * that it was read from. Threads: any. */
#pragma once

#include "core/rc.h"
#include "core/text.h"
#include "server/cluster/stream_id.h"

#include <stdbool.h>
#include <stdint.h>

#define PUSH_HEAD_BYTES_MAX 24 /* of push_head_write() */

enum push_kind {
    PUSH_RECORDS,
    PUSH_JOINED,
    PUSH_LEFT,
    PUSH_COUNT,
    PUSH_TERMINATE,
};

struct push {
    enum push_kind kind;
    struct stream_id id; /* RECORDS: of the first; epoch 0: none */
    uint64_t time_ms;    /* RECORDS */
    uint64_t version;    /* JOINED, LEFT: of the first; each of them has the next */
    uint64_t count;      /* RECORDS, JOINED, LEFT: how many; COUNT: the sum */
    struct text rest;    /* RECORDS: for record_take(); JOINED, LEFT: for push_take_member() */
};

/* RC_EINVAL: it is no push. That all it says is there shows when it is taken from the rest. */
enum rc push_read(struct text text, struct push *push_r);
/* The next of JOINED or LEFT; info_r is "" of one who has left. RC_OK; RC_ENOENT: there is none left; RC_EINVAL: it
 * cannot be read, nor can what follows. */
enum rc push_take_member(struct push *push, struct text *user_r, struct text *info_r);

/* What goes before the records of a channel without history. */
struct text push_head_write(char to[PUSH_HEAD_BYTES_MAX], uint32_t count);
