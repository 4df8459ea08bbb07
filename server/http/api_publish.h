/* server/http/api_publish.h - the endpoints that publish. */
#pragma once

struct api_request;

void api_publish_event(const struct api_request *request);
void api_publish_batch(const struct api_request *request);
