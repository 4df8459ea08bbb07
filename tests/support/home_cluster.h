/* tests/support/home_cluster.h - the cluster of a home alone (tests/support/home_case.h): server/cluster/cluster.h
 * again, whose jobs a test answers by itself, and which tells what the test says.
 *
 * At the end nothing may be under way but what the home gives up. */
#pragma once

#include "core/form.h"
#include "core/join.h"
#include "core/message.h"
#include "server/cluster/cluster_job.h"
#include "server/config/app.h"

/* case_begin() and case_end(), of a node among others. */
void case_begin_in_cluster(const char *const flags[]);
void case_end_in_cluster(void);

/* The next job that it was asked, which is of this kind and channel. */
struct cluster_job *case_asked(enum cluster_kind kind, const char *channel);
/* It was asked nothing that is not answered. */
void expect_nothing_asked(void);
extern bool case_cluster_is_full; /* it takes no job */

/* The job is done. */
void case_reply(struct cluster_job *job, enum rc rc);
/* ENTER, READ: at this position. */
void case_reply_at(struct cluster_job *job, uint64_t offset, const char *epoch);

/* An event of a backend as it comes from the cluster; offset 0: it has no place. */
struct message *case_from_cluster(const char *channel, enum message_origin origin, const char *data, uint64_t offset,
                                  const char *epoch);
/* These messages are READ's answer, and are given up with it. */
void case_give_messages(struct cluster_job *job, struct message *const messages[], uint32_t count);
/* That message is told to whoever entered with this serial. */
void case_tell(uint32_t serial, struct message *message, const char *epoch);
/* Several messages at once, from offset `first` to `end`, whose data are their offsets. */
void case_tell_numbers(uint32_t serial, const char *channel, uint64_t first, uint64_t end, const char *epoch);
/* What was known of the channel is over; epoch "": it has no position. */
void case_tell_lost(uint32_t serial, const char *channel, uint64_t offset, const char *epoch);

/* A channel in which a reader of that shard is, entered at that position (epoch "": none), and what ENTER's serial
 * was. */
struct join *case_enter(uint32_t from, const char *channel, enum form form, uint64_t offset, const char *epoch,
                        uint32_t *serial_r);

/* What it was asked about people since this was looked at: "join:presence-a/ann part:... count:a=2 query:a ".
 * Static. */
const char *case_people(void);
/* The last query among it, which is to be answered by this. */
void case_people_reply(enum rc rc, uint32_t subscribers, uint32_t users);
/* Members of the channel: "+ann -ben "; a member's info is {"name":"ID"}. */
void case_people_tell(uint32_t serial, const char *channel, const char *changes, bool is_last);
void case_people_sum(uint32_t serial, const char *channel, uint64_t sum);
void case_people_terminate(uint32_t serial, const char *channel);
/* Backends of the app are to be told. */
void case_people_news(const char *app, enum webhook_kind kind, const char *channel, const char *user_id);
