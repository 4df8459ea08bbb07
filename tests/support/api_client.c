/* tests/support/api_client.c - signing, writing and reading of HTTP API calls. */
#include "tests/support/api_client.h"

#include "core/bytes.h"
#include "net/digest.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- answers ---- */

static size_t body_bytes(const char *head)
{
    const char *length = strcasestr(head, "\r\nContent-Length:");
    cr_assert_not_null(length, "no Content-Length: %s", head);
    return strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
}

/* Takes one answer off the front; false: it is not whole yet. */
static bool understand(struct client *client, struct bytes *in)
{
    struct api_client *self = client->owner;
    const uint8_t *end = in->count > 0 ? memmem(in->at, in->count, "\r\n\r\n", 4) : NULL;
    if (end == NULL) return false;
    size_t head_count = (size_t)(end + 4 - in->at);
    char *head = strndup((char *)in->at, head_count);
    cr_assert_eq(strncmp(head, "HTTP/1.1 ", 9), 0, "%s", head);
    size_t body_count = body_bytes(head);
    if (in->count < head_count + body_count) {
        free(head);
        return false;
    }
    if (self->answers_count == self->answers_capacity) {
        self->answers_capacity = 2 * self->answers_capacity + 16;
        self->answers = realloc(self->answers, self->answers_capacity * sizeof self->answers[0]);
    }
    self->answers[self->answers_count++] = (struct api_answer){
        .status = (unsigned)strtoul(head + 9, NULL, 10),
        .head = head,
        .body = strndup((char *)in->at + head_count, body_count),
    };
    bytes_take(in, head_count + body_count);
    return true;
}

const char *api_client_last(const struct api_client *self, unsigned status)
{
    cr_assert_gt(self->answers_count, 0, "nothing was answered");
    const struct api_answer *answer = &self->answers[self->answers_count - 1];
    cr_assert_eq(answer->status, status, "%u %s", answer->status, answer->body);
    return answer->body;
}

/* ---- calls ---- */

static void free_client(void *owner)
{
    struct api_client *self = owner;
    for (uint32_t i = 0; i < self->answers_count; i++) {
        free(self->answers[i].head);
        free(self->answers[i].body);
    }
    free(self->answers);
    free(self);
}

struct api_client *api_client_join(struct scenario *scenario, uint32_t shard, size_t send_buffer)
{
    struct api_client *self = calloc(1, sizeof *self);
    self->client = client_connect(scenario, shard, send_buffer);
    self->client->owner = self;
    self->client->understand = understand;
    self->client->free_owner = free_client;
    return self;
}

char *api_request(const char *method, const char *path, const char *query, const char *body)
{
    char md5[DIGEST_MD5_HEX_BYTES + 1] = "", signature[DIGEST_HMAC_HEX_BYTES + 1], *parameters, *string, *request;
    bool has_body = body[0] != '\0';
    if (has_body) cr_assert_eq(digest_md5_hex(text_of(body), md5), RC_OK);
    unsigned long long seconds = (FAKE_REALTIME_MS + fake_now_ms()) / 1000;
    cr_assert_geq(asprintf(&parameters, "auth_key=%s&auth_timestamp=%llu&auth_version=1.0%s%s%s%s", CHANNEL_APP_KEY,
                           seconds, has_body ? "&body_md5=" : "", md5, query[0] != '\0' ? "&" : "", query),
                  0);
    cr_assert_geq(asprintf(&string, "%s\n/apps/%s%s\n%s", method, CHANNEL_APP_ID, path, parameters), 0);
    struct text piece = text_of(string);
    cr_assert_eq(digest_hmac_hex(text_of(CHANNEL_APP_SECRET), &piece, 1, signature), RC_OK);
    cr_assert_geq(asprintf(&request,
                           "%s /apps/%s%s?%s&auth_signature=%s HTTP/1.1\r\nHost: localhost\r\n"
                           "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                           method, CHANNEL_APP_ID, path, parameters, signature, strlen(body), body),
                  0);
    free(parameters);
    free(string);
    return request;
}

static void call(struct api_client *self, const char *method, const char *path, const char *query, const char *body)
{
    char *request = api_request(method, path, query, body);
    fake_write(self->client->socket, request, strlen(request));
    free(request);
}

void api_client_get(struct api_client *self, const char *path, const char *query)
{
    call(self, "GET", path, query, "");
}

void api_client_post(struct api_client *self, const char *path, const char *body)
{
    call(self, "POST", path, "", body);
}

void api_client_publish(struct api_client *self, const char *channel, const char *event, const char *data)
{
    char *body;
    cr_assert_geq(asprintf(&body, "{\"name\":\"%s\",\"channels\":[\"%s\"],\"data\":\"%s\"}", event, channel, data),
                  0);
    api_client_post(self, "/events", body);
    free(body);
}
