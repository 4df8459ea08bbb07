/* tests/e2e/order.c MESSAGES [SERVER OPTION]... - one order for all readers, nothing lost, nothing twice.
 *
 * Starts $RINGCAST, joins the lobby with READERS readers and PUBLISHERS publishers, publishes MESSAGES numbered
 * messages (in the long run of the tests FULL_SIZE times as many), as fast as the slowest reader follows within a
 * window, and checks:
 *   - every reader sees the same sequence (a running hash), each publisher the same without its own messages;
 *   - from each publisher the messages come in order, each once, up to the last;
 *   - the server ends with exit status 0, which with sanitizers also means: no error, no leak.
 * One thread and epoll. Exit status: 0 when all holds, 1 with a sentence when not. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/sized.h"

#define READERS            200
#define PUBLISHERS         8
#define CLIENTS            (PUBLISHERS + READERS) /* publishers come first */
#define WINDOW             4096                   /* messages that the slowest reader may lag behind */
#define BURST              64                     /* messages that a publisher writes at once */
#define PAYLOAD_BYTES      8                      /* publisher and number, each uint32_t */
#define FRAME_BYTES        (2 + PAYLOAD_BYTES)    /* from the server */
#define CLIENT_BYTES       (FRAME_BYTES + 4)      /* to it: with a mask */
#define INPUT_BYTES        65536
#define SILENCE_MS         60000 /* without any byte: something is lost */
#define RETRY_MS           100   /* publishers whose sockets were full try again */
#define SERVER_OPTIONS_MAX 32
#define FULL_SIZE          50 /* times the messages, in the long run of the tests */

struct client {
    int socket;
    uint32_t input_count;
    uint8_t input[INPUT_BYTES];
    uint64_t received;
    uint64_t hash;             /* over the sequence seen */
    uint32_t next[PUBLISHERS]; /* number that must come next from each */
    uint32_t published;        /* publishers only: whole messages handed to the kernel, and of the next ... */
    uint32_t unsent_count;     /* ... bytes not yet taken by it */
    uint8_t unsent[BURST * CLIENT_BYTES];
};

static struct client clients[CLIENTS];
static uint32_t *sequence; /* who published the n-th message, as the first reader saw it */
static uint32_t messages;  /* in all */
static pid_t server_pid;

__attribute__((format(printf, 1, 2), noreturn)) static void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("order: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    if (server_pid > 0) kill(server_pid, SIGKILL);
    exit(1);
}

/* ---- the server ---- */

static void run_server(int ready_pipe, int options_count, char **options)
{
    static char listen_flag[] = "--listen", address[] = "127.0.0.1:0", ping_flag[] = "--ping-ms", ping[] = "1h";
    char *binary = getenv("RINGCAST");
    char *arguments[SERVER_OPTIONS_MAX + 6] = {binary, listen_flag, address, ping_flag, ping};
    if (binary == NULL || options_count > SERVER_OPTIONS_MAX) _exit(127);
    memcpy(arguments + 5, options, (size_t)options_count * sizeof arguments[0]);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(ready_pipe, STDOUT_FILENO);
    execv(binary, arguments);
    _exit(127);
}

/* Returns the port. */
static uint16_t start_server(int options_count, char **options)
{
    int ends[2];
    char line[256] = "";
    unsigned port = 0;
    if (pipe(ends) != 0) fail("pipe: %s", strerror(errno));
    server_pid = fork();
    if (server_pid < 0) fail("fork: %s", strerror(errno));
    if (server_pid == 0) run_server(ends[1], options_count, options);
    close(ends[1]);
    FILE *output = fdopen(ends[0], "r");
    if (output == NULL || fgets(line, sizeof line, output) == NULL) fail("the server did not start");
    const char *colon = strstr(line, "127.0.0.1:");
    if (colon == NULL || sscanf(colon, "127.0.0.1:%u", &port) != 1) fail("no port in the ready line: %s", line);
    return (uint16_t)port;
}

static void stop_server(void)
{
    int status;
    kill(server_pid, SIGTERM);
    if (waitpid(server_pid, &status, 0) != server_pid) fail("waitpid: %s", strerror(errno));
    server_pid = 0;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail("the server ended with wait status %#x", (unsigned)status);
}

/* ---- joining ---- */

static void join(struct client *client, uint16_t port)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    int one = 1;
    char answer[1024];
    size_t count = 0;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    client->socket = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(client->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(client->socket, (struct sockaddr *)&address, sizeof address) != 0)
        fail("connect: %s", strerror(errno));
    if (write(client->socket, request, sizeof request - 1) != sizeof request - 1)
        fail("the request could not be sent");
    /* Byte by byte, so that nothing behind the answer is taken. */
    while (count < 4 || memcmp(answer + count - 4, "\r\n\r\n", 4) != 0) {
        if (count == sizeof answer || read(client->socket, answer + count, 1) != 1)
            fail("no answer to the handshake");
        count++;
    }
    if (memcmp(answer, "HTTP/1.1 101 ", 13) != 0) fail("the handshake was refused: %.*s", (int)count, answer);
}

/* ---- reading ---- */

static uint64_t hash_next(uint64_t hash, uint32_t publisher)
{
    return (hash ^ (publisher + 1)) * UINT64_C(0x9e3779b97f4a7c15) + (hash >> 29);
}

static void take_message(struct client *client, uint32_t publisher, uint32_t number)
{
    long index = client - clients;
    if (publisher >= PUBLISHERS || publisher == index) fail("client %ld got a message of %u", index, publisher);
    if (number != client->next[publisher]) {
        fail("client %ld got message %u of publisher %u instead of %u", index, number, publisher,
             client->next[publisher]);
    }
    if (client == &clients[PUBLISHERS]) sequence[client->received] = publisher;
    client->next[publisher]++;
    client->received++;
    client->hash = hash_next(client->hash, publisher);
}

static void take_frames(struct client *client)
{
    uint32_t at = 0;
    for (; client->input_count - at >= FRAME_BYTES; at += FRAME_BYTES) {
        uint32_t words[2];
        const uint8_t *frame = client->input + at;
        if (frame[0] != 0x82 || frame[1] != PAYLOAD_BYTES) {
            fail("client %ld got a frame that begins with %02x %02x", (long)(client - clients), frame[0], frame[1]);
        }
        memcpy(words, frame + 2, sizeof words);
        take_message(client, words[0], words[1]);
    }
    client->input_count -= at;
    memmove(client->input, client->input + at, client->input_count);
}

static void read_all(struct client *client)
{
    for (;;) {
        ssize_t count = recv(client->socket, client->input + client->input_count, INPUT_BYTES - client->input_count,
                             MSG_DONTWAIT);
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (count <= 0) fail("client %ld was disconnected", (long)(client - clients));
        client->input_count += (uint32_t)count;
        take_frames(client);
    }
}

/* ---- publishing ---- */

static uint32_t share_of(uint32_t publisher)
{
    return messages / PUBLISHERS + (publisher < messages % PUBLISHERS ? 1 : 0);
}

static uint64_t published_in_all(void)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < PUBLISHERS; i++) {
        count += clients[i].published;
    }
    return count;
}

static uint64_t least_received(void)
{
    uint64_t least = UINT64_MAX;
    for (uint32_t i = PUBLISHERS; i < CLIENTS; i++) {
        if (clients[i].received < least) least = clients[i].received;
    }
    return least;
}

static void write_message(uint8_t *to, uint32_t publisher, uint32_t number)
{
    static const uint8_t head[] = {0x82, 0x80 | PAYLOAD_BYTES, 0, 0, 0, 0}; /* a mask of zeros changes nothing */
    memcpy(to, head, sizeof head);
    memcpy(to + 6, &publisher, 4);
    memcpy(to + 10, &number, 4);
}

/* Bursts of different lengths, so that publishers are not in step. Returns how many messages it took from room. */
static uint64_t publish(uint32_t index, uint64_t room)
{
    struct client *publisher = &clients[index];
    uint32_t count = 0;
    if (publisher->unsent_count == 0) {
        uint32_t burst = 1 + (publisher->published * 7 + index * 13) % BURST;
        while (count < burst && count < room && publisher->published < share_of(index)) {
            write_message(publisher->unsent + (size_t)count * CLIENT_BYTES, index, publisher->published++);
            count++;
        }
        publisher->unsent_count = count * CLIENT_BYTES;
    }
    if (publisher->unsent_count == 0) return 0;
    ssize_t went = send(publisher->socket, publisher->unsent, publisher->unsent_count, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (went < 0 && errno != EAGAIN) fail("publisher %u: %s", index, strerror(errno));
    if (went > 0) {
        publisher->unsent_count -= (uint32_t)went;
        memmove(publisher->unsent, publisher->unsent + went, publisher->unsent_count);
    }
    return count;
}

static void publish_all(void)
{
    uint64_t lag = published_in_all() - least_received();
    uint64_t room = lag < WINDOW ? WINDOW - lag : 0;
    for (uint32_t i = 0; i < PUBLISHERS; i++) {
        room -= publish(i, room);
    }
}

/* ---- the run ---- */

static bool is_complete(const struct client *client)
{
    uint32_t index = (uint32_t)(client - clients);
    return client->received == messages - (index < PUBLISHERS ? share_of(index) : 0);
}

static bool are_all_complete(void)
{
    for (uint32_t i = 0; i < CLIENTS; i++) {
        if (!is_complete(&clients[i])) return false;
    }
    return true;
}

static void watch(int epoll, struct client *client)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, client->socket, &event) != 0) fail("epoll_ctl: %s", strerror(errno));
}

static void run(void)
{
    int epoll = epoll_create1(0);
    struct epoll_event events[CLIENTS];
    for (uint32_t i = 0; i < CLIENTS; i++) {
        watch(epoll, &clients[i]);
    }
    for (uint32_t silent_ms = 0; !are_all_complete();) {
        publish_all();
        int count = epoll_wait(epoll, events, CLIENTS, RETRY_MS);
        silent_ms = count > 0 ? 0 : silent_ms + RETRY_MS;
        if (silent_ms >= SILENCE_MS) {
            fail("nothing comes any more: %llu published, the slowest reader has %llu",
                 (unsigned long long)published_in_all(), (unsigned long long)least_received());
        }
        for (int i = 0; i < count; i++) {
            read_all(events[i].data.ptr);
        }
    }
    close(epoll);
}

/* What a publisher must have seen: everyone's order without its own. */
static uint64_t hash_without(uint32_t publisher)
{
    uint64_t hash = 0;
    for (uint32_t i = 0; i < messages; i++) {
        if (sequence[i] != publisher) hash = hash_next(hash, sequence[i]);
    }
    return hash;
}

static void compare(void)
{
    for (uint32_t i = 0; i < PUBLISHERS; i++) {
        if (clients[i].hash != hash_without(i)) fail("publisher %u saw another order", i);
    }
    for (uint32_t i = PUBLISHERS; i < CLIENTS; i++) {
        if (clients[i].hash != clients[PUBLISHERS].hash) fail("reader %u saw another order", i - PUBLISHERS);
    }
}

/* A message too many would come now, before the answer to a ping. */
static void expect_nothing_more(struct client *client)
{
    static const uint8_t ping[] = {0x89, 0x80, 0, 0, 0, 0}, pong[] = {0x8a, 0};
    uint8_t answer[sizeof pong];
    if (client->input_count != 0) fail("client %ld got a message too many", (long)(client - clients));
    if (send(client->socket, ping, sizeof ping, MSG_NOSIGNAL) != sizeof ping) fail("a ping could not be sent");
    struct pollfd poll_for = {.fd = client->socket, .events = POLLIN};
    if (poll(&poll_for, 1, SILENCE_MS) != 1) fail("client %ld got no pong", (long)(client - clients));
    ssize_t count = recv(client->socket, answer, sizeof answer, MSG_WAITALL);
    if (count != sizeof answer || memcmp(answer, pong, sizeof pong) != 0) {
        fail("client %ld got a message too many", (long)(client - clients));
    }
}

int main(int argc, char **argv)
{
    uint32_t usual = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;
    messages = (uint32_t)sized(usual, usual * FULL_SIZE);
    if (messages == 0) fail("usage: order MESSAGES [SERVER OPTION]...");
    sequence = calloc(messages, sizeof sequence[0]);
    if (sequence == NULL) fail("out of memory");
    uint16_t port = start_server(argc - 2, argv + 2);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        join(&clients[i], port);
    }
    run();
    compare();
    for (uint32_t i = 0; i < CLIENTS; i++) {
        expect_nothing_more(&clients[i]);
    }
    for (uint32_t i = 0; i < CLIENTS; i++) {
        close(clients[i].socket);
    }
    stop_server();
    printf("order: %u messages of %u publishers, one order for %u readers, order hash %016llx\n", messages,
           PUBLISHERS, READERS, (unsigned long long)clients[PUBLISHERS].hash);
    free(sequence);
    return 0;
}
