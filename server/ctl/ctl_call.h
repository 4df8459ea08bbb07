/* server/ctl/ctl_call.h - one request over a unix socket, by libcurl, and its answer. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CTL_PARAMETERS_MAX 4
#define CTL_BODY_BYTES_MAX ((size_t)64 * 1024 * 1024)

struct ctl_call {
    const char *socket; /* its path */
    const char *path;   /* of the request */
    bool is_post;
    uint32_t seconds;                       /* the time for an answer */
    const char *names[CTL_PARAMETERS_MAX];  /* of parameters; NULL: none */
    const char *values[CTL_PARAMETERS_MAX]; /* as they are, not encoded */
};

struct ctl_answer {
    unsigned status;
    char *body; /* with a zero behind it; owned */
    size_t body_bytes;
};

/* CTL_DONE: there is an answer, whatever it says; free its body. Else CTL_UNREACHABLE or CTL_LATE, reason_r has a
 * sentence of cause and cure, and nothing is to give back. */
int ctl_call(const struct ctl_call *call, struct ctl_answer *answer_r, char *reason_r, size_t reason_size);
