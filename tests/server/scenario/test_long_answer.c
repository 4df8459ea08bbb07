/* tests/server/scenario/test_long_answer.c - what waits for those who ask and do not read, on a whole server with a
 * fake kernel: one long answer for a connection, and so many bytes of them for a shard;
 * whoever reads gets all that it asked for.
 *
 * Method: that of tests/server/scenario/test_channels.c. */
#include "core/batch.h"
#include "server/connection/component.h"
#include "server/connection/connection.h"
#include "server/connection/long_answer.h"
#include "server/shard/shard.h"
#include "tests/support/api_client.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define FLAGS(...)                                                                                         \
    ((const char *const[]){"--app", CHANNEL_APP, "--history", "* ttl=10m", "--replay-bytes-max", "512KiB", \
                           "--ping-ms", "1h", "--outbox-age-ms-max", "1h", "--message-bytes-max", "32KiB", \
                           "--outbox-bytes-max", "64KiB", __VA_ARGS__, NULL})
#define SEND_BUFFER  65536
#define SMALL_BUFFER 4096
#define EVENTS       30
#define EVENT_BYTES  5000
#define MISSED_BYTES (EVENTS * EVENT_BYTES)
#define STRANGERS    10

static struct scenario scenario;
static struct channel_client *strangers[STRANGERS];
static struct position beginning; /* of the channel "news" */

static void publish(struct api_client *backend, uint32_t count)
{
    char data[EVENT_BYTES + 1];
    memset(data, 'x', EVENT_BYTES);
    data[EVENT_BYTES] = '\0';
    for (uint32_t i = 0; i < count; i++) {
        api_client_publish(backend, "news", "ev", data);
        scenario_settle(&scenario);
    }
}

/* Strangers who know where the channel stood before it got its events. */
static void begin(uint32_t shards)
{
    struct api_client *backend = api_client_join(&scenario, 0, SEND_BUFFER);
    for (uint32_t i = 0; i < STRANGERS; i++) {
        strangers[i] = channel_client_join(&scenario, i % shards, CHANNEL_APP_KEY, SMALL_BUFFER);
    }
    struct channel_client *scout = channel_client_join(&scenario, 0, CHANNEL_APP_KEY, SEND_BUFFER);
    scenario_settle(&scenario);
    channel_client_recover(scout, "news", NULL, &(struct position){0});
    scenario_settle(&scenario);
    publish(backend, 1);
    beginning = channel_client_place(scout, "news")->position;
    channel_client_unsubscribe(scout, "news");
    publish(backend, EVENTS);
}

static void read_all(void)
{
    for (uint32_t i = 0; i < STRANGERS; i++) {
        strangers[i]->client->is_reading = true;
        client_read(strangers[i]->client);
    }
    scenario_settle(&scenario);
}

/* When the channel has forgotten what it kept. */
static void end(void)
{
    for (uint32_t i = 0; i < STRANGERS; i++) {
        if (channel_client_is_here(strangers[i])) channel_client_unsubscribe(strangers[i], "news");
    }
    scenario_pass(&scenario, 15 * 60 * 1000);
    scenario_stop(&scenario);
}

/* ---- tests ---- */

Test(long_answer, who_asks_again_and_again_has_one_answer_waiting, .timeout = 60)
{
    enum { TIMES = 20 };
    for (uint32_t shards = 1; shards <= 2; shards++) {
        scenario_start(&scenario, shards, FLAGS("--shards", shards == 1 ? "1" : "2"));
        begin(shards);
        for (uint32_t i = 0; i < STRANGERS; i++) {
            strangers[i]->client->is_reading = false;
            for (uint32_t k = 0; k < TIMES; k++) {
                channel_client_recover(strangers[i], "news", NULL, &beginning);
                channel_client_unsubscribe(strangers[i], "news");
            }
        }
        while (scenario_step(&scenario, 50)) {
            uint64_t most = STRANGERS * (uint64_t)(MISSED_BYTES + MISSED_BYTES / 10 + 65536);
            cr_assert_leq(scenario_counter(&scenario, COUNTER_outbox_bytes), most);
        }
        cr_expect_gt(scenario_counter(&scenario, COUNTER_questions_put_off), 0);
        read_all();
        for (uint32_t i = 0; i < STRANGERS; i++) {
            uint32_t events = channel_client_count(strangers[i], "ev", "news");
            bool is_home = i % shards == 0; /* elsewhere an answer may find its client gone from the channel */
            uint32_t most = TIMES * EVENTS;
            cr_expect(is_home ? events == most : events <= most, "stranger %u heard %u", i, events);
        }
        cr_expect_eq(scenario_counter(&scenario, COUNTER_answers_bytes), 0);
        cr_expect_eq(scenario_counter(&scenario, counter_of_close(CLOSE_SLOW_READER)), 0);
        end();
    }
}

/* Who does not read may go at any time, also while its question waits. */
Test(long_answer, the_answers_of_a_shard_have_a_bound_and_all_have_their_turn, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        scenario_start(&scenario, seed, FLAGS("--shards", "1", "--answers-bytes-max", "1MiB"));
        begin(1);
        for (uint32_t i = 0; i < STRANGERS; i++) {
            strangers[i]->client->is_reading = false;
            channel_client_recover(strangers[i], "news", NULL, &beginning);
        }
        while (scenario_step(&scenario, 50)) {
            cr_assert_leq(scenario_counter(&scenario, COUNTER_answers_bytes), 1024 * 1024);
        }
        cr_expect_gt(scenario_counter(&scenario, COUNTER_answers_bytes), 2 * MISSED_BYTES);
        fake_reset(strangers[9]->client->socket);
        read_all();
        for (uint32_t i = 0; i < STRANGERS - 1; i++) {
            cr_assert_eq(channel_client_count(strangers[i], "ev", "news"), EVENTS, "seed %lu", seed);
        }
        cr_expect_eq(scenario_counter(&scenario, COUNTER_answers_bytes), 0);
        end();
    }
}

/* Goal: that its pings are heard, or that its next question waits, is no sign that it takes anything. */
Test(long_answer, who_takes_nothing_of_its_answer_ends_in_time_and_who_takes_some_does_not, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        scenario_start(&scenario, seed,
                       (const char *const[]){"--app", CHANNEL_APP, "--history", "* ttl=10m", "--ping-ms", "1h",
                                             "--outbox-age-ms-max", "30s", "--shards", "1", NULL});
        begin(1);
        for (uint32_t i = 0; i < 3; i++) {
            strangers[i]->client->is_reading = false;
            channel_client_recover(strangers[i], "news", NULL, &beginning);
        }
        channel_client_unsubscribe(strangers[1], "news");
        channel_client_recover(strangers[1], "news", NULL, &beginning);
        for (uint32_t round = 0; round < 6; round++) {
            client_frame(strangers[0]->client, FRAME_PING, "", 0);
            scenario_pass(&scenario, 15 * 1000);
            strangers[2]->client->is_reading = true;
            client_read(strangers[2]->client);
            strangers[2]->client->is_reading = false;
        }
        cr_expect_eq(scenario_counter(&scenario, counter_of_close(CLOSE_STALE_READER)), 2, "seed %lu", seed);
        read_all();
        cr_expect_eq(channel_client_count(strangers[2], "ev", "news"), EVENTS, "seed %lu", seed);
        cr_expect_eq(scenario_counter(&scenario, COUNTER_answers_bytes), 0);
        end();
    }
}

/* Goal: any progress counts, be the socket writable or not. Method: it takes less than half of what fits into it. */
Test(long_answer, who_takes_little_of_its_answer_takes_some, .timeout = 60)
{
    scenario_start(&scenario, 1,
                   (const char *const[]){"--app", CHANNEL_APP, "--history", "* ttl=10m", "--ping-ms", "1h",
                                         "--outbox-age-ms-max", "30s", "--shards", "1", NULL});
    begin(1);
    for (uint32_t i = 0; i < 2; i++) {
        strangers[i]->client->is_reading = false;
        channel_client_recover(strangers[i], "news", NULL, &beginning);
    }
    char piece[30];
    for (uint32_t i = 0; i < 65; i++) {
        fake_read(strangers[0]->client->socket, piece, sizeof piece);
        scenario_pass(&scenario, 1000);
    }
    cr_expect_eq(scenario_counter(&scenario, COUNTER_subscriptions), 1);
    scenario_pass(&scenario, 40000);
    cr_expect_eq(scenario_counter(&scenario, COUNTER_subscriptions), 0);
    cr_expect_eq(scenario_counter(&scenario, counter_of_close(CLOSE_STALE_READER)), 2);
    scenario_pass(&scenario, 15 * 60 * 1000);
    scenario_stop(&scenario);
}

/* Goal: who is not read, as its question waits, is pinged all the same: one that has gone is noticed, by the kernel's
 * word that nothing arrives, and one that is there stays, though its pong is not read either. */
Test(long_answer, who_waits_for_others_and_is_gone_is_noticed, .timeout = 60)
{
    enum { ANSWERED = 5 };
    for (uint64_t seed = 1; seed <= 3; seed++) {
        scenario_start(&scenario, seed,
                       (const char *const[]){"--app",
                                             CHANNEL_APP,
                                             "--history",
                                             "* ttl=10m",
                                             "--shards",
                                             "1",
                                             "--answers-bytes-max",
                                             "1MiB",
                                             "--outbox-age-ms-max",
                                             "1h",
                                             "--ping-ms",
                                             "20s",
                                             "--pong-ms-max",
                                             "5s",
                                             "--replay-bytes-max",
                                             "512KiB",
                                             "--message-bytes-max",
                                             "32KiB",
                                             "--outbox-bytes-max",
                                             "64KiB",
                                             NULL});
        begin(1);
        for (uint32_t i = 0; i < STRANGERS; i++) {
            if (i < ANSWERED || i >= STRANGERS - 2) strangers[i]->client->is_reading = false;
            channel_client_recover(strangers[i], "news", NULL, &beginning);
            if (i == ANSWERED - 1) scenario_settle(&scenario);
        }
        scenario_settle(&scenario);
        uint32_t waiting = scenario.server.shards[0].answers.askers.count;
        cr_assert_eq(waiting, STRANGERS - ANSWERED, "%u wait, seed %lu", waiting, seed);
        uint64_t open = scenario_counter(&scenario, COUNTER_connections_open);
        fake_reset(strangers[STRANGERS - 1]->client->socket);
        char piece[10];
        for (uint32_t second = 0; second < 60; second++) {
            for (uint32_t i = 0; i < ANSWERED; i++) {
                fake_read(strangers[i]->client->socket, piece, sizeof piece);
            }
            scenario_pass(&scenario, 1000);
        }
        cr_expect_eq(scenario_counter(&scenario, COUNTER_connections_open), open - 2, "seed %lu", seed);
        cr_expect_eq(scenario_counter(&scenario, counter_of_close(CLOSE_SILENT)), 1, "seed %lu", seed);
        for (uint32_t i = 0; i < ANSWERED; i++) {
            fake_reset(strangers[i]->client->socket);
        }
        scenario_settle(&scenario);
        for (uint32_t i = ANSWERED; i < STRANGERS - 2; i++) {
            cr_expect_eq(channel_client_count(strangers[i], "ev", "news"), EVENTS, "seed %lu", seed);
        }
        end();
    }
}

/* Goal: the answers to pings, of which a shorter one may take the place of a longer, do not count as an answer. */
Test(long_answer, of_an_answer_that_has_left_nothing_waits, .timeout = 60)
{
    char payload[100] = {0};
    scenario_start(&scenario, 1, FLAGS("--shards", "1"));
    begin(1);
    strangers[0]->client->is_reading = false;
    channel_client_recover(strangers[0], "news", NULL, &beginning);
    scenario_settle(&scenario);
    for (uint32_t i = 0; i < OUTBOX_CONTROLS_MAX + 1; i++) {
        client_frame(strangers[0]->client, FRAME_PING, payload, sizeof payload);
    }
    client_frame(strangers[0]->client, FRAME_PING, "", 0);
    scenario_settle(&scenario);
    read_all();
    cr_expect_eq(channel_client_count(strangers[0], "ev", "news"), EVENTS);
    cr_expect_eq(scenario_counter(&scenario, COUNTER_answers_bytes), 0);
    end();
}

static struct connection *who_has_something_waiting(struct shard *shard)
{
    for (uint32_t slot = 0; slot < shard->slots_used; slot++) {
        if (shard->outboxes[slot].bytes > 0) return &shard->connections[slot];
    }
    return NULL;
}

/* Goal: LONG_ANSWER_BYTES_MAX of answers are excused, and what is more makes a reader slow as messages do. Method: no
 * answer of a test is so long, hence zeros in no memory, said behind an answer that is under way. */
Test(long_answer, answers_beyond_what_is_excused_make_a_reader_slow, .timeout = 60)
{
    static const uint8_t zeros[LONG_ANSWER_BYTES_MAX + 65536 + 1];
    static const uint32_t below = 8192; /* of what else waits, and of what it costs to remember it */
    for (uint32_t is_beyond = 0; is_beyond < 2; is_beyond++) {
        scenario_start(&scenario, 1, FLAGS("--shards", "1"));
        begin(1);
        strangers[0]->client->is_reading = false;
        channel_client_recover(strangers[0], "news", NULL, &beginning);
        scenario_settle(&scenario);
        struct shard *shard = &scenario.server.shards[0];
        struct connection *connection = who_has_something_waiting(shard);
        cr_assert_not_null(connection);
        uint32_t count = is_beyond ? sizeof zeros : (uint32_t)sizeof zeros - below;
        struct owner owner = shard->owner;
        owner_take(&shard->owner); /* its thread waits for its next turn */
        connection_say_long(shard, connection, batch_of_static(zeros, count, fake_now_ms()));
        shard->owner = owner;
        client_frame(strangers[0]->client, FRAME_PONG, "", 0); /* a turn */
        scenario_pass(&scenario, 6000);                        /* for a close frame, which it does not take either */
        cr_expect_eq(scenario_counter(&scenario, counter_of_close(CLOSE_SLOW_READER)), is_beyond);
        fake_reset(strangers[0]->client->socket);
        scenario_settle(&scenario);
        cr_expect_eq(scenario_counter(&scenario, COUNTER_answers_bytes), 0);
        end();
    }
}

/* Goal: an answer that is under way does not wait, and excuses nothing of what does. */
Test(long_answer, messages_behind_an_answer_under_way_make_a_reader_slow_as_ever, .timeout = 60)
{
    enum { MORE = 20 };
    cr_assert(MORE * EVENT_BYTES > 65536 && MORE * EVENT_BYTES < MISSED_BYTES);
    scenario_start(&scenario, 1, FLAGS("--shards", "1"));
    begin(1);
    struct api_client *backend = api_client_join(&scenario, 0, SEND_BUFFER);
    strangers[0]->client->is_reading = false;
    channel_client_recover(strangers[0], "news", NULL, &beginning);
    scenario_settle(&scenario);
    publish(backend, 10);
    cr_expect_eq(scenario_counter(&scenario, counter_of_close(CLOSE_SLOW_READER)), 0, "so much may wait");
    publish(backend, MORE - 10);
    scenario_pass(&scenario, 6000); /* for a close frame, which it does not take either */
    cr_expect_eq(scenario_counter(&scenario, counter_of_close(CLOSE_SLOW_READER)), 1);
    end();
}

/* Goal: what comes in the turn before a question is gone on with stands behind it. Method: so much before it that the
 * turn ends in its midst. */
Test(long_answer, nothing_is_lost_behind_a_question_that_waited, .timeout = 60)
{
    enum { QUESTIONS = 40 };
    for (uint64_t seed = 1; seed <= 30; seed++) {
        scenario_start(&scenario, seed, FLAGS("--shards", "1"));
        begin(1);
        struct channel_client *asker = channel_client_join(&scenario, 0, CHANNEL_APP_KEY, (size_t)1 << 20);
        scenario_settle(&scenario);
        channel_client_subscribe(asker, "news");
        scenario_settle(&scenario);
        for (uint32_t i = 2050 + fake_random(50); i > 0; i--) {
            client_frame(asker->client, FRAME_PONG, "", 0);
        }
        for (uint32_t i = 0; i < QUESTIONS; i++) {
            channel_client_ask_page(asker, "news", "\"since\":0", 50, i);
        }
        scenario_settle(&scenario);
        uint32_t answers = channel_client_count(asker, "pusher_internal:ringcast_history", NULL);
        cr_expect_eq(answers, QUESTIONS, "%u, seed %lu", answers, seed);
        channel_client_unsubscribe(asker, "news");
        end();
    }
}

/* They ask, wait for others' answers to leave, and are closed because they do not read something else. */
static void let_some_pass(struct api_client *backend, uint32_t count)
{
    char data[EVENT_BYTES + 1];
    memset(data, 'x', EVENT_BYTES);
    data[EVENT_BYTES] = '\0';
    struct channel_client *passers[64];
    for (uint32_t i = 0; i < count; i++) {
        passers[i] = channel_client_join(&scenario, 0, CHANNEL_APP_KEY, SMALL_BUFFER);
    }
    scenario_settle(&scenario);
    for (uint32_t i = 0; i < count; i++) {
        channel_client_subscribe(passers[i], "busy");
        scenario_settle(&scenario);
        passers[i]->client->is_reading = false;
        channel_client_recover(passers[i], "news", NULL, &beginning);
        channel_client_recover(passers[i], "news", NULL, &beginning);
    }
    for (uint32_t i = 0; i < EVENTS; i++) {
        api_client_publish(backend, "busy", "ev", data);
        scenario_settle(&scenario);
    }
    scenario_pass(&scenario, 6000); /* for their close frames, which they do not take either */
}

/* Goal: of those who wait for others' answers and end, none stands in the way of who stays. */
Test(long_answer, who_waits_and_ends_leaves_room_in_the_queue, .timeout = 60)
{
    enum { ROUNDS = 6, AT_ONCE = 60 }; /* together more than the shard has slots */
    scenario_start(&scenario, 1, FLAGS("--shards", "1", "--answers-bytes-max", "1MiB"));
    begin(1);
    struct api_client *backend = api_client_join(&scenario, 0, SEND_BUFFER);
    for (uint32_t i = 0; i < STRANGERS; i++) {
        strangers[i]->client->is_reading = false;
        channel_client_recover(strangers[i], "news", NULL, &beginning);
    }
    scenario_settle(&scenario);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        let_some_pass(backend, AT_ONCE);
    }
    cr_expect_eq(scenario_counter(&scenario, counter_of_close(CLOSE_SLOW_READER)), ROUNDS * AT_ONCE);
    read_all();
    for (uint32_t i = 0; i < STRANGERS; i++) {
        cr_expect_eq(channel_client_count(strangers[i], "ev", "news"), EVENTS);
    }
    end();
}
