/* tests/server/scenario/test_guest_scenario.c - guests ask over HTTP on a whole server with a fake kernel: they get
 * what the protocol says and nothing else, and what one is granted the clients of its channels can use.
 *
 * Method: that of tests/server/scenario/test_api_scenario.c; its clients write unsigned requests here. */
#include "net/digest.h"
#include "server/http/guest_token.h"
#include "tests/support/api_client.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define FLAGS(...)  ((const char *const[]){"--app", CHANNEL_APP, "--guests", __VA_ARGS__ __VA_OPT__(, ) NULL})
#define SEND_BUFFER 65536
#define JSON        "Content-Type: application/json\r\n"
#define ANN_ID      "gaaaaaaaaaaaa"
#define BEN_ID      "gbbbbbbbbbbbb"
#define EVE_ID      "geeeeeeeeeeee"
#define SOCKET      "\"socket_id\":\"123.456\""
#define NAME        "\"name\":\"Ann\""

static struct scenario scenario;
static char secret[] = CHANNEL_APP_SECRET, none[] = "";
static const struct app app = {.secret = secret, .previous_secret = none};

static const char *token_of(const char *id)
{
    static char token[GUEST_TOKEN_BYTES + 1];
    cr_assert_eq(guest_token_write(&app, text_of(id), token), RC_OK);
    return token;
}

static struct api_client *join(uint32_t shard)
{
    return api_client_join(&scenario, shard % scenario.server.shards_count, SEND_BUFFER);
}

/* Writes a request: "POST /guests", header lines, a body. */
static void ask_with(struct api_client *guest, const char *line, const char *headers, const char *body)
{
    char *request;
    int count = asprintf(&request, "%s HTTP/1.1\r\nHost: chat.example:8080\r\n%sContent-Length: %zu\r\n\r\n%s", line,
                         headers, strlen(body), body);
    fake_write(guest->client->socket, request, (size_t)count);
    free(request);
}

/* Asks, as the guest of that id, for what stands behind its token; the answer's body. */
static const char *ask(struct api_client *guest, const char *path, const char *id, const char *rest, unsigned status)
{
    char line[40], body[1000];
    snprintf(line, sizeof line, "POST %s", path);
    snprintf(body, sizeof body, "{\"token\":\"%s\",%s}", token_of(id), rest);
    ask_with(guest, line, JSON, body);
    scenario_settle(&scenario);
    return api_client_last(guest, status);
}

/* ---- an identity ---- */

Test(guest_scenario, identity_is_new_or_that_of_a_good_token, .timeout = 30)
{
    scenario_start(&scenario, 1, FLAGS("--shards", "2"));
    struct api_client *guest = join(0);
    static const char *const bodies[] = {"{}", "{\"token\":\"\"}", "{\"token\":5}", "{\"token\":\"" ANN_ID ".0\"}"};
    char ids[4][GUEST_ID_BYTES + 1];
    for (size_t i = 0; i < 4; i++) {
        ask_with(guest, "POST /guests", JSON, bodies[i]);
        scenario_settle(&scenario);
        char expected[200];
        const char *body = api_client_last(guest, 200);
        snprintf(ids[i], sizeof ids[i], "%s", strlen(body) > 7 ? body + 7 : "");
        cr_assert(guest_id_is_valid(text_of(ids[i])), "%s", body);
        snprintf(expected, sizeof expected, "{\"id\":\"%s\",\"token\":\"%s\"}", ids[i], token_of(ids[i]));
        cr_expect_str_eq(body, expected);
        for (size_t k = 0; k < i; k++)
            cr_expect_str_neq(ids[i], ids[k]);
        cr_expect_not_null(strstr(guest->answers[i].head, "\r\nCache-Control: no-store\r\n"));
        cr_expect_not_null(strstr(guest->answers[i].head, "\r\nContent-Type: application/json\r\n"));
    }
    cr_expect_eq(strncmp(ask(guest, "/guests", ids[2], "\"x\":0", 200) + 7, ids[2], GUEST_ID_BYTES), 0);
    scenario_stop(&scenario);
}

/* ---- signatures ---- */

/* Names by their place in JSON, in JSON in JSON. */
static const struct {
    const char *given, *once, *twice;
} names[] = {
    {"Ann", "Ann", "Ann"},
    {"\\u00c4nn \\ud83c\\udf89", "\xc3\x84nn \xf0\x9f\x8e\x89", "\xc3\x84nn \xf0\x9f\x8e\x89"},
    {"a \\\"b\\\" \\\\", "a \\\"b\\\" \\\\", "a \\\\\\\"b\\\\\\\" \\\\\\\\"},
    {"\\u00a0", "\xc2\xa0", "\xc2\xa0"}, /* no control character, though next to them */
};
#define NAMES (sizeof names / sizeof names[0])

Test(guest_scenario, signatures_are_those_that_a_backend_would_make, .timeout = 30)
{
    scenario_start(&scenario, 2, FLAGS("--shards", "1"));
    struct api_client *guest = join(0);
    for (size_t i = 0; i < NAMES; i++) {
        char rest[300], text[400], auth[128], expected[900];
        snprintf(rest, sizeof rest, SOCKET ",\"channel_name\":\"presence-a,b\",\"name\":\"%s\"", names[i].given);
        const char *body = ask(guest, "/guests/auth", ANN_ID, rest, 200);
        snprintf(text, sizeof text,
                 "123.456:presence-a,b:{\"user_id\":\"" ANN_ID "\",\"user_info\":{\"name\":\"%s\"}}", names[i].once);
        channel_sign(text, auth);
        snprintf(expected, sizeof expected,
                 "{\"auth\":\"%s\",\"channel_data\":\"{\\\"user_id\\\":\\\"" ANN_ID
                 "\\\",\\\"user_info\\\":{\\\"name\\\":\\\"%s\\\"}}\"}",
                 auth, names[i].twice);
        cr_expect_str_eq(body, expected);

        snprintf(rest, sizeof rest, SOCKET ",\"name\":\"%s\"", names[i].given);
        body = ask(guest, "/guests/signin", ANN_ID, rest, 200);
        snprintf(text, sizeof text, "123.456::user::{\"id\":\"" ANN_ID "\",\"user_info\":{\"name\":\"%s\"}}",
                 names[i].once);
        channel_sign(text, auth);
        snprintf(expected, sizeof expected,
                 "{\"auth\":\"%s\",\"user_data\":\"{\\\"id\\\":\\\"" ANN_ID
                 "\\\",\\\"user_info\\\":{\\\"name\\\":\\\"%s\\\"}}\"}",
                 auth, names[i].twice);
        cr_expect_str_eq(body, expected);
    }
    scenario_stop(&scenario);
}

/* The longest of everything: 160 quotes, which are four bytes each where they are escaped twice. */
Test(guest_scenario, longest_name_fits, .timeout = 30)
{
    char rest[500] = SOCKET ",\"channel_name\":\""
                            "presence-a\",\"name\":\"";
    scenario_start(&scenario, 3, FLAGS("--shards", "1"));
    struct api_client *guest = join(0);
    for (uint32_t i = 0; i < 160; i++)
        strncat(rest, "\\\"", 3);
    char *end = rest + strlen(rest);
    snprintf(end, 2, "\"");
    ask(guest, "/guests/auth", ANN_ID, rest, 200);
    snprintf(end, 4, "x\"");
    ask(guest, "/guests/auth", ANN_ID, rest, 400);
    scenario_stop(&scenario);
}

Test(guest_scenario, what_is_not_granted_is_refused_with_a_sentence, .timeout = 60)
{
    static const struct {
        const char *path, *rest;
        unsigned status;
    } rows[] = {
        {"/guests/signin", SOCKET "," NAME, 200},
        {"/guests/signin", NAME, 400},
        {"/guests/signin", "\"socket_id\":123.456," NAME, 400},
        {"/guests/signin", "\"socket_id\":\"1.2:private-a\"," NAME, 400},
        {"/guests/signin", "\"socket_id\":\"1.2::user::{}\"," NAME, 400},
        {"/guests/signin", "\"socket_id\":\"\"," NAME, 400},
        {"/guests/signin", SOCKET, 400},
        {"/guests/signin", SOCKET ",\"name\":\"\"", 400},
        {"/guests/signin", SOCKET ",\"name\":7", 400},
        {"/guests/signin", SOCKET ",\"name\":\"a\\u0000b\"", 400},
        {"/guests/signin", SOCKET ",\"name\":\"a\\nb\"", 400},
        {"/guests/signin", SOCKET ",\"name\":\"\\u007f\"", 400},
        {"/guests/signin", SOCKET ",\"name\":\"\\u0085\"", 400},
        {"/guests/signin", SOCKET "," NAME "," NAME, 400},
        {"/guests/signin", "\"token\":\"x\"," SOCKET "," NAME, 401}, /* two tokens are none */
        {"/guests/auth", SOCKET "," NAME, 400},
        {"/guests/auth", SOCKET "," NAME ",\"channel_name\":\"\"", 400},
        {"/guests/auth", SOCKET "," NAME ",\"channel_name\":\"presence-a:b\"", 400},
        {"/guests/auth", SOCKET "," NAME ",\"channel_name\":\"#server-to-user-" BEN_ID "\"", 400},
        {"/guests/auth", SOCKET "," NAME ",\"channel_name\":\"private-a\"", 403},
        {"/guests/auth", SOCKET "," NAME ",\"channel_name\":\"room\"", 403},
        {"/guests/auth", SOCKET "," NAME ",\"channel_name\":\"private-encrypted-a\"", 403},
        {"/guests/auth", SOCKET "," NAME ",\"channel_name\":\"private-direct-" ANN_ID "," BEN_ID "\"", 200},
        {"/guests/auth", SOCKET "," NAME ",\"channel_name\":\"private-direct-" BEN_ID "," ANN_ID "\"", 403},
        {"/guests/auth", SOCKET "," NAME ",\"channel_name\":\"private-direct-" ANN_ID "," ANN_ID "\"", 403},
        {"/guests/auth", SOCKET "," NAME ",\"channel_name\":\"private-direct-" BEN_ID "," EVE_ID "\"", 403},
        {"/guests/auth", SOCKET "," NAME ",\"channel_name\":\"private-direct-" ANN_ID ";" BEN_ID "\"", 403},
        {"/guests/auth", SOCKET "," NAME ",\"channel_name\":\"private-direct-" ANN_ID "," BEN_ID "x\"", 403},
        {"/guests/auth", SOCKET "," NAME ",\"channel_name\":\"private-direct-" ANN_ID "," BEN_ID "," EVE_ID "\"",
         403},
        {"/guests/auth", SOCKET "," NAME ",\"channel_name\":\"private-direct-" ANN_ID ",hbbbbbbbbbbbb\"", 403},
        {"/guests/auth", SOCKET "," NAME ",\"channel_name\":\"private-direct-" ANN_ID "\"", 403},
        {"/guests/auth", SOCKET "," NAME ",\"channel_name\":\"private-direct-\"", 403},
    };
    scenario_start(&scenario, 4, FLAGS("--shards", "2"));
    struct api_client *guest = join(1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *body = ask(guest, rows[i].path, ANN_ID, rows[i].rest, rows[i].status);
        const char *begin = rows[i].status == 200 ? "{\"auth\":\"" CHANNEL_APP_KEY ":" : "{\"error\":\"";
        cr_expect_eq(strncmp(body, begin, strlen(begin)), 0, "%s: %s", rows[i].rest, body);
        cr_expect_null(strstr(body, CHANNEL_APP_SECRET));
    }
    ask_with(guest, "POST /guests/auth", JSON, "{" SOCKET "," NAME ",\"channel_name\":\"presence-a\"}");
    scenario_settle(&scenario);
    api_client_last(guest, 401);
    scenario_stop(&scenario);
}

/* ---- direct messages ---- */

Test(guest_scenario, other_one_is_told_of_a_direct_channel_on_every_connection, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        char shards[8];
        snprintf(shards, sizeof shards, "%u", 1 + (uint32_t)seed % 3);
        scenario_start(&scenario, seed, FLAGS("--shards", shards));
        struct api_client *guest = join((uint32_t)seed);
        struct channel_client *clients[3];
        static const char *const ids[] = {BEN_ID, BEN_ID, EVE_ID};
        for (uint32_t i = 0; i < 3; i++) {
            clients[i] =
                channel_client_join(&scenario, i % scenario.server.homes_count, CHANNEL_APP_KEY, SEND_BUFFER);
            scenario_settle(&scenario);
            channel_client_sign_in(clients[i], ids[i], NULL);
        }
        scenario_settle(&scenario);
        ask(guest, "/guests/auth", ANN_ID,
            SOCKET ",\"name\":\"\\\"Ann\\\"\",\"channel_name\":\"private-direct-" ANN_ID "," BEN_ID "\"", 200);
        for (uint32_t i = 0; i < 2; i++) {
            const struct heard_event *heard = channel_client_heard(clients[i], "ringcast-direct", NULL, 0);
            cr_assert_not_null(heard, "client %u", i);
            cr_expect_str_eq(heard->channel, "#server-to-user-" BEN_ID);
            cr_expect_str_eq(heard->data, "{\"channel\":\"private-direct-" ANN_ID "," BEN_ID
                                          "\",\"from\":{\"id\":\"" ANN_ID "\",\"name\":\"\\\"Ann\\\"\"}}");
            cr_expect_eq(channel_client_count(clients[i], "ringcast-direct", NULL), 1);
        }
        cr_expect_eq(channel_client_count(clients[2], "ringcast-direct", NULL), 0);
        ask(guest, "/guests/auth", ANN_ID,
            SOCKET "," NAME ",\"channel_name\":\"private-direct-" ANN_ID ",gzzzzzzzzzzzz\"", 200);
        scenario_stop(&scenario);
    }
}

/* ---- HTTP ---- */

static void invite(struct api_client *guest, const char *other)
{
    char line[] = "POST /guests/auth", body[400];
    snprintf(body, sizeof body,
             "{\"token\":\"%s\"," SOCKET "," NAME ",\"channel_name\":\"private-direct-" ANN_ID ",%s\"}",
             token_of(ANN_ID), other);
    ask_with(guest, line, JSON, body);
}

/* Goal: one guest is not told of more than twenty invitations in ten seconds, whoever else is invited meanwhile.
 * Method: so many others that a table of a few hundred would have forgotten the one. */
Test(guest_scenario, invitations_to_one_are_bounded_whoever_else_is_invited, .timeout = 60)
{
    scenario_start(&scenario, 5, FLAGS("--guests", "--shards", "2"));
    struct channel_client *ben = channel_client_join(&scenario, 1, CHANNEL_APP_KEY, SEND_BUFFER);
    scenario_settle(&scenario);
    channel_client_sign_in(ben, BEN_ID, NULL);
    scenario_settle(&scenario);
    struct api_client *ann = join(0);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 15; i++) {
            invite(ann, BEN_ID);
        }
        for (uint32_t i = 0; i < 700; i++) {
            char other[GUEST_ID_BYTES + 1];
            snprintf(other, sizeof other, "gz%08u%03u", i, round);
            for (char *at = other; *at != '\0'; at++) {
                if (*at >= '0' && *at <= '9') *at = (char)(*at - '0' + 'a');
            }
            invite(ann, other);
        }
        scenario_settle(&scenario);
    }
    cr_expect_eq(ann->answers_count, 3 * 715);
    api_client_last(ann, 200);
    cr_expect_eq(channel_client_count(ben, "ringcast-direct", NULL), 20);
    cr_expect_eq(scenario_counter(&scenario, COUNTER_invitations_dropped), 25);
    scenario_pass(&scenario, 10000);
    ann = join(0);
    invite(ann, BEN_ID);
    scenario_settle(&scenario);
    cr_expect_eq(channel_client_count(ben, "ringcast-direct", NULL), 21, "later it is told again");
    scenario_stop(&scenario);
}

Test(guest_scenario, requests_that_a_page_of_others_could_send_are_refused, .timeout = 60)
{
    static const struct {
        const char *line, *headers, *body;
        unsigned status;
    } rows[] = {
        {"POST /guests", "content-type:Application/JSON ; charset=utf-8\r\n", "{}", 200},
        {"POST /guests?x=1", JSON, "{}", 200},
        {"POST /guests", "", "{}", 415},
        {"POST /guests", "Content-Type: text/plain\r\n", "{}", 415},
        {"POST /guests", "Content-Type: text/plain; application/json\r\n", "{}", 415},
        {"POST /guests", "Content-Type: application/jsonx\r\n", "{}", 415},
        {"POST /guests", JSON JSON, "{}", 415},
        {"GET /guests", JSON, "", 405},
        {"OPTIONS /guests/auth", "Origin: http://evil.example\r\n", "", 405},
        {"POST /guests", JSON "Origin: http://chat.example:8080\r\n", "{}", 200},
        {"POST /guests", JSON "Origin: https://CHAT.example:8080\r\n", "{}", 200},
        {"POST /guests", JSON "Origin: https://allowed.example\r\n", "{}", 200},
        {"POST /guests", JSON "Origin: http://evil.example\r\n", "{}", 403},
        {"POST /guests", JSON "Origin: http://chat.example\r\n", "{}", 403},
        {"POST /guests", JSON "Origin: http://chat.example:80800\r\n", "{}", 403},
        {"POST /guests", JSON "Origin: chat.example:8080\r\n", "{}", 403},
        {"POST /guests", JSON "Origin: null\r\n", "{}", 403},
        {"POST /guests", JSON "Origin:\r\n", "{}", 403},
        {"POST /guests", JSON "Origin: http://chat.example:8080\r\nOrigin: http://chat.example:8080\r\n", "{}", 403},
        {"POST /guests", JSON, "", 400},
        {"POST /guests", JSON, "[]", 400},
        {"POST /guests", JSON, "{} x", 400},
        {"POST /guests", JSON, "{\"token\":\"\xff\"}", 400},
    };
    scenario_start(&scenario, 5, FLAGS("--shards", "1", "--origin", "https://allowed.example"));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct api_client *guest = join(0);
        ask_with(guest, rows[i].line, rows[i].headers, rows[i].body);
        scenario_settle(&scenario);
        cr_assert_eq(guest->answers_count, 1, "row %zu", i);
        cr_expect_eq(guest->answers[0].status, rows[i].status, "row %zu: %s", i, guest->answers[0].body);
        bool is_no = strncmp(guest->answers[0].body, "{\"error\":\"", 10) == 0;
        cr_expect_eq(is_no, rows[i].status != 200, "row %zu: %s", i, guest->answers[0].body);
        cr_expect_not_null(strstr(guest->answers[0].head, "\r\nCache-Control: no-store\r\n"));
        cr_expect_eq(strstr(guest->answers[0].head, "\r\nAllow: POST\r\n") != NULL, rows[i].status == 405);
        fake_reset(guest->client->socket);
    }
    scenario_stop(&scenario);
}

/* Goal: a body is taken up to its bound and no further, whether its length is told before or not. */
Test(guest_scenario, bodies_are_bounded, .timeout = 60)
{
    char body[5000];
    memset(body, ' ', sizeof body);
    memcpy(body, "{}", 2);
    scenario_start(&scenario, 6, FLAGS("--shards", "1"));
    for (size_t bytes = 4095; bytes <= 4097; bytes++) {
        struct api_client *told = join(0), *chunked = join(0);
        body[bytes] = '\0';
        ask_with(told, "POST /guests", JSON, body);
        char *request;
        int count = asprintf(&request,
                             "POST /guests HTTP/1.1\r\nHost: x\r\n" JSON
                             "Transfer-Encoding: chunked\r\n\r\n%zx\r\n%s\r\n0\r\n\r\n",
                             bytes, body);
        fake_write(chunked->client->socket, request, (size_t)count);
        scenario_settle(&scenario);
        api_client_last(told, bytes <= 4096 ? 200 : 413);
        api_client_last(chunked, bytes <= 4096 ? 200 : 413);
        free(request);
        body[bytes] = ' ';
    }
    struct api_client *endless = join(0);
    char head[] = "POST /guests HTTP/1.1\r\nHost: x\r\n" JSON "Transfer-Encoding: chunked\r\n\r\nffff\r\n";
    fake_write(endless->client->socket, head, strlen(head));
    fake_write(endless->client->socket, body, sizeof body);
    scenario_settle(&scenario);
    api_client_last(endless, 413);
    scenario_stop(&scenario);
}

Test(guest_scenario, requests_may_come_byte_by_byte_and_one_behind_the_other, .timeout = 60)
{
    char request[400], continued[] = "HTTP/1.1 100 Continue\r\n\r\n";
    scenario_start(&scenario, 7, FLAGS("--shards", "1"));
    struct api_client *guest = join(0);
    snprintf(request, sizeof request, "POST /guests HTTP/1.1\r\nHost: x\r\n" JSON "Content-Length: 2\r\n\r\n{}");
    for (uint32_t round = 0; round < 2; round++) {
        for (const char *at = request; *at != '\0'; at++) {
            fake_write(guest->client->socket, at, 1);
            scenario_settle(&scenario);
        }
    }
    fake_write(guest->client->socket, request, strlen(request));
    fake_write(guest->client->socket, request, strlen(request));
    scenario_settle(&scenario);
    cr_assert_eq(guest->answers_count, 4);
    for (uint32_t i = 0; i < 4; i++)
        cr_expect_eq(guest->answers[i].status, 200);

    struct client *patient = client_connect(&scenario, 0, SEND_BUFFER);
    char heard[sizeof continued] = "";
    patient->is_reading = false;
    snprintf(request, sizeof request,
             "POST /guests HTTP/1.1\r\nHost: x\r\n" JSON "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    fake_write(patient->socket, request, strlen(request));
    scenario_settle(&scenario);
    cr_expect_eq(fake_read(patient->socket, heard, sizeof heard - 1), sizeof heard - 1);
    cr_expect_str_eq(heard, continued);
    scenario_stop(&scenario);
}

Test(guest_scenario, where_guests_are_off_nothing_is_there, .timeout = 30)
{
    static const char *const lines[] = {"POST /guests", "POST /guests/auth", "POST /guests/signin", "GET /guests"};
    scenario_start(&scenario, 8, FLAGS("--shards", "1", "--guests=no"));
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct api_client *guest = join(0);
        ask_with(guest, lines[i], JSON, i < 3 ? "{}" : "");
        scenario_settle(&scenario);
        cr_expect_eq(strncmp(api_client_last(guest, 404), "{\"error\":\"Guests are off", 24), 0);
    }
    scenario_stop(&scenario);
}

Test(guest_scenario, addresses_for_backends_let_no_guests_in, .timeout = 30)
{
    scenario_start(&scenario, 9, FLAGS("--shards", "1", "--guests", "--control", "127.0.0.1:0"));
    struct api_client *here = join(0), *there = join(1), *also_there = join(1);
    ask_with(here, "POST /guests", JSON, "{}");
    ask_with(there, "GET /guests", JSON, "");
    char request[] = "POST /guests HTTP/1.1\r\nHost: x\r\n" JSON "Content-Length: 2\r\n\r\n";
    fake_write(also_there->client->socket, request, strlen(request));
    scenario_settle(&scenario);
    api_client_last(here, 200);
    api_client_last(there, 404);
    api_client_last(also_there, 404);
    scenario_stop(&scenario);
}
