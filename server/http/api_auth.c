/* server/http/api_auth.c - the signature of a request, as Pusher's server SDKs make it. */
#include "server/http/api_auth.h"

#include "net/digest.h"
#include "net/http_request.h"
#include "server/config/app.h"
#include "server/connection/connection.h"
#include "server/http/api_answer.h"
#include "server/system/clock.h"

#include <stdio.h>
#include <stdlib.h>

#define TIMESTAMP_DIGITS_MAX  23
#define TIMESTAMP_SECONDS_MAX 600 /* how far the two clocks may differ */

struct text api_signed_path(struct text path)
{
    struct text rest = path;
    while (rest.count > 0 && !text_has_prefix(rest, APPS_PART)) {
        rest = text_behind(rest, 1);
    }
    return rest;
}

static struct api_refusal check_key(const struct api_request *request)
{
    struct text key = query_string_get(&request->query, "auth_key");
    if (key.at == NULL) return (struct api_refusal){400, "auth_key is missing: sign the request", NULL};
    if (!text_is(key, request->app->key)) return (struct api_refusal){400, "Unknown auth_key", NULL};
    if (!request->app->enabled) return (struct api_refusal){403, "The app is not enabled (enabled=yes)", NULL};
    return (struct api_refusal){0};
}

static struct api_refusal check_timestamp(const struct api_request *request)
{
    struct text given = query_string_get(&request->query, "auth_timestamp");
    uint64_t seconds, now = realtime_ms() / 1000;
    if (given.count > TIMESTAMP_DIGITS_MAX || !text_is_number(given, &seconds)) {
        return (struct api_refusal){401, "auth_timestamp has to be seconds since 1970", NULL};
    }
    uint64_t apart = seconds > now ? seconds - now : now - seconds;
    if (apart <= TIMESTAMP_SECONDS_MAX) return (struct api_refusal){0};
    char *words;
    int count = asprintf(&words, "Timestamp expired: Given timestamp (%llu) not within 600s of server time (%llu)",
                         (unsigned long long)seconds, (unsigned long long)now);
    return count >= 0 ? (struct api_refusal){401, words, words} : api_out_of_memory;
}

/* METHOD\nPATH\nquery: what is signed. The caller frees; NULL: out of memory. */
static char *string_to_sign(const struct api_request *request, struct text path, size_t *bytes_r)
{
    struct text method = request->http->method_text;
    size_t query_bytes = query_string_sorted_bytes(&request->query, "auth_signature");
    char *string = malloc(method.count + path.count + query_bytes + 2);
    if (string == NULL) return NULL;
    char *to = string;
    to = text_put(to, method);
    *to++ = '\n';
    to = text_put(to, path);
    *to++ = '\n';
    to = query_string_write_sorted(&request->query, "auth_signature", to);
    *bytes_r = (size_t)(to - string);
    return string;
}

/* Telling what was to be signed helps more than anything else to get a signature right, and is no secret. */
static struct api_refusal wrong_signature(struct text string, struct text signature)
{
    char *words = malloc(2 * string.count + signature.count + 200);
    if (words == NULL) return api_out_of_memory;
    char *to = text_put(words, text_of("Invalid signature: you should have sent HmacSHA256Hex(\""));
    for (size_t i = 0; i < string.count; i++) {
        if (string.at[i] == '\n') {
            to = text_put(to, text_of("\\n"));
        } else {
            *to++ = string.at[i];
        }
    }
    to = text_put(to, text_of("\", your_secret_key), but you sent \""));
    *text_put(text_put(to, signature), text_of("\"")) = '\0';
    return (struct api_refusal){401, words, words};
}

/* By any of the app's secrets? RC_EPROTO: it is not. */
static enum rc check_signature(const struct app *app, struct text text, struct text signature)
{
    char expected[DIGEST_HMAC_HEX_BYTES + 1];
    const char *secret;
    for (uint32_t i = 0; (secret = app_secret(app, i)) != NULL; i++) {
        enum rc rc = digest_hmac_hex(text_of(secret), &text, 1, expected);
        if (rc != RC_OK) return rc;
        if (digest_equals(signature, text_of(expected))) return RC_OK;
    }
    return RC_EPROTO;
}

/* RC_OK: it is signed. RC_EPROTO: it is not; then the refusal says so. */
static enum rc check_path(const struct api_request *request, struct text path, struct api_refusal *refusal_r)
{
    size_t bytes;
    char *string = string_to_sign(request, path, &bytes);
    *refusal_r = api_out_of_memory;
    if (string == NULL) return RC_ENOMEM;
    struct text text = {string, bytes};
    struct text signature = query_string_get(&request->query, "auth_signature");
    enum rc rc = check_signature(request->app, text, signature);
    if (rc == RC_EPROTO) *refusal_r = wrong_signature(text, signature);
    free(string);
    return rc;
}

/* SDKs sign the path as they know it, and what they send over HTTP may be percent-encoded. */
static struct api_refusal check_paths(const struct api_request *request)
{
    struct text path = api_signed_path(request->http->path);
    struct api_refusal raw, decoded;
    enum rc rc = check_path(request, path, &raw);
    if (rc == RC_OK) return (struct api_refusal){0};
    if (rc == RC_ENOMEM || memchr(path.at, '%', path.count) == NULL) return raw;
    char *memory = malloc(path.count);
    if (memory == NULL) return raw;
    size_t count = percent_decode(path, memory);
    rc = count != SIZE_MAX ? check_path(request, (struct text){memory, count}, &decoded) : RC_EINVAL;
    free(memory);
    if (rc == RC_EPROTO) free(decoded.memory);
    if (rc != RC_OK) return raw;
    free(raw.memory);
    return (struct api_refusal){0};
}

static bool has_brackets(struct text query)
{
    return memchr(query.at, '[', query.count) != NULL || memmem(query.at, query.count, "%5B", 3) != NULL ||
           memmem(query.at, query.count, "%5b", 3) != NULL;
}

static struct api_refusal check_query(struct api_request *request, enum rc rc)
{
    if (rc == RC_ENOMEM) return api_out_of_memory;
    if (rc != RC_OK) return (struct api_refusal){400, "The query is not well-formed", NULL};
    struct api_refusal refusal = check_key(request);
    if (refusal.status == 0) refusal = check_timestamp(request);
    if (refusal.status == 0) refusal = check_paths(request);
    return refusal;
}

/* Most SDKs escape what they sign, byte for byte; PHP writes the query as a form, and signs what it stands for. What
 * was signed is what the request means. */
struct api_refusal api_check_signature(struct api_request *request)
{
    struct text query = request->http->query;
    struct api_refusal refusal = check_query(request, query_string_read(&request->query, query));
    if (refusal.status != 401 || (memchr(query.at, '+', query.count) == NULL && !has_brackets(query))) return refusal;
    struct query_string as_sent = request->query;
    struct api_refusal of_form = check_query(request, query_string_read_form(&request->query, query));
    query_string_fini(&as_sent);
    free(of_form.status == 0 ? refusal.memory : of_form.memory);
    return of_form.status == 0 ? of_form : refusal;
}

struct api_refusal api_check_body(const struct api_request *request)
{
    char expected[DIGEST_MD5_HEX_BYTES + 1];
    struct text body = request->http->body, given = query_string_get(&request->query, "body_md5");
    if (body.count == 0) return (struct api_refusal){0};
    if (given.at == NULL) return (struct api_refusal){401, "body_md5 is missing: sign the body too", NULL};
    if (digest_md5_hex(body, expected) != RC_OK) return api_out_of_memory;
    if (digest_equals(given, text_of(expected))) return (struct api_refusal){0};
    return (struct api_refusal){401, "Invalid body_md5: it is not the MD5 of the body that came", NULL};
}
