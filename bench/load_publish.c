/* bench/load_publish.c - publishes in a closed or an open loop, waits for what is under way, and checks.
 *
 * Closed: the next message goes when the window has room, so a slow server slows the load. Open: messages are due at
 * fixed times; one that cannot be sent in time keeps the time when it was due, so a stalled server shows in the
 * latency of all that had to wait. */
#include "bench/load.h"

#include "bench/clock.h"
#include "core/span.h"

#define SETTLE_NS        (NS_PER_SECOND / 5)  /* for the server to come to rest after the handshakes */
#define LAST_WORD_NS     (NS_PER_SECOND / 20) /* for what comes twice or too much after all has come */
#define SILENCE_NS_MAX   (10 * NS_PER_SECOND) /* after the last message: nothing more will come */
#define REST_NS_MAX      (120 * NS_PER_SECOND)
#define WAIT_NS_MAX      (NS_PER_SECOND / 10)
#define UNSENT_BYTES_MAX (1u << 20) /* of one publisher; then it waits, as a client's socket would make it */

static bool run_until(struct load *load, uint64_t end_ns)
{
    for (uint64_t now_ns = clock_ns(); now_ns < end_ns; now_ns = clock_ns()) {
        if (!load_turn(load, end_ns - now_ns)) return false;
    }
    return true;
}

/* RFC 6455 5.3 wants masks that pages cannot foresee; a load tool's need only be no constant. */
static uint32_t next_mask(struct load *load)
{
    load->mask = load->mask * 1664525u + 1013904223u;
    return load->mask;
}

static size_t write_header(struct load *load, uint8_t *to, uint32_t *mask_r)
{
    size_t count =
        frame_header_write(to, load->options->binary ? FRAME_BINARY : FRAME_TEXT, load->options->payload_bytes);
    to[1] |= 0x80; /* masked */
    *mask_r = next_mask(load);
    memcpy(to + count, mask_r, sizeof *mask_r);
    return count + sizeof *mask_r;
}

/* The next publisher's next message. False: it has too much unsent; or failed. */
static bool publish(struct load *load, uint64_t due_ns)
{
    uint8_t header[FRAME_CLIENT_HEADER_BYTES_MAX];
    uint32_t mask, count = load->options->payload_bytes;
    uint32_t slot = (uint32_t)(load->sent_total % load->layout.publishers);
    struct load_connection *connection = &load->connections[slot];
    if (connection->filling != NULL && connection->filling->count > UNSENT_BYTES_MAX) return false;
    struct stamp stamp = {.publisher = slot, .sequence = load->sent[slot], .due_ns = due_ns};
    size_t header_bytes = write_header(load, header, &mask);
    stamp_write(load->filler, &stamp);
    if (!load_say(load, slot, header, header_bytes) || !load_say(load, slot, load->filler, count)) return false;
    frame_unmask(connection->filling->bytes + connection->filling->count - count, count, mask, 0);
    load->sent[slot]++;
    load->sent_total++;
    load->expected += layout_readers(&load->layout, slot);
    return true;
}

static uint64_t turn_closed(struct load *load)
{
    uint64_t largest = layout_in_room(&load->layout, 0, load->layout.connections);
    if (!load->layout.has_echo) largest--;
    for (;;) {
        uint32_t publisher = (uint32_t)(load->sent_total % load->layout.publishers);
        uint64_t in_flight = load->expected - load->delivered + layout_readers(&load->layout, publisher);
        if (in_flight > load->options->window * largest || !publish(load, clock_ns())) return WAIT_NS_MAX;
    }
}

/* Open loop: when the next message is due. */
static uint64_t next_due_ns(const struct load *load)
{
    return load->begun_ns + (uint64_t)((double)load->sent_total * (double)NS_PER_SECOND / load->options->rate);
}

/* Publishes all that is due; returns the time until the next is. */
static uint64_t turn_open(struct load *load)
{
    for (;;) {
        uint64_t due_ns = next_due_ns(load), now_ns = clock_ns();
        if (due_ns >= load->end_ns) return WAIT_NS_MAX;
        if (due_ns > now_ns) return due_ns - now_ns < WAIT_NS_MAX ? due_ns - now_ns : WAIT_NS_MAX;
        if (!publish(load, due_ns)) return WAIT_NS_MAX;
    }
}

static bool publish_in_time(struct load *load)
{
    uint64_t now_ns = load->begun_ns;
    while (now_ns < load->end_ns) {
        uint64_t wait_ns = load->options->rate > 0 ? turn_open(load) : turn_closed(load);
        if (!load_turn(load, wait_ns < load->end_ns - now_ns ? wait_ns : load->end_ns - now_ns)) return false;
        now_ns = clock_ns();
    }
    load->publish_seconds = (double)(now_ns - load->begun_ns) / (double)NS_PER_SECOND;
    load->sent_in_time = load->sent_total;
    load->delivered_in_time = load->delivered;
    return true;
}

/* An open loop's messages that were due and could not be sent are sent now: left out, the worst latencies would be
 * missing. */
static bool await_rest(struct load *load)
{
    uint64_t begun_ns = clock_ns(), now_ns = begun_ns;
    bool has_due = load->options->rate > 0;
    load->heard_ns = begun_ns;
    while ((load->delivered < load->expected || has_due) && now_ns - begun_ns < REST_NS_MAX) {
        if (has_due) turn_open(load);
        has_due = has_due && next_due_ns(load) < load->end_ns;
        if (!load_turn(load, WAIT_NS_MAX)) return false;
        now_ns = clock_ns();
        if (now_ns - load->heard_ns > SILENCE_NS_MAX) break;
    }
    return !has_due || load_fail(load, LOAD_OFFENCE, "the server takes no more: %llu messages sent, more were due",
                                 (unsigned long long)load->sent_total);
}

static bool check(struct load *load)
{
    if (!load->options->no_verify && !verifier_finish(&load->verifier, load->sent)) {
        return load_fail(load, LOAD_OFFENCE, "%s", load->verifier.offence);
    }
    if (load->delivered == load->expected) return true;
    return load_fail(load, LOAD_OFFENCE, "%llu deliveries came where %llu were due",
                     (unsigned long long)load->delivered, (unsigned long long)load->expected);
}

bool load_publish(struct load *load)
{
    if (!run_until(load, clock_ns() + SETTLE_NS) || !load_span_begin(load)) return false;
    load->begun_ns = clock_ns();
    load->end_ns = load->begun_ns + (uint64_t)(load->options->seconds * (double)NS_PER_SECOND);
    return publish_in_time(load) && await_rest(load) && load_span_end(load, &load->publishing) &&
           run_until(load, clock_ns() + LAST_WORD_NS) && check(load);
}
