/* tests/server/control/test_control_access.c - who may ask for what: by where a peer comes from, or by its token. */
#include "server/control/control_access.h"

#include "core/bytes.h"
#include "net/http.h"
#include "server/connection/connection_state.h"
#include "server/connection/door.h"
#include "server/connection/peer.h"
#include "server/shard/shard.h"

#include <criterion/criterion.h>
#include <string.h>

static char token[] = "s3cret", none[] = "";
static struct options options;
static struct connection connections[1];
static struct peer peers[1];
static struct door door = {.wants_peers = true};
static struct shard shard;
static struct http_reader reader;

static void begin(void)
{
    shard = (struct shard){.options = &options, .connections = connections, .peers.table = peers, .door = &door};
    owner_take(&shard.owner);
    options.control_token = token;
}

static const char *host = "localhost";

static const struct http_request *read_request(const char *headers)
{
    static char head[1024];
    int count = snprintf(head, sizeof head, "GET /metrics HTTP/1.1\r\nHost: %s\r\n%s\r\n", host, headers);
    struct bytes in = {.at = (uint8_t *)head, .count = (size_t)count};
    http_reader_init(&reader, 4096, 4096);
    cr_assert_eq(http_reader_feed(&reader, &in), RC_OK);
    return http_reader_request(&reader);
}

static unsigned judge(enum peer_origin peer, const char *headers, enum control_access access)
{
    peers[0].origin = peer;
    struct control_refusal refusal = control_access_judge(&shard, &connections[0], read_request(headers), access);
    cr_expect_eq(refusal.status != 0, refusal.sentence != NULL);
    cr_expect_eq(refusal.status == 401, refusal.headers != NULL);
    http_reader_fini(&reader);
    return refusal.status;
}

#define GOOD "Authorization: Bearer s3cret\r\n"

Test(control_access, is_by_where_a_peer_comes_from, .init = begin, .timeout = 10)
{
    static const struct {
        enum peer_origin peer;
        unsigned anybody, local, socket;
    } cases[] = {
        {PEER_ELSEWHERE, 0, 401, 403},
        {PEER_MACHINE, 0, 401, 403},
        {PEER_SOCKET, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_expect_eq(judge(cases[i].peer, "", CONTROL_ANYBODY), cases[i].anybody);
        cr_expect_eq(judge(cases[i].peer, "", CONTROL_LOCAL), cases[i].local);
        cr_expect_eq(judge(cases[i].peer, "", CONTROL_SOCKET), cases[i].socket);
    }
}

Test(control_access, a_token_opens_what_is_local_and_never_commands, .init = begin, .timeout = 10)
{
    cr_expect_eq(judge(PEER_ELSEWHERE, GOOD, CONTROL_LOCAL), 0);
    cr_expect_eq(judge(PEER_ELSEWHERE, GOOD, CONTROL_SOCKET), 403);
    cr_expect_eq(judge(PEER_MACHINE, GOOD, CONTROL_SOCKET), 403);
    cr_expect_eq(judge(PEER_MACHINE, GOOD, CONTROL_LOCAL), 0);
    cr_expect_eq(judge(PEER_MACHINE, "Authorization: Bearer wrong\r\n", CONTROL_LOCAL), 401);
    cr_expect_eq(judge(PEER_SOCKET, "Authorization: Bearer wrong\r\n", CONTROL_LOCAL), 0);
}

Test(control_access, a_wrong_token_is_none, .init = begin, .timeout = 10)
{
    static const char *const wrong[] = {
        "Authorization: Bearer s3cre\r\n",
        "Authorization: Bearer s3crets\r\n",
        "Authorization: Bearer S3cret\r\n",
        "Authorization: Bearer \r\n",
        "Authorization: Bearer\r\n",
        "Authorization: Basic s3cret\r\n",
        "Authorization: s3cret\r\n",
        "Authorization: Bearers3cret\r\n",
        "Authorization: Bearer s3cret x\r\n",
        "Authorization:\r\n",
        "Authorization: Bearer \"s3cret\"\r\n",
        "Proxy-Authorization: Bearer s3cret\r\n",
        (GOOD GOOD),
        "Authorization: Bearer x\r\n" GOOD,
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_expect_eq(judge(PEER_ELSEWHERE, wrong[i], CONTROL_LOCAL), 401, "%s", wrong[i]);
    cr_expect_eq(judge(PEER_ELSEWHERE, "authorization: bearer   s3cret\r\n", CONTROL_LOCAL), 0);
}

Test(control_access, without_a_token_no_header_opens_anything, .init = begin, .timeout = 10)
{
    options.control_token = none;
    cr_expect_eq(judge(PEER_ELSEWHERE, "", CONTROL_LOCAL), 403);
    cr_expect_eq(judge(PEER_ELSEWHERE, "Authorization: Bearer \r\n", CONTROL_LOCAL), 403);
    cr_expect_eq(judge(PEER_ELSEWHERE, "Authorization: Bearer\r\n", CONTROL_LOCAL), 403);
}

Test(control_access, without_a_token_the_machine_is_told_and_no_proxy_on_it, .init = begin, .timeout = 10)
{
    static const char *const proxied[] = {"X-Forwarded-For: 192.0.2.1\r\n", "X-Forwarded-For:\r\n",
                                          "Forwarded: for=192.0.2.1\r\n", "via: 1.1 proxy\r\n",
                                          "Via: a\r\nVia: b\r\n"};
    options.control_token = none;
    cr_expect_eq(judge(PEER_MACHINE, "Accept: */*\r\n", CONTROL_LOCAL), 0);
    for (size_t i = 0; i < sizeof proxied / sizeof proxied[0]; i++) {
        cr_expect_eq(judge(PEER_MACHINE, proxied[i], CONTROL_LOCAL), 403, "%s", proxied[i]);
        cr_expect_eq(judge(PEER_SOCKET, proxied[i], CONTROL_LOCAL), 0, "%s", proxied[i]);
        cr_expect_eq(judge(PEER_MACHINE, proxied[i], CONTROL_ANYBODY), 0, "%s", proxied[i]);
    }
}

static void check_hosts(const char *const hosts[], size_t count, unsigned status)
{
    for (size_t i = 0; i < count; i++) {
        host = hosts[i];
        options.control_token = none;
        cr_expect_eq(judge(PEER_MACHINE, "", CONTROL_LOCAL), status, "%s", host);
        cr_expect_eq(judge(PEER_MACHINE, "", CONTROL_ANYBODY), 0, "%s", host);
        cr_expect_eq(judge(PEER_SOCKET, "", CONTROL_LOCAL), 0, "%s", host);
        options.control_token = token;
        cr_expect_eq(judge(PEER_MACHINE, GOOD, CONTROL_LOCAL), 0, "%s", host);
    }
}

Test(control_access, without_a_token_no_page_of_another_site_is_told, .init = begin, .timeout = 10)
{
    static const char *const ours[] = {"localhost", "localhost:8081", "LocalHost:1",
                                       "127.0.0.1", "127.0.0.1:8081", "127.9.9.9:8081",
                                       "[::1]",     "[::1]:8081",     "10.0.0.5:8081"};
    static const char *const others[] = {"evil.example",
                                         "evil.example:8081",
                                         "localhost.evil.example",
                                         "localhost.",
                                         "127.0.0.1.evil.example:8081",
                                         "xlocalhost:80",
                                         "local",
                                         "0x7f.1",
                                         "2130706433",
                                         ":8081",
                                         ""};
    check_hosts(ours, sizeof ours / sizeof ours[0], 0);
    check_hosts(others, sizeof others / sizeof others[0], 403);
}
