/* bench/load/load_part.c - what one thread has, and its way through the phases. */
#include "bench/load/load.h"

#include "bench/clock.h"
#include "bench/load/load_threads.h"
#include "core/span.h"

#include <stdlib.h>
#include <sys/prctl.h>

#define BUFFER_BYTES_MIN  4096u
#define BUFFER_BYTES_MAX  131072u
#define BUFFERS_BYTES     (8u << 20) /* of all threads together: more would only leave the caches */
#define BUFFERS_BYTES_MIN (1u << 20)
#define CAUGHT_UP_NS      (NS_PER_SECOND / 4) /* slow readers that have heard nothing for so long have all */
#define WAIT_NS_MAX       (NS_PER_SECOND / 10)
#define PUBLISHERS_HINT   "lower --publishers or --connections, or give --no-verify"

/* ---- life ---- */

static void count_readers(struct load *load)
{
    const struct layout *layout = &load->layout;
    for (uint32_t i = 0; i < layout->connections; i++) {
        if (!layout_is_apart(layout, i)) load->readers[layout_room(layout, i)]++;
    }
    for (uint32_t room = 0; room < layout->rooms; room++) {
        if (load->readers[room] > load->readers_most) load->readers_most = load->readers[room];
    }
}

static void choose_kinds(struct load *load)
{
    for (uint32_t slot = 0; slot < load->slots; slot++) {
        uint32_t member = load->first + slot;
        load->connections[slot].kind = slot >= load->members                    ? LOAD_API
                                       : layout_is_slow(&load->layout, member)  ? LOAD_SLOW
                                       : layout_is_guest(&load->layout, member) ? LOAD_GUEST
                                                                                : LOAD_STAYS;
    }
}

/* Window and rate belong to all parts that publish: this part's share of them. */
static void choose_pace(struct load *load)
{
    const struct load_options *options = load->options;
    uint32_t active = load_options_active(options), part = load->layout.part;
    bool publishes = load->layout.publishers > 0 && (load->index == 0 || !load_options_spans(options));
    if (!publishes) return;
    load->rate = options->rate * load->layout.publishers / options->publishers;
    uint64_t messages = options->window / active + (part < options->window % active);
    load->window = messages * (load->readers_most - (load->layout.has_echo ? 0 : 1));
}

static bool reserve(struct load *load)
{
    const struct load_options *options = load->options;
    load->connections = calloc(load->slots, sizeof load->connections[0]);
    load->sent = calloc(load->layout.publishers + 1, sizeof load->sent[0]);
    load->readers = calloc(load->layout.rooms, sizeof load->readers[0]);
    load->filler = malloc(options->payload_bytes_max);
    enum rc rc = slot_list_init(&load->saying, load->slots);
    if (load->connections == NULL || load->sent == NULL || load->readers == NULL || load->filler == NULL ||
        rc != RC_OK || !load_api_init(load)) {
        return load_fail(load, LOAD_UNABLE, "out of memory for %u connections", options->connections);
    }
    filler_write(load->filler, options->payload_bytes_max, 0);
    choose_kinds(load);
    if (!load_apart_init(load)) return load_fail(load, LOAD_UNABLE, "out of memory");
    if (options->no_verify) return true;
    rc = verifier_init(&load->verifier, &load->layout, load->first, load->members);
    if (rc == RC_ETOOBIG) {
        return load_fail(load, LOAD_UNABLE,
                         "too many pairs of a member and a publisher to verify them all: " PUBLISHERS_HINT);
    }
    return rc == RC_OK || load_fail(load, LOAD_UNABLE, "out of memory to verify: " PUBLISHERS_HINT);
}

bool load_init(struct load *load, struct load_run *run, uint32_t index)
{
    const struct load_options *options = run->options;
    load->run = run;
    load->options = options;
    load->index = index;
    load->layout = load_options_layout(options, index);
    load->first = load_options_first(options, index, &load->members);
    bool publishes = index == 0 || !load_options_spans(options);
    load->slots = load->members + (options->publish_by == LOAD_BY_HTTP && publishes ? load->layout.publishers : 0);
    if (!reserve(load)) return false;
    count_readers(load);
    choose_pace(load);
    atomic_store(&load->told.has_due, load->rate > 0);
    if (options->is_secure && (load->tls = load_tls_context_new(options->name, options->resume)) == NULL) {
        return load_fail(load, LOAD_UNABLE, "TLS cannot begin: no memory, or no randomness");
    }
    return true;
}

void load_fini(struct load *load)
{
    for (uint32_t i = 0; load->connections != NULL && i < load->slots; i++) {
        struct load_connection *connection = &load->connections[i];
        reader_fini(&connection->reader);
        span_free(&connection->head);
        span_free(&connection->filling);
        span_free(&connection->sending);
        load_tls_free(connection->tls);
    }
    load_tls_context_free(load->tls);
    load_api_fini(load);
    verifier_fini(&load->verifier);
    slot_list_fini(&load->saying);
    slot_list_fini(&load->guests);
    slot_list_fini(&load->slow);
    free(load->connections);
    free(load->sent);
    free(load->readers);
    free(load->filler);
}

/* ---- phases ---- */

static enum load_phase phase_of(const struct load *load)
{
    return atomic_load_explicit(&load->run->phase, memory_order_acquire);
}

/* Done with this phase: goes on hearing until the next one begins. */
static bool await_phase(struct load *load, enum load_phase done)
{
    bool goes_on = true;
    atomic_store_explicit(&load->told.phase, done + 1, memory_order_release);
    sem_post(&load->run->progress);
    while (goes_on && phase_of(load) == done) {
        goes_on = load_turn(load, WAIT_NS_MAX / 10);
    }
    return goes_on;
}

static bool begin(struct load *load)
{
    char reason[LOAD_ERROR_BYTES];
    const struct load_options *options = load->options;
    uint32_t bytes = BUFFER_BYTES_MIN, all = BUFFERS_BYTES / options->threads;
    prctl(PR_SET_TIMERSLACK, 1UL); /* an open loop's messages leave when they are due, not 50 us later */
    /* A receive buffer holds one message or more, so that it is not read in pieces, within bounds. */
    while (bytes < BUFFER_BYTES_MAX && bytes < 4 * options->payload_bytes_max) {
        bytes *= 2;
    }
    if (all < BUFFERS_BYTES_MIN) all = BUFFERS_BYTES_MIN;
    if (load_ring_init(&load->ring, load->slots, bytes, all, reason, sizeof reason) == RC_OK) return true;
    return load_fail(load, LOAD_UNABLE, "%s", reason);
}

/* When those that stay have all that was sent: have guests and slow readers, too? */
static bool is_complete(struct load *load)
{
    const struct load *first = load_options_spans(load->options) ? &load->run->loads[0] : load;
    if (load->slow.count > 0) {
        if (!load->slow_catch_up) load->slow_due_ns = 0;
        load->slow_catch_up = true;
        if (clock_ns() - load->heard_ns < CAUGHT_UP_NS) return false;
    }
    return load->options->no_verify || verifier_is_complete(&load->verifier, first->sent);
}

/* Waits for what is under way: those that stay, by the main thread's count, and then the guests. */
static void rest(struct load *load)
{
    bool goes_on = true;
    for (enum load_phase phase; goes_on && (phase = phase_of(load)) != LOAD_ENDING;) {
        if (phase == LOAD_PUBLISHING) {
            load_publish_rest(load);
        } else if (is_complete(load)) {
            atomic_store_explicit(&load->told.is_complete, true, memory_order_release);
        }
        goes_on = load_turn(load, WAIT_NS_MAX / 10); /* tells what was sent; only then that it was the last: */
        atomic_store_explicit(&load->told.has_due, load_has_due(load), memory_order_release);
        load_tick(load, clock_ns());
    }
}

/* Those that have said goodbye are gone, whether the server has noticed or not. */
static void leave_all(struct load *load)
{
    for (uint32_t i = 0; i < load->guests.count && !load->options->no_verify; i++) {
        uint32_t slot = load->guests.slots[i];
        if (load->connections[slot].stage == LOAD_LEAVING) verifier_leave(&load->verifier, load->first + slot);
    }
}

void *load_main(void *context)
{
    struct load *load = context;
    if (begin(load) && load_connect(load) && await_phase(load, LOAD_CONNECTING)) {
        load->second_ends_ns = load->run->begun_ns + NS_PER_SECOND;
        if (load_publish(load)) {
            atomic_store_explicit(&load->told.has_due, load_has_due(load), memory_order_release);
            atomic_store_explicit(&load->told.phase, LOAD_PUBLISHING + 1, memory_order_release);
            sem_post(&load->run->progress);
            rest(load);
        }
        leave_all(load);
    }
    load_ring_fini(&load->ring); /* first: the kernel may still read what is being sent */
    return NULL;
}
