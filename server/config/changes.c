/* server/config/changes.c - lines, up to a bound. */
#include "server/config/changes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void add(struct changes *changes, bool needs_restart, const char *format, va_list arguments)
{
    char *text = NULL;
    *(needs_restart ? &changes->restarts : &changes->applied) += 1;
    if (changes->told == CHANGES_TOLD_MAX || vasprintf(&text, format, arguments) < 0) return;
    changes->items[changes->told++] = (struct change){.text = text, .needs_restart = needs_restart};
}

void changes_apply(struct changes *changes, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add(changes, false, format, arguments);
    va_end(arguments);
}

void changes_defer(struct changes *changes, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add(changes, true, format, arguments);
    va_end(arguments);
}

void changes_fini(struct changes *changes)
{
    for (uint32_t i = 0; i < changes->told; i++)
        free(changes->items[i].text);
    *changes = (struct changes){0};
}
