/* server/web.h - the chat page and what it is made of: the files of server/web, embedded in the program.
 *
 * Bodies are made once at start and shared by all shards; connections send them from where they lie. */
#pragma once

#include "core/rc.h"
#include "core/text.h"
#include "server/options.h"

#include <stdbool.h>

struct web_page {
    const char *type;    /* Content-Type */
    const char *headers; /* whole lines */
    struct text body;
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
