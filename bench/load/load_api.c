/* bench/load/load_api.c - publishing over HTTP: a connection for each publisher, one request at a time.
 *
 * It is kept as long as the server keeps it. Servers close connections that are idle, or behind each answer, which they
 * say by HTTP/1.0 or `Connection: close` (RFC 9112 9.3): the next request then opens a new one. One that is closed
 * before it has answered has perhaps lost a message, which is an offence. */
#include "bench/load/load.h"

#include "bench/clock.h"
#include "bench/load/pusher.h"

#include <llhttp.h>
#include <stdlib.h>
#include <time.h>

#define WORDS_BYTES_MAX 160u /* of an answer, to be shown when it is a refusal */
#define STATUS_OK       200
#define CLOSING_NS_MAX  (NS_PER_SECOND / 10) /* for the server to close what it has said to */

struct load_api {
    llhttp_t parser;
    struct load *load;
    uint32_t slot;
    bool is_busy;         /* an answer is to come */
    bool is_over;         /* the last answer has come: the server closes */
    bool is_shutting;     /* our own close is under way, and would hit the next connection in this place */
    uint64_t close_at_ns; /* if it has not by then */
    uint32_t words_count;
    char words[WORDS_BYTES_MAX];
};

static struct load_api *api_of(const struct load *load, uint32_t slot)
{
    return &load->apis[slot - load->members];
}

/* ---- answers ---- */

static int on_body(llhttp_t *parser, const char *at, size_t count)
{
    struct load_api *api = parser->data;
    for (size_t i = 0; i < count && api->words_count < WORDS_BYTES_MAX - 1; i++) {
        api->words[api->words_count++] = at[i] >= ' ' && at[i] <= '~' ? at[i] : ' ';
    }
    api->words[api->words_count] = '\0';
    return 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct load_api *api = parser->data;
    if (!api->is_busy) return -1;
    api->is_busy = false;
    api->is_over = !llhttp_should_keep_alive(parser);
    api->close_at_ns = clock_ns() + CLOSING_NS_MAX;
    if (parser->status_code != STATUS_OK) {
        load_fail(api->load, LOAD_OFFENCE, "the server refuses to publish: HTTP status %d %s", parser->status_code,
                  api->words);
    }
    api->words_count = 0;
    return 0;
}

static const llhttp_settings_t settings = {.on_body = on_body, .on_message_complete = on_message_complete};

/* ---- life ---- */

bool load_api_init(struct load *load)
{
    uint32_t count = load->slots - load->members;
    if (count == 0) return true;
    load->apis = calloc(count, sizeof load->apis[0]);
    load->body = malloc(load->options->payload_bytes_max + 2 * PUSHER_TEXT_BYTES_MAX);
    if (load->apis == NULL || load->body == NULL) return false;
    for (uint32_t i = 0; i < count; i++) {
        load->apis[i].load = load;
        load->apis[i].slot = load->members + i;
        llhttp_init(&load->apis[i].parser, HTTP_RESPONSE, &settings);
        load->apis[i].parser.data = &load->apis[i];
    }
    return true;
}

void load_api_fini(struct load *load)
{
    free(load->apis);
    free(load->body);
}

/* ---- requests ---- */

static struct text write_body(struct load *load, uint32_t publisher, struct text payload)
{
    char channel[LOAD_CHANNEL_BYTES], *start = (char *)load->body, *to = start;
    load_channel(load, publisher - load->first, channel);
    to += pusher_write_body_head(to, channel);
    to = text_put(to, payload);
    to += pusher_write_body_tail(to);
    return text_between(start, to);
}

static uint64_t realtime_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec;
}

/* The server closes first, so that it is not our ports that wait for stragglers (RFC 9293 3.6.1: TIME-WAIT); if it only
 * says that it does, we close. */
static void close_late(struct load *load, struct load_api *api)
{
    if (clock_ns() < api->close_at_ns) return;
    load_ring_shutdown(&load->ring, api->slot);
    api->close_at_ns = UINT64_MAX; /* once */
    api->is_shutting = true;
}

bool load_api_publish(struct load *load, uint32_t publisher, struct text payload)
{
    char head[PUSHER_TEXT_BYTES_MAX];
    const struct load_options *options = load->options;
    struct load_api *api = &load->apis[publisher];
    if (api->is_over) close_late(load, api);
    if (api->is_busy || api->is_over || api->is_shutting) return false;
    struct text body = write_body(load, publisher, payload);
    size_t count = pusher_write_request(head, options->host, options->app_id, options->app_key, options->app_secret,
                                        realtime_s(), body);
    if (count == 0) return load_fail(load, LOAD_UNABLE, "a request cannot be signed: out of memory");
    if (!load_say(load, api->slot, head, count) || !load_say(load, api->slot, body.at, body.count)) return false;
    api->is_busy = true;
    struct load_connection *connection = &load->connections[api->slot];
    return connection->stage != LOAD_CLOSED || load_start(load, api->slot);
}

void load_api_take(struct load *load, uint32_t slot, struct bytes *in)
{
    struct load_api *api = api_of(load, slot);
    enum llhttp_errno result = llhttp_execute(&api->parser, (const char *)in->at, in->count);
    bytes_take(in, in->count);
    if (result == HPE_OK || api->is_over || load->status != LOAD_OK) return;
    load_fail(load, LOAD_OFFENCE, "what comes from the HTTP API is no answer to a request: %s",
              llhttp_get_error_reason(&api->parser));
}

void load_api_shut(struct load *load, uint32_t slot)
{
    api_of(load, slot)->is_shutting = false;
}

void load_api_ended(struct load *load, uint32_t slot)
{
    struct load_connection *connection = &load->connections[slot];
    struct load_api *api = api_of(load, slot);
    if (api->is_busy) llhttp_finish(&api->parser); /* an answer may be as long as the connection */
    if (api->is_busy || connection->stage < LOAD_OPEN) {
        load_fail(load, LOAD_OFFENCE, "the server closed a connection to its HTTP API before it had answered");
        return;
    }
    connection->stage = LOAD_CLOSED;
    load->open--;
    load_tls_free(connection->tls);
    connection->tls = NULL;
    api->is_over = false;
    llhttp_reset(&api->parser);
}
