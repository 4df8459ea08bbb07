/* server/connection/connection_state.c - names of the states, for the log. */
#include "server/connection/connection.h"

#include <assert.h>

const char *connection_state_name(enum connection_state state)
{
    static const char *const names[CONNECTION_STATES_MAX] = {
        [CONNECTION_TLS] = "TLS",
        [CONNECTION_FREE] = "FREE",
        [CONNECTION_REQUEST] = "REQUEST",
        [CONNECTION_ANSWERING] = "ANSWERING",
        [CONNECTION_JOINING] = "JOINING",
        [CONNECTION_OPEN] = "OPEN",
        [CONNECTION_SETTLING] = "SETTLING",
        [CONNECTION_CLOSING] = "CLOSING",
        [CONNECTION_LINGERING] = "LINGERING",
        [CONNECTION_DRAINING] = "DRAINING",
    };
    assert(state < CONNECTION_STATES_MAX);
    return names[state];
}
