/* bench/load_options.h - what ringcast-load is asked to do. */
#pragma once

#include "core/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

#define LOAD_ERROR_BYTES 400
#define LOAD_ROOM        "{room}" /* in the URL's path: the connection's room */

/* From one source address. Past half of the ports of the kernel's usual range, 14,116, its search for a free one
 * takes longer with each connection: 18,000 from one address took 12 s, from two 1 s. */
#define LOAD_ADDRESS_CONNECTIONS 10000

struct load_options {
    const char *url;
    uint32_t connections;
    uint32_t rooms;
    uint32_t publishers;
    uint32_t payload_bytes;
    uint32_t window; /* closed loop: messages in flight */
    double rate;     /* open loop: messages per second; 0: closed loop */
    double seconds;
    uint32_t ramp; /* connections per second; 0: as fast as answers come */
    uint32_t pid;  /* of the server; 0: not told */
    const char *source;
    bool json;
    bool echo;
    bool no_verify;
    bool binary;
    bool resume; /* wss: sessions are taken up again */
    bool help;

    /* Made of the above. */
    char host[256]; /* as it stands in the URL, with its port: for the Host header */
    const char *path;
    bool is_secure; /* wss:// */
    char name[256]; /* of the server, without port: for TLS */
    struct sockaddr_storage server;
    socklen_t server_bytes;
    uint32_t source_first; /* IPv4 address of the first connections, host order; 0: the kernel chooses */
};

/* RC_OK, or RC_EINVAL with a sentence of cause and cure. Texts point into argv. */
enum rc load_options_read(struct load_options *options, int argc, char **argv, char error_r[LOAD_ERROR_BYTES]);

void load_options_help(FILE *file);
