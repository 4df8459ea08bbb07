/* server/http/api_auth.h - is a request signed by its app? */
#pragma once

#include "core/text.h"
#include "server/http/api_answer.h"

#define APPS_PART "/apps/" /* then the app's id */

/* The path from /apps/ on: what is signed; empty: it has no such part. */
struct text api_signed_path(struct text path);
/* Is the request signed by the app? Reads request->query, which the caller gives back. */
struct api_refusal api_check_signature(struct api_request *request);
/* The body is complete: is it the one that was signed? */
struct api_refusal api_check_body(const struct api_request *request);
