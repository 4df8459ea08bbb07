/* server/cluster/record.h - a message as it travels between nodes, and stands in a channel's history in Redis.
 *
 *     0   token: number of the node that made it, 8 bytes, and of the message there, 8 bytes
 *     16  length of the whole record, 4 bytes
 *     20  version, kind, flags, origin: a byte each
 *     24  publisher: shard, slot, life, random: 4 bytes each
 *     40  fields: tag, 1 byte, length, 4 bytes, and so many bytes; in any order
 *
 * Numbers are big endian. What a message is made of travels, not its frames: each node writes these once for all of its
 * readers, so they are those of a server alone. Its channel is known from where it comes, and its place in the history
 * is given there.
 * Later versions: fields whose tag is not known are passed over, so new ones may be added. What old nodes must not read
 * without knowing it has another version or kind; they pass over the record.
 * Ownership: a record that was read is a view of the bytes. Threads: any.
 * Bounds:    a record is as large as the texts of its message, and RECORD_BYTES_MIN and 32 bytes more. */
#pragma once

#include "core/message.h"
#include "core/position.h"
#include "core/rc.h"
#include "core/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_TOKEN_BYTES 16
#define RECORD_BYTES_MIN   40

struct counters;

enum record_kind {
    RECORD_MESSAGE = 1,   /* for the readers of its channel */
    RECORD_TERMINATE = 2, /* closes all who are signed in as the user of its channel */
};

/* Whose it is. The messages of a node ascend within a channel. */
struct record_token {
    uint64_t node;
    uint64_t number;
};

struct record {
    struct record_token token;
    enum record_kind kind;
    enum message_origin origin;
    struct publisher publisher;
    bool is_kept;           /* it is the last event of a cache channel */
    bool is_binary;         /* the raw message is */
    struct text raw;        /* what readers of a room get; at == NULL: nothing, it is an event: */
    struct text event_name; /* all three as they stand in a frame, without quotes */
    struct text data;
    struct text user_id; /* at == NULL: none is told */
    uint32_t made_us;    /* on its node's clock, low bits; 0: not known */
};

/* How long the record of this message is; and the record itself, of that length. Returns its end. The message has
 * FORM_RAW or FORM_EVENT, of RECORD_TERMINATE no frames at all. */
size_t record_bytes(const struct message *message);
char *record_write(char *to, const struct message *message, enum record_kind kind, struct record_token token);

/* Takes a record from the front; *text is then what is left. RC_OK. RC_EINVAL: it cannot be read, but has ended;
 * *text goes on behind it. RC_EPROTO: nor can what follows; *text as it was. */
enum rc record_take(struct text *text, struct record *record_r);

/* The message, of this channel, as this node's home delivers it. `position`: its place in the history, which it got at
 * time_ms; NULL: it has none. `node`: this one, whose own connections a room's publisher is among. NULL: out of
 * memory. */
struct message *record_message(struct counters *counters, const struct record *record, const struct name *channel,
                               const struct position *position, uint64_t time_ms, uint64_t node);
