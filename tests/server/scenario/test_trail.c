/* tests/server/scenario/test_trail.c - operators who look at what goes through a server: the busiest channels, and each
 * step of one channel's messages, as long as somebody asks for them. */
#include "server/control/trail.h"
#include "tests/support/api_client.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define FLAGS(...)  CHANNEL_FLAGS("", __VA_ARGS__)
#define SEND_BUFFER 65536

static struct scenario scenario;

static struct api_client *operator_joins(void)
{
    return api_client_join(&scenario, scenario.server.homes_count, SEND_BUFFER);
}

static const char *ask(struct api_client *self, const char *path, unsigned status)
{
    char request[400];
    int count = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    uint32_t before = self->answers_count;
    fake_write(self->client->socket, request, (size_t)count);
    scenario_settle(&scenario);
    cr_assert_eq(self->answers_count, before + 1);
    return api_client_last(self, status);
}

static uint32_t count_of(const char *text, const char *what)
{
    uint32_t count = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
        count++;
    return count;
}

static bool is_followed(void)
{
    bool is = false;
    for (uint32_t i = 0; i < scenario.server.homes_count; i++)
        is = is || scenario.server.shards[i].follow != NULL;
    return is;
}

Test(trail, shows_each_step_of_a_message_and_nothing_of_other_channels, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        scenario_start(&scenario, seed, FLAGS("--shards", "3", "--control", "unix:/run/x.sock"));
        struct api_client *operator= operator_joins(), *backend = api_client_join(&scenario, 0, SEND_BUFFER);
        struct channel_client *one = channel_client_enter(&scenario, 1), *two = channel_client_enter(&scenario, 2);
        channel_client_subscribe(one, "tea");
        scenario_settle(&scenario);
        cr_expect_not_null(strstr(ask(operator, "/ctl/trace/channel?name=tea", 200), "{\"trail\":1,\"next\":0,"));
        channel_client_subscribe(two, "tea");
        channel_client_subscribe(two, "milk");
        scenario_settle(&scenario);
        api_client_publish(backend, "tea", "ev", "x");
        api_client_publish(backend, "milk", "ev", "x");
        scenario_settle(&scenario);
        const char *told = ask(operator, "/ctl/trace/channel?name=tea&trail=1&after=0", 200);
        cr_expect_eq(count_of(told, "\"step\":\"subscribed\""), 1, "%s", told);
        cr_expect_eq(count_of(told, "\"step\":\"published\",\"by\":\"a backend\",\"event\":\"ev\""), 1, "%s", told);
        cr_expect_eq(count_of(told, "\"step\":\"ordered\",\"kept\":\"no\",\"offset\":0,\"subscribers\":2"), 1, "%s",
                     told);
        cr_expect_eq(count_of(told, "\"step\":\"sent\",\"messages\":1,\"to\":1,\"of\":1"), 2, "%s", told);
        cr_expect_eq(count_of(told, "\"step\":"), 5, "%s", told);
        told = ask(operator, "/ctl/trace/channel?name=tea&trail=1&after=5", 200);
        cr_expect_str_eq(told, "{\"trail\":1,\"next\":5,\"left_out\":0,\"events\":[]}");
        scenario_stop(&scenario);
    }
}

Test(trail, ends_when_nobody_asks_for_it_and_there_is_one_at_a_time, .timeout = 60)
{
    scenario_start(&scenario, 5, FLAGS("--shards", "2", "--control", "unix:/run/x.sock"));
    struct api_client *operator= operator_joins(), *other = operator_joins();
    ask(operator, "/ctl/trace/channel?name=tea", 200);
    cr_expect(is_followed());
    cr_expect_not_null(strstr(ask(other, "/ctl/trace/channel?name=milk", 503), "one at a time"));
    scenario_pass(&scenario, TRAIL_MS - 1500);
    ask(operator, "/ctl/trace/channel?name=tea&trail=1&after=0", 200);
    scenario_pass(&scenario, TRAIL_MS - 1500);
    cr_expect(is_followed(), "somebody has asked since");
    scenario_pass(&scenario, TRAIL_MS);
    cr_expect(!is_followed());
    ask(operator, "/ctl/trace/channel?name=tea&trail=1&after=0", 404);
    cr_expect_not_null(strstr(ask(other, "/ctl/trace/user?id=anna", 200), "\"trail\":2"));
    ask(operator, "/ctl/trace/channel?name=tea&trail=1&after=0", 404);
    ask(other, "/ctl/trace/channel?name=tea&trail=2&after=7", 404);
    ask(other, "/ctl/trace/channel?name=tea&trail=2&after=x", 400);
    ask(other, "/ctl/trace/channel?trail=2&after=0", 400);
    scenario_stop(&scenario);
}

Test(trail, of_a_flood_has_the_last_lines_and_says_how_many_are_missing, .timeout = 120)
{
    scenario_start(&scenario, 6, FLAGS("--shards", "1", "--control", "unix:/run/x.sock"));
    struct api_client *operator= operator_joins(), *backend = api_client_join(&scenario, 0, SEND_BUFFER);
    ask(operator, "/ctl/trace/channel?name=tea", 200);
    for (uint32_t i = 0; i < 1500; i++) { /* two steps each */
        api_client_publish(backend, "tea", "ev", "x");
        if (i % 100 == 99) scenario_settle(&scenario);
    }
    scenario_settle(&scenario);
    const char *told = ask(operator, "/ctl/trace/channel?name=tea&trail=1&after=0", 200);
    cr_expect_leq(count_of(told, "\"step\":"), TRAIL_LINES_MAX);
    cr_expect_gt(count_of(told, "\"step\":"), 0);
    cr_expect_eq(backend->answers_count, 1500, "nobody else waits for it");
    scenario_stop(&scenario);
}

Test(trail, is_no_trouble_when_a_server_ends_with_it, .timeout = 60)
{
    scenario_start(&scenario, 7, FLAGS("--shards", "2", "--control", "unix:/run/x.sock"));
    struct api_client *operator= operator_joins(), *backend = api_client_join(&scenario, 1, SEND_BUFFER);
    ask(operator, "/ctl/trace/channel?name=tea", 200);
    api_client_publish(backend, "tea", "ev", "x");
    scenario_settle(&scenario);
    api_client_publish(backend, "tea", "ev", "y");
    scenario_stop(&scenario);
}

Test(top, has_the_busiest_channels_first, .timeout = 60)
{
    scenario_start(&scenario, 8, FLAGS("--shards", "3", "--control", "unix:/run/x.sock"));
    struct api_client *operator= operator_joins(), *backend = api_client_join(&scenario, 0, SEND_BUFFER);
    struct channel_client *client = channel_client_enter(&scenario, 1);
    char name[20];
    for (uint32_t i = 0; i < 30; i++) {
        snprintf(name, sizeof name, "c%02u", i);
        channel_client_subscribe(client, name);
    }
    scenario_settle(&scenario);
    for (uint32_t i = 0; i < 30; i++) {
        snprintf(name, sizeof name, "c%02u", i);
        for (uint32_t k = 0; k < 3 * i; k++)
            api_client_publish(backend, name, "ev", "x");
        scenario_settle(&scenario);
    }
    const char *told = ask(operator, "/ctl/top", 200);
    cr_expect_eq(count_of(told, "\"channel\":"), 20, "%s", told);
    const char *first = strstr(told, "\"c29\""), *second = strstr(told, "\"c28\""), *last = strstr(told, "\"c10\"");
    cr_assert(first != NULL && second != NULL && last != NULL, "%s", told);
    cr_expect(first < second && second < last);
    cr_expect_null(strstr(told, "\"c09\""));
    cr_expect_not_null(strstr(told, "\"connections\":["));
    scenario_stop(&scenario);
}
