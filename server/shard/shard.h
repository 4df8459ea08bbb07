/* server/shard/shard.h - what one thread owns: a ring, the connections that came in on it, its view of the channels.
 *
 * Threads:   everything here is the shard's thread's own, but for what says otherwise. Other shards reach it through
 *            mailboxes (server/shard/post.h), the main thread through the stage and the shard's signal descriptor.
 * Memory:    arrays are indexed by slot and reserved for slots_max; memory is touched as connections come. */
#pragma once

#include "core/close_reason.h"
#include "core/counters.h"
#include "core/hub.h"
#include "core/letter.h"
#include "core/name_filter.h"
#include "core/outbox.h"
#include "core/owner.h"
#include "core/pool.h"
#include "core/roster.h"
#include "core/slot_list.h"
#include "core/timer_wheel.h"
#include "core/trace.h"
#include "core/trim.h"
#include "server/config/options.h"
#include "server/shard/crowd_wait.h"
#include "server/shard/sweep_list.h"
#include "server/system/day_clock.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <sys/queue.h>

struct app;
struct broker;
struct channel_log;
struct cluster;
struct cluster_job;
struct config;
struct connection;
struct door;
struct doors;
struct exchange;
struct flush_chunk;
struct follow;
struct orders;
struct peer;
struct receipts;
struct ring;
struct ring_peer;
struct store;
struct store_job;
struct tally;
struct tls_context;
struct tls_files;
struct tls_sessions;
struct tls_ticket_keys;
struct trail;
struct web_page;
struct webhooks;

TAILQ_HEAD(log_list, channel_log);

/* What one room alone uses stands in a struct that says which; tests/rows.sh sees to it that only the room, and run/,
 * which makes shards and runs their turns, name it. The rest is for all. */
struct shard {
    uint32_t index;
    struct exchange *exchange;    /* of all shards */
    struct config *const *newest; /* atomic: what the main thread publishes (server/config/config.h); NULL: nothing */
    struct config *config;        /* that the shard goes by, held; between turns it takes the newest. Its */
    const struct options *options;  /* so that nobody keeps a pointer into them from turn to turn */
    struct history_rule_list rules; /* those of the options, at places that stay: rosters and logs point there */
    struct history_rule rule_places[2]
                                   [HISTORY_RULES_MAX]; /* in one of these; the others are those of before, while */
    uint32_t rule_half;                                 /* channels that go by them are there still */
    struct owner owner;
    struct { /* run/ */
        pthread_t id;
        bool is_there;
        sem_t has_begun; /* it says once how it went: */
        enum rc begin_rc;
    } thread;

    struct ring *ring;
    struct day_clock day_clock; /* by which what is kept is stamped and forgotten */
    uint64_t now_ms;            /* monotonic, read once a turn, without: */
    uint64_t lost_ms;           /* time in which the process stood still */
    uint64_t woke_us;           /* monotonic, when the turn began */
    struct timer_wheel timers;
    struct {                        /* run/ */
        uint64_t catch_up_until_ms; /* no deadline is judged while something comes, but for this long; 0: as usual */
        bool has_more;              /* the last turn left completions for the next */
        bool requests_first;        /* letters are taken before the paused connections go on; changes each turn */
        uint32_t requests_from;     /* which of the other shards is served first */
        uint64_t trim_at_ms;        /* gives memory back to the kernel then, */
        struct trim trim;
    } turn;

    uint32_t slots_max;
    struct connection *connections;
    struct outbox *outboxes;
    uint32_t slots_used;           /* slots from here on were never used */
    struct {                       /* connection/ */
        struct slot_list dirty;    /* outboxes to flush this turn */
        struct slot_list flushing; /* empty; changes places with dirty in each round of a flush */
        struct flush_chunk *chunk; /* the sends of one submit */
    } flush;
    struct {                          /* shard/ */
        struct slot_queue queue;      /* outboxes of large audiences, flushed a part in each turn, */
        uint64_t due_ms;              /* from then on */
        uint32_t pass;                /* so many of it have not had their turn in this pass over it, */
        uint64_t pass_ms;             /* which began then; */
        uint64_t left_bytes;          /* those who had theirs have these left, */
        uint64_t left_before;         /* and had in the pass before */
        bool is_late;                 /* counted among behind->late, */
        bool is_full;                 /* and ->full */
        struct crowds_behind *behind; /* of all shards */
        enum crowd_wait wait;         /* who has to wait, */
        uint64_t wait_since_ms;       /* if anybody has: since then */
    } crowd;
    struct {                                /* connection/ */
        struct slot_list starved;           /* receives to start again: there was no buffer */
        struct slot_list paused;            /* connections not read from while letters wait, or crowds */
        struct timer_wheel throttle_timers; /* of connections that are not read because they publish too fast */
    } receive;
    struct {                   /* connection/ */
        struct tally *entries; /* by slot; NULL: --log-connections is 0 */
        uint32_t ended;        /* connections, of which it chooses some */
    } tally;
    struct {                      /* connection/ */
        struct slot_queue askers; /* connections whose question waits for others' long answers to leave */
        uint32_t asked;           /* questions under way whose answer may be long; */
        uint64_t bytes;           /* each is thought to be so long */
    } answers;
    struct {                           /* connection/ */
        struct tls_context *context;   /* NULL: no TLS */
        struct tls_files *offered;     /* atomic: newer ones, from the main thread */
        struct slot_queue shaking;     /* connections whose handshakes are due, of those that have begun, */
        struct slot_queue hellos;      /* and of those that have not */
        uint64_t shaken_us;            /* when a step of a handshake was over last, of those of this turn */
        struct tls_sessions *sessions; /* what they share */
        uint8_t *plain;                /* one record, opened, or joined to be sealed */
    } tls;

    struct hub hub;
    struct {             /* channel/ */
        uint32_t serial; /* of the latest subscription */
        struct pool subscriptions;
        struct channel **active; /* channels with messages that arrived this turn */
        uint32_t active_count;
        uint32_t active_capacity;
    } channel;
    struct {              /* component/ */
        struct pool pool; /* what channel connections have besides */
    } pusher;
    struct {                      /* home/ */
        struct roster **settling; /* this shard is their home, and something is told at the turn's end */
        uint32_t settling_count;
        uint32_t settling_capacity;
        bool has_told_webhook; /* this turn: the webhook thread is to be woken */
        struct timer_wheel timers;
        TAILQ_HEAD(, roster) kept;          /* those that keep an event, the oldest event first */
        struct log_list logs, empty_logs;   /* those that hold messages, and the others; the longest unused first */
        struct sweep rules_sweep;           /* over channels that go by other rules now, */
        struct hub_walk rules_walk;         /* which has come so far, */
        struct config *rules_before;        /* and holds this one; NULL: none is under way */
        uint64_t epoch_key;                 /* of the epochs of channels of which nothing was ever to be kept, */
        struct name_filter seen;            /* and of which something was, since the server began */
        TAILQ_HEAD(, store_job) store_jobs; /* under way at the store, */
        uint64_t behind_count;              /* and messages that are not kept, but go out behind them */
        uint64_t behind_bytes;
        TAILQ_HEAD(, cluster_job) cluster_jobs; /* under way at the cluster, */
        TAILQ_HEAD(people_job_list, cluster_job) people_asked, people_waiting; /* and about people; for room there */
        TAILQ_HEAD(, broker) leavers;           /* channels that could not be left yet, */
        uint32_t entered;                       /* and how many were entered: the serial of the last */
        struct receipts *receipts;              /* of publishes with a key; NULL: there was none yet */
    } home;
    struct {                  /* http/ */
        char date[32];        /* of answers, */
        uint64_t date_second; /* in this second of the day's time; 0: not written yet */
        uint32_t call_serial; /* of the latest call of a backend */
        bool has_guests;      /* server/http/guest.h: they may sign in */
        const struct web_page *chat;
    } http;

    struct {                        /* control/ */
        uint64_t closed_for_memory; /* on all shards, when that was looked at last; */
        uint64_t short_until_ms;    /* memory counts as short until then */
        uint64_t began_ms;          /* monotonic: when the server was made */
        struct trail *trail;        /* NULL: nothing was followed yet */
        struct orders *orders;      /* to the main thread; NULL: this is not the shard behind that door */
    } control;

    struct {                               /* shard/ */
        uint64_t waiting;                  /* letters in the spill lists of all outgoing mailboxes */
        uint64_t deliveries_waiting;       /* of these, those in the lane of deliveries */
        uint64_t to_wake[SHARDS_MAX / 64]; /* shards that got letters since their doorbells were last looked at */
    } post;

    struct sweep_list sweeps;   /* work that goes over everything there is, a piece in each turn */
    struct follow *follow;      /* what an operator follows (server/shard/follow.h); NULL: nothing */
    struct door *door;          /* who is let in; shared with the other shards that have it */
    struct {                    /* connection/ */
        int *listeners;         /* one descriptor for each of the door's addresses; -1 once closed */
        uint8_t *is_accepting;  /* an ACCEPT is under way */
        struct ring_peer *from; /* by listener: where the connection comes from that its ACCEPT brings; NULL: the
                                 * door does not want to know */
        bool has_unaccepted;    /* a TLS listener has no ACCEPT, since enough hellos wait */
        bool is_held;           /* at connections_max, or the kernel was short of something */
        uint32_t told_count;    /* refusals that were told, */
        uint64_t told_second;   /* in this second */
        bool is_over;           /* the listeners are closed, or will be when their ACCEPTs have ended */
        struct timer timer;     /* when to try again */
    } accept;

    struct {                /* connection/ */
        struct peer *table; /* by slot: who is at the other end; NULL: nobody wants to know */
    } peers;

    struct {           /* run/ */
        uint32_t slot; /* next to be looked at: is its app served no more? */
        bool is_under_way;
    } shut;
    bool is_stopping;        /* SERVER_STOPPING: nobody new is let in, and answers are the last */
    uint32_t returns_ms;     /* those who are closed because the server stops are to come back within so long */
    struct {                 /* run/ */
        uint64_t since_ms;   /* SERVER_CLEARING: when it began; 0: not yet. */
        uint32_t walk_slots; /* So many slots are looked at, */
        uint32_t walk_step;  /* one every so many, */
        uint32_t walk_at;    /* next this one; */
        uint32_t looked_at;  /* so many have been */
        uint32_t slot;       /* SERVER_STOPPING: next to be closed */
        uint64_t until_ms;
    } drain;
    int signal_descriptor; /* eventfd: the main thread writes, the ring watches */

    struct counters counters; /* any thread may read */
    /* Set before sleeping, cleared by whoever wakes it. Alone on its lines: every other shard reads it. */
    _Alignas(128) uint32_t is_sleeping;
    _Alignas(128) uint32_t has_ended; /* atomic: the thread has left its loop */
    uint32_t has_cleared;             /* atomic: SERVER_CLEARING: it has no clients, or has closed them */

    /* What a letter makes happen: server/run/letters.h. It takes over the body. */
    enum rc (*take)(struct shard *shard, uint32_t from, const struct letter *letter);
    /* Of all shards together, given before the thread starts: */
    uint32_t *stage;                     /* atomic: enum server_stage (server/shard/stage.h) */
    int *ring_error;                     /* atomic: errno that a ring gave up with, 0: none has */
    const struct doors *doors;           /* of this shard and of the others */
    const struct counter_sets *counted;  /* by all threads */
    uint64_t *app_connections;           /* atomic, by the app's index: channel connections that are open */
    struct store *store;                 /* NULL: no channel is durable */
    struct cluster *cluster;             /* NULL: there are no other nodes */
    struct webhooks *webhooks;           /* NULL: no app has one */
    struct tls_ticket_keys *ticket_keys; /* NULL: no TLS */

    uint32_t is_resting; /* atomic: it waits for something to do; the watchdog looks */
    struct trace trace;  /* any thread may read */
};

#define SHARD_NAME_BYTES 24
/* "shard 3", as the log calls its thread; "control" of the one that serves --control alone. Any thread. Returns
 * name_r. */
const char *shard_name(const struct shard *shard, char name_r[SHARD_NAME_BYTES]);

/* Any thread: makes the shard look at the stage. */
void shard_signal(struct shard *shard);

/* The channel of that name, made if it is not there yet. NULL: out of memory. */
struct channel *shard_make_channel(struct shard *shard, const struct name *name);
void shard_drop_channel_if_unused(struct shard *shard, struct channel *channel);

/* The options' rules of history, whose patterns are those of before, are the shard's from now on; with a cluster, which
 * keeps what is kept, none is of the store. */
void shard_take_rules(struct shard *shard);
/* The same with other patterns. The rules of before stay where they are until the next time. */
void shard_take_other_rules(struct shard *shard);
/* The first of them that fits the channel; NULL: it keeps nothing. */
const struct history_rule *shard_rule(const struct shard *shard, const struct name *channel);

/* The app of that index, as it stands in names. Never kept from turn to turn. */
const struct app *shard_app(const struct shard *shard, uint16_t index);

/* Has the server been told to stop, so that it is not ready for clients any more, whether it serves them still or not?
 * Any thread. */
bool shard_is_draining(const struct shard *shard);
/* Are new WebSockets served? Any thread. */
bool shard_takes_sockets(const struct shard *shard);
/* Why connections end while the server drains. */
enum close_reason shard_drain_reason(const struct shard *shard);

/* Letters of ours wait already, or crowds: more would only wait longer, so what can be refused is. */
static inline bool shard_is_overloaded(const struct shard *shard)
{
    bool is_behind =
        shard->crowd.wait != CROWD_WAIT_NOBODY && shard->now_ms > shard->crowd.wait_since_ms + CROWD_OVERLOAD_MS;
    return is_behind || shard->post.waiting > shard->options->mailbox_letters;
}
