/* server/http/request.h - reading the requests of a door, whoever takes them. */
#pragma once

#include <stdbool.h>

struct bytes;
struct connection;
struct http_request;
struct shard;

/* What is done with the requests of a door. */
struct request_taker {
    /* A body is announced and has not come whole, or is no good: may it come? False: refused. */
    bool (*judge_head)(struct shard *shard, struct connection *connection, const struct http_request *head);
    /* A request: answers it, now or later. */
    void (*take)(struct shard *shard, struct connection *connection, const struct http_request *request);
};

/* Eats from `in`, and hands on a request that is complete. True: there may be more to do with what is left. */
bool request_receive(struct shard *shard, struct connection *connection, struct bytes *in,
                     const struct request_taker *taker);

/* Refuses what cannot be served here, whatever it is: a request that begins in `in`, from which it eats; NULL: one that
 * has come, or that does not. */
void request_refuse(struct shard *shard, struct connection *connection, struct bytes *in, unsigned status,
                    const char *sentence);

/* OPTIONS *, of the server as a whole (RFC 9110 9.3.7). */
bool request_is_for_server(const struct http_request *request);
void request_answer_for_server(struct shard *shard, struct connection *connection);

/* What is wrong with a request, by the status that it is refused with. */
const char *request_malformed_text(unsigned status);
