/* server/cluster/script.h - the scripts that run inside Redis, from the table script.def and the files in scripts/.
 *
 * They are loaded by their text and called by its SHA-1; a server that was restarted has lost them, and answers
 * NOSCRIPT without having done anything. server/cluster/script_call.h makes the calls. */
#pragma once

#include "core/rc.h"
#include "core/text.h"

#include <stdint.h>

#define SCRIPT_RECORDS_MAX 64  /* of one call */
#define SCRIPT_USERS_MAX   500 /* of one LEAVE */

enum script {
#define SCRIPT(name, ...) SCRIPT_##name,
#include "server/cluster/script.def"
#undef SCRIPT
    SCRIPTS_MAX
};

/* Computes the digests. Main thread, at start. RC_ENOMEM: mbedTLS found no memory. RC_ENOENT: a file of the table is
 * not in the program. */
enum rc scripts_init(void);

/* Any thread, after scripts_init(). Static. */
struct text script_text(enum script script);
struct text script_sha1(enum script script);
/* In capitals, for logs. */
const char *script_name(enum script script);
/* How many keys it takes. */
uint32_t script_keys_min(enum script script);
uint32_t script_keys_max(enum script script);
