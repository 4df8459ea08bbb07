/* tests/server/scenario/test_control_scenario.c - the control door of a whole server on a fake kernel: what is served
 * there and to whom, and when the server says that it is not ready. */
#include "tests/support/api_client.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define FLAGS(...)  ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})
#define SEND_BUFFER 65536
#define READY       "{\"ready\":true,\"reasons\":[]}"

static struct scenario scenario;

static struct api_client *call_control(void)
{
    return api_client_join(&scenario, scenario.server.homes_count, SEND_BUFFER);
}

static unsigned ask(struct api_client *self, const char *method, const char *path)
{
    char request[400];
    int count = snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: x\r\n\r\n", method, path);
    uint32_t answers = self->answers_count;
    fake_write(self->client->socket, request, (size_t)count);
    scenario_settle(&scenario);
    cr_assert_eq(self->answers_count, answers + 1, "%s %s", method, path);
    return self->answers[answers].status;
}

static const char *body(const struct api_client *self)
{
    return self->answers[self->answers_count - 1].body;
}

Test(control_scenario, probes_are_answered_there_and_not_where_clients_come_in, .timeout = 60)
{
    scenario_start(&scenario, 1, FLAGS("--shards", "2", "--control", "0.0.0.0:0"));
    struct api_client *control = call_control();
    cr_expect_eq(ask(control, "GET", "/live"), 200);
    cr_expect_str_eq(body(control), "{\"live\":true}");
    cr_expect_eq(ask(control, "GET", "/ready"), 200);
    cr_expect_str_eq(body(control), READY);
    cr_expect_eq(ask(control, "GET", "/up"), 200);
    cr_expect_eq(ask(control, "GET", "/health"), 200);
    cr_expect_eq(ask(control, "OPTIONS", "*"), 200);
    cr_expect_eq(ask(control, "POST", "/ready"), 405);
    cr_expect_not_null(strstr(control->answers[control->answers_count - 1].head, "Allow: GET, HEAD\r\n"));
    struct api_client *other = call_control();
    cr_expect_eq(ask(other, "GET", "/ready/"), 404);
    scenario_stop(&scenario);
}

Test(control_scenario, a_body_is_refused_before_it_comes, .timeout = 60)
{
    static const char request[] = "GET /ready HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{";
    scenario_start(&scenario, 2, FLAGS("--shards", "1", "--control", "127.0.0.1:0"));
    struct api_client *control = call_control();
    fake_write(control->client->socket, request, strlen(request));
    scenario_settle(&scenario);
    cr_expect_eq(control->answers_count, 1);
    cr_expect_eq(control->answers[0].status, 413);
    scenario_stop(&scenario);
}

Test(control_scenario, a_server_that_is_full_is_not_ready_until_it_has_room, .timeout = 60)
{
    scenario_start(&scenario, 3, FLAGS("--shards", "2", "--control", "127.0.0.1:0", "--connections-max", "4"));
    struct api_client *control = call_control();
    struct client *clients[4];
    for (uint32_t i = 0; i < 4; i++) {
        cr_expect_eq(ask(control, "GET", "/ready"), 200);
        clients[i] = client_join(&scenario, i % 2, "/", SEND_BUFFER);
        scenario_settle(&scenario);
    }
    cr_expect_eq(ask(control, "GET", "/ready"), 503);
    cr_expect_str_eq(body(control), "{\"ready\":false,\"reasons\":[{\"reason\":\"connections_full\",\"text\":"
                                    "\"--connections-max clients are there\"}]}");
    client_close(clients[0], 1000);
    scenario_settle(&scenario);
    cr_expect_eq(ask(control, "GET", "/ready"), 200);
    scenario_stop(&scenario);
}

Test(control_scenario, a_server_that_closed_somebody_for_want_of_memory_is_not_ready_for_ten_seconds, .timeout = 60)
{
    scenario_start(&scenario, 4, FLAGS("--shards", "2", "--control", "127.0.0.1:0"));
    struct api_client *control = call_control();
    cr_expect_eq(ask(control, "GET", "/ready"), 200);
    counter_add(&scenario.server.shards[1].counters, counter_of_close(CLOSE_NO_MEMORY), 1); /* no shard runs now */
    cr_expect_eq(ask(control, "GET", "/ready"), 503);
    cr_expect_not_null(strstr(body(control), "{\"reason\":\"memory\","), "%s", body(control));
    scenario_pass(&scenario, 9000);
    cr_expect_eq(ask(control, "GET", "/ready"), 503);
    scenario_pass(&scenario, 2000);
    cr_expect_eq(ask(control, "GET", "/ready"), 200);
    scenario_stop(&scenario);
}

Test(control_scenario, a_server_that_stops_says_so_to_who_is_there, .timeout = 60)
{
    scenario_start(&scenario, 5, FLAGS("--shards", "2", "--control", "127.0.0.1:0"));
    struct api_client *control = call_control();
    cr_expect_eq(ask(control, "GET", "/ready"), 200);
    server_set_stage(&scenario.server, SERVER_STOPPING);
    static const char request[] = "GET /ready HTTP/1.1\r\nHost: x\r\n\r\n";
    fake_write(control->client->socket, request, strlen(request));
    scenario_settle(&scenario);
    cr_assert_eq(control->answers_count, 2);
    cr_expect_eq(control->answers[1].status, 503);
    cr_expect_str_eq(body(control), "{\"ready\":false,\"reasons\":[{\"reason\":\"draining\",\"text\":"
                                    "\"the server is stopping\"}]}");
    scenario_free(&scenario);
}
