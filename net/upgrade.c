/* net/upgrade.c - is this request a good WebSocket handshake, and what is the answer?
 *
 * Refusals are one table of sentences: whoever reads one has an integration to mend and little else to go by. */
#include "net/upgrade.h"

#include "net/http.h"

#include <assert.h>
#include <ctype.h>
#include <mbedtls/base64.h>
#include <mbedtls/sha1.h>
#include <stdio.h>
#include <string.h>

enum { KEY_BYTES = 16, KEY_TEXT_BYTES = 24, SHA1_BYTES = 20 };

static const char accept_suffix[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455 1.3 */

/* RFC 9110 7.8: whoever sends Upgrade lists it in Connection. */
static const char upgrade_headers[] = "Connection: Upgrade\r\n"
                                      "Upgrade: websocket\r\n"
                                      "Sec-WebSocket-Version: 13\r\n";

static void refuse(struct upgrade *result, unsigned status, const char *text)
{
    result->status = status;
    result->text = text;
    if (status == 405) result->extra_headers = "Allow: GET\r\n";
    if (status == 426) result->extra_headers = upgrade_headers;
}

bool upgrade_is_asked(const struct http_request *request)
{
    return http_request_header_has(request, "upgrade", "websocket");
}

/* RFC 6455 4.1, points 1 to 5: method, version, Upgrade, Connection. */
static bool check_request(const struct http_request *request, struct upgrade *result)
{
    if (request->method != HTTP_METHOD_GET) {
        refuse(result, 405, "A WebSocket is opened with GET; no other method will do.");
    } else if (request->version_minor < 1) {
        refuse(result, 426,
               "A WebSocket needs HTTP/1.1, this request is HTTP/1.0. If a proxy stands in front, make it speak "
               "HTTP/1.1 (nginx: proxy_http_version 1.1;).");
    } else if (!upgrade_is_asked(request)) {
        refuse(result, 426,
               "This address speaks WebSocket: send \"Upgrade: websocket\". A proxy in front has to pass it on.");
    } else if (!http_request_header_has(request, "connection", "upgrade")) {
        refuse(result, 400,
               "\"Connection: Upgrade\" is missing. If a proxy stands in front, let it pass on Upgrade and "
               "Connection.");
    }
    return result->status == 0;
}

static bool check_version(const struct http_request *request, struct upgrade *result)
{
    unsigned count = http_request_header_count(request, "sec-websocket-version");
    struct text version = http_request_header(request, "sec-websocket-version");
    if (count > 1) {
        refuse(result, 400, "Sec-WebSocket-Version is sent more than once; send it once, as 13.");
    } else if (!text_is(version, "13")) {
        refuse(result, 426, "Sec-WebSocket-Version has to be 13, the version of RFC 6455.");
    }
    return result->status == 0;
}

/* Is this the base64 of 16 bytes? */
static bool is_key(struct text text)
{
    unsigned char key[KEY_BYTES + 2]; /* as much as KEY_TEXT_BYTES can hold */
    size_t count = 0;
    if (text.count != KEY_TEXT_BYTES) return false;
    int failed = mbedtls_base64_decode(key, sizeof key, &count, (const unsigned char *)text.at, text.count);
    return failed == 0 && count == KEY_BYTES;
}

static bool check_key(const struct http_request *request, struct upgrade *result)
{
    unsigned count = http_request_header_count(request, "sec-websocket-key");
    if (count > 1) {
        refuse(result, 400, "Sec-WebSocket-Key is sent more than once; send it once.");
    } else if (!is_key(http_request_header(request, "sec-websocket-key"))) {
        refuse(result, 400, "Sec-WebSocket-Key has to be 16 random bytes in base64, 24 characters.");
    }
    return result->status == 0;
}

bool upgrade_has_origin(const char *const *origins, size_t origins_count, struct text origin)
{
    for (size_t i = 0; i < origins_count; i++) {
        if (strcmp(origins[i], "*") == 0 || text_is_nocase(origin, origins[i])) return true;
    }
    return false;
}

bool upgrade_is_foreign(const struct http_request *request, const char *const *origins, size_t origins_count)
{
    return origins_count > 0 && http_request_header_count(request, "origin") == 1 &&
           !upgrade_has_origin(origins, origins_count, http_request_header(request, "origin"));
}

static bool check_origin(const struct http_request *request, const char *const *origins, size_t origins_count,
                         struct upgrade *result)
{
    if (http_request_header_count(request, "origin") > 1) {
        refuse(result, 400, "Origin is sent more than once; send it once or not at all.");
    } else if (upgrade_is_foreign(request, origins, origins_count)) {
        refuse(result, 403,
               "Pages of this origin may not open a WebSocket here. Whoever runs this server can allow it: the "
               "list of origins has to name it exactly, with scheme and port.");
    }
    return result->status == 0;
}

/* RFC 6455 4.2.2, point 5.4: base64 of the SHA-1 of the key's text and a fixed suffix. */
static bool make_accept(struct text key, char *accept)
{
    unsigned char text[KEY_TEXT_BYTES + sizeof accept_suffix - 1], digest[SHA1_BYTES];
    size_t count;
    memcpy(text, key.at, KEY_TEXT_BYTES);
    memcpy(text + KEY_TEXT_BYTES, accept_suffix, sizeof accept_suffix - 1);
    return mbedtls_sha1(text, sizeof text, digest) == 0 &&
           mbedtls_base64_encode((unsigned char *)accept, UPGRADE_ACCEPT_BYTES + 1, &count, digest, sizeof digest) ==
               0;
}

void upgrade_check(const struct http_request *request, const char *const *origins, size_t origins_count,
                   struct upgrade *result)
{
    *result = (struct upgrade){0};
    if (!check_request(request, result) || !check_version(request, result) || !check_key(request, result) ||
        !check_origin(request, origins, origins_count, result))
        return;
    if (make_accept(http_request_header(request, "sec-websocket-key"), result->accept)) {
        result->status = 101;
    } else {
        refuse(result, 500, "The server cannot compute the answer to Sec-WebSocket-Key.");
    }
}

/* ---- subprotocols ---- */

/* A token (RFC 9110 5.6.2) of a length that we answer. */
static bool is_subprotocol(struct text text)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < text.count; i++) {
        if (text.at[i] == '\0' || (!isalnum((unsigned char)text.at[i]) && strchr(marks, text.at[i]) == NULL))
            return false;
    }
    return text.count > 0 && text.count <= UPGRADE_SUBPROTOCOL_BYTES_MAX;
}

static bool is_wanted(struct text offered, const char *const *names, size_t names_count)
{
    if (!is_subprotocol(offered)) return false;
    for (size_t i = 0; i < names_count; i++) {
        if (strcmp(names[i], "any") == 0 || text_is(offered, names[i])) return true;
    }
    return false;
}

struct text upgrade_subprotocol(const struct http_request *request, const char *const *names, size_t names_count)
{
    for (uint32_t n = 0; names_count > 0 && n < request->lines_count; n++) {
        struct http_header header = http_header_at(request, n);
        if (!text_is_nocase(header.name, "sec-websocket-protocol")) continue;
        for (struct text rest = header.value, offered; http_list_take(&rest, &offered);) {
            if (is_wanted(offered, names, names_count)) return offered;
        }
    }
    return (struct text){0};
}

size_t upgrade_answer(const struct upgrade *upgrade, struct text subprotocol, char *to, size_t max)
{
    assert(upgrade->status == 101 && subprotocol.count <= UPGRADE_SUBPROTOCOL_BYTES_MAX);
    int count = snprintf(to, max,
                         "HTTP/1.1 101 %s\r\n"
                         "Upgrade: websocket\r\n"
                         "Connection: Upgrade\r\n"
                         "Sec-WebSocket-Accept: %s\r\n"
                         "%s%.*s%s"
                         "\r\n",
                         http_status_text(101), upgrade->accept,
                         subprotocol.at != NULL ? "Sec-WebSocket-Protocol: " : "", (int)subprotocol.count,
                         subprotocol.at != NULL ? subprotocol.at : "", subprotocol.at != NULL ? "\r\n" : "");
    return count > 0 && (size_t)count < max ? (size_t)count : 0;
}
