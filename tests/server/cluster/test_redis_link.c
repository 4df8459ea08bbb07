/* tests/server/cluster/test_redis_link.c - a connection to Redis against a server that says what it is told to. */
#include "server/cluster/redis_link.h"

#include "server/cluster/redis_access.h"
#include "tests/support/redis_peer.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const struct redis_limits few = {.out_bytes_max = 1000, .reply_bytes_max = 100000};

static void send_words(struct redis_link *link, const char *one, const char *other, enum rc expected)
{
    const struct text texts[] = {text_of(one), text_of(other == NULL ? "" : other)};
    cr_expect_eq(redis_link_send(link, texts, other == NULL ? 1 : 2), expected);
}

/* The next reply, which comes at last. */
static redisReply *await_reply(struct redis_link *link)
{
    redisReply *reply;
    while (redis_link_receive(link, &reply) == RC_MORE) {
        cr_assert_eq(redis_link_end(link), REDIS_END_NONE, "%s", redis_link_reason(link));
        if (!redis_link_has_input(link)) redis_peer_turn(link, 1000);
    }
    return reply;
}

static void expect_status(struct redis_link *link, const char *status)
{
    redisReply *reply = await_reply(link);
    cr_assert_eq(reply->type, REDIS_REPLY_STATUS);
    cr_expect_str_eq(reply->str, status);
    freeReplyObject(reply);
}

/* Goes on until it has ended. */
static void await_end(struct redis_link *link, enum redis_end end, const char *said)
{
    redisReply *reply;
    while (redis_link_end(link) == REDIS_END_NONE) {
        redis_peer_turn(link, 1000);
        cr_assert_eq(redis_link_receive(link, &reply), RC_MORE);
    }
    cr_expect_eq(redis_link_end(link), end, "%s", redis_link_reason(link));
    cr_expect(strstr(redis_link_reason(link), said) != NULL, "%s", redis_link_reason(link));
    cr_expect_eq(redis_link_state(link), REDIS_LINK_ENDED);
    cr_expect_eq(redis_link_fd(link), -1);
    cr_expect_eq(redis_link_events(link), 0);
    cr_expect_not(redis_link_has_input(link));
}

Test(redis_link, sends_commands_and_receives_their_answers_in_order, .timeout = 20)
{
    struct redis_peer peer;
    redis_peer_start(&peer);
    struct redis_link *link = redis_peer_link(&peer, 1000, 1000);
    cr_expect_eq(redis_link_server(link)->version, 0x07000f);
    cr_expect_str_eq(redis_link_server(link)->replid, "0123456789abcdef");
    send_words(link, "PING", NULL, RC_OK);
    send_words(link, "ECHO", "a\r\nb", RC_OK);
    cr_expect_eq(redis_link_unanswered(link), 2);
    cr_expect_neq(redis_link_waiting_bytes(link), 0);
    cr_expect_neq(redis_link_events(link) & POLLOUT, 0);
    redis_link_run(link, 0, 1000);
    cr_expect_eq(redis_link_waiting_bytes(link), 0);
    cr_expect_eq(redis_link_events(link), POLLIN);
    redis_peer_hear(&peer);
    cr_expect_str_eq(peer.heard, "*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$4\r\na\r\nb\r\n");
    redis_peer_say(&peer, "+PONG\r\n+ec");
    expect_status(link, "PONG");
    cr_expect_eq(redis_link_unanswered(link), 1);
    redis_peer_say(&peer, "ho\r\n");
    expect_status(link, "echo");
    cr_expect_eq(redis_link_unanswered(link), 0);
    redis_link_free(link);
    redis_peer_stop(&peer);
}

Test(redis_link, bounds_what_waits_to_be_sent, .timeout = 20)
{
    struct redis_peer peer;
    redis_peer_start(&peer);
    struct redis_link *link = redis_peer_link(&peer, 28, 1000);
    send_words(link, "PING", NULL, RC_OK);
    send_words(link, "PING", NULL, RC_OK);
    send_words(link, "PING", NULL, RC_EFULL);
    cr_expect_eq(redis_link_unanswered(link), 2);
    redis_link_run(link, 0, 1000);
    send_words(link, "PING", NULL, RC_OK);
    redis_link_close(link);
    send_words(link, "PING", NULL, RC_EBUSY);
    redis_link_free(link);
    redis_peer_stop(&peer);
}

Test(redis_link, is_read_only_by_whoever_receives, .timeout = 20)
{
    struct redis_peer peer;
    redis_peer_start(&peer);
    struct redis_link *link = redis_peer_link(&peer, 1000, 1000);
    redis_peer_say(&peer, "+a\r\n+b\r\n");
    redis_peer_turn(link, 1000);
    cr_expect(redis_link_has_input(link));
    cr_expect_eq(redis_link_events(link), 0, "poll() would not wait, and nobody wants it");
    expect_status(link, "a");
    cr_expect(redis_link_has_input(link));
    expect_status(link, "b");
    redisReply *reply;
    cr_expect_eq(redis_link_receive(link, &reply), RC_MORE);
    cr_expect_not(redis_link_has_input(link));
    cr_expect_eq(redis_link_events(link), POLLIN);
    redis_link_free(link);
    redis_peer_stop(&peer);
}

/* ---- the greeting ---- */

static char *text_file(const char *text, char name[64])
{
    snprintf(name, 64, "/tmp/ringcast_redis_link_XXXXXX");
    int fd = mkstemp(name);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    return name;
}

static struct redis_access *access_of(const char *password)
{
    char name[64], reason[300];
    struct redis_access *access;
    const struct options options = {.redis_password_file = text_file(password, name)};
    cr_assert_eq(redis_access_new(&access, &options, reason, sizeof reason), RC_OK, "%s", reason);
    unlink(name);
    return access;
}

static struct redis_link *greet(struct redis_peer *peer, struct redis_target target)
{
    struct redis_link *link = redis_link_new(&target, &few);
    cr_assert(link != NULL);
    redis_link_open(link, 1000);
    redis_peer_accept(peer);
    redis_peer_turn(link, 1000);
    redis_link_run(link, 0, 1000);
    if (redis_link_state(link) == REDIS_LINK_GREETING) redis_peer_hear(peer);
    return link;
}

Test(redis_link, says_who_it_is_before_anything_else, .timeout = 20)
{
    struct redis_peer peer;
    struct redis_access *access = access_of("geheim\nnot this\n");
    redis_peer_start(&peer);
    struct redis_target target = redis_peer_target(&peer);
    target.user = "app";
    target.name = "ringcast-1";
    target.database = 3;
    target.access = access;
    struct redis_link *link = greet(&peer, target);
    cr_expect_str_eq(peer.heard, "*3\r\n$4\r\nAUTH\r\n$3\r\napp\r\n$6\r\ngeheim\r\n"
                                 "*3\r\n$6\r\nCLIENT\r\n$7\r\nSETNAME\r\n$10\r\nringcast-1\r\n"
                                 "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n*1\r\n$4\r\nINFO\r\n");
    send_words(link, "PING", NULL, RC_EBUSY);
    redis_peer_say(&peer, "+OK\r\n-ERR no names here\r\n+OK\r\n");
    redis_peer_turn(link, 1000);
    cr_expect_eq(redis_link_state(link), REDIS_LINK_GREETING);
    redis_peer_say(&peer, redis_peer_info);
    redis_peer_turn(link, 1000);
    cr_expect_eq(redis_link_state(link), REDIS_LINK_OPEN);
    cr_expect_eq(redis_link_unanswered(link), 0);
    redis_link_free(link);
    redis_access_free(access);
    redis_peer_stop(&peer);
}

Test(redis_link, tells_why_it_was_not_let_in, .timeout = 30)
{
    static const struct {
        const char *said;
        enum redis_end end;
        const char *told;
    } cases[] = {
        {"-WRONGPASS invalid username-password pair\r\n", REDIS_END_PASSWORD, "--redis-password-file"},
        {"-ERR unknown command 'AUTH', with args beginning with: 'app' 'geheim'\r\n", REDIS_END_PASSWORD, "password"},
        {"-DENIED Redis is running in protected mode\r\n", REDIS_END_PASSWORD, "password"},
        {"+OK\r\n-ERR DB index is out of range\r\n", REDIS_END_DATABASE, "DB index is out of range"},
        {"+OK\r\n+OK\r\n-NOPERM User app has no permissions to run the 'info' command\r\n", REDIS_END_RIGHTS,
         "'info'"},
        {"+OK\r\n+OK\r\n-NOAUTH Authentication required.\r\n", REDIS_END_PASSWORD, "password"},
        {"+OK\r\n+OK\r\n-LOADING Redis is loading\r\n", REDIS_END_LOADING, "reads its data"},
        {"+OK\r\n+OK\r\n-ERR no\x1b[31m\r\n", REDIS_END_COMMAND, "(ERR no?[31m)"},
        {"+OK\r\n+OK\r\n:1\r\n", REDIS_END_PROTOCOL, "protocol"},
        {"+OK\r\n+OK\r\n$5\r\nhello\r\n", REDIS_END_PROTOCOL, "protocol"},
        {"+OK\r\n:1\r\n", REDIS_END_PROTOCOL, "protocol"},
        {"HTTP/1.1 400 Bad Request\r\n", REDIS_END_PROTOCOL, "is it one"},
        {"+OK\r\n+OK\r\n$33\r\nredis_version:6.2.14\r\nrole:master\r\n", REDIS_END_VERSION, "(6.2.14)"},
        {"+OK\r\n+OK\r\n$31\r\nredis_version:7.0.1\r\nrole:slave\r\n", REDIS_END_ROLE, "replica"},
        {"+OK\r\n+OK\r\n$30\r\nredis_version:7.0.1\r\nloading:1\r\n", REDIS_END_LOADING, "reads its data"},
        {"+OK\r\n+OK\r\n*99999999\r\n", REDIS_END_TOO_LARGE, "larger than the limit"},
    };
    struct redis_peer peer;
    struct redis_access *access = access_of("geheim");
    redis_peer_start(&peer);
    struct redis_target target = redis_peer_target(&peer);
    target.user = "app";
    target.database = 1;
    target.access = access;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct redis_link *link = greet(&peer, target);
        redis_peer_say(&peer, cases[i].said);
        await_end(link, cases[i].end, cases[i].told);
        cr_expect(strstr(redis_link_reason(link), "geheim") == NULL, "%s", redis_link_reason(link));
        cr_expect(strstr(redis_link_reason(link), "127.0.0.1:") != NULL, "%s", redis_link_reason(link));
        redis_link_free(link);
        redis_peer_hang_up(&peer);
    }
    redis_access_free(access);
    redis_peer_stop(&peer);
}

Test(redis_link, lets_a_sentinel_have_no_users_and_no_role, .timeout = 20)
{
    struct redis_peer peer;
    struct redis_access *access = access_of("geheim");
    redis_peer_start(&peer);
    struct redis_target target = redis_peer_target(&peer);
    target.access = access;
    target.is_sentinel = true;
    struct redis_link *link = greet(&peer, target);
    redis_peer_say(&peer, "-WRONGPASS no\r\n$43\r\nredis_version:7.0.15\r\nredis_mode:sentinel\r\n\r\n");
    redis_peer_turn(link, 1000);
    cr_expect_eq(redis_link_state(link), REDIS_LINK_OPEN, "%s", redis_link_reason(link));
    redis_link_free(link);
    redis_peer_hang_up(&peer);
    link = greet(&peer, target);
    redis_peer_say(&peer, "+OK\r\n");
    redis_peer_say(&peer, redis_peer_info);
    await_end(link, REDIS_END_ROLE, "sentinel 127.0.0.1:");
    redis_link_free(link);
    redis_access_free(access);
    redis_peer_stop(&peer);
}

/* ---- the end ---- */

Test(redis_link, ends_as_the_server_ends_it, .timeout = 20)
{
    struct redis_peer peer;
    redis_peer_start(&peer);
    struct redis_link *link = redis_peer_link(&peer, 1000, 1000);
    redis_peer_say(&peer, "+last\r\n+ha");
    redis_peer_hang_up(&peer);
    expect_status(link, "last");
    await_end(link, REDIS_END_CLOSED, "closed the connection");

    redis_link_open(link, 1000);
    cr_expect_str_empty(redis_link_reason(link));
    redis_peer_accept(&peer);
    redis_peer_turn(link, 1000);
    redis_link_run(link, 0, 1000);
    redis_peer_hear(&peer);
    const struct linger hard = {.l_onoff = 1};
    setsockopt(peer.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    redis_peer_hang_up(&peer);
    await_end(link, REDIS_END_RESET, "(at once: does this port want rediss://?)");
    redis_link_free(link);
    redis_peer_stop(&peer);
}

Test(redis_link, that_nobody_accepts_is_refused, .timeout = 20)
{
    struct redis_peer peer;
    redis_peer_start(&peer);
    struct redis_target target = redis_peer_target(&peer);
    redis_peer_stop(&peer);
    struct redis_link *link = redis_link_new(&target, &few);
    redis_link_open(link, 1000);
    await_end(link, REDIS_END_REFUSED, "refuses connections; is it running");
    redis_link_free(link);

    snprintf(target.place.host, sizeof target.place.host, "/tmp/ringcast-no-such-socket");
    target.place.port = 0;
    link = redis_link_new(&target, &few);
    redis_link_open(link, 1000);
    await_end(link, REDIS_END_REFUSED, "unix:/tmp/ringcast-no-such-socket");
    redis_link_free(link);

    cr_assert(redis_place_of("no-such-host.invalid", strlen("no-such-host.invalid"), 6379, &target.place));
    link = redis_link_new(&target, &few);
    redis_link_open(link, 1000);
    await_end(link, REDIS_END_NAME, "looked up");
    redis_link_free(link);
}

Test(redis_link, that_is_not_answered_is_silent, .timeout = 20)
{
    struct redis_peer peer;
    redis_peer_start(&peer);
    struct redis_link *link = redis_peer_link(&peer, 1000, 1000);
    redis_link_watch(link, 1000000, 3000);
    cr_expect_eq(redis_link_state(link), REDIS_LINK_OPEN, "nothing was asked");
    send_words(link, "PING", NULL, RC_OK);
    redis_link_run(link, 0, 1000000);
    send_words(link, "PING", NULL, RC_OK);
    redis_link_watch(link, 1003000, 3000);
    cr_expect_eq(redis_link_state(link), REDIS_LINK_OPEN);
    redis_peer_say(&peer, "+PONG\r\n");
    expect_status(link, "PONG");
    redis_link_watch(link, 1003001, 3000);
    cr_expect_eq(redis_link_state(link), REDIS_LINK_OPEN, "it goes on");
    redis_link_watch(link, 1006002, 3000);
    cr_expect_eq(redis_link_end(link), REDIS_END_SILENT);
    cr_expect(strstr(redis_link_reason(link), "does not answer") != NULL, "%s", redis_link_reason(link));
    redis_link_free(link);
    redis_peer_stop(&peer);
}

Test(redis_link, that_does_not_open_is_silent, .timeout = 20)
{
    struct redis_peer peer;
    redis_peer_start(&peer);
    struct redis_link *link = greet(&peer, redis_peer_target(&peer));
    cr_expect_eq(redis_link_state(link), REDIS_LINK_GREETING);
    redis_link_watch(link, 4000, 3000);
    cr_expect_eq(redis_link_state(link), REDIS_LINK_GREETING);
    redis_link_watch(link, 4001, 3000);
    cr_expect_eq(redis_link_end(link), REDIS_END_SILENT);
    redis_link_free(link);
    redis_peer_stop(&peer);
}

Test(redis_link, with_pushes_is_not_judged_by_its_commands, .timeout = 20)
{
    struct redis_peer peer;
    redis_peer_start(&peer);
    struct redis_link *link = redis_peer_link(&peer, 1000, 1000);
    redis_link_expect_pushes(link);
    send_words(link, "SUBSCRIBE", "c", RC_OK);
    redis_link_run(link, 0, 1000);
    redis_link_watch(link, 100000, 3000);
    cr_expect_eq(redis_link_state(link), REDIS_LINK_OPEN);
    redis_link_stop(link, REDIS_END_SILENT, "its own push did not come");
    cr_expect(strstr(redis_link_reason(link), "(its own push did not come)") != NULL);
    redis_link_free(link);
    redis_peer_stop(&peer);
}

Test(redis_link, sends_much_as_the_server_takes_it, .timeout = 30)
{
    struct redis_peer peer;
    redis_peer_start(&peer);
    struct redis_link *link = redis_peer_link(&peer, 64 << 20, 1000);
    char *large = malloc(1 << 20);
    cr_assert(large != NULL);
    memset(large, 'x', 1 << 20);
    const struct text texts[] = {text_of("SET"), text_of("k"), {.at = large, .count = 1 << 20}};
    for (int i = 0; i < 16; i++)
        cr_assert_eq(redis_link_send(link, texts, 3), RC_OK);
    size_t all = redis_link_waiting_bytes(link), heard = 0;
    redis_link_run(link, 0, 1000);
    cr_expect_gt(redis_link_waiting_bytes(link), 0, "the socket has no room for all");
    while (heard < all) {
        peer.heard_count = 0;
        redis_peer_hear(&peer);
        heard += peer.heard_count;
        if (redis_link_waiting_bytes(link) > 0) redis_link_run(link, POLLOUT, 1000);
    }
    cr_expect_eq(heard, all);
    free(large);
    redis_link_free(link);
    redis_peer_stop(&peer);
}

Test(redis_link, goes_by_a_unix_socket_too, .timeout = 20)
{
    char folder[] = "/tmp/ringcast_redis_link_XXXXXX";
    cr_assert(mkdtemp(folder) != NULL);
    struct redis_peer peer = {.fd = -1};
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    snprintf(local.sun_path, sizeof local.sun_path, "%s/s", folder);
    snprintf(peer.place.host, sizeof peer.place.host, "%s/s", folder);
    peer.listener = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_assert_eq(bind(peer.listener, (struct sockaddr *)&local, sizeof local), 0);
    cr_assert_eq(listen(peer.listener, 4), 0);
    struct redis_link *link = redis_peer_link(&peer, 1000, 1000);
    cr_expect_eq(redis_link_state(link), REDIS_LINK_OPEN);
    redis_link_free(link);
    redis_peer_stop(&peer);
    unlink(local.sun_path);
    rmdir(folder);
}
