/* net/query_string.h - the part of a URL behind '?': decoded, looked up, and put in order for a signature.
 *
 * Pieces stand between '&'; each is split at its first '='; both sides are percent-decoded (RFC 3986 2.1), '+' stays
 * '+' unless it is read as a form. A bad escape ("%", "%4", "%zz") is an error. Names are made lower case. Decoded text
 * lives in the struct's own memory until query_string_fini(). One thread. */
#pragma once

#include "core/rc.h"
#include "core/text.h"

#include <stddef.h>
#include <stdint.h>

#define QUERY_PARAMETERS_MAX 64

struct query_parameter {
    struct text name;
    struct text value; /* empty when there is no '=' */
};

struct query_string {
    struct query_parameter parameters[QUERY_PARAMETERS_MAX]; /* in the order of query_string_read() */
    uint32_t count;
    char *memory;
};

/* Decodes percent-escapes of `text` into `to`, which has room for text.count bytes. Returns the bytes written, or
 * SIZE_MAX for a bad escape. */
size_t percent_decode(struct text text, char *to);

/* Reads a query; one that is empty or absent (at == NULL) has no parameters; empty pieces ("a=1&&b=2") are skipped.
 * RC_EINVAL: a bad escape. RC_ETOOBIG: more than QUERY_PARAMETERS_MAX. RC_ENOMEM. On errors nothing is to be given
 * back. Parameters are sorted by the bytes of their names; those of one name stay in the order they came. */
enum rc query_string_read(struct query_string *query, struct text text);
/* Reads a query, as query_string_read() does, that a form or PHP's http_build_query() wrote: '+' is a space, and the
 * values of NAME[], or of NAME[0], NAME[1] and so on, become one of NAME, in the order they came, with commas
 * between. */
enum rc query_string_read_form(struct query_string *query, struct text text);
/* Accepts a zeroed struct and leaves one. */
void query_string_fini(struct query_string *query);

/* The value of the first parameter of that name (lower case); at == NULL when there is none. */
struct text query_string_get(const struct query_string *query, const char *name);

/* How many bytes query_string_write_sorted() writes. */
size_t query_string_sorted_bytes(const struct query_string *query, const char *without);
/* Writes name=value joined by '&', decoded, in order, without the parameter `without`: what a Pusher request signs.
 * Parameters of the same name ("channels[]") become one, its values joined by ','. Returns the end. */
char *query_string_write_sorted(const struct query_string *query, const char *without, char *to);
