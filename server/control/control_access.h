/* server/control/control_access.h - who may ask for what the control door serves. */
#pragma once

#include "server/control/control_path.h"

#include <stdbool.h>

/* Status 0: not refused. */
struct control_refusal {
    unsigned status;
    const char *sentence; /* of cause and cure; static, as the headers are */
    const char *headers;  /* whole lines; NULL: none */
};

/* May the peer of this connection ask for what so many may have? */
struct control_refusal control_access_judge(const struct shard *shard, const struct connection *connection,
                                            const struct http_request *request, enum control_access access);

/* Is that the value of an Authorization header with this token, RFC 6750 2.1? In constant time for each length. */
bool control_access_has_token(struct text header, const char *token);
