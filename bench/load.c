/* bench/load.c - ringcast-load: load a WebSocket server, measure it, and check every message it delivers. */
#include "bench/load.h"

#include "core/span.h"

#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define DESCRIPTORS_OWN  16 /* standard streams, the ring, a file of /proc, a socket on its way into the table */
#define BUFFER_BYTES_MIN 4096u
#define BUFFER_BYTES_MAX 65536u
#define PUBLISHERS_HINT  "lower --publishers or --connections, or give --no-verify"

/* Connections are places in the ring's own table, whose length the kernel bounds by RLIMIT_NOFILE. */
static bool raise_descriptors(struct load *load)
{
    struct rlimit limit;
    uint64_t needed = load->options->connections;
    if (needed < DESCRIPTORS_OWN) needed = DESCRIPTORS_OWN;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return true;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < needed) {
        return load_fail(
            load, LOAD_UNABLE,
            "--connections %u is more than RLIMIT_NOFILE, which is %llu, hard: raise it (ulimit -Hn), or "
            "share the load among several processes",
            load->options->connections, (unsigned long long)limit.rlim_cur);
    }
    return true;
}

/* A receive buffer holds one message or more, so that it is not read in pieces, within bounds. */
static uint32_t buffer_bytes(const struct load_options *options)
{
    uint32_t bytes = BUFFER_BYTES_MIN;
    while (bytes < BUFFER_BYTES_MAX && bytes < 4 * options->payload_bytes) {
        bytes *= 2;
    }
    return bytes;
}

static bool reserve(struct load *load)
{
    const struct load_options *options = load->options;
    load->connections = calloc(options->connections, sizeof load->connections[0]);
    load->sent = calloc(options->publishers, sizeof load->sent[0]);
    load->filler = malloc(options->payload_bytes);
    enum rc rc = slot_list_init(&load->saying, options->connections);
    if (load->connections == NULL || load->sent == NULL || load->filler == NULL || rc != RC_OK) {
        return load_fail(load, LOAD_UNABLE, "out of memory for %u connections", options->connections);
    }
    filler_write(load->filler, options->payload_bytes, 0);
    if (options->no_verify) return true;
    filler_prepare();
    rc = verifier_init(&load->verifier, &load->layout);
    if (rc == RC_ETOOBIG) {
        return load_fail(load, LOAD_UNABLE,
                         "too many pairs of a member and a publisher to verify them all: " PUBLISHERS_HINT);
    }
    return rc == RC_OK || load_fail(load, LOAD_UNABLE, "out of memory to verify: " PUBLISHERS_HINT);
}

static bool load_init(struct load *load, const struct load_options *options)
{
    *load = (struct load){.options = options,
                          .layout = {.connections = options->connections,
                                     .rooms = options->rooms,
                                     .publishers = options->publishers,
                                     .has_echo = options->echo}};
    prctl(PR_SET_TIMERSLACK, 1UL); /* an open loop's messages leave when they are due, not 50 us later */
    if (!raise_descriptors(load) || !reserve(load)) return false;
    if (options->is_secure && (load->tls = load_tls_context_new(options->name, options->resume)) == NULL) {
        return load_fail(load, LOAD_UNABLE, "TLS cannot begin: no memory, or no randomness");
    }
    char reason[LOAD_ERROR_BYTES];
    if (load_ring_init(&load->ring, options->connections, buffer_bytes(options), reason, sizeof reason) == RC_OK) {
        return true;
    }
    return load_fail(load, LOAD_UNABLE, "%s", reason);
}

static void load_fini(struct load *load)
{
    load_ring_fini(&load->ring); /* first: the kernel may still read what is being sent */
    for (uint32_t i = 0; load->connections != NULL && i < load->options->connections; i++) {
        span_free(&load->connections[i].head);
        span_free(&load->connections[i].filling);
        span_free(&load->connections[i].sending);
        load_tls_free(load->connections[i].tls);
    }
    load_tls_context_free(load->tls);
    verifier_fini(&load->verifier);
    slot_list_fini(&load->saying);
    free(load->connections);
    free(load->sent);
    free(load->filler);
}

static int run(const struct load_options *options)
{
    static struct load load;
    if (load_init(&load, options) && load_connect(&load)) load_publish(&load);
    if (options->json) {
        load_report_json(&load, stdout);
    } else if (load.status == LOAD_OK) {
        load_report(&load, stdout);
    }
    if (load.status != LOAD_OK) fprintf(stderr, "ringcast-load: %s\n", load.failure);
    load_fini(&load);
    return (int)load.status;
}

int main(int argc, char **argv)
{
    char error[LOAD_ERROR_BYTES];
    struct load_options options;
    if (load_options_read(&options, argc, argv, error) != RC_OK) {
        fprintf(stderr, "ringcast-load: %s\n", error);
        return LOAD_MISUSED;
    }
    if (options.help) {
        load_options_help(stdout);
        return LOAD_OK;
    }
    return run(&options);
}
