/* server/config/origin.h - the type of the option --origin: origins of pages, as browsers send them (RFC 6454 6.2).
 *
 * SCHEME://HOST or SCHEME://HOST:PORT, without a path and without the scheme's own port; "null", which pages of files
 * and sandboxes send; or * for all. What no browser sends would never fit, so it is refused, with what to write. */
#pragma once

#include "server/config/option_value.h"

typedef struct text_list option_origin_list;
extern const struct option_type option_type_origin_list;
