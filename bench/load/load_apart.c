/* bench/load/load_apart.c - guests, which come and go, and slow readers, which read so many bytes a second.
 *
 * A slow reader asks for a tenth of a second's bytes at a time, into a small buffer of the kernel's, so that what it
 * does not read waits at the server. Whether the server has closed it stands behind all that: when the load is over,
 * it reads as fast as it can to find out. */
#include "bench/load/load.h"

#include "bench/clock.h"
#include "bench/load/load_threads.h"
#include "core/span.h"

#define CODE_NORMAL "\x03\xe8" /* 1000, RFC 6455 7.4.1 */

bool load_apart_init(struct load *load)
{
    if (slot_list_init(&load->guests, load->members) != RC_OK ||
        slot_list_init(&load->slow, load->members) != RC_OK) {
        return false;
    }
    for (uint32_t slot = 0; slot < load->members; slot++) {
        if (load->connections[slot].kind == LOAD_GUEST) slot_list_add(&load->guests, slot);
        if (load->connections[slot].kind == LOAD_SLOW) slot_list_add(&load->slow, slot);
    }
    return true;
}

/* ---- guests ---- */

static void say_goodbye(struct load *load, uint32_t slot)
{
    const struct text pieces[3] = {{CODE_NORMAL, 2}};
    if (!load_say_frame(load, slot, FRAME_CLOSE, pieces)) return;
    load->connections[slot].stage = LOAD_LEAVING;
    load->open--;
}

uint64_t load_churn(struct load *load, uint64_t now_ns)
{
    if (load->guests.count == 0) return UINT64_MAX;
    double pace = load->options->churn * load->members / load->options->connections;
    for (;;) {
        uint64_t due_ns = load->run->begun_ns + (uint64_t)((load->guests_left + 1.0) * (double)NS_PER_SECOND / pace);
        if (due_ns > now_ns) return due_ns;
        /* A guest whose turn it is while it is still away stays so. */
        uint32_t slot = load->guests.slots[load->guests_left++ % load->guests.count];
        if (load->connections[slot].stage == LOAD_OPEN) say_goodbye(load, slot);
    }
}

static void come_back(struct load *load, uint32_t slot)
{
    struct load_connection *connection = &load->connections[slot];
    span_free(&connection->filling);
    span_free(&connection->head);
    reader_fini(&connection->reader);
    load_tls_free(connection->tls);
    connection->tls = NULL;
    load_start(load, slot);
}

void load_left(struct load *load, uint32_t slot)
{
    struct load_connection *connection = &load->connections[slot];
    if (connection->kind != LOAD_GUEST) return;
    if (connection->stage == LOAD_LEAVING && !load->options->no_verify &&
        verifier_leave(&load->verifier, load->first + slot) != RC_OK) {
        load_fail(load, LOAD_UNABLE, "out of memory to verify: give a lower --churn, or --no-verify");
    }
    connection->stage = LOAD_CLOSED;
    bool is_over = clock_ns() >= load->run->end_ns;
    if (connection->sending == NULL && !is_over) come_back(load, slot);
}

/* ---- slow readers ---- */

uint64_t load_read_slowly(struct load *load, uint64_t wait_ns)
{
    uint64_t now_ns = clock_ns();
    if (now_ns >= load->slow_due_ns) {
        load->slow_due_ns = UINT64_MAX;
        for (uint32_t i = 0; i < load->slow.count; i++) {
            uint32_t slot = load->slow.slots[i];
            struct load_connection *connection = &load->connections[slot];
            if (connection->stage != LOAD_OPEN || connection->is_reading) continue;
            if (connection->read_at_ns <= now_ns || load->slow_catch_up) {
                load_ring_receive_some(&load->ring, slot, load->slow_catch_up ? UINT32_MAX : load_piece_bytes(load));
                connection->is_reading = true;
            } else if (connection->read_at_ns < load->slow_due_ns) {
                load->slow_due_ns = connection->read_at_ns;
            }
        }
    }
    if (load->slow_due_ns == UINT64_MAX) return wait_ns;
    uint64_t left_ns = load->slow_due_ns > now_ns ? load->slow_due_ns - now_ns : 0;
    return left_ns < wait_ns ? left_ns : wait_ns;
}
