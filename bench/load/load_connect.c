/* bench/load/load_connect.c - opens all connections, at the pace asked for or as fast as answers come. */
#include "bench/load/load.h"

#include "bench/clock.h"

#define HANDSHAKES_MAX 256u /* in flight, of all threads: fewer than any listener's backlog */
#define SILENCE_NS_MAX (10 * NS_PER_SECOND)
#define WAIT_NS_MAX    (NS_PER_SECOND / 10)

/* How many connections the ramp allows to have been started by now. */
static uint32_t ramp_allows(const struct load *load, uint64_t passed_ns)
{
    if (load->options->ramp == 0) return load->slots;
    double pace = (double)load->options->ramp * load->members / load->options->connections;
    double allowed = 1 + (double)passed_ns * pace / (double)NS_PER_SECOND;
    return allowed < load->slots ? (uint32_t)allowed : load->slots;
}

bool load_connect(struct load *load)
{
    uint32_t all = load->slots, most = HANDSHAKES_MAX / load->options->threads;
    uint64_t begun_ns = clock_ns();
    load->heard_ns = begun_ns;
    while (load->open < all) {
        uint64_t now_ns = clock_ns();
        uint32_t allowed = ramp_allows(load, now_ns - begun_ns);
        if (load->started == load->open) load->heard_ns = now_ns; /* nobody owes an answer: the ramp is slow */
        while (load->started < allowed && load->started - load->open < most) {
            if (!load_start(load, load->started++)) return false;
        }
        bool waits_for_ramp = load->started == allowed && allowed < all;
        if (!load_turn(load, waits_for_ramp ? NS_PER_SECOND / 1000 : WAIT_NS_MAX)) return false;
        if (clock_ns() - load->heard_ns > SILENCE_NS_MAX) {
            return load_fail(load, LOAD_UNABLE, "the server answers no more: %u of %u connections are open",
                             load->open, all);
        }
    }
    return true;
}
