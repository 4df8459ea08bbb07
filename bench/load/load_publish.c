/* bench/load/load_publish.c - publishes in a closed or an open loop.
 *
 * Closed: the next message goes when the window has room, so a slow server slows the load. Open: messages are due at
 * fixed times; one that cannot be sent in time keeps the time when it was due, so a stalled server shows in the
 * latency of all that had to wait. */
#include "bench/load/load.h"

#include "bench/clock.h"
#include "bench/load/load_threads.h"
#include "bench/load/pusher.h"
#include "core/span.h"

#define WAIT_NS_MAX      (NS_PER_SECOND / 10)
#define UNSENT_BYTES_MAX (1u << 20) /* of one publisher; then it waits, as a client's socket would make it */

/* ---- one message ---- */

static bool say_event(struct load *load, uint32_t slot, struct text payload)
{
    char channel[LOAD_CHANNEL_BYTES], head[PUSHER_TEXT_BYTES_MAX], tail[PUSHER_TEXT_BYTES_MAX];
    load_channel(load, slot, channel);
    struct text pieces[3] = {
        {head, pusher_write_client_head(head, channel)}, payload, {tail, pusher_write_client_tail(tail)}};
    return load_say_frame(load, slot, FRAME_TEXT, pieces);
}

static bool say(struct load *load, uint32_t publisher, struct text payload)
{
    const struct load_connection *connection = &load->connections[publisher];
    if (load->options->publish_by == LOAD_BY_HTTP) return load_api_publish(load, publisher, payload);
    if (connection->filling != NULL && connection->filling->count > UNSENT_BYTES_MAX) return false;
    if (load->options->publish_by == LOAD_BY_CLIENT) return say_event(load, publisher, payload);
    const struct text pieces[3] = {{0}, payload, {0}};
    return load_say_frame(load, publisher, load->options->binary ? FRAME_BINARY : FRAME_TEXT, pieces);
}

static uint32_t readers_of(const struct load *load, uint32_t publisher)
{
    return load->readers[layout_room(&load->layout, publisher)] - (load->layout.has_echo ? 0 : 1);
}

/* The next publisher's next message. False: it has too much unsent; or failed. */
static bool publish(struct load *load, uint64_t due_ns)
{
    const struct load_options *options = load->options;
    uint32_t publisher = (uint32_t)(load->sent_total % load->layout.publishers);
    struct stamp stamp = {.publisher = load->layout.part << LAYOUT_MEMBERS_BITS | publisher,
                          .sequence = load->sent[publisher],
                          .due_ns = due_ns};
    uint32_t bytes = stamp_payload_bytes(&stamp, options->payload_bytes_min, options->payload_bytes_max);
    stamp_write(load->filler, &stamp);
    if (!say(load, publisher, (struct text){(const char *)load->filler, bytes})) return false;
    load->sent[publisher]++;
    load->sent_total++;
    load->expected += readers_of(load, publisher);
    return true;
}

/* ---- loops ---- */

/* To all threads that a message of ours goes to. */
static uint64_t delivered_to_all(const struct load *load)
{
    uint64_t delivered = load->delivered[LOAD_STAYS];
    if (!load_options_spans(load->options)) return delivered;
    for (uint32_t i = 1; i < load->run->loads_count; i++) {
        delivered += atomic_load_explicit(&load->run->loads[i].told.delivered, memory_order_acquire);
    }
    return delivered;
}

static uint64_t turn_closed(struct load *load)
{
    for (;;) {
        uint32_t publisher = (uint32_t)(load->sent_total % load->layout.publishers);
        uint64_t in_flight = load->expected - delivered_to_all(load) + readers_of(load, publisher);
        if (in_flight > load->window || !publish(load, clock_ns())) return WAIT_NS_MAX;
    }
}

/* Open loop: when the next message is due. Parts take turns, so that they do not all send at once. */
static uint64_t next_due_ns(const struct load *load)
{
    double parts = load_options_active(load->options);
    double messages = (double)load->sent_total + load->layout.part / parts;
    return load->run->begun_ns + (uint64_t)(messages * (double)NS_PER_SECOND / load->rate);
}

bool load_has_due(const struct load *load)
{
    return load->rate > 0 && next_due_ns(load) < load->run->end_ns;
}

/* Publishes all that is due; returns the time until the next is. */
static uint64_t turn_open(struct load *load)
{
    for (;;) {
        uint64_t due_ns = next_due_ns(load), now_ns = clock_ns();
        if (due_ns >= load->run->end_ns) return WAIT_NS_MAX;
        if (due_ns > now_ns) return due_ns - now_ns < WAIT_NS_MAX ? due_ns - now_ns : WAIT_NS_MAX;
        if (!publish(load, due_ns)) return WAIT_NS_MAX;
    }
}

void load_publish_rest(struct load *load)
{
    if (load->rate > 0) turn_open(load);
}

static uint64_t turn(struct load *load)
{
    if (load->rate > 0) return turn_open(load);
    return load->window > 0 ? turn_closed(load) : WAIT_NS_MAX;
}

static uint64_t until(uint64_t then_ns, uint64_t now_ns, uint64_t wait_ns)
{
    uint64_t left_ns = then_ns > now_ns ? then_ns - now_ns : 0;
    return left_ns < wait_ns ? left_ns : wait_ns;
}

bool load_publish(struct load *load)
{
    uint64_t end_ns = load->run->end_ns, now_ns = clock_ns();
    while (now_ns < end_ns) {
        uint64_t wait_ns = until(end_ns, now_ns, turn(load));
        if (load->options->churn > 0) wait_ns = until(load_churn(load, now_ns), now_ns, wait_ns);
        if (!load_turn(load, wait_ns)) return false;
        now_ns = clock_ns();
        load_tick(load, now_ns);
    }
    load->published_ns = now_ns - load->run->begun_ns;
    load->sent_in_time = load->sent_total;
    load->delivered_to_slow = load->delivered[LOAD_SLOW];
    load->delivered_in_time = load->delivered[LOAD_STAYS] + load->delivered[LOAD_GUEST];
    return true;
}
