/* server/run/stage.h - what the main thread wants of the shards. Only ever grows. */
#pragma once

enum server_stage {
    SERVER_RUNNING,
    SERVER_DRAINING, /* accept nobody, close everybody, then end */
    SERVER_STOPPED,  /* end now */
};
