/* server/metrics/close_codes.c - the table of close reasons, a row for each. */
#include "server/metrics/close_codes.h"

#include "core/close_reason.h"
#include "core/counters.h"

#include <stdint.h>

static const char *what_clients_do(uint16_t code)
{
    if (code == 0) return "hears nothing (1006), comes back";
    if (code < 4000) return "comes back";
    if (code == 4000) return "comes back over TLS (pusher-js), or stays away";
    return code < 4100 ? "stays away" : code < 4200 ? "comes back after a second or more" : "comes back at once";
}

static void print_codes(FILE *out, enum close_reason reason)
{
    unsigned code = close_reason_code(reason), channel_code = close_reason_channel_code(reason);
    if (code == 0)
        fprintf(out, "none");
    else if (code == channel_code)
        fprintf(out, "%u", code);
    else
        fprintf(out, "%u, channels %u", code, channel_code);
}

void close_codes_print(FILE *out)
{
    fprintf(out, "| counter | code | why | a client of channels | what to look for |\n|---|---|---|---|---|\n");
    for (enum close_reason reason = CLOSE_NONE + 1; reason < CLOSE_REASONS_MAX; reason++) {
        fprintf(out, "| `%s` | ", counter_name(counter_of_close(reason)));
        print_codes(out, reason);
        fprintf(out, " | %s | %s | %s |\n", close_reason_text(reason),
                what_clients_do(close_reason_channel_code(reason)), close_reason_advice(reason));
    }
}
