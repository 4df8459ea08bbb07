/* server/shard/stage.h - what the main thread wants of the shards. Only ever grows; stages may be left out. */
#pragma once

enum server_stage {
    SERVER_RUNNING,
    SERVER_LEAVING,  /* not ready: balancers are to send clients elsewhere; all are served as before, newcomers too */
    SERVER_CLEARING, /* take no new WebSockets, close one after the other; HTTP as before */
    SERVER_STOPPING, /* accept nobody, close everybody, then end */
    SERVER_STOPPED,  /* end now */
};
