/* server/metrics/close_codes.h - why connections end, for people: deploy/close-codes.md. */
#pragma once

#include <stdio.h>

/* Writes all reasons of core/close_reason.def in Markdown, with their codes, what channel clients do and what an
 * operator looks for. */
void close_codes_print(FILE *out);
