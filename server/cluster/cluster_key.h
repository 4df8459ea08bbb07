/* server/cluster/cluster_key.h - what things are called in Redis: keys, and channels of its pub/sub.
 *
 *     P:s:{A:C}      stream     a channel's history
 *     P:m:{A:C}      pub/sub    its messages, members, counts
 *     P:p:{A:C}      hash       its members
 *     P:c:{A:C}      hash       its subscribers, by node
 *     P:l:{A:C}      string     its last event, of a cache channel
 *     P:k:{A:C}:KEY  string     receipt of a key
 *     P:g:{TAG}      hash       generation of the server that owns TAG's slot
 *     P:n:{NODE}     set: channels where the node has members or subscribers, as A:C; pub/sub: what is for it alone
 *     P:{nodes}      sorted set of nodes; P:{nodes}:about a hash, what they say of themselves
 *     P:ctl          pub/sub    to all nodes
 *
 * P is the prefix, A the app's id, C the channel's name with `{`, `}` and `%` as %7b, %7d and %25. In a cluster of
 * Redis what stands in braces says which server has it, so a channel has all of its things on one.
 * Memory: the caller's, CLUSTER_KEY_BYTES_MAX; a view of it is returned, not terminated. Any thread. */
#pragma once

#include "core/name.h"
#include "core/rc.h"
#include "core/receipts.h"
#include "core/text.h"

#include <stdbool.h>
#include <stdint.h>

#define CLUSTER_PREFIX_BYTES_MAX 64
#define CLUSTER_APP_BYTES_MAX    64                                               /* of an app's id */
#define CLUSTER_TAG_BYTES_MAX    (CLUSTER_APP_BYTES_MAX + 1 + 3 * NAME_BYTES_MAX) /* A:C */
#define CLUSTER_TAG_ALONE        "one" /* TAG of a Redis that is no cluster */
#define CLUSTER_NODE_BYTES       16    /* of a node's name: hex */
#define CLUSTER_KEY_BYTES_MAX \
    (CLUSTER_PREFIX_BYTES_MAX + sizeof ":k:{}:" + CLUSTER_TAG_BYTES_MAX + RECEIPT_KEY_BYTES_MAX)

/* Things of a channel. */
enum cluster_key {
    CLUSTER_KEY_STREAM = 's',
    CLUSTER_KEY_PUSHES = 'm',
    CLUSTER_KEY_MEMBERS = 'p',
    CLUSTER_KEY_COUNTS = 'c',
    CLUSTER_KEY_LAST = 'l',
    CLUSTER_KEY_RECEIPT = 'k', /* only as the beginning of cluster_key_receipt() */
};

/* Is it 1 to CLUSTER_PREFIX_BYTES_MAX of A-Z a-z 0-9 _ - . : /? */
bool cluster_prefix_is_valid(struct text prefix);

/* The channel is an app's: its name has at most NAME_BYTES_MAX bytes. */
struct text cluster_key_of(char to[CLUSTER_KEY_BYTES_MAX], struct text prefix, enum cluster_key kind, struct text app,
                           struct text channel);
/* `key`: at most RECEIPT_KEY_BYTES_MAX bytes (core/receipts.h). */
struct text cluster_key_receipt(char to[CLUSTER_KEY_BYTES_MAX], struct text prefix, struct text app,
                                struct text channel, struct text key);
/* `tag`: at most CLUSTER_TAG_BYTES_MAX bytes. */
struct text cluster_key_generation(char to[CLUSTER_KEY_BYTES_MAX], struct text prefix, struct text tag);
struct text cluster_key_node(char to[CLUSTER_KEY_BYTES_MAX], struct text prefix, struct text node);
struct text cluster_key_nodes(char to[CLUSTER_KEY_BYTES_MAX], struct text prefix);
struct text cluster_key_nodes_about(char to[CLUSTER_KEY_BYTES_MAX], struct text prefix);
struct text cluster_key_control(char to[CLUSTER_KEY_BYTES_MAX], struct text prefix);

/* A:C alone. */
struct text cluster_tag_write(char to[CLUSTER_TAG_BYTES_MAX], struct text app, struct text channel);

/* Whose channel it is that a key of this kind, or a tag, belongs to. *app_r is a view of the text, *channel_r of
 * `memory`. RC_EINVAL: it belongs to none. */
enum rc cluster_key_read(struct text key, struct text prefix, enum cluster_key kind, char memory[NAME_BYTES_MAX],
                         struct text *app_r, struct text *channel_r);
enum rc cluster_tag_read(struct text tag, char memory[NAME_BYTES_MAX], struct text *app_r, struct text *channel_r);

/* A node's name from its number. */
struct text cluster_node_write(char to[CLUSTER_NODE_BYTES + 1], uint64_t node);
