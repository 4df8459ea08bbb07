/* tests/support/redis_peer.c - a listener on loopback, and words. */
#include "tests/support/redis_peer.h"

#include <arpa/inet.h>
#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 5000

const char redis_peer_info[] = "$115\r\n# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nrole:master\r\n"
                               "master_replid:0123456789abcdef\r\naof_enabled:1\r\n\r\n";

void redis_peer_start(struct redis_peer *peer)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t bytes = sizeof to;
    *peer = (struct redis_peer){.fd = -1};
    peer->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert(peer->listener >= 0 && bind(peer->listener, (struct sockaddr *)&to, sizeof to) == 0);
    assert(listen(peer->listener, 16) == 0 && getsockname(peer->listener, (struct sockaddr *)&to, &bytes) == 0);
    redis_place_of("127.0.0.1", strlen("127.0.0.1"), ntohs(to.sin_port), &peer->place);
}

void redis_peer_stop(struct redis_peer *peer)
{
    redis_peer_hang_up(peer);
    if (peer->listener >= 0) close(peer->listener);
    peer->listener = -1;
}

static void wait_for(int fd, short events)
{
    struct pollfd one = {.fd = fd, .events = events};
    assert(poll(&one, 1, WAIT_MS) == 1);
}

void redis_peer_accept(struct redis_peer *peer)
{
    wait_for(peer->listener, POLLIN);
    peer->fd = accept(peer->listener, NULL, NULL);
    assert(peer->fd >= 0);
}

void redis_peer_hear(struct redis_peer *peer)
{
    wait_for(peer->fd, POLLIN);
    ssize_t count = recv(peer->fd, peer->heard + peer->heard_count, sizeof peer->heard - 1 - peer->heard_count, 0);
    assert(count > 0);
    peer->heard_count += (size_t)count;
    peer->heard[peer->heard_count] = '\0';
}

void redis_peer_say_bytes(struct redis_peer *peer, const void *bytes, size_t count)
{
    assert(send(peer->fd, bytes, count, MSG_NOSIGNAL) == (ssize_t)count);
}

void redis_peer_say(struct redis_peer *peer, const char *text)
{
    redis_peer_say_bytes(peer, text, strlen(text));
}

void redis_peer_hang_up(struct redis_peer *peer)
{
    if (peer->fd >= 0) close(peer->fd);
    peer->fd = -1;
}

void redis_peer_turn(struct redis_link *link, uint64_t now_ms)
{
    struct pollfd one = {.fd = redis_link_fd(link), .events = redis_link_events(link)};
    if (redis_link_has_input(link))
        poll(&one, 1, 0);
    else if (one.fd >= 0)
        assert(poll(&one, 1, WAIT_MS) == 1);
    redis_link_run(link, one.revents, now_ms);
}

struct redis_target redis_peer_target(const struct redis_peer *peer)
{
    return (struct redis_target){.place = peer->place, .user = "", .name = ""};
}

struct redis_link *redis_peer_link(struct redis_peer *peer, size_t out_bytes_max, size_t reply_bytes_max)
{
    const struct redis_target target = redis_peer_target(peer);
    const struct redis_limits limits = {.out_bytes_max = out_bytes_max, .reply_bytes_max = reply_bytes_max};
    struct redis_link *link = redis_link_new(&target, &limits);
    assert(link != NULL);
    redis_link_open(link, 1000);
    redis_peer_accept(peer);
    redis_peer_turn(link, 1000);
    redis_link_run(link, 0, 1000); /* now that it is connected */
    redis_peer_hear(peer);
    redis_peer_say(peer, redis_peer_info);
    redis_peer_turn(link, 1000);
    redisReply *reply;
    assert(redis_link_state(link) == REDIS_LINK_OPEN && redis_link_receive(link, &reply) == RC_MORE);
    peer->heard_count = 0;
    return link;
}
