/* server/config/node_name.c - an option, or what the kernel says. */
#include "server/config/node_name.h"

#include "server/config/options.h"

#include <stdio.h>
#include <unistd.h>

void node_name_write(const struct options *options, char name_r[NODE_NAME_BYTES])
{
    char machine[NODE_NAME_BYTES] = "";
    gethostname(machine, sizeof machine - 1);
    snprintf(name_r, NODE_NAME_BYTES, "%s", options->node[0] != '\0' ? options->node : machine);
    for (char *at = name_r; *at != '\0'; at++)
        if (*at <= ' ' || *at > '~' || *at == '"' || *at == '\\') *at = '-';
}
