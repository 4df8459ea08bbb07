/* tests/support/history_crowd.c - seats and rooms, busy times, and the lives of a server. */
#include "tests/support/history_crowd_private.h"

#include "net/frame.h"
#include "server/home/channel_log.h"
#include "server/system/log.h"
#include "tests/support/fake_cluster.h"
#include "tests/support/fake_store.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define SEATS 8
#define RAW   3

struct scenario crowd_scenario;

/* Somebody who may be here or not. */
struct seat {
    struct channel_client *client; /* NULL: not here */
    struct position known[16];     /* by channel; not set: never been there */
    uint32_t pings;                /* said; until as many pongs are heard what it left may still be heard of */
};

/* In a room, as a raw client. */
struct guest {
    struct client *client; /* NULL: not here */
    uint32_t channel;
};

static struct seat seats[SEATS];
static struct guest raw[RAW];
static bool is_rested, is_in_cluster;

/* Warnings and errors of the server are what we cause. */
void __wrap_log_write(enum log_level level, const char *format, ...);
void __wrap_log_write(enum log_level level, const char *format, ...)
{
    (void)level, (void)format;
}

/* ---- coming and going ---- */

static void remember(struct seat *seat)
{
    for (uint32_t i = 0; i < seat->client->places_count; i++) {
        const struct place *place = &seat->client->places[i];
        if (place->state == PLACE_IN && position_is_set(&place->position)) {
            seat->known[book_channel(place->channel)] = place->position;
        }
    }
}

static void leave(struct seat *seat)
{
    remember(seat);
    if (fake_random(2)) {
        fake_reset(seat->client->client->socket);
    } else {
        client_close(seat->client->client, 1000);
    }
    seat->client = NULL;
}

static void come(struct seat *seat)
{
    if (!crowd_may_join()) return;
    seat->client = channel_client_join(&crowd_scenario, crowd_any_shard(), CHANNEL_APP_KEY, CROWD_SEND_BUFFER);
    seat->client->on_event = answers_hear;
    seat->client->is_lenient = crowd_is_scarce;
    seat->pings = 0;
}

static bool is_presence(uint32_t channel)
{
    return strncmp(book_channels[channel].name, "presence-", 9) == 0;
}

static bool is_room(uint32_t channel)
{
    return strncmp(book_channels[channel].name, "room-", 5) == 0;
}

static void come_to_room(struct guest *guest)
{
    char path[64];
    if (!crowd_may_join()) return;
    guest->channel = fake_random(book_channels_count);
    if (!is_room(guest->channel)) return;
    snprintf(path, sizeof path, "/room/%s", book_channels[guest->channel].name);
    guest->client = client_join(&crowd_scenario, crowd_any_shard(), path, CROWD_SEND_BUFFER);
}

static void enter(struct seat *seat, uint32_t channel)
{
    char id[24];
    struct position from = seat->known[channel];
    uint32_t manner = fake_random(12);
    snprintf(id, sizeof id, "u%ld", (long)(seat - seats));
    const char *name = book_channels[channel].name, *user_id = is_presence(channel) ? id : NULL;
    if (channel_client_count(seat->client, "pusher:pong", NULL) < seat->pings) return;
    if (manner == 0) {
        if (user_id != NULL) channel_client_subscribe_as(seat->client, name, user_id);
        if (user_id == NULL) channel_client_subscribe(seat->client, name);
        return;
    }
    if (manner == 1) from = (struct position){0};
    if (manner < 5 && from.offset > 0) from.offset -= fake_random(from.offset < 30 ? (uint32_t)from.offset : 30);
    if (manner == 5) from.offset += fake_random(20); /* there may not be so many */
    if (manner == 6 && position_is_set(&from)) from.epoch[3] = from.epoch[3] == 'x' ? 'y' : 'x';
    channel_client_recover(seat->client, name, user_id, &from);
}

static void depart(struct seat *seat, uint32_t channel)
{
    remember(seat);
    channel_client_unsubscribe(seat->client, book_channels[channel].name);
    channel_client_say(seat->client, "{\"event\":\"pusher:ping\",\"data\":{}}");
    seat->pings++;
}

/* ---- publishing ---- */

static void say(struct seat *seat, uint32_t channel)
{
    char text[CROWD_DATA_BYTES_MAX + 2], id[20];
    struct channel_client *client = seat->client;
    const char *name = book_channels[channel].name;
    uint32_t manner = fake_random(4), author = client->client->index;
    int key = manner == 0 ? answers_old_key(channel, author) : -1;
    if (key < 0 && manner == 1) key = (int)answers_new_key(channel, author);
    uint32_t number = key >= 0 ? answers_key_number((uint32_t)key) : book_new(channel, author, false);
    snprintf(text, sizeof text, "\"%s\"", answers_data(number, channel));
    snprintf(id, sizeof id, "k%d", key);
    if (key >= 0) {
        channel_client_publish(client, name, "client-x", text, id);
    } else if (is_room(channel)) {
        channel_client_say(
            client, "{\"event\":\"pusher:ringcast_publish\",\"data\":{\"channel\":\"%s\",\"data\":%s}}", name, text);
    } else {
        channel_client_send(client, name, "client-x", text);
    }
}

static void be_in_room(struct guest *guest)
{
    struct client *client = guest->client;
    if (client == NULL || client->code != 0 || fake_is_at_end(client->socket)) {
        come_to_room(guest);
    } else if (client->status == 101 && fake_random(12) == 0) {
        fake_reset(client->socket);
    } else if (client->status == 101) {
        const char *data = answers_data(book_new(guest->channel, client->index, false), guest->channel);
        client_frame(client, FRAME_TEXT, data, strlen(data));
    }
}

static void turn_page(struct seat *seat, uint32_t channel)
{
    const struct place *place = channel_client_place(seat->client, book_channels[channel].name);
    struct page_asked page = answers_choose_page(channel, &place->position);
    channel_client_ask_page(seat->client, place->channel, answers_page_text(&page, true), page.limit,
                            answers_new_rid(&page));
}

/* ---- busy times ---- */

static void act(struct seat *seat, uint32_t channel)
{
    if (seat->client == NULL) {
        come(seat);
        return;
    }
    if (!channel_client_is_here(seat->client)) {
        bool is_gone = seat->client->client->code != 0 || fake_is_at_end(seat->client->client->socket);
        if (is_gone) remember(seat);
        if (is_gone) seat->client = NULL;
        return;
    }
    const struct place *place = channel_client_place(seat->client, book_channels[channel].name);
    uint32_t manner = fake_random(16);
    if (manner == 0) {
        leave(seat);
    } else if (place == NULL || place->state == PLACE_LEFT) {
        enter(seat, channel);
    } else if (place->state == PLACE_IN && manner == 1) {
        depart(seat, channel);
    } else if (place->state == PLACE_IN && manner < 5) {
        turn_page(seat, channel);
    } else if (place->state == PLACE_IN) {
        say(seat, channel);
    } else if (manner == 6) { /* before it was answered */
        depart(seat, channel);
    }
}

/* On another node. */
static void act_elsewhere(uint32_t channel)
{
    const struct book_channel *of = &book_channels[channel];
    if (fake_random(20) == 0) {
        fake_cluster_lose(of->name, fake_random(2));
    } else {
        fake_cluster_publish(of->name, answers_data(book_new(channel, BOOK_BACKEND, false), channel),
                             of->rule != NULL);
    }
}

void crowd_run(uint32_t steps)
{
    for (; steps > 0; steps--) {
        scenario_step(&crowd_scenario, 0);
    }
}

void crowd_act(uint32_t actions, void (*run)(uint32_t steps))
{
    for (; actions > 0; actions--) {
        uint32_t channel = fake_random(book_channels_count);
        switch (fake_random(12)) {
        case 0:
        case 1:
        case 2:
            backend_act(channel, &seats[fake_random(SEATS)].known[channel]);
            break;
        case 3:
            be_in_room(&raw[fake_random(RAW)]);
            break;
        case 4:
            if (fake_random(40) == 0) scenario_pass(&crowd_scenario, fake_random(3) ? 3000 : 70000);
            if (is_in_cluster) act_elsewhere(channel);
            break;
        default:
            act(&seats[fake_random(SEATS)], channel);
        }
        if (crowd_scenario.clients_count > 0) run(fake_random(8));
        backend_hear();
    }
}

void crowd_settle(void)
{
    struct fake_store_settings settings = fake_store_settings;
    struct fake_cluster_settings cluster_settings = fake_cluster_settings;
    fake_store_settings = (struct fake_store_settings){0};
    fake_cluster_settings = (struct fake_cluster_settings){0};
    scenario_settle(&crowd_scenario);
    backend_hear();
    for (uint32_t i = 0; i < SEATS; i++) {
        if (seats[i].client != NULL && channel_client_is_here(seats[i].client)) book_check_reader(seats[i].client);
    }
    for (uint32_t i = 0; i < RAW; i++) {
        if (raw[i].client != NULL) book_check_raw(raw[i].client);
    }
    for (uint32_t channel = 0; channel < book_channels_count; channel++) {
        if (book_channels[channel].rule != NULL) backend_read_whole(channel);
    }
    fake_store_settings = settings;
    fake_cluster_settings = cluster_settings;
}

static void let_store_work(void)
{
    fake_store_settings = (struct fake_store_settings){0};
    scenario_pass(&crowd_scenario, 2500); /* it is told again once a second */
}

void crowd_rest(void)
{
    let_store_work();
    is_rested = true;
}

static void everybody_is_gone(void)
{
    for (uint32_t i = 0; i < SEATS; i++) {
        if (seats[i].client != NULL) remember(&seats[i]);
        seats[i].client = NULL;
    }
    memset(raw, 0, sizeof raw);
    backend_forget();
}

static void count(void)
{
    crowd_counts.evictions += scenario_counter(&crowd_scenario, COUNTER_history_evictions);
    crowd_counts.unkept += scenario_counter(&crowd_scenario, COUNTER_history_unkept);
    crowd_counts.store_reads += scenario_counter(&crowd_scenario, COUNTER_store_reads);
}

/* Which channels stay, should any. */
static void show_channels(void)
{
    for (uint32_t i = 0; i < crowd_scenario.server.shards_count; i++) {
        const struct shard *shard = &crowd_scenario.server.shards[i];
        uint32_t bucket = 0;
        const struct channel *channel = NULL;
        while ((channel = hub_next(&shard->hub, &bucket, channel)) != NULL) {
            const struct channel_log *log = channel->roster != NULL ? channel->roster->log : NULL;
            fprintf(stderr, "%.*s on shard %u: subscribers %u, log state %d, jobs %u\n", (int)channel->name.length,
                    channel->name.text, i, channel->roster != NULL ? roster_subscribers(channel->roster) : 0,
                    log != NULL ? (int)log->state : -1, log != NULL ? log->jobs : 0);
        }
    }
}

void crowd_leave(void)
{
    for (uint32_t i = 0; i < crowd_scenario.clients_count; i++) {
        if (fake_random(2)) fake_reset(crowd_scenario.clients[i].socket);
        fake_shutdown(crowd_scenario.clients[i].socket);
    }
    everybody_is_gone();
    scenario_pass(&crowd_scenario, 310000); /* longer than any ttl */
    struct fake_store_settings settings = fake_store_settings;
    let_store_work(); /* who knows of a loss stays until the store does */
    fake_store_settings = settings;
    cr_assert_eq(scenario_counter(&crowd_scenario, COUNTER_history_bytes), 0);
    cr_assert_eq(scenario_counter(&crowd_scenario, COUNTER_messages_live), 0);
    if (scenario_counter(&crowd_scenario, COUNTER_channels) > 0) show_channels();
    cr_assert_eq(scenario_counter(&crowd_scenario, COUNTER_channels), 0, "%lu channels are left",
                 scenario_counter(&crowd_scenario, COUNTER_channels));
}

void crowd_end(void)
{
    book_check_all();
    count();
    scenario_stop(&crowd_scenario);
}

/* ---- lives ---- */

static void start(uint64_t seed, uint32_t shards)
{
    static char rules[16][200];
    char count[8];
    const char *flags[36] = {"--app",
                             CHANNEL_APP " client_events_per_second=100000 channels_max=1000",
                             "--shards",
                             count,
                             "--history-bytes-max",
                             "64KiB",
                             "--replay-bytes-max",
                             CROWD_REPLAY_BYTES,
                             "--data-dir",
                             "/nowhere",
                             "--history",
                             "once-m* size=10 ttl=10s",
                             "--history",
                             "once-d* size=10 ttl=10s durable=yes"};
    uint32_t used = 14;
    snprintf(count, sizeof count, "%u", shards);
    for (uint32_t i = 0; i < book_channels_count; i++) {
        if (book_channels[i].rule == NULL) continue;
        snprintf(rules[i], sizeof rules[i], "%s %s", book_channels[i].name, book_channels[i].rule);
        flags[used++] = "--history";
        flags[used++] = rules[i];
    }
    if (is_in_cluster) {
        flags[used++] = "--redis";
        flags[used++] = "redis://127.0.0.1:1";
    }
    scenario_start(&crowd_scenario, seed, flags);
}

static void begin(uint64_t seed, uint32_t shards, bool is_lenient)
{
    fake_store_forget();
    fake_cluster_forget();
    book_begin(is_lenient);
    if (is_in_cluster) book_in_cluster();
    memset(seats, 0, sizeof seats);
    answers_forget();
    crowd_is_scarce = is_lenient;
    everybody_is_gone();
    start(seed, shards);
}

void crowd_begin(uint64_t seed, uint32_t shards, bool is_lenient)
{
    is_in_cluster = false;
    begin(seed, shards, is_lenient);
}

void crowd_begin_in_cluster(uint64_t seed, uint32_t shards, bool is_lenient)
{
    is_in_cluster = true;
    begin(seed, shards, is_lenient);
}

void crowd_stop(void)
{
    count();
    server_set_stage(&crowd_scenario.server, SERVER_STOPPED);
    while (!server_has_ended(&crowd_scenario.server)) {
        scenario_step(&crowd_scenario, 1);
    }
    everybody_is_gone();
    scenario_free(&crowd_scenario);
}

void crowd_start_again(uint64_t seed, uint32_t shards)
{
    uint64_t now_ms = fake_now_ms() + 1;
    book_check_all();
    book_next_life(is_rested);
    is_rested = false;
    fake_kernel_begin_at(now_ms);
    start(seed, shards);
}
