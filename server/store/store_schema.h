/* server/store/store_schema.h - the tables of the durable log, and how older ones become these.
 *
 * Texts are kept decoded, for people with a database shell. Times are milliseconds since 1970. A message's rows lie
 * together by channel and in order, so a read is one descent and a walk, and retention cuts a piece off the front.
 *
 * A change of the tables is a new version: one more step, and tests/server/store/fixtures gets a database as the
 * version before leaves it, made by that program. The version is written when a database is made or changed, never
 * else. */
#pragma once

#define STORE_APPLICATION_ID 0x52434c47 /* "RCLG" */
#define STORE_VERSION        2

/* channel.last       offset of the last message, also when it is not kept any more
 * channel.last_ms    its time
 * channel.ttl_ms     how long messages are kept, by the rule of the last one
 * channel.count      messages that are kept
 * channel.bytes      of their frames
 * channel.sweep_ms   when the oldest of what the channel has expires: a sweep looks at those whose time has come, so
 *                    that no index over messages is needed
 * channel.whole_from who was not so far missed something that could not be kept
 * channel.is_room    a raw client has published to it since it was empty
 * channel.eviction   who loses messages first when the database is full, the lowest: rooms have the time of their
 *                    oldest message, the others stand behind them all, with INT64_MAX less their bytes, rounded;
 *                    INT64_MAX: there is nothing to lose
 * message.bytes      of its frame; before the texts, so that counting does not read them
 * key                what was published with an idempotency key lately
 * state              numbers of the whole database, by their names: STORE_STATE_... below */
#define STORE_SCHEMA_1                                                                                             \
    "CREATE TABLE channel ("                                                                                       \
    " id INTEGER PRIMARY KEY, app TEXT NOT NULL, name TEXT NOT NULL, epoch TEXT NOT NULL,"                         \
    " last INTEGER NOT NULL, last_ms INTEGER NOT NULL, ttl_ms INTEGER NOT NULL, count INTEGER NOT NULL,"           \
    " bytes INTEGER NOT NULL, sweep_ms INTEGER NOT NULL, whole_from INTEGER NOT NULL, UNIQUE (app, name)) STRICT;" \
    "CREATE INDEX channel_sweep ON channel (sweep_ms);"                                                            \
    "CREATE TABLE message ("                                                                                       \
    " channel INTEGER NOT NULL, offset INTEGER NOT NULL, time_ms INTEGER NOT NULL, bytes INTEGER NOT NULL,"        \
    " name TEXT NOT NULL, user_id TEXT, data TEXT NOT NULL, PRIMARY KEY (channel, offset)) STRICT, WITHOUT ROWID;" \
    "CREATE TABLE key ("                                                                                           \
    " channel INTEGER NOT NULL, offset INTEGER NOT NULL, time_ms INTEGER NOT NULL, text TEXT NOT NULL,"            \
    " PRIMARY KEY (channel, offset)) STRICT, WITHOUT ROWID;"

#define STORE_STEP_1_TO_2                                                 \
    "ALTER TABLE channel ADD COLUMN is_room INTEGER NOT NULL DEFAULT 0;"  \
    "ALTER TABLE channel ADD COLUMN eviction INTEGER NOT NULL DEFAULT 0;" \
    "UPDATE channel SET eviction = 9223372036854775807 - bytes;"          \
    "UPDATE key SET channel = -channel WHERE text >= 'c' AND text < 'd';" \
    "CREATE INDEX channel_eviction ON channel (eviction);"                \
    "CREATE TABLE state (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;"

#define STORE_SCHEMA STORE_SCHEMA_1 STORE_STEP_1_TO_2

/* Names in the table state. */
#define STORE_STATE_PROBES  "probes"  /* writes that were to see whether it can be written */
#define STORE_STATE_STOPPED "stopped" /* see server/store/store_end.h */
#define STORE_STATE_BOUND   "bound"   /* of its bytes, as given when it was last opened with one */
#define STORE_STATE_KEPT    "kept" /* bytes above that, because it was larger already: server/store/store_evict.c */

#define STORE_VERSION_OF_MARK 2 /* older ones did not say how they ended */

/* A new epoch, another one for each row, as SQL. */
#define STORE_NEW_EPOCH "lower(hex(randomblob(4)))"
