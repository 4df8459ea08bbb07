/* bench/load_options.c - one table of flags; then what they mean together. */
#include "bench/load_options.h"

#include "bench/stamp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define REFUSE(...) (snprintf(error, LOAD_ERROR_BYTES, __VA_ARGS__), RC_EINVAL)

enum flag_kind {
    FLAG_TEXT,
    FLAG_COUNT,  /* uint32_t */
    FLAG_NUMBER, /* double */
    FLAG_YES_NO, /* bool */
    FLAG_SWITCH, /* bool, without a value */
};

struct flag {
    const char *name;
    const char *value;
    const char *help;
    enum flag_kind kind;
    size_t offset;
    double min;
    double max;
};

#define FLAG(kind, field, name, value, min, max, help)                                      \
    {                                                                                       \
        "--" name, value, help, FLAG_##kind, offsetof(struct load_options, field), min, max \
    }

static const struct flag flags[] = {
    FLAG(TEXT, url, "url", "URL", 0, 0,
         "Where to connect, ws:// or wss://; {room} in it becomes the connection's room number\n"
         "                           [ws://127.0.0.1:8080/]"),
    FLAG(COUNT, connections, "connections", "C", 1, 1 << 20, "How many connections to open [100]"),
    FLAG(COUNT, rooms, "rooms", "R", 1, 1 << 20, "Over how many rooms they spread [1]"),
    FLAG(COUNT, publishers, "publishers", "P", 1, 1 << 20, "How many of them publish, in turn [1]"),
    FLAG(COUNT, payload_bytes, "payload-bytes", "B", STAMP_BYTES, PAYLOAD_BYTES_MAX, "Size of a message [64]"),
    FLAG(SWITCH, binary, "binary", "", 0, 1, "Send binary messages instead of text"),
    FLAG(COUNT, window, "window", "W", 1, 1 << 20, "Closed loop: keep this many messages in flight [1]"),
    FLAG(NUMBER, rate, "rate", "MSGS/S", 0.01, 1e7,
         "Open loop: send at this rate whatever the server does; latency counts from when a message was due"),
    FLAG(NUMBER, seconds, "seconds", "S", 0.01, 86400, "How long to publish [5]"),
    FLAG(COUNT, ramp, "ramp", "CONNS/S", 0, 1 << 20,
         "Connections to open per second; 0: as fast as answers come [0]"),
    FLAG(COUNT, pid, "pid", "PID", 1, 1 << 22, "The server's process, to report its CPU time and memory"),
    FLAG(TEXT, source, "source", "ADDRESS", 0, 0,
         "First IPv4 source address; every 10,000 connections take the next one [beyond 10,000: 127.0.0.1]"),
    FLAG(YES_NO, echo, "echo", "yes|no", 0, 1, "Does the server send a message to its sender too? [no]"),
    FLAG(SWITCH, no_verify, "no-verify", "", 0, 1,
         "Only count messages, do not look whether they are the right ones"),
    FLAG(SWITCH, resume, "resume", "", 0, 1,
         "wss: all take up the session of the first, so that handshakes are short"),
    FLAG(SWITCH, json, "json", "", 0, 1, "Print the result as one line of JSON"),
    FLAG(SWITCH, help, "help", "", 0, 1, "Show this and exit"),
};

#define FLAGS_MAX (sizeof flags / sizeof flags[0])

void load_options_help(FILE *file)
{
    fputs("ringcast-load - load a WebSocket server, measure it, and check every message\n\n"
          "Opens connections, publishes, and looks whether every message comes to every member of its room exactly\n"
          "once and in one order for all. The server under test passes on each message unchanged, as ringcast's\n"
          "lobby does.\n\n"
          "    ringcast-load --connections 1000 --window 16 --pid $(pidof ringcast)\n"
          "    ringcast-load --url ws://127.0.0.1:8080/room/{room} --connections 18000 --rooms 1000 --rate 2000\n\n",
          file);
    for (size_t i = 0; i < FLAGS_MAX; i++) {
        fprintf(file, "  %-15s %-8s %s\n", flags[i].name, flags[i].value, flags[i].help);
    }
    fputs("\nExit status: 0 all came as it should; 1 could not be run; 2 bad option; 3 a message was lost, came "
          "twice,\n"
          "out of order or changed, or the server closed a connection.\n",
          file);
}

/* ---- one flag ---- */

static bool read_number(const char *text, double *value_r)
{
    char *end;
    errno = 0;
    *value_r = strtod(text, &end);
    return errno == 0 && end != text && *end == '\0';
}

static enum rc read_value(const struct flag *flag, const char *text, void *value, char *error)
{
    double number;
    switch (flag->kind) {
    case FLAG_TEXT:
        *(const char **)value = text;
        return RC_OK;
    case FLAG_YES_NO:
        *(bool *)value = strcmp(text, "yes") == 0;
        if (*(bool *)value || strcmp(text, "no") == 0) return RC_OK;
        return REFUSE("%s is yes or no, not \"%s\"", flag->name, text);
    case FLAG_COUNT:
    case FLAG_NUMBER:
        /* Written so that a NaN is refused. */
        if (!read_number(text, &number) || !(number >= flag->min && number <= flag->max) ||
            (flag->kind == FLAG_COUNT && number != (double)(uint32_t)number)) {
            return REFUSE("%s is a%s number from %.10g to %.10g, not \"%s\"", flag->name,
                          flag->kind == FLAG_COUNT ? " whole" : "", flag->min, flag->max, text);
        }
        if (flag->kind == FLAG_COUNT) *(uint32_t *)value = (uint32_t)number;
        if (flag->kind == FLAG_NUMBER) *(double *)value = number;
        return RC_OK;
    case FLAG_SWITCH:
        break;
    }
    *(bool *)value = true;
    return RC_OK;
}

/* Reads argv[*i], and its value behind "=" or in the next argument. */
static enum rc read_flag(struct load_options *options, int argc, char **argv, int *i, char *error)
{
    const char *given = argv[*i];
    size_t length = strcspn(given, "=");
    for (const struct flag *flag = flags; flag < flags + FLAGS_MAX; flag++) {
        if (strlen(flag->name) != length || strncmp(flag->name, given, length) != 0) continue;
        const char *value = given[length] == '=' ? given + length + 1 : NULL;
        if (flag->kind == FLAG_SWITCH) {
            if (value != NULL) return REFUSE("%s takes no value", flag->name);
        } else if (value == NULL) {
            if (*i + 1 == argc) return REFUSE("%s needs a value: %s", flag->name, flag->value);
            value = argv[++*i];
        }
        return read_value(flag, value, (char *)options + flag->offset, error);
    }
    return REFUSE("there is no option \"%s\": --help shows them all", given);
}

/* ---- all together ---- */

static enum rc resolve(struct load_options *options, const char *host, const char *port, char *error)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    int result = getaddrinfo(host, port, &hints, &found);
    if (result != 0) return REFUSE("cannot find %s port %s: %s", host, port, gai_strerror(result));
    memcpy(&options->server, found->ai_addr, found->ai_addrlen);
    options->server_bytes = found->ai_addrlen;
    freeaddrinfo(found);
    return RC_OK;
}

/* ws://HOST[:PORT][/PATH], or wss://; an IPv6 address stands in brackets. */
static enum rc read_url(struct load_options *options, char *error)
{
    char host[sizeof options->host];
    options->is_secure = strncmp(options->url, "wss://", 6) == 0;
    if (!options->is_secure && strncmp(options->url, "ws://", 5) != 0) {
        return REFUSE("--url begins with ws:// or wss://, not \"%s\"", options->url);
    }
    const char *authority = options->url + (options->is_secure ? 6 : 5);
    size_t count = strcspn(authority, "/?#");
    if (count == 0 || count >= sizeof host) return REFUSE("--url %s names no host", options->url);
    options->path = authority[count] == '/' ? authority + count : "/";
    memcpy(host, authority, count);
    host[count] = '\0';
    memcpy(options->host, host, count + 1);
    bool is_bracketed = host[0] == '[';
    char *end = is_bracketed ? strchr(host, ']') : strchr(host, ':');
    if (is_bracketed && end == NULL) return REFUSE("--url %s lacks a ]", options->url);
    char *colon = end == NULL || *end == ':' ? end : end[1] == ':' ? end + 1 : NULL;
    const char *port = colon != NULL ? colon + 1 : options->is_secure ? "443" : "80";
    if (end != NULL) *end = '\0';
    memcpy(options->name, is_bracketed ? host + 1 : host, strlen(is_bracketed ? host + 1 : host) + 1);
    return resolve(options, is_bracketed ? host + 1 : host, port, error);
}

static enum rc choose_source(struct load_options *options, char *error)
{
    const struct sockaddr_in *server = (const struct sockaddr_in *)&options->server;
    bool is_ipv4 = options->server.ss_family == AF_INET;
    struct in_addr first = {.s_addr = htonl(INADDR_LOOPBACK)};
    if (options->source != NULL) {
        if (!is_ipv4 || inet_pton(AF_INET, options->source, &first) != 1) {
            return REFUSE("--source %s: an IPv4 address is needed, as is the server's", options->source);
        }
    } else if (options->connections <= LOAD_ADDRESS_CONNECTIONS || !is_ipv4 ||
               ntohl(server->sin_addr.s_addr) >> 24 != 127) {
        return RC_OK; /* only loopback has all its addresses without being asked */
    }
    options->source_first = ntohl(first.s_addr);
    return RC_OK;
}

static enum rc check(const struct load_options *options, char *error)
{
    uint32_t connections = options->connections, rooms = options->rooms, publishers = options->publishers;
    if (rooms > connections) return REFUSE("--rooms %u is more than --connections %u", rooms, connections);
    if (rooms > 1 && strstr(options->path, LOAD_ROOM) == NULL) {
        return REFUSE("--rooms %u needs " LOAD_ROOM " in the path of --url, to say where a room is", rooms);
    }
    if (publishers > connections) {
        return REFUSE("--publishers %u is more than --connections %u", publishers, connections);
    }
    if (!options->echo && publishers > connections - rooms) {
        return REFUSE("--publishers %u leaves a room without a member that only listens, which is needed without "
                      "--echo to see the room's whole order: at most %u here",
                      publishers, connections - rooms);
    }
    return RC_OK;
}

enum rc load_options_read(struct load_options *options, int argc, char **argv, char error[LOAD_ERROR_BYTES])
{
    enum rc rc;
    *options = (struct load_options){.url = "ws://127.0.0.1:8080/",
                                     .connections = 100,
                                     .rooms = 1,
                                     .publishers = 1,
                                     .payload_bytes = 64,
                                     .seconds = 5};
    for (int i = 1; i < argc; i++) {
        if ((rc = read_flag(options, argc, argv, &i, error)) != RC_OK) return rc;
    }
    bool has_window = options->window > 0;
    if (has_window && options->rate > 0) return REFUSE("--window and --rate exclude each other: closed or open loop");
    if (!has_window) options->window = 1;
    if (options->help) return RC_OK;
    if ((rc = read_url(options, error)) != RC_OK) return rc;
    if ((rc = choose_source(options, error)) != RC_OK) return rc;
    return check(options, error);
}
