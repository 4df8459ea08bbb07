/* server/cluster/cluster_audit.h - looks at some channels each second whether their streams end where this node is:
 * finds streams that are gone, and the faults that we believe not to have. Threads: the table's. */
#pragma once

struct cluster_channel;
struct cluster_channels;
struct cluster_entry;
struct cluster_question;

void cluster_audit_tick(struct cluster_channels *channels);
/* The last entry of the stream; NULL: it has none. */
void cluster_audit_answer(struct cluster_channels *channels, struct cluster_channel *channel,
                          const struct cluster_question *question, const struct cluster_entry *last);
/* The channel goes, or begins anew. */
void cluster_audit_forget(struct cluster_channels *channels, struct cluster_channel *channel);
