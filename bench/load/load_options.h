/* bench/load/load_options.h - what ringcast-load is asked to do. */
#pragma once

#include "bench/load/layout.h"
#include "core/rc.h"
#include "core/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

#define LOAD_ERROR_BYTES   512
#define LOAD_ROOM          "{room}" /* in the URL's path or the channel's name: the connection's room */
#define LOAD_CHANNEL_BYTES 200      /* of a channel's name, as servers take it */
#define LOAD_FILES_MAX     64
#define LOAD_THREADS_MAX   64
#define LOAD_SERVERS_MAX   16 /* that are loaded as one */

/* From one source address. Past half of the ports of the kernel's usual range, 14,116, its search for a free one
 * takes longer with each connection: 18,000 from one address took 12 s, from two 1 s. */
#define LOAD_ADDRESS_CONNECTIONS 10000

/* An address of a server. */
struct load_address {
    struct sockaddr_storage socket;
    socklen_t bytes;
};

enum load_publish_by {
    LOAD_BY_FRAME,  /* raw: a message is a frame */
    LOAD_BY_HTTP,   /* Pusher: POST /apps/ID/events, from connections of their own */
    LOAD_BY_CLIENT, /* Pusher: client events, from the publishers themselves */
};

struct load_options {
    const char *url;
    uint32_t connections;
    uint32_t rooms;
    uint32_t publishers;
    const char *payload;
    uint32_t window; /* closed loop: messages in flight */
    double rate;     /* open loop: messages per second; 0: closed loop */
    double seconds;
    uint32_t threads;
    uint32_t ramp; /* connections per second; 0: as fast as answers come */
    double churn;  /* connections per second that are replaced */
    const char *slow;
    const char *also;
    const char *pid_text; /* NULL: not told */
    const char *source;
    const char *share_text; /* "2/3" */
    const char *protocol;
    const char *app;
    const char *publish_by_text;
    const char *channel;
    const char *plot; /* files; NULL: none */
    const char *save;
    bool merge;
    bool json;
    bool echo;
    bool no_verify;
    bool binary;
    bool resume; /* wss: sessions are taken up again */
    bool help;

    /* Made of the above. */
    const char *files[LOAD_FILES_MAX]; /* to merge */
    uint32_t files_count;
    char host[256]; /* as it stands in the URL, with its port: for the Host header */
    const char *path;
    char path_made[512];
    bool is_secure;                                /* wss:// */
    char name[256];                                /* of the server, without port: for TLS */
    struct load_address servers[LOAD_SERVERS_MAX]; /* the URL's first; connections take one after the other */
    uint32_t servers_count;
    uint32_t pids[LOAD_SERVERS_MAX]; /* the servers' processes */
    uint32_t pids_count;
    uint32_t source_first; /* IPv4 address of the first connections, host order; 0: the kernel chooses */
    uint32_t payload_bytes_min;
    uint32_t payload_bytes_max;
    uint32_t slow_share; /* hundredths of a per cent */
    uint32_t slow_bytes; /* per second */
    uint32_t share;      /* of `shares`, from 0 */
    uint32_t shares;
    bool is_pusher;
    enum load_publish_by publish_by;
    struct text app_id, app_key, app_secret;
};

/* RC_OK, or RC_EINVAL with a sentence of cause and cure. Texts point into argv. */
enum rc load_options_read(struct load_options *options, int argc, char **argv, char error_r[LOAD_ERROR_BYTES]);
/* Looks whether options that were read fit together; does nothing if no load is asked for. The results are those of
 * load_options_read(). */
enum rc load_options_check(struct load_options *options, char error_r[LOAD_ERROR_BYTES]);

void load_options_help(FILE *file);

/* A row of what it says, for the manual page: without a name a heading. */
struct load_options_row {
    const char *name; /* --rate */
    const char *value;
    const char *help; /* in lines that are indented */
};
/* False: there are fewer rows. */
bool load_options_row(size_t index, struct load_options_row *row_r);

/* ---- how the load is dealt out ---- */

/* Threads have rooms of their own, unless there are fewer rooms than threads: then they share them, and the first
 * thread publishes. */
static inline bool load_options_spans(const struct load_options *options)
{
    return options->rooms < options->threads * options->shares;
}

/* What one thread of this process knows of: rooms of its own, or everything. */
struct layout load_options_layout(const struct load_options *options, uint32_t thread);
/* Which connections of its layout a thread has: *count_r, and from which on. */
uint32_t load_options_first(const struct load_options *options, uint32_t thread, uint32_t *count_r);
/* Parts that have publishers: window and rate are theirs. */
uint32_t load_options_active(const struct load_options *options);
