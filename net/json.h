/* net/json.h - reads JSON (RFC 8259) that others wrote, with yyjson, and holds it to bounds. Written is JSON by hand
 * (core/json_text.h), or by yyjson from what was read.
 *
 * Server code looks into a document with yyjson's own functions (yyjson_is_str(), yyjson_arr_iter ...); only this
 * header includes <yyjson.h>. Numbers are kept as they were written (YYJSON_READ_NUMBER_AS_RAW): they come out again
 * digit for digit, and yyjson_is_raw() is how to know one. Strings are decoded, valid UTF-8, and may hold zeros.
 * Any thread; a document belongs to whoever read it. */
#pragma once

#include "core/rc.h"
#include "core/text.h"

#include <yyjson.h>

#define JSON_DEPTH_MAX 32

/* RC_OK: give the document back with yyjson_doc_free(). RC_EINVAL: not JSON, not UTF-8, or something behind it.
 * RC_ETOOBIG: nested deeper than JSON_DEPTH_MAX. RC_ENOMEM. On errors *reason_r, if not NULL, is a static text. */
enum rc json_read(struct text text, yyjson_doc **doc_r, const char **reason_r);

/* The member of an object. RC_OK; RC_ENOENT: none, or no object; RC_EPROTO: it is there twice, which readers
 * understand differently, so it is refused. On errors *value_r is NULL. */
enum rc json_member(yyjson_val *object, const char *name, yyjson_val **value_r);

/* A string's or a raw number's text; at == NULL for anything else (also for NULL). Lives as long as the document. */
struct text json_text(yyjson_val *value);

/* The value as compact JSON; *text_r is the caller's to free(). RC_ENOMEM. */
enum rc json_write(yyjson_val *value, char **text_r, size_t *bytes_r);
/* The library and its version: "yyjson 0.10.0"; static. */
const char *json_library(void);
