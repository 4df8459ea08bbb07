/* tests/server/scenario/test_orders.c - what operators have the main thread do, which is the test itself here: each
 * order is answered once, also when nobody waits for it any more, and the next one can be given. */
#include "server/run/obey.h"
#include "server/run/reload.h"
#include "tests/support/api_client.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define FLAGS(...)  ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})
#define SEND_BUFFER 65536

static struct scenario scenario;

static void begin(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, ORDER_SIGNAL); /* waited for by nobody here */
    sigprocmask(SIG_BLOCK, &set, NULL);
    scenario_start(&scenario, 1, FLAGS("--shards", "2", "--control", "unix:/run/ringcast.sock"));
}

static struct api_client *operator_joins(void)
{
    return api_client_join(&scenario, scenario.server.homes_count, SEND_BUFFER);
}

static void ask(struct api_client *self, const char *method, const char *path)
{
    char request[400];
    int count = snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: x\r\n\r\n", method, path);
    fake_write(self->client->socket, request, (size_t)count);
    scenario_settle(&scenario);
}

/* The main thread obeys, and the answer is told. */
static enum order carry_out(void)
{
    enum order order = obey(&scenario.server);
    scenario_settle(&scenario);
    return order;
}

Test(orders, are_answered_when_the_main_thread_has_obeyed, .init = begin, .timeout = 60)
{
    struct api_client *operator= operator_joins();
    cr_expect_eq(obey(&scenario.server), ORDER_NONE);
    ask(operator, "GET", "/ctl/certificates");
    cr_expect_eq(operator->answers_count, 0);
    cr_expect_eq(carry_out(), ORDER_NONE, "all is done");
    cr_expect_eq(operator->answers_count, 1);
    cr_expect_str_eq(api_client_last(operator, 200), "{\"certificates\":[]}");
    ask(operator, "POST", "/ctl/reload");
    cr_expect_eq(carry_out(), ORDER_RELOAD);
    cr_expect_eq(operator->answers_count, 1, "it is not over yet");
    obey_reloaded(&scenario.server, &(struct reload_result){RC_OK, 1, 1, "one\ntwo"});
    scenario_settle(&scenario);
    cr_expect_str_eq(api_client_last(operator, 200),
                     "{\"applied\":1,\"need_a_restart\":1,\"told\":[{\"line\":\"one\"},{\"line\":\"two\"}]}");
    ask(operator, "POST", "/ctl/reload");
    carry_out();
    obey_reloaded(&scenario.server, &(struct reload_result){RC_EINVAL, 0, 0, "what is wrong\nand what besides"});
    scenario_settle(&scenario);
    cr_expect_str_eq(api_client_last(operator, 422), "{\"error\":\"what is wrong\"}");
    ask(operator, "POST", "/ctl/drain");
    cr_expect_eq(carry_out(), ORDER_DRAIN);
    cr_expect_str_eq(api_client_last(operator, 200), "{\"state\":\"draining\"}");
    ask(operator, "POST", "/ctl/stop");
    cr_expect_eq(carry_out(), ORDER_STOP);
    cr_expect_str_eq(api_client_last(operator, 200), "{\"state\":\"stopping\"}");
    scenario_stop(&scenario);
}

Test(orders, come_one_after_the_other, .init = begin, .timeout = 60)
{
    struct api_client *first = operator_joins(), *second = operator_joins();
    ask(first, "GET", "/ctl/certificates");
    ask(second, "POST", "/ctl/stop");
    cr_expect_not_null(strstr(api_client_last(second, 503), "Another order is being carried out"));
    cr_expect_eq(carry_out(), ORDER_NONE, "the first one");
    api_client_last(first, 200);
    cr_expect_eq(carry_out(), ORDER_NONE, "what was refused is not done later");
    ask(second, "GET", "/ctl/certificates");
    carry_out();
    api_client_last(second, 200);
    scenario_stop(&scenario);
}

Test(orders, are_carried_out_for_who_has_gone_and_bind_nobody_else, .init = begin, .timeout = 60)
{
    struct api_client *gone = operator_joins();
    ask(gone, "POST", "/ctl/drain");
    fake_reset(gone->client->socket);
    scenario_settle(&scenario);
    struct api_client *other = operator_joins(); /* perhaps in the same slot */
    ask(other, "GET", "/ctl/status");
    api_client_last(other, 200);
    cr_expect_eq(carry_out(), ORDER_DRAIN);
    cr_expect_eq(other->answers_count, 1, "it is not told what it has not asked");
    ask(other, "GET", "/ctl/certificates");
    carry_out();
    cr_expect_str_eq(api_client_last(other, 200), "{\"certificates\":[]}");
    scenario_stop(&scenario);
}

Test(orders, that_the_main_thread_does_not_hear_are_told_to_be_late, .init = begin, .timeout = 60)
{
    struct api_client *operator= operator_joins();
    ask(operator, "POST", "/ctl/drain");
    scenario_pass(&scenario, 60000);
    cr_assert_eq(operator->answers_count, 1);
    cr_expect_not_null(strstr(api_client_last(operator, 503), "main thread is busy"));
    cr_expect_eq(carry_out(), ORDER_DRAIN);
    cr_expect_eq(operator->answers_count, 1);
    scenario_stop(&scenario);
}

Test(orders, are_taken_from_the_unix_socket_alone, .timeout = 60)
{
    scenario_start(&scenario, 1, FLAGS("--shards", "2", "--control", "127.0.0.1:0"));
    struct api_client *stranger = operator_joins();
    ask(stranger, "POST", "/ctl/stop");
    cr_expect_not_null(strstr(api_client_last(stranger, 403), "unix socket alone"));
    cr_expect_eq(obey(&scenario.server), ORDER_NONE);
    scenario_stop(&scenario);
}
