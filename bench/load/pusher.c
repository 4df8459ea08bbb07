/* bench/load/pusher.c - frames, requests and their signatures; events found or read. */
#include "bench/load/pusher.h"

#include "net/digest.h"
#include "net/json.h"

#include <stdio.h>
#include <string.h>

/* ---- reading ---- */

/* What follows a key a colon, blanks around it. */
static bool find_value(struct text message, const char *quoted_key, struct text *rest_r)
{
    size_t key_bytes = strlen(quoted_key);
    const char *at = memmem(message.at, message.count, quoted_key, key_bytes), *end = message.at + message.count;
    if (at == NULL) return false;
    for (at += key_bytes; at < end && (*at == ' ' || *at == ':'); at++)
        ;
    *rest_r = text_between(at, end);
    return at < end;
}

/* The string that follows a key, as it is written. */
static bool find_string(struct text message, const char *quoted_key, struct text *value_r)
{
    struct text rest;
    if (!find_value(message, quoted_key, &rest) || rest.at[0] != '"') return false;
    const char *quote = memchr(rest.at + 1, '"', rest.count - 1);
    if (quote == NULL) return false;
    *value_r = text_between(rest.at + 1, quote);
    return true;
}

/* Like find_string(), in JSON that stands in a string, where quotation marks are escaped. */
static bool find_escaped(struct text message, const char *quoted_key, struct text *value_r)
{
    struct text rest;
    if (!find_value(message, quoted_key, &rest) || rest.count < 2 || memcmp(rest.at, "\\\"", 2) != 0) return false;
    const char *quote = memmem(rest.at + 2, rest.count - 2, "\\\"", 2);
    if (quote == NULL) return false;
    *value_r = text_between(rest.at + 2, quote);
    return true;
}

bool pusher_read_message(struct text message, const char *event, struct text *payload_r)
{
    struct text name, data;
    if (!find_string(message, "\"event\"", &name) || !text_is(name, event)) return false;
    if (!find_value(message, "\"data\"", &data)) return false;
    if (data.at[0] == '{') return find_string(data, "\"" PUSHER_MEMBER "\"", payload_r);
    if (data.count > 1 && data.at[0] == '"' && data.at[1] == '{') {
        return find_escaped(data, "\\\"" PUSHER_MEMBER "\\\"", payload_r);
    }
    return find_string(message, "\"data\"", payload_r);
}

/* Data is JSON in a string, or from some servers the object itself. The document is the caller's to free. */
static yyjson_val *read_data(yyjson_val *root, yyjson_doc **doc_r)
{
    yyjson_val *data;
    *doc_r = NULL;
    if (json_member(root, "data", &data) != RC_OK || !yyjson_is_str(data)) return data;
    return json_read(json_text(data), doc_r, NULL) == RC_OK ? yyjson_doc_get_root(*doc_r) : NULL;
}

static void copy_member(yyjson_val *object, const char *name, struct pusher_event *event)
{
    yyjson_val *value;
    if (object == NULL || json_member(object, name, &value) != RC_OK) return;
    struct text text = json_text(value);
    if (text.at != NULL) snprintf(event->text, sizeof event->text, "%.*s", (int)text.count, text.at);
}

static void read_error(yyjson_val *root, yyjson_val *data, struct pusher_event *event)
{
    event->kind = PUSHER_ERROR;
    copy_member(data, "message", event);
    if (event->text[0] == '\0') copy_member(data, "error", event);
    if (event->text[0] == '\0') copy_member(root, "data", event); /* some servers say it in a string */
}

static void read_named(yyjson_val *root, struct text name, struct pusher_event *event)
{
    yyjson_doc *doc;
    yyjson_val *data = read_data(root, &doc);
    if (text_is(name, "pusher:connection_established")) {
        event->kind = PUSHER_ESTABLISHED;
        copy_member(data, "socket_id", event);
    } else if (text_is(name, "pusher_internal:subscription_succeeded")) {
        event->kind = PUSHER_SUBSCRIBED;
    } else if (text_is(name, "pusher:ping")) {
        event->kind = PUSHER_PING;
    } else if (text_is(name, "pusher:error") || text_is(name, "pusher:subscription_error")) {
        read_error(root, data, event);
    }
    yyjson_doc_free(doc);
}

void pusher_read_event(struct text message, struct pusher_event *event)
{
    yyjson_doc *doc;
    yyjson_val *name;
    *event = (struct pusher_event){.kind = PUSHER_BAD};
    if (json_read(message, &doc, NULL) != RC_OK) return;
    yyjson_val *root = yyjson_doc_get_root(doc);
    if (json_member(root, "event", &name) == RC_OK && yyjson_is_str(name)) {
        event->kind = PUSHER_OTHER;
        read_named(root, json_text(name), event);
    }
    yyjson_doc_free(doc);
}

/* ---- writing ---- */

static size_t written(int count)
{
    return count > 0 && count < PUSHER_TEXT_BYTES_MAX ? (size_t)count : 0;
}

size_t pusher_write_subscribe(char *to, const char *channel, const char *socket_id, struct text key,
                              struct text secret)
{
    char signature[DIGEST_HMAC_HEX_BYTES + 1];
    if (strncmp(channel, "private-", 8) != 0) {
        return written(snprintf(to, PUSHER_TEXT_BYTES_MAX,
                                "{\"event\":\"pusher:subscribe\",\"data\":{\"auth\":\"\",\"channel\":\"%s\"}}",
                                channel));
    }
    const struct text pieces[] = {text_of(socket_id), text_of(":"), text_of(channel)};
    if (digest_hmac_hex(secret, pieces, 3, signature) != RC_OK) return 0;
    return written(snprintf(to, PUSHER_TEXT_BYTES_MAX,
                            "{\"event\":\"pusher:subscribe\",\"data\":{\"auth\":\"%.*s:%s\",\"channel\":\"%s\"}}",
                            (int)key.count, key.at, signature, channel));
}

size_t pusher_write_client_head(char *to, const char *channel)
{
    return written(snprintf(
        to, PUSHER_TEXT_BYTES_MAX,
        "{\"event\":\"" PUSHER_CLIENT_EVENT "\",\"channel\":\"%s\",\"data\":{\"" PUSHER_MEMBER "\":\"", channel));
}

size_t pusher_write_client_tail(char *to)
{
    return written(snprintf(to, PUSHER_TEXT_BYTES_MAX, "\"}}"));
}

size_t pusher_write_body_head(char *to, const char *channel)
{
    return written(snprintf(to, PUSHER_TEXT_BYTES_MAX,
                            "{\"name\":\"" PUSHER_EVENT "\",\"channels\":[\"%s\"],\"data\":\"", channel));
}

size_t pusher_write_body_tail(char *to)
{
    return written(snprintf(to, PUSHER_TEXT_BYTES_MAX, "\"}"));
}

size_t pusher_write_request(char *to, const char *host, struct text app_id, struct text key, struct text secret,
                            uint64_t now_s, struct text body)
{
    char path[256], query[400], md5[DIGEST_MD5_HEX_BYTES + 1], signature[DIGEST_HMAC_HEX_BYTES + 1];
    if (digest_md5_hex(body, md5) != RC_OK) return 0;
    snprintf(path, sizeof path, "/apps/%.*s/events", (int)app_id.count, app_id.at);
    snprintf(query, sizeof query, "auth_key=%.*s&auth_timestamp=%llu&auth_version=1.0&body_md5=%s", (int)key.count,
             key.at, (unsigned long long)now_s, md5);
    const struct text pieces[] = {text_of("POST\n"), text_of(path), text_of("\n"), text_of(query)};
    if (digest_hmac_hex(secret, pieces, 4, signature) != RC_OK) return 0;
    return written(snprintf(to, PUSHER_TEXT_BYTES_MAX,
                            "POST %s?%s&auth_signature=%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
                            "Content-Length: %zu\r\n\r\n",
                            path, query, signature, host, body.count));
}
