/* server/http/api_read.h - the endpoints that ask who is where, and end a user's connections. */
#pragma once

struct api_request;

void api_read_channels(const struct api_request *request);
void api_read_channel(const struct api_request *request);
void api_read_history(const struct api_request *request);
void api_read_users(const struct api_request *request);
void api_read_connections(const struct api_request *request);
void api_terminate(const struct api_request *request);
