/* net/http.h - reads one HTTP/1.x request at a time (RFC 9112), cut at any byte, and formats the heads of answers.
 *
 * llhttp, in its strict mode, decides what is well-formed. The raw head is kept as it came and the body, unchunked,
 * behind it in the same buffer; the views of a request (net/http_request) point into that buffer.
 *
 * Memory:  one buffer, from 1 KiB doubling up to head_bytes_max + body_bytes_max.
 * Threads: one thread at a time. Only this file and http.c know llhttp. */
#pragma once

#include "core/bytes.h"
#include "core/rc.h"
#include "net/http_request.h"

#include <llhttp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HTTP_HEAD_BYTES_MAX = 16 * 1024, /* what a server sets who has no reason for another bound */
};

/* Fields are the reader's own. */
struct http_reader {
    llhttp_t parser;
    uint8_t *buffer; /* the raw head, then the body */
    uint32_t buffer_bytes;
    uint32_t head_bytes; /* of the raw head so far */
    uint32_t body_bytes; /* of the body so far, chunking taken off */
    uint32_t head_bytes_max;
    uint32_t body_bytes_max;
    uint64_t body_wire_bytes; /* of the body as it came, chunking included */
    uint16_t status;          /* the answer an error asks for; 0: no error */
    uint8_t headers_count;
    bool has_method;
    bool head_is_complete;
    bool has_head; /* complete, and good */
    bool has_body; /* one is announced */
    bool is_complete;
    bool wants_continue;
    enum rc rc; /* what http_reader_feed() said last */
    struct http_request request;
};

/* Allocates nothing yet. head_bytes_max bounds the request line and the headers together, body_bytes_max the body;
 * both below 1 GiB. */
void http_reader_init(struct http_reader *reader, uint32_t head_bytes_max, uint32_t body_bytes_max);
/* Accepts a zeroed reader and one already finished. */
void http_reader_fini(struct http_reader *reader);
/* Makes ready for the next request of the connection. A buffer larger than the first 1 KiB is given back. */
void http_reader_reset(struct http_reader *reader);

/* Eats from `in`. RC_OK: one request is complete and `in` stands right behind it (what is left are pipelined
 * requests or early WebSocket bytes, the caller's to keep); reset before feeding again. RC_MORE: all is eaten, more
 * is needed. RC_EPROTO, RC_ETOOBIG, RC_ENOMEM: answer http_reader_status() and close; every later call says the
 * same and eats nothing. */
enum rc http_reader_feed(struct http_reader *reader, struct bytes *in);
/* Did http_reader_feed() say RC_OK? */
static inline bool http_reader_is_complete(const struct http_reader *reader)
{
    return reader->rc == RC_OK;
}
/* After RC_OK: the request. */
const struct http_request *http_reader_request(const struct http_reader *reader);
/* The request without its body, as soon as its head is complete and good, also when the body turned out bad; else NULL.
 * What it says of the body is not meant. */
const struct http_request *http_reader_head(struct http_reader *reader);
/* With a head: does it announce a body? One of no bytes in chunks is one, Content-Length: 0 is none. */
static inline bool http_reader_has_body(const struct http_reader *reader)
{
    return reader->has_body;
}
/* Is it a HEAD, as far as it has come, be it one letter? Then no answer to it has a body, not even one that refuses the
 * rest of it. */
bool http_reader_is_head(const struct http_reader *reader);
/* Has nothing of a request come yet? */
static inline bool http_reader_is_fresh(const struct http_reader *reader)
{
    return reader->head_bytes == 0;
}
/* How much of the body has come so far. */
static inline uint32_t http_reader_body_bytes(const struct http_reader *reader)
{
    return reader->body_bytes;
}
/* After an error: 400 malformed; 413 body too big; 417 an expectation we do not know; 431 head too big or more than
 * HTTP_HEADERS_MAX headers; 501 unknown method or transfer coding; 503 no memory; 505 not HTTP/1.x. HTTP/1.2 and
 * on are read as 1.1 (RFC 9110 2.5). */
unsigned http_reader_status(const struct http_reader *reader);
/* After RC_MORE: true once when the client waits for "100 Continue" before it sends the body (RFC 9110 10.1.1). */
bool http_reader_take_continue(struct http_reader *reader);

/* The reason phrase of a status we send; "Unknown" for others. Never NULL. */
const char *http_status_text(unsigned status);

/* An answer's head. */
struct http_answer {
    unsigned status;
    const char *content_type; /* NULL: no such header */
    size_t body_bytes;
    bool keep_alive;
    const char *date;          /* as http_date_write() writes it, or NULL */
    const char *extra_headers; /* whole lines, each with its CRLF, or NULL */
};

/* Writes a head up to and with the empty line. 1xx, 204 and 304 get no Content-Length (RFC 9110 8.6); all but 1xx say
 * X-Content-Type-Options: nosniff. Returns the bytes written, or 0 when they and the zero behind them are more than
 * max. */
size_t http_answer_head(char *to, size_t max, const struct http_answer *answer);

/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 5.6.7) of seconds since 1970, up to the year 9999. */
#define HTTP_DATE_BYTES 30 /* the zero included */
void http_date_write(char to[HTTP_DATE_BYTES], uint64_t seconds);
/* The library and its version: "llhttp 9.2.1"; static. */
const char *http_library(void);
