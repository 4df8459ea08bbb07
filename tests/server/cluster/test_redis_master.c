/* tests/server/cluster/test_redis_master.c - two Sentinels, played by the test, and whom they are believed. */
#include "server/cluster/redis_master.h"

#include "tests/support/redis_peer.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define CHANCE 7

static const char sentinel_info[] = "$43\r\nredis_version:7.0.15\r\nredis_mode:sentinel\r\n\r\n";

struct two {
    struct redis_peer peers[2];
    struct redis_master *master;
    uint64_t now_ms;
};

static void start(struct two *two)
{
    char text[200], one[REDIS_PLACE_TEXT_MAX], other[REDIS_PLACE_TEXT_MAX], reason[300];
    struct redis_url url;
    *two = (struct two){.now_ms = 1000};
    redis_peer_start(&two->peers[0]);
    redis_peer_start(&two->peers[1]);
    snprintf(text, sizeof text, "redis+sentinel://%s,%s/mymaster", redis_place_format(&two->peers[0].place, one),
             redis_place_format(&two->peers[1].place, other));
    cr_assert_eq(redis_url_read(text, &url, reason, sizeof reason), RC_OK, "%s", reason);
    two->master = redis_master_new(&url, "ringcast-test", NULL, 3000);
    cr_assert(two->master != NULL);
}

static void stop(struct two *two)
{
    redis_master_free(two->master);
    redis_peer_stop(&two->peers[0]);
    redis_peer_stop(&two->peers[1]);
}

/* Runs until this Sentinel has heard the words. */
static void await_words(struct two *two, int index, const char *words)
{
    struct redis_peer *peer = &two->peers[index];
    while (strstr(peer->heard, words) == NULL) {
        struct pollfd one = {.fd = peer->fd, .events = POLLIN};
        redis_master_run(two->master, ++two->now_ms, CHANCE);
        if (poll(&one, 1, 10) == 1) redis_peer_hear(peer);
    }
    peer->heard_count = 0;
    peer->heard[0] = '\0';
}

static void let_in(struct two *two, int index)
{
    redis_master_run(two->master, ++two->now_ms, CHANCE);
    redis_peer_accept(&two->peers[index]);
    await_words(two, index, "INFO");
    redis_peer_say(&two->peers[index], "+OK\r\n");
    redis_peer_say(&two->peers[index], sentinel_info);
    await_words(two, index, "$8\r\nSENTINEL\r\n$6\r\nMASTER\r\n$8\r\nmymaster\r\n");
}

static void say_master(struct two *two, int index, const char *port, const char *epoch)
{
    char text[200];
    snprintf(text, sizeof text,
             "*6\r\n$2\r\nip\r\n$9\r\n127.0.0.1\r\n$4\r\nport\r\n$%zu\r\n%s\r\n$12\r\nconfig-epoch\r\n$%zu\r\n%s\r\n",
             strlen(port), port, strlen(epoch), epoch);
    redis_peer_say(&two->peers[index], text);
}

/* Runs until the master is at this port; a wrong one is a matter of the test's own time. */
static void await_port(struct two *two, uint16_t port)
{
    struct redis_place place = {.port = 0};
    while (!redis_master_place(two->master, &place) || place.port != port) {
        redis_master_run(two->master, two->now_ms, CHANCE);
        poll(NULL, 0, 1);
    }
}

Test(redis_master, is_what_the_sentinel_with_the_highest_epoch_says, .timeout = 30)
{
    struct two two;
    struct redis_place place;
    start(&two);
    cr_expect_not(redis_master_place(two.master, &place));
    let_in(&two, 0);
    let_in(&two, 1);
    cr_expect_not(redis_master_place(two.master, &place));
    say_master(&two, 1, "7001", "5");
    await_port(&two, 7001);
    say_master(&two, 0, "7000", "4");
    two.now_ms += 1000;
    await_words(&two, 0, "SENTINEL"); /* that answer was read, and it is asked again */
    await_port(&two, 7001);
    say_master(&two, 0, "7002", "6");
    await_port(&two, 7002);
    cr_expect_str_empty(redis_master_reason(two.master));
    stop(&two);
}

Test(redis_master, is_still_known_when_its_sentinel_is_away, .timeout = 30)
{
    struct two two;
    start(&two);
    let_in(&two, 0);
    say_master(&two, 0, "7001", "5");
    await_port(&two, 7001);
    redis_peer_hang_up(&two.peers[0]);
    while (strstr(redis_master_reason(two.master), "closed the connection") == NULL)
        redis_master_run(two.master, two.now_ms, CHANCE);
    await_port(&two, 7001);
    two.now_ms += 5000; /* beyond any backoff */
    let_in(&two, 0);
    say_master(&two, 0, "7003", "6");
    await_port(&two, 7003);
    stop(&two);
}

Test(redis_master, unknown_to_a_sentinel_is_told_with_the_cure, .timeout = 30)
{
    struct two two;
    struct redis_place place;
    start(&two);
    let_in(&two, 0);
    redis_peer_say(&two.peers[0], "-ERR No such master with that name\r\n");
    while (strstr(redis_master_reason(two.master), "knows no master mymaster; check the name in --redis") == NULL)
        redis_master_run(two.master, two.now_ms, CHANCE);
    cr_expect_not(redis_master_place(two.master, &place));
    stop(&two);
}

Test(redis_master, that_is_named_is_that, .timeout = 10)
{
    struct redis_url url;
    struct redis_place place;
    char reason[300];
    cr_assert_eq(redis_url_read("redis://h:7", &url, reason, sizeof reason), RC_OK);
    struct redis_master *master = redis_master_new(&url, "", NULL, 3000);
    redis_master_run(master, 1, CHANCE);
    cr_expect(redis_master_place(master, &place));
    cr_expect_str_eq(place.host, "h");
    redis_master_free(master);
}
