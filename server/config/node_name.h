/* server/config/node_name.h - what this node is called in the log, in metrics and in Redis' list of clients: --node, or
 * the machine's name. Any thread may call. */
#pragma once

#define NODE_NAME_BYTES 64

struct options;

/* Without blanks, quotes and backslashes, so that it can stand in JSON and in a label as it is; "" if the machine has
 * no name either. */
void node_name_write(const struct options *options, char name_r[NODE_NAME_BYTES]);
