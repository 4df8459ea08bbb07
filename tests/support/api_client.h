/* tests/support/api_client.h - backends in a scenario: signed calls of the HTTP API over a fake socket, one after the
 * other or many at once, and the answers in their order. */
#pragma once

#include "tests/support/channel_client.h"

struct api_answer {
    unsigned status;
    char *head;
    char *body;
};

struct api_client {
    struct client *client;
    struct api_answer *answers;
    uint32_t answers_count, answers_capacity;
};

struct api_client *api_client_join(struct scenario *scenario, uint32_t shard, size_t send_buffer);

/* The bytes of a signed request; the caller frees. `query` stands behind the signature's parameters, in their order
 * (a=b&c=d), and `body` may be "". */
char *api_request(const char *method, const char *path, const char *query, const char *body);
/* Writes one. The path is what stands behind /apps/ID. */
void api_client_get(struct api_client *self, const char *path, const char *query);
void api_client_post(struct api_client *self, const char *path, const char *body);
/* Publishes an event to one channel; data is a JSON string's inside. */
void api_client_publish(struct api_client *self, const char *channel, const char *event, const char *data);
/* The body of the latest answer, which has this status. */
const char *api_client_last(const struct api_client *self, unsigned status);
