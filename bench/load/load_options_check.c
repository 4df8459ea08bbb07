/* bench/load/load_options_check.c - what the flags mean together, and how the load is dealt out. */
#include "bench/load/load_options.h"

#include "bench/load/stamp.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define REFUSE(...)    (snprintf(error, LOAD_ERROR_BYTES, __VA_ARGS__), RC_EINVAL)
#define APP_TEXT_MAX   100
#define SHARES_MAX     64u
#define SLOW_BYTES_MAX (1u << 30)
#define PIECES_MAX     4e6 /* times that connections may leave: each is remembered until the end */

/* ---- where ---- */

/* The next server of those that there are. */
static enum rc resolve(struct load_options *options, const char *host, const char *port, char *error)
{
    if (options->servers_count == LOAD_SERVERS_MAX) return REFUSE("at most %d servers are loaded", LOAD_SERVERS_MAX);
    struct load_address *server = &options->servers[options->servers_count++];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    int result = getaddrinfo(host, port, &hints, &found);
    if (result != 0) return REFUSE("cannot find %s port %s: %s", host, port, gai_strerror(result));
    memcpy(&server->socket, found->ai_addr, found->ai_addrlen);
    server->bytes = found->ai_addrlen;
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
    if (*port == '\0') return REFUSE("--url %s lacks the port's number behind the colon", options->url);
    if (end != NULL) *end = '\0';
    memcpy(options->name, is_bracketed ? host + 1 : host, strlen(is_bracketed ? host + 1 : host) + 1);
    return resolve(options, is_bracketed ? host + 1 : host, port, error);
}

/* The piece of a list that begins at *at, in `piece` (256 bytes), and where the next one begins; NULL: there is none.
 * False: it is empty, or too long. */
static bool next_piece(const char **at, char *piece)
{
    size_t count = strcspn(*at, ",");
    if (count == 0 || count >= 256) return false;
    memcpy(piece, *at, count);
    piece[count] = '\0';
    *at = (*at)[count] == ',' ? *at + count + 1 : NULL;
    return true;
}

/* HOST:PORT,HOST:PORT; an IPv6 address stands in brackets. */
static enum rc read_also(struct load_options *options, char *error)
{
    char piece[256];
    for (const char *at = options->also; at != NULL;) {
        char *colon = next_piece(&at, piece) ? strrchr(piece, ':') : NULL;
        if (colon == NULL || colon == piece || colon[1] == '\0' || colon[-1] == ':') {
            return REFUSE("--also is HOST:PORT of each other node, with commas between them, not \"%s\"",
                          options->also);
        }
        bool is_bracketed = piece[0] == '[' && colon[-1] == ']';
        colon[is_bracketed ? -1 : 0] = '\0';
        enum rc rc = resolve(options, is_bracketed ? piece + 1 : piece, colon + 1, error);
        if (rc != RC_OK) return rc;
    }
    return RC_OK;
}

static enum rc read_pids(struct load_options *options, char *error)
{
    char piece[256], *end;
    for (const char *at = options->pid_text; at != NULL;) {
        unsigned long pid = next_piece(&at, piece) ? strtoul(piece, &end, 10) : 0;
        if (pid == 0 || pid > 1u << 22 || *end != '\0' || options->pids_count == LOAD_SERVERS_MAX) {
            return REFUSE("--pid is the number of a process, or up to %d with commas between them, not \"%s\"",
                          LOAD_SERVERS_MAX, options->pid_text);
        }
        options->pids[options->pids_count++] = (uint32_t)pid;
    }
    return RC_OK;
}

static enum rc choose_source(struct load_options *options, char *error)
{
    const struct sockaddr_in *server = (const struct sockaddr_in *)&options->servers[0].socket;
    bool is_ipv4 = options->servers[0].socket.ss_family == AF_INET;
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

/* ---- Pusher ---- */

static enum rc read_app(struct load_options *options, char *error)
{
    const char *colon = options->app != NULL ? strchr(options->app, ':') : NULL;
    const char *second = colon != NULL ? strchr(colon + 1, ':') : NULL;
    if (second == NULL || colon == options->app || second == colon + 1 || second[1] == '\0') {
        return REFUSE("--protocol pusher needs --app ID:KEY:SECRET, to subscribe and to publish");
    }
    options->app_id = text_between(options->app, colon);
    options->app_key = text_between(colon + 1, second);
    options->app_secret = text_of(second + 1);
    if (options->app_id.count > APP_TEXT_MAX || options->app_key.count > APP_TEXT_MAX) {
        return REFUSE("--app has an id or a key of more than %d bytes", APP_TEXT_MAX);
    }
    return RC_OK;
}

static enum rc choose_channel(struct load_options *options, char *error)
{
    bool by_client = options->publish_by == LOAD_BY_CLIENT;
    if (options->channel == NULL) options->channel = by_client ? "private-load-" LOAD_ROOM : "load-" LOAD_ROOM;
    bool is_private = strncmp(options->channel, "private-", 8) == 0;
    if (strncmp(options->channel, "presence-", 9) == 0) {
        return REFUSE("--channel %s: members of presence channels are not made up here, use a public or private- one",
                      options->channel);
    }
    if (by_client && !is_private) {
        return REFUSE("--publish-by client needs a private channel: --channel private-%s", options->channel);
    }
    if (options->channel[0] == '\0' || strlen(options->channel) > LOAD_CHANNEL_BYTES - 8 ||
        strpbrk(options->channel, "\"\\ ") != NULL) {
        return REFUSE("--channel is a name of at most %d letters, digits and -_=@,.; with {room} for its number",
                      LOAD_CHANNEL_BYTES - 8);
    }
    return RC_OK;
}

static enum rc read_pusher(struct load_options *options, char *error)
{
    enum rc rc = read_app(options, error);
    if (rc != RC_OK) return rc;
    if (options->echo)
        return REFUSE("--echo is for --protocol raw: who gets an event is settled in Pusher's protocol");
    if (options->binary) return REFUSE("--binary is for --protocol raw: Pusher's protocol has text only");
    options->publish_by = LOAD_BY_HTTP;
    if (options->publish_by_text != NULL && strcmp(options->publish_by_text, "client") == 0) {
        options->publish_by = LOAD_BY_CLIENT;
    } else if (options->publish_by_text != NULL && strcmp(options->publish_by_text, "http") != 0) {
        return REFUSE("--publish-by is http or client, not \"%s\"", options->publish_by_text);
    }
    if (strcmp(options->path, "/") == 0) {
        snprintf(options->path_made, sizeof options->path_made,
                 "/app/%.*s?protocol=7&client=ringcast-load&version=" RINGCAST_VERSION, (int)options->app_key.count,
                 options->app_key.at);
        options->path = options->path_made;
    }
    return choose_channel(options, error);
}

static enum rc read_protocol(struct load_options *options, char *error)
{
    options->is_pusher = strcmp(options->protocol, "pusher") == 0;
    if (options->is_pusher) return read_pusher(options, error);
    if (strcmp(options->protocol, "raw") != 0) {
        return REFUSE("--protocol is raw or pusher, not \"%s\"", options->protocol);
    }
    const char *stray = options->app != NULL               ? "--app"
                        : options->channel != NULL         ? "--channel"
                        : options->publish_by_text != NULL ? "--publish-by"
                                                           : NULL;
    return stray == NULL ? RC_OK : REFUSE("%s is for --protocol pusher", stray);
}

/* ---- values of several numbers ---- */

static bool read_whole(const char **at, const char *end_with, uint32_t *value_r)
{
    char *end;
    if (**at < '0' || **at > '9') return false;
    unsigned long long value = strtoull(*at, &end, 10);
    size_t count = strlen(end_with);
    if (value > UINT32_MAX || strncmp(end, end_with, count) != 0 || (count == 0 && *end != '\0')) return false;
    *value_r = (uint32_t)value;
    *at = end + count;
    return true;
}

static enum rc read_payload(struct load_options *options, char *error)
{
    const char *at = options->payload;
    bool is_range = strstr(at, "..") != NULL;
    bool is_read = !is_range || read_whole(&at, "..", &options->payload_bytes_min);
    is_read = is_read && read_whole(&at, "", &options->payload_bytes_max);
    if (is_read && !is_range) options->payload_bytes_min = options->payload_bytes_max;
    if (!is_read || options->payload_bytes_min < STAMP_BYTES || options->payload_bytes_max > PAYLOAD_BYTES_MAX ||
        options->payload_bytes_min > options->payload_bytes_max) {
        return REFUSE("--payload-bytes is a whole number from %d, which a message's stamp takes, to %d, or two of "
                      "them with .. between, not \"%s\"",
                      STAMP_BYTES, PAYLOAD_BYTES_MAX, options->payload);
    }
    return RC_OK;
}

static enum rc read_slow(struct load_options *options, char *error)
{
    char *end;
    if (options->slow == NULL) return RC_OK;
    double share = strtod(options->slow, &end);
    const char *at = end + 2;
    if (end == options->slow || strncmp(end, "%:", 2) != 0 || !(share >= 0.01 && share <= 90) ||
        !read_whole(&at, "", &options->slow_bytes) || options->slow_bytes < 1 ||
        options->slow_bytes > SLOW_BYTES_MAX) {
        return REFUSE("--slow is a share from 0.01%% to 90%% and bytes per second, such as 5%%:1000, not \"%s\"",
                      options->slow);
    }
    options->slow_share = (uint32_t)(share * 100 + 0.5);
    return RC_OK;
}

static enum rc read_share(struct load_options *options, char *error)
{
    const char *at = options->share_text;
    uint32_t share = 0;
    if (!read_whole(&at, "/", &share) || !read_whole(&at, "", &options->shares) || share < 1 ||
        options->shares > SHARES_MAX || share > options->shares) {
        return REFUSE("--share is such as 1/3 for the first of three, at most %u, not \"%s\"", SHARES_MAX,
                      options->share_text);
    }
    options->share = share - 1;
    return RC_OK;
}

/* ---- dealing out ---- */

struct layout load_options_layout(const struct load_options *options, uint32_t thread)
{
    struct layout whole = {.connections = options->connections,
                           .rooms = options->rooms,
                           .publishers = options->publishers,
                           .has_echo = options->echo || options->publish_by == LOAD_BY_HTTP,
                           .has_guests = options->churn > 0,
                           .slow_share = options->slow_share};
    if (load_options_spans(options)) return whole;
    return layout_part(&whole, options->share * options->threads + thread, options->shares * options->threads);
}

uint32_t load_options_first(const struct load_options *options, uint32_t thread, uint32_t *count_r)
{
    struct layout layout = load_options_layout(options, thread);
    *count_r = layout.connections;
    if (!load_options_spans(options)) return 0;
    /* All publishers are the first thread's, so that one window or one clock rules them. */
    uint32_t threads = options->threads, all = layout.connections;
    uint32_t of_first = all / threads > layout.publishers ? all / threads : layout.publishers;
    if (threads == 1) of_first = all;
    *count_r = of_first;
    if (thread == 0) return 0;
    uint64_t rest = all - of_first;
    uint32_t from = (uint32_t)(rest * (thread - 1) / (threads - 1)), to = (uint32_t)(rest * thread / (threads - 1));
    *count_r = to - from;
    return of_first + from;
}

uint32_t load_options_active(const struct load_options *options)
{
    uint32_t parts = options->threads * options->shares;
    if (load_options_spans(options)) return 1;
    return options->publishers < parts ? options->publishers : parts;
}

/* ---- together ---- */

static enum rc check_rooms(const struct load_options *options, char *error)
{
    uint32_t connections = options->connections, rooms = options->rooms, publishers = options->publishers;
    if (rooms > connections) return REFUSE("--rooms %u is more than --connections %u", rooms, connections);
    if (rooms > 1 && options->is_pusher && strstr(options->channel, LOAD_ROOM) == NULL) {
        return REFUSE("--rooms %u needs " LOAD_ROOM " in --channel, to say where a room is", rooms);
    }
    if (rooms > 1 && !options->is_pusher && strstr(options->path, LOAD_ROOM) == NULL) {
        return REFUSE("--rooms %u needs " LOAD_ROOM " in the path of --url, to say where a room is", rooms);
    }
    if (publishers > connections) {
        return REFUSE("--publishers %u is more than --connections %u", publishers, connections);
    }
    if (!options->echo && options->publish_by != LOAD_BY_HTTP && publishers > connections - rooms) {
        return REFUSE("--publishers %u leaves a room without a member that only listens, which is needed without "
                      "--echo to see the room's whole order: at most %u here",
                      publishers, connections - rooms);
    }
    return RC_OK;
}

static enum rc check_parts(const struct load_options *options, char *error)
{
    if (options->shares > 1 && load_options_spans(options)) {
        return REFUSE("--share %s with --threads %u needs %u rooms or more: processes do not share a room",
                      options->share_text, options->threads, options->shares * options->threads);
    }
    if (options->threads > options->connections) {
        return REFUSE("--threads %u is more than --connections %u", options->threads, options->connections);
    }
    uint32_t active = load_options_active(options);
    if (options->window < active) {
        return REFUSE(
            "--window %u is too small: each of the %u threads that publish keeps a message in flight, so give "
            "%u or more, or fewer --threads",
            options->window, active, active);
    }
    return RC_OK;
}

/* Are there any, in the share of this process? */
static bool has_members(const struct load_options *options, bool (*is_meant)(const struct layout *, uint32_t))
{
    for (uint32_t thread = 0; thread < options->threads; thread++) {
        struct layout layout = load_options_layout(options, thread);
        for (uint32_t i = 0; i < layout.connections; i++) {
            if (is_meant(&layout, i)) return true;
        }
    }
    return false;
}

static enum rc check_apart(const struct load_options *options, char *error)
{
    if (options->slow_share > 0 && !has_members(options, layout_is_slow)) {
        return REFUSE("--slow %s is nobody: there are too few connections that only listen, beside one in each room",
                      options->slow);
    }
    if (options->churn == 0) return RC_OK;
    if (!has_members(options, layout_is_guest)) {
        return REFUSE("--churn needs rooms of three or more: every second one of the connections that only listen, "
                      "beside one in each room, comes and goes");
    }
    if (options->churn * options->seconds > PIECES_MAX) {
        return REFUSE("--churn %.10g in --seconds %.10g is more than can be remembered: at most %.0f times",
                      options->churn, options->seconds, PIECES_MAX);
    }
    return RC_OK;
}

enum rc load_options_check(struct load_options *options, char error[LOAD_ERROR_BYTES])
{
    enum rc rc;
    if (options->help || options->merge) return RC_OK;
    if (options->window > 0 && options->rate > 0) {
        return REFUSE("--window and --rate exclude each other: closed or open loop");
    }
    if ((rc = read_url(options, error)) != RC_OK || (rc = read_also(options, error)) != RC_OK ||
        (rc = read_pids(options, error)) != RC_OK || (rc = choose_source(options, error)) != RC_OK ||
        (rc = read_protocol(options, error)) != RC_OK || (rc = read_payload(options, error)) != RC_OK ||
        (rc = read_slow(options, error)) != RC_OK || (rc = read_share(options, error)) != RC_OK ||
        (rc = check_rooms(options, error)) != RC_OK) {
        return rc;
    }
    if (options->window == 0) options->window = load_options_active(options);
    if ((rc = check_parts(options, error)) != RC_OK) return rc;
    return check_apart(options, error);
}
