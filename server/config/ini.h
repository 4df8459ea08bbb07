/* server/config/ini.h - the lines of a configuration file: sections, and names with values.
 *
 *     # a comment, on a line of its own; so is ; one
 *     [server]
 *     listen = 127.0.0.1:8080
 *     [channels private-*]
 *     ttl = 30d
 *
 * Lines end with LF or CRLF. Blanks around names and values mean nothing, wherever a line begins. A value is what
 * stands behind the first equals sign, up to the end of the line and of any length: no quotes, no escapes, and '#' and
 * ';' in it are its own, since passwords and patterns have them. A byte order mark in front of a line is stepped over.
 * What is no UTF-8, or a control character, is a mistake, but for comments, where only NUL is one, and CR alone: lines
 * that end so would all be one comment.
 *
 * A reader of our own, because the packaged ones bend what they read: inih cuts lines at 200 bytes and sections at 50,
 * takes " ;" for a comment and an indented name for more of the last value; libini_config 0.6 gives up at sections of
 * more than 1,024 bytes, cuts values at a NUL, merges [Server] and [server], and does not say in which line a section
 * stands.
 *
 * Threads: any; what it returns points into the text. Nothing is allocated here. */
#pragma once

#include "core/text.h"

#include <stdbool.h>
#include <stdint.h>

enum ini_kind { INI_END, INI_SECTION, INI_VALUE, INI_MISTAKE };

struct ini_item {
    enum ini_kind kind;
    uint32_t line;       /* from 1 */
    struct text name;    /* of a section its first word; never empty */
    struct text value;   /* of a section what follows that word, "" for none */
    const char *mistake; /* of INI_MISTAKE: cause and cure; static */
    bool is_header;      /* of INI_MISTAKE: the line is that of a section, of which nothing else is known */
};

/* What is left to read. The fields are the reader's. */
struct ini {
    struct text rest;
    uint32_t line;
};

void ini_init(struct ini *ini, struct text text);
/* The next line that is neither empty nor a comment, for files that have no sections: INI_VALUE with the line as its
 * name, INI_MISTAKE or INI_END. */
struct ini_item ini_next_line(struct ini *ini);
/* The next section, value or mistake; INI_END behind the last. A mistake is one line's: the next call goes on. */
struct ini_item ini_next(struct ini *ini);
