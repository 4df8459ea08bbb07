/* net/http.c - the request reader around llhttp, and the heads of answers.
 *
 * llhttp only judges: nothing of the head is taken from its callbacks. What it has passed is copied as it came, and
 * the views are found afterwards by walking over bytes known to be well-formed (net/http_request). It is told to
 * pause behind the head and behind the body, which says where each ends in the input. */
#include "net/http.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BUFFER_BYTES_FIRST = 1024 };

static enum http_method method_of(const llhttp_t *parser)
{
    switch (parser->method) {
    case HTTP_GET:
        return HTTP_METHOD_GET;
    case HTTP_HEAD:
        return HTTP_METHOD_HEAD;
    case HTTP_POST:
        return HTTP_METHOD_POST;
    case HTTP_PUT:
        return HTTP_METHOD_PUT;
    case HTTP_DELETE:
        return HTTP_METHOD_DELETE;
    case HTTP_OPTIONS:
        return HTTP_METHOD_OPTIONS;
    case HTTP_PATCH:
        return HTTP_METHOD_PATCH;
    default:
        return HTTP_METHOD_OTHER;
    }
}

/* Fills the request from the raw head, again when the buffer has moved as the body came. */
static bool read_head(struct http_reader *reader)
{
    reader->request.method = method_of(&reader->parser);
    reader->request.version_minor = reader->parser.http_minor;
    return http_request_set_head(&reader->request, (const char *)reader->buffer, reader->head_bytes);
}

/* What RFC 9112 asks of a head beyond its syntax. Returns the status to refuse it with, or 0. */
static unsigned check_head(const struct http_reader *reader)
{
    const struct http_request *request = &reader->request;
    unsigned hosts = http_request_header_count(request, "host");
    unsigned codings = http_request_header_count(request, "transfer-encoding");
    if (hosts > 1 || (hosts == 0 && request->version_minor == 1)) return 400; /* 3.2 */
    if (!http_host_is_valid(http_request_header(request, "host"))) return 400;
    if (codings > 0 && request->version_minor == 0) return 400; /* 6.1: its framing is in doubt */
    if (codings > 1) return 501;
    if (codings == 1 && !text_is_nocase(http_request_header(request, "transfer-encoding"), "chunked")) return 501;
    struct text expectation = http_request_header(request, "expect");
    bool is_known = expectation.at == NULL || text_is_nocase(expectation, "100-continue");
    return is_known || request->version_minor == 0 ? 0 : 417; /* RFC 9110 10.1.1 */
}

/* Looked at behind the head: llhttp counts the length down. */
static bool announces_body(const struct http_reader *reader)
{
    return (reader->parser.flags & F_CHUNKED) != 0 || reader->parser.content_length > 0;
}

static bool expects_continue(const struct http_reader *reader)
{
    return reader->has_body && reader->request.version_minor == 1 &&
           http_request_header(&reader->request, "expect").at != NULL;
}

static enum rc fail(struct http_reader *reader, enum rc rc, unsigned status)
{
    reader->rc = rc;
    reader->status = (uint16_t)status;
    return rc;
}

/* Copies to the end of head or body, whichever is being read. */
static bool keep(struct http_reader *reader, const void *from, size_t count)
{
    size_t used = reader->head_bytes + reader->body_bytes;
    if (used + count > reader->buffer_bytes) {
        size_t most = (size_t)reader->head_bytes_max + reader->body_bytes_max;
        size_t size = reader->buffer_bytes > 0 ? reader->buffer_bytes : BUFFER_BYTES_FIRST;
        while (size < used + count)
            size *= 2;
        if (size > most) size = most;
        uint8_t *buffer = realloc(reader->buffer, size);
        if (buffer == NULL) return false;
        reader->buffer = buffer;
        reader->buffer_bytes = (uint32_t)size;
    }
    memcpy(reader->buffer + used, from, count);
    return true;
}

/* Callbacks: a callback that fails says why in the reader and stops llhttp with HPE_USER. */

static int on_method(llhttp_t *parser)
{
    struct http_reader *reader = parser->data;
    reader->has_method = true;
    return HPE_OK;
}

static int on_version(llhttp_t *parser)
{
    if (parser->http_major == 1) {
        if (parser->http_minor > 1) parser->http_minor = 1; /* RFC 9110 2.5: the highest that we know */
        return HPE_OK;
    }
    fail(parser->data, RC_EPROTO, 505);
    return HPE_USER;
}

static int on_header(llhttp_t *parser)
{
    struct http_reader *reader = parser->data;
    if (reader->headers_count == HTTP_HEADERS_MAX) {
        fail(reader, RC_ETOOBIG, 431);
        return HPE_USER;
    }
    reader->headers_count++;
    return HPE_OK;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct http_reader *reader = parser->data;
    if (parser->http_major == 0) { /* "GET /" without a version, HTTP/0.9 */
        fail(reader, RC_EPROTO, 505);
        return -1;
    }
    reader->head_is_complete = true;
    return HPE_PAUSED;
}

static int on_body(llhttp_t *parser, const char *at, size_t count)
{
    struct http_reader *reader = parser->data;
    if (count > reader->body_bytes_max - reader->body_bytes) {
        fail(reader, RC_ETOOBIG, 413);
        return HPE_USER;
    }
    if (!keep(reader, at, count)) {
        fail(reader, RC_ENOMEM, 503);
        return HPE_USER;
    }
    reader->body_bytes += (uint32_t)count;
    return HPE_OK;
}

static int on_message_complete(llhttp_t *parser)
{
    struct http_reader *reader = parser->data;
    reader->is_complete = true;
    return HPE_PAUSED;
}

static llhttp_settings_t settings = {
    .on_method_complete = on_method,
    .on_version_complete = on_version,
    .on_header_field_complete = on_header,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void http_reader_init(struct http_reader *reader, uint32_t head_bytes_max, uint32_t body_bytes_max)
{
    assert(head_bytes_max < 1u << 30 && body_bytes_max < 1u << 30);
    *reader = (struct http_reader){.head_bytes_max = head_bytes_max, .body_bytes_max = body_bytes_max, .rc = RC_MORE};
    llhttp_init(&reader->parser, HTTP_REQUEST, &settings);
    llhttp_set_lenient_version(&reader->parser, 1); /* on_version() judges */
}

void http_reader_fini(struct http_reader *reader)
{
    free(reader->buffer);
    *reader = (struct http_reader){.rc = RC_OK};
}

void http_reader_reset(struct http_reader *reader)
{
    struct http_reader before = *reader;
    http_reader_init(reader, before.head_bytes_max, before.body_bytes_max);
    if (before.buffer_bytes > BUFFER_BYTES_FIRST) {
        free(before.buffer);
        return;
    }
    reader->buffer = before.buffer;
    reader->buffer_bytes = before.buffer_bytes;
}

/* The status for what llhttp found wrong at `at`. */
static unsigned status_of(llhttp_errno_t error, const char *at)
{
    if (error == HPE_INVALID_METHOD) { /* a word that could be a method, or noise */
        bool is_word = (*at >= 'A' && *at <= 'Z') || (*at >= 'a' && *at <= 'z') || *at == '-';
        return is_word ? 501 : 400;
    }
    return 400;
}

/* Lets llhttp judge the next `count` bytes. *eaten_r: how many it took before it paused, or all. */
static enum rc judge(struct http_reader *reader, const uint8_t *from, size_t count, size_t *eaten_r)
{
    llhttp_t *parser = &reader->parser;
    parser->data = reader; /* the reader may have been moved */
    llhttp_errno_t error = llhttp_execute(parser, (const char *)from, count);
    const char *stop = llhttp_get_error_pos(parser);
    if (error == HPE_OK) {
        *eaten_r = count;
        return RC_OK;
    }
    if (error == HPE_PAUSED) {
        *eaten_r = (size_t)(stop - (const char *)from);
        llhttp_resume(parser);
        return RC_OK;
    }
    if (rc_is_error(reader->rc)) return reader->rc;              /* said by a callback */
    if (error == HPE_INVALID_METHOD) reader->has_method = false; /* more than a method we know: "HEADS" */
    return fail(reader, RC_EPROTO, status_of(error, stop));
}

static enum rc feed_head(struct http_reader *reader, struct bytes *in)
{
    size_t room = reader->head_bytes_max - reader->head_bytes, eaten;
    enum rc rc = judge(reader, in->at, in->count < room ? in->count : room, &eaten);
    if (rc != RC_OK) return rc;
    if (!keep(reader, in->at, eaten)) return fail(reader, RC_ENOMEM, 503);
    reader->head_bytes += (uint32_t)eaten;
    bytes_take(in, eaten);
    if (!reader->head_is_complete) {
        return reader->head_bytes < reader->head_bytes_max ? RC_MORE : fail(reader, RC_ETOOBIG, 431);
    }
    unsigned status = read_head(reader) ? check_head(reader) : 400;
    if (status != 0) return fail(reader, RC_EPROTO, status);
    reader->has_head = true;
    reader->has_body = announces_body(reader);
    reader->wants_continue = expects_continue(reader);
    return RC_OK;
}

/* Chunk sizes, chunk extensions and trailers are not kept, and bounded with the rest of what comes behind a head:
 * twice the body and once the head at most. */
static enum rc feed_body(struct http_reader *reader, struct bytes *in)
{
    uint64_t room = 2 * (uint64_t)reader->body_bytes_max + reader->head_bytes_max + 1 - reader->body_wire_bytes;
    size_t eaten;
    if ((reader->parser.flags & F_CONTENT_LENGTH) != 0 && reader->parser.content_length > reader->body_bytes_max)
        return fail(reader, RC_ETOOBIG, 413);
    enum rc rc = judge(reader, in->at, in->count < room ? in->count : room, &eaten);
    if (rc != RC_OK) return rc;
    reader->body_wire_bytes += eaten;
    bytes_take(in, eaten);
    if (eaten == room) return fail(reader, RC_ETOOBIG, 413);
    return reader->is_complete ? RC_OK : RC_MORE;
}

static void complete_request(struct http_reader *reader)
{
    struct http_request *request = &reader->request;
    read_head(reader);
    request->body = (struct text){(const char *)reader->buffer + reader->head_bytes, reader->body_bytes};
    request->keep_alive = llhttp_should_keep_alive(&reader->parser) != 0 && reader->parser.method != HTTP_CONNECT;
}

enum rc http_reader_feed(struct http_reader *reader, struct bytes *in)
{
    assert(reader->rc != RC_OK); /* reset first */
    if (rc_is_error(reader->rc)) return reader->rc;
    if (!reader->head_is_complete) {
        if (in->count == 0) return RC_MORE;
        enum rc rc = feed_head(reader, in);
        if (rc != RC_OK) return rc;
    }
    enum rc rc = feed_body(reader, in);
    if (rc == RC_OK) {
        complete_request(reader);
        reader->rc = RC_OK;
    }
    return rc;
}

const struct http_request *http_reader_request(const struct http_reader *reader)
{
    assert(reader->rc == RC_OK && reader->is_complete);
    return &reader->request;
}

const struct http_request *http_reader_head(struct http_reader *reader)
{
    if (!reader->has_head) return NULL;
    read_head(reader); /* the buffer may have moved since */
    return &reader->request;
}

/* Has so little come that it may become a HEAD, and nothing else that we know? */
static bool begins_as_head(const struct http_reader *reader)
{
    const uint8_t *at = reader->buffer, *end = at + reader->head_bytes;
    while (at < end && (*at == '\r' || *at == '\n'))
        at++; /* RFC 9112 2.2 */
    size_t count = (size_t)(end - at);
    return reader->rc == RC_MORE && count > 0 && count <= strlen("HEAD") && memcmp(at, "HEAD", count) == 0;
}

bool http_reader_is_head(const struct http_reader *reader)
{
    if (!reader->has_method) return begins_as_head(reader);
    return reader->parser.method == HTTP_HEAD;
}

unsigned http_reader_status(const struct http_reader *reader)
{
    assert(rc_is_error(reader->rc));
    return reader->status;
}

bool http_reader_take_continue(struct http_reader *reader)
{
    bool wants = reader->wants_continue && reader->body_wire_bytes == 0;
    reader->wants_continue = false;
    return wants;
}

const char *http_status_text(unsigned status)
{
    static const struct {
        unsigned status;
        const char *text;
    } rows[] = {
        {100, "Continue"},
        {101, "Switching Protocols"},
        {200, "OK"},
        {202, "Accepted"},
        {204, "No Content"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].status == status) return rows[i].text;
    }
    return "Unknown";
}

size_t http_answer_head(char *to, size_t max, const struct http_answer *answer)
{
    bool has_length = answer->status >= 200 && answer->status != 204 && answer->status != 304;
    char length[48] = "", type[100] = "", date[HTTP_DATE_BYTES + 10] = "";
    if (has_length) snprintf(length, sizeof length, "Content-Length: %zu\r\n", answer->body_bytes);
    if (answer->content_type != NULL) snprintf(type, sizeof type, "Content-Type: %s\r\n", answer->content_type);
    if (answer->date != NULL) snprintf(date, sizeof date, "Date: %s\r\n", answer->date);
    int count =
        snprintf(to, max, "HTTP/1.1 %u %s\r\n%s%s%sConnection: %s\r\n%s%s\r\n", answer->status,
                 http_status_text(answer->status), date, type, length, answer->keep_alive ? "keep-alive" : "close",
                 answer->status >= 200 ? "X-Content-Type-Options: nosniff\r\n" : "",
                 answer->extra_headers != NULL ? answer->extra_headers : "");
    return count > 0 && (size_t)count < max ? (size_t)count : 0;
}

void http_date_write(char to[HTTP_DATE_BYTES], uint64_t seconds)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t time = (time_t)seconds;
    struct tm tm;
    gmtime_r(&time, &tm);
    snprintf(to, HTTP_DATE_BYTES, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[tm.tm_wday], (unsigned)tm.tm_mday % 100,
             months[tm.tm_mon], (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)tm.tm_hour % 100,
             (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
}

#define STRING_OF(number) #number
#define STRING(macro)     STRING_OF(macro)

const char *http_library(void)
{
    return "llhttp " STRING(LLHTTP_VERSION_MAJOR) "." STRING(LLHTTP_VERSION_MINOR) "." STRING(LLHTTP_VERSION_PATCH);
}
