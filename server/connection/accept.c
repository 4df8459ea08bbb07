/* server/connection/accept.c - one accept for each listener, and what to do when it ends. */
#include "server/connection/accept.h"

#include "net/listener.h"
#include "net/ring.h"
#include "server/connection/arrival.h"
#include "server/connection/connection_state.h"
#include "server/connection/door.h"
#include "server/connection/peer.h"
#include "server/shard/shard.h"
#include "server/system/log.h"

#include <assert.h>
#include <ck_pr.h>
#include <errno.h>
#include <unistd.h>

#define RETRY_MS      100
#define LAST_MS       250 /* for handshakes that have begun: a round trip */
#define LAST_LOCAL_MS 20

static uint64_t open_now(const struct shard *shard)
{
    return ck_pr_load_64(&shard->door->connections_open);
}

static bool is_full(const struct shard *shard)
{
    return open_now(shard) >= shard->door->connections_max;
}

/* ---- accepting ---- */

/* Is the socket another's, who passed it to us and goes on to listen? */
static bool is_passed(const struct shard *shard, uint32_t listener)
{
    return door_address(shard->door, listener)->passed > 0;
}

static void start(struct shard *shard, uint32_t listener)
{
    assert(shard->accept.listeners[listener] >= 0 && !shard->accept.is_accepting[listener]);
    bool one_by_one =
        door_is_secure(shard->door, listener) && !shard->is_stopping; /* at the end all, before it closes */
    if (shard->accept.from != NULL) shard->accept.from[listener] = (struct ring_peer){0};
    if (one_by_one && shard->tls.hellos.count >= ACCEPT_HELLOS_MAX) {
        shard->accept.has_unaccepted = true;
        return;
    }
    shard->accept.is_accepting[listener] = true;
    if (shard->accept.from != NULL && !shard->is_stopping) {
        ring_accept_from(shard->ring, shard->accept.listeners[listener], listener, &shard->accept.from[listener]);
    } else if (one_by_one) {
        ring_accept_one(shard->ring, shard->accept.listeners[listener], listener);
    } else {
        ring_accept(shard->ring, shard->accept.listeners[listener], listener);
    }
}

void accept_start(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    if (shard->accept.is_over) return;
    shard->accept.has_unaccepted = false;
    for (uint32_t i = 0; i < door_addresses_count(shard->door); i++) {
        bool is_left = shard->is_stopping && is_passed(shard, i);
        if (!is_left && !shard->accept.is_accepting[i] && shard->accept.listeners[i] >= 0) start(shard, i);
    }
}

void accept_more(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    bool is_due = shard->accept.has_unaccepted && shard->tls.hellos.count < ACCEPT_HELLOS_MAX;
    if (is_due && !shard->accept.is_held && !shard->is_stopping) accept_start(shard);
}

static void cancel_all(struct shard *shard)
{
    for (uint32_t i = 0; i < door_addresses_count(shard->door); i++) {
        if (shard->accept.is_accepting[i]) ring_cancel_accept(shard->ring, i);
    }
}

static void hold(struct shard *shard)
{
    if (shard->accept.is_held || shard->is_stopping) return;
    shard->accept.is_held = true;
    cancel_all(shard);
    timer_set(&shard->timers, &shard->accept.timer, shard->now_ms + RETRY_MS);
}

static void close_listener(struct shard *shard, uint32_t listener)
{
    assert(listener < door_addresses_count(shard->door));
    if (shard->accept.listeners[listener] < 0 || shard->accept.is_accepting[listener]) return;
    close(shard->accept.listeners[listener]);
    shard->accept.listeners[listener] = -1;
}

static void close_all(struct shard *shard)
{
    shard->accept.is_over = true;
    cancel_all(shard);
    for (uint32_t i = 0; i < door_addresses_count(shard->door); i++) {
        close_listener(shard, i);
    }
}

void accept_timer(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    uint64_t most = shard->door->connections_max;
    if (shard->is_stopping) {
        close_all(shard);
    } else if (open_now(shard) > most - (most + 49) / 50) {
        timer_set(&shard->timers, &shard->accept.timer, shard->now_ms + RETRY_MS);
    } else {
        shard->accept.is_held = false;
        accept_start(shard);
    }
}

/* Do all clients sit on this machine, so that their handshakes take no time? */
static bool is_local(const struct door *door)
{
    for (uint32_t i = 0; i < door_addresses_count(door); i++) {
        if (!address_is_loopback(door_address(door, i))) return false;
    }
    return true;
}

/* Whoever comes from now on is for the next server. */
static void stop(struct shard *shard, uint32_t listener)
{
    if (shard->accept.listeners[listener] < 0) return;
    if (!is_passed(shard, listener)) {
        listener_refuse_new(shard->accept.listeners[listener]);
    } else if (shard->accept.is_accepting[listener]) {
        ring_cancel_accept(shard->ring, listener);
    } else {
        close_listener(shard, listener);
    }
}

void accept_stop(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    shard->accept.is_held = false;
    for (uint32_t i = 0; i < door_addresses_count(shard->door); i++) {
        stop(shard, i);
    }
    uint64_t ms = is_local(shard->door) ? LAST_LOCAL_MS : LAST_MS;
    timer_set(&shard->timers, &shard->accept.timer, shard->now_ms + ms);
}

bool accept_has_stopped(const struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    for (uint32_t i = 0; i < door_addresses_count(shard->door); i++) {
        if (shard->accept.listeners[i] >= 0) return false;
    }
    return true;
}

static void welcome(struct shard *shard, uint32_t slot, uint32_t listener)
{
    assert(slot < shard->slots_max);
    if (shard->is_stopping || !is_full(shard)) { /* at the end there is room for all that have a slot */
        arrival_begin(shard, slot, listener);
        if (is_full(shard) && !shard->is_stopping) {
            log_warn("connections_max reached: %llu connections are open, others wait",
                     (unsigned long long)shard->door->connections_max);
            hold(shard);
        }
        return;
    }
    ring_close(shard->ring, slot);
    counter_add(&shard->counters, counter_of_close(CLOSE_REFUSED), 1);
    hold(shard);
}

void accept_completed(struct shard *shard, const struct completion *completion)
{
    assert(owner_is_me(&shard->owner));
    uint32_t listener = completion->slot;
    assert(listener < door_addresses_count(shard->door) && shard->accept.is_accepting[listener]);
    if (completion->result >= 0) {
        if (shard->accept.from != NULL)
            peer_came(shard, (uint32_t)completion->result, listener, &shard->accept.from[listener].address);
        welcome(shard, (uint32_t)completion->result, listener);
    }
    if (completion->more) return;
    shard->accept.is_accepting[listener] = false;
    if (shard->is_stopping) {
        bool is_over = shard->accept.is_over || is_passed(shard, listener);
        if (is_over) close_listener(shard, listener); /* else the next turn begins again */
    } else if (completion->result < 0 && completion->result != -ECANCELED) {
        log_warn("accepting failed: %s; trying again in %d ms", strerror(-completion->result), RETRY_MS);
        hold(shard);
    } else if (!shard->accept.is_held) {
        accept_start(shard);
    }
}
