/* server/web.h - the chat page and what it is made of: the files of server/web, embedded in the program.
 *
 * Whole answers, head and body, are made once at start and shared by all shards; connections send them from where
 * they lie. */
#pragma once

#include "core/rc.h"
#include "net/http.h"
#include "server/options.h"

#include <stdbool.h>
#include <stdint.h>

/* An answer as it goes to the socket. HEAD is answered with the first head_bytes. */
struct web_answer {
    char *text;
    uint32_t bytes;
    uint32_t head_bytes;
};

struct web_page {
    struct web_answer stay;  /* the connection is kept for another request */
    struct web_answer leave; /* the connection ends after it */
};

/* Main thread, before the shards start. What the page must know of the server comes from the options: it talks to the
 * first app (without one it cannot connect), and as a guest only if the server signs guests. RC_ENOENT: the embedded
 * page is not what this file expects. */
enum rc web_init(const struct options *options, bool has_guests);
void web_fini(void);

/* The file at this path; NULL: none. The chat's own is not among them: it connects to the address it stands at. */
const struct web_page *web_find(struct text path);
/* The chat itself, which stands at / and at every room. */
const struct web_page *web_chat(void);
