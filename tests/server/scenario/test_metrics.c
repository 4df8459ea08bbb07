/* tests/server/scenario/test_metrics.c - what a whole server on a fake kernel measures, and tells of itself.
 *
 * Method: that of tests/server/scenario/test_scenario.c. */
#include "net/frame.h"
#include "server/metrics/metrics.h"
#include "server/metrics/stats.h"
#include "server/system/log_recent.h"
#include "tests/support/scenario.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define FLAGS(...)  ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})
#define SEND_BUFFER 65536

static struct scenario scenario;

static struct histogram measured(enum histogram_kind kind)
{
    return counter_sets_histogram(&scenario.server.counted, kind);
}

static uint64_t measured_count(enum histogram_kind kind)
{
    struct histogram histogram = measured(kind);
    return histogram_count(&histogram);
}

/* ---- what is measured ---- */

Test(metrics, each_turn_is_measured, .timeout = 30)
{
    scenario_start(&scenario, 1, FLAGS("--shards", "2"));
    client_join(&scenario, 0, "/", SEND_BUFFER);
    scenario_settle(&scenario);
    cr_expect_gt(measured_count(HISTOGRAM_turn), 0);
    cr_expect_eq(measured_count(HISTOGRAM_turn), scenario_counter(&scenario, COUNTER_turns));
    scenario_stop(&scenario);
}

Test(metrics, a_delivery_is_measured_once_for_each_shard_that_has_readers, .timeout = 30)
{
    scenario_start(&scenario, 2, FLAGS("--shards", "2"));
    struct client *speaker = client_join(&scenario, 0, "/", SEND_BUFFER);
    scenario_settle(&scenario);
    client_say(speaker, 0);
    scenario_settle(&scenario);
    cr_expect_eq(measured_count(HISTOGRAM_delivery), 0, "nobody else is there");
    for (uint32_t i = 0; i < 5; i++)
        client_join(&scenario, i % 2, "/", SEND_BUFFER);
    scenario_settle(&scenario);
    client_say(speaker, 0);
    scenario_settle(&scenario);
    cr_expect_eq(measured_count(HISTOGRAM_delivery), 2);
    scenario_stop(&scenario);
}

Test(metrics, a_delivery_lasts_until_its_slowest_reader_has_it, .timeout = 30)
{
    scenario_start(&scenario, 3, FLAGS("--shards", "1", "--outbox-age-ms-max", "1h", "--ping-ms", "1h"));
    struct client *speaker = client_join(&scenario, 0, "/", SEND_BUFFER);
    struct client *reader = client_join(&scenario, 0, "/", 4096);
    scenario_settle(&scenario);
    reader->is_reading = false;
    client_say(speaker, 20000);
    scenario_pass(&scenario, 2500);
    cr_expect_eq(measured_count(HISTOGRAM_delivery), 0, "it is under way");
    reader->is_reading = true;
    scenario_pass(&scenario, 100);
    struct histogram delivery = measured(HISTOGRAM_delivery);
    cr_expect_eq(histogram_count(&delivery), 1);
    cr_expect_geq(delivery.sum_us, 2500000);
    cr_expect_leq(delivery.sum_us, 3000000);
    scenario_stop(&scenario);
}

Test(metrics, the_answer_to_a_ping_is_measured, .timeout = 30)
{
    scenario_start(&scenario, 4, FLAGS("--shards", "1", "--ping-ms", "1s", "--pong-ms-max", "10s"));
    struct client *client = client_join(&scenario, 0, "/", SEND_BUFFER);
    scenario_settle(&scenario);
    cr_expect_eq(measured_count(HISTOGRAM_ping), 0);
    client->is_mute = true;
    scenario_pass(&scenario, 3000);
    cr_expect_eq(client->pings, 1);
    cr_expect_eq(measured_count(HISTOGRAM_ping), 0, "none has come");
    client_say(client, 0);
    scenario_settle(&scenario);
    struct histogram pings = measured(HISTOGRAM_ping);
    cr_expect_eq(histogram_count(&pings), 1, "anything that comes is an answer");
    cr_expect_geq(pings.sum_us, 1800000);
    client->is_mute = false;
    scenario_pass(&scenario, 1500);
    cr_expect_eq(measured_count(HISTOGRAM_ping), 2);
    client_say(client, 0);
    scenario_settle(&scenario);
    cr_expect_eq(measured_count(HISTOGRAM_ping), 2, "one answer for a ping");
    scenario_stop(&scenario);
}

/* As in a_slow_line_that_moves_is_alive: its silence is judged again and again while the ping has not come through. */
Test(metrics, the_answer_to_a_ping_behind_much_else_is_not, .timeout = 30)
{
    scenario_start(&scenario, 7, FLAGS("--shards", "1", "--ping-ms", "2s", "--pong-ms-max", "5s"));
    struct client *speaker = client_join(&scenario, 0, "/", SEND_BUFFER);
    struct client *slow = client_join(&scenario, 0, "/", SEND_BUFFER);
    scenario_settle(&scenario);
    slow->is_reading = false;
    client_say(speaker, 40000);
    scenario_settle(&scenario);
    uint8_t piece[300];
    for (uint32_t i = 0; i < 40; i++) {
        fake_read(slow->socket, piece, sizeof piece);
        scenario_pass(&scenario, 300);
    }
    uint64_t before = measured_count(HISTOGRAM_ping);
    client_frame(slow, FRAME_PONG, "", 0);
    scenario_settle(&scenario);
    cr_expect_eq(measured_count(HISTOGRAM_ping), before);
    scenario_stop(&scenario);
}

/* ---- what is told ---- */

static char *told(enum exposition_format format)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    metrics_write(out, &scenario.server.shards[0], format);
    cr_assert_eq(fclose(out), 0);
    return text;
}

static void expect_line(const char *text, const char *line)
{
    const char *at = strstr(text, line);
    cr_expect(at != NULL && (at == text || at[-1] == '\n'), "%s is not there", line);
}

Test(metrics, what_is_told_is_what_was_counted, .timeout = 30)
{
    scenario_start(&scenario, 5,
                   FLAGS("--shards", "2", "--control", "127.0.0.1:0", "--app", "shop:key:secret", "--app", "b:c:d"));
    struct client *speaker = client_join(&scenario, 0, "/", SEND_BUFFER);
    client_join(&scenario, 1, "/", SEND_BUFFER);
    client_join(&scenario, 1, "/", SEND_BUFFER);
    scenario_settle(&scenario);
    client_say(speaker, 0);
    scenario_settle(&scenario);
    char *text = told(EXPOSITION_PROMETHEUS);
    expect_line(text, "ringcast_connections{shard=\"0\"} 1\n");
    expect_line(text, "ringcast_connections{shard=\"1\"} 2\n");
    expect_line(text, "ringcast_connections{shard=\"control\"} 0\n");
    expect_line(text, "ringcast_websocket_handshakes_total 3\n");
    expect_line(text, "ringcast_messages_delivered_total{shard=\"1\"} 2\n");
    expect_line(text, "ringcast_connections_closed_total{reason=\"peer_gone\"} 0\n");
    expect_line(text, "ringcast_app_connections{app=\"shop\"} 0\n");
    expect_line(text, "ringcast_app_connections{app=\"b\"} 0\n");
    expect_line(text, "ringcast_mailbox_letters{shard=\"1\"} 0\n");
    expect_line(text, "ringcast_connections_max 280\n");
    expect_line(text, "ringcast_shards 2\n");
    expect_line(text, "ringcast_draining 0\n");
    expect_line(text, "ringcast_delivery_seconds_count 1\n");
    expect_line(text, "ringcast_build_info{version=\"" RINGCAST_VERSION "\"} 1\n");
    free(text);
    scenario_stop(&scenario);
}

/* Of Soketi's names the one that is made of others: it has to grow alone, whatever comes while it is added up. */
Test(metrics, disconnections_are_what_was_closed, .timeout = 30)
{
    scenario_start(&scenario, 9, FLAGS("--shards", "1", "--metrics-soketi"));
    struct client *client = client_join(&scenario, 0, "/", SEND_BUFFER);
    client_join(&scenario, 0, "/", SEND_BUFFER);
    scenario_settle(&scenario);
    client_close(client, 1000);
    scenario_settle(&scenario);
    struct counters *counters = &scenario.server.shards[0].counters;
    counter_add(counters, counter_of_close(CLOSE_REFUSED), 3); /* no shard runs now */
    counter_add(counters, COUNTER_connections_open, 1); /* the scrape falls between this and that it is accepted */
    char *text = told(EXPOSITION_PROMETHEUS);
    expect_line(text, "soketi_new_connections_total{port=\"0\"} 2\n");
    expect_line(text, "soketi_new_disconnections_total{port=\"0\"} 1\n");
    counter_add(counters, COUNTER_connections_open, (uint64_t)-1);
    free(text);
    scenario_stop(&scenario);
}

Test(metrics, each_family_is_begun_once_in_the_table_and_in_both_formats, .timeout = 30)
{
    char *table = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&table, &bytes);
    metrics_print(out);
    fclose(out);
    scenario_start(&scenario, 6, FLAGS("--shards", "1"));
    char *text = told(EXPOSITION_PROMETHEUS), *open_metrics = told(EXPOSITION_OPEN_METRICS);
    uint32_t families = 0;
    for (char *row = strstr(table, "| `"); row != NULL; row = strstr(row + 1, "| `")) {
        char name[100], line[140];
        cr_assert_eq(sscanf(row, "| `%99[a-z_]` |", name), 1, "%.80s", row);
        snprintf(line, sizeof line, "# TYPE %s ", name);
        const char *first = strstr(text, line);
        cr_expect_not_null(first, "%s", name);
        cr_expect(first != NULL && strstr(first + 1, line) == NULL, "%s is there twice", name);
        families++;
    }
    uint32_t begun = 0;
    for (const char *at = open_metrics; (at = strstr(at, "# TYPE ")) != NULL; at++)
        begun++;
    cr_expect_gt(families, 80);
    cr_expect_eq(begun, families);
    cr_expect_str_eq(open_metrics + strlen(open_metrics) - strlen("# EOF\n"), "# EOF\n");
    free(table);
    free(text);
    free(open_metrics);
    scenario_stop(&scenario);
}

Test(metrics, stats_have_the_last_warnings_as_json_whatever_is_in_them, .timeout = 30)
{
    char *text = NULL;
    size_t bytes = 0;
    scenario_start(&scenario, 8, FLAGS("--shards", "1"));
    log_recent_keep(1700000000123, LOG_LEVEL_WARN, "shard 0", "it said \"no\"\n");
    log_recent_keep(1700000000124, LOG_LEVEL_ERROR, "", "caf\xc3\xa9, \xff\xfe");
    log_recent_keep(1700000000125, LOG_LEVEL_ERROR, "", "caf\xc3\xa9");
    FILE *out = open_memstream(&text, &bytes);
    stats_write(out, &scenario.server.shards[0]);
    fclose(out);
    cr_expect_not_null(strstr(text, "{\"time_ms\":1700000000123,\"level\":\"warn\",\"thread\":\"shard 0\","
                                    "\"text\":\"it said \\\"no\\\"\\n\"}"));
    cr_expect_not_null(strstr(text, "\"text\":\"caf??, ??\"}"), "what is no UTF-8 is no JSON");
    cr_expect_not_null(strstr(text, "\"text\":\"caf\xc3\xa9\"}]"));
    free(text);
    scenario_stop(&scenario);
}

Test(metrics, stats_have_every_counter_by_its_own_name, .timeout = 30)
{
    char *text = NULL;
    size_t bytes = 0;
    scenario_start(&scenario, 7, FLAGS("--shards", "2"));
    client_join(&scenario, 1, "/", SEND_BUFFER);
    scenario_settle(&scenario);
    FILE *out = open_memstream(&text, &bytes);
    stats_write(out, &scenario.server.shards[0]);
    fclose(out);
    for (enum counter counter = 0; counter < COUNTERS_MAX; counter++) {
        char member[80];
        snprintf(member, sizeof member, "\"%s\":", counter_name(counter));
        cr_expect_not_null(strstr(text, member), "%s", member);
    }
    cr_expect_not_null(strstr(text, "\"connections_accepted\":1,\"connections_open\":1,"), "of all");
    cr_expect_not_null(
        strstr(text, "{\"name\":\"0\",\"mailbox_letters\":0,\"counters\":{\"connections_accepted\":0,"));
    cr_expect_not_null(
        strstr(text, "{\"name\":\"1\",\"mailbox_letters\":0,\"counters\":{\"connections_accepted\":1,"));
    free(text);
    scenario_stop(&scenario);
}
