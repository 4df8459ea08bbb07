/* server/cluster/redis_out.h - commands that wait to be sent, as RESP2 has them: arrays of strings.
 *
 * Threads: one. Bounds: bytes_max of the caller's; memory is kept for the next ones up to 256 KiB. */
#pragma once

#include "core/rc.h"
#include "core/text.h"

#include <stddef.h>

/* Zeroed, it is empty. */
struct redis_out {
    char *bytes;
    size_t from, to, capacity; /* what waits stands between the two */
};

/* Adds a command of at least one text. RC_OK; RC_EFULL: more than bytes_max would wait; RC_ENOMEM; then nothing is
 * added. */
enum rc redis_out_add(struct redis_out *out, const struct text *texts, size_t count, size_t bytes_max);
static inline struct text redis_out_waiting(const struct redis_out *out)
{
    return (struct text){.at = out->bytes == NULL ? "" : out->bytes + out->from, .count = out->to - out->from};
}
/* So many bytes have been sent. */
void redis_out_sent(struct redis_out *out, size_t count);
/* Overwrites what was sent or waits, for there was a password in it, and forgets it. */
void redis_out_wipe(struct redis_out *out);
void redis_out_fini(struct redis_out *out);
